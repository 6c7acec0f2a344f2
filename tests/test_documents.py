import re
from pathlib import Path

import pytest

from tests.support import diagrams

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md"))


def test_the_lives_on_the_page_are_those_of_the_tables() -> None:
    page = diagrams.PAGE.read_text()
    assert diagrams.with_diagrams(page) == page, "run: python -m tests.support.diagrams"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_points_only_at_what_is_there(name: str) -> None:
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert not missing
