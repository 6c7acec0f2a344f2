"""What many tests stand on: a real PostgreSQL with the city in it, a ledger and its bell."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from callcenter.bell import Bell
from callcenter.ledger import Ledger
from callcenter.store import Pool, open_pool
from tests.support import database
from tests.support.database import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with database.cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def dsn(cluster: Cluster) -> AsyncIterator[str]:
    fresh = await cluster.fresh()
    yield fresh
    await cluster.drop(fresh)


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await open_pool(dsn, size=10)
    yield opened
    opened.terminate()


@pytest.fixture
async def bell(pool: Pool) -> AsyncIterator[Bell]:
    made = Bell()
    tending = asyncio.create_task(made.tend(pool))
    yield made
    tending.cancel()
    with suppress(asyncio.CancelledError):
        await tending


@pytest.fixture
async def ledger(pool: Pool, bell: Bell) -> Ledger:
    return Ledger(pool, bell)
