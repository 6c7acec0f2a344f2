"""Whether Asterisk is heard can be seen in PostgreSQL, by anybody who may look there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from agi.link import Address, Link
from agi.sign import SIGN, show
from callcenter.store import Pool
from tests.support.manager import FakeManager, fake_manager
from tests.support.pbx import eventually


@pytest.fixture
async def manager(dsn: str) -> AsyncIterator[FakeManager]:
    async with fake_manager() as manager:
        link = Link(Address(manager.port, "secret"), heard=lambda _: None)
        tasks = [asyncio.create_task(link.run(nothing)), asyncio.create_task(show(link, dsn))]
        yield manager
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def nothing() -> None:
    """The line was opened."""


async def shows(pool: Pool) -> bool:
    found: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)",
        SIGN,
    )
    return found


async def shows_nothing(pool: Pool) -> bool:
    return not await shows(pool)


async def test_the_sign_is_up_while_asterisk_is_heard_and_down_while_it_is_not(
    manager: FakeManager, pool: Pool
) -> None:
    assert await eventually(lambda: shows(pool))
    manager.refuses = True
    manager.cut()
    assert await eventually(lambda: shows_nothing(pool))
    manager.refuses = False
    assert await eventually(lambda: shows(pool))


async def test_the_sign_is_put_up_again_when_postgresql_took_it_down(manager: FakeManager, pool: Pool) -> None:
    assert await eventually(lambda: shows(pool))
    taken_down = await pool.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", SIGN
    )
    await pool.execute("SELECT pg_terminate_backend($1)", taken_down)

    async def is_another() -> bool:
        return await shows(pool) and taken_down != await pool.fetchval(
            "SELECT max(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1", SIGN
        )

    assert await eventually(is_another)
