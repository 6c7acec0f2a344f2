"""A PostgreSQL for the tests of PostgreSQL itself."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from config.postgres import Server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "pg")
    await server.start()
    yield server
    await server.stop()
