"""What a log says, and what it never says."""

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest
import structlog

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


def test_a_value_of_ours_is_masked_too() -> None:
    @dataclass
    class Caller:
        number: str

    said = mask_numbers(None, "info", {"event": "rang", "caller": Caller("081234567890"), "081234567890": 1})
    assert "081234567890" not in str(said["caller"])


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_error_is_logged_without_numbers_and_without_the_values_of_variables(
    log_format: Literal["json", "text"], capsys: pytest.CaptureFixture[str]
) -> None:
    log_to_stderr("agi", log_format)
    secret = "rahasia"
    try:
        int(f"081234567890 {len(secret)}")
    except ValueError:
        logging.getLogger("test").exception("failed", extra={"path": "/x"})
    said = capsys.readouterr().err
    assert "failed" in said
    assert "ValueError" in said
    assert "rahasia" not in said
    assert "081234567890" not in said


def test_each_line_says_which_program_and_which_part_of_it_speaks(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr("agi", "json")
    speaker = threading.Thread(target=lambda: logging.getLogger("agi.server").warning("busy", extra={"n": 1}))
    speaker.start()
    speaker.join()
    structlog.get_logger("dispatch").info("ready", port=1)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["program"], line["logger"], line["level"], line["event"]) for line in lines] == [
        ("agi", "agi.server", "warning", "busy"),
        ("agi", "dispatch", "info", "ready"),
    ]
