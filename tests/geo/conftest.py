"""The real boundaries of Tangerang, read once for all tests of places."""

from pathlib import Path

import pytest

from geo.area import Areas

TANGERANG = Path(__file__).parents[2] / "config" / "citypacks" / "tangerang" / "areas"


@pytest.fixture(scope="session")
def areas() -> Areas:
    return Areas.load(TANGERANG)
