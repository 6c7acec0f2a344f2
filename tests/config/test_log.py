"""What a log says, and what it never says."""

import json
import logging
from collections.abc import Iterator

import pytest

from config.log import log_to_stderr, mask_numbers


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("call from +6281234567890 ended", "call from +628…90 ended"),
        ("081234567890", "0812…90"),
        ("1732438493.12", "1732438493.12"),
        ("01936d2e-0001-7000-8000-123456789012", "01936d2e-0001-7000-8000-123456789012"),
        ("112", "112"),
    ],
)
def test_a_callers_number_is_masked_and_ids_are_not(said: str, written: str) -> None:
    event = {"event": said, "more": {"deep": [said]}, "n": 5}
    assert mask_numbers(None, "info", event) == {"event": written, "more": {"deep": [written]}, "n": 5}


def test_an_error_is_logged_without_the_values_of_variables(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("json")
    secret = "rahasia"
    try:
        int(f"081234567890 {len(secret)}")
    except ValueError:
        logging.getLogger("test").exception("failed", extra={"path": "/x"})
    line = capsys.readouterr().err
    said = json.loads(line)
    assert (said["event"], said["path"], said["level"]) == ("failed", "/x", "error")
    assert "rahasia" not in line
    assert "081234567890" not in line
