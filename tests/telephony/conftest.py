"""A room to telephone in: Asterisk on its own ports, a desk phone, and our daemon beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callcenter.store import Pool
from config.pbx import Asterisk, Exchange
from tests.support import pbx, sip
from tests.support.pbx import Agi
from tests.support.rooms import Room


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.telephony)
            item.add_marker(sip.needs_sipp)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[sip.Desk]:
    async with sip.Desk(tmp_path) as phone:
        yield phone


@pytest.fixture
def exchange(tmp_path: Path, desk: sip.Desk) -> Exchange:
    return pbx.exchange(tmp_path, phones=(desk.uri,))


@pytest.fixture
async def asterisk(exchange: Exchange) -> AsyncIterator[Asterisk]:
    async with pbx.running(exchange) as running:
        yield running


@pytest.fixture
async def agi(exchange: Exchange, asterisk: Asterisk, dsn: str, tmp_path: Path) -> AsyncIterator[Agi]:
    async with pbx.agi(exchange, dsn, log=tmp_path / "agi.log") as daemon:
        await daemon.says("manager is open")
        yield daemon


@pytest.fixture
def room(tmp_path: Path, exchange: Exchange, asterisk: Asterisk, desk: sip.Desk, pool: Pool) -> Room:
    """All of it without our daemon; ask for ``agi`` too where it shall live."""
    return Room(tmp_path, exchange, asterisk, desk, pool)
