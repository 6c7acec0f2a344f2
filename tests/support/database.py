"""A real PostgreSQL for the tests: one server a run, one database a test, cloned from a template."""

import asyncio
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from config import citypack, migrate
from config.postgres import Server

TEMPLATE = "template_city"
PASSWORD = "siaga-112-demo"  # of every demo account

_numbers = itertools.count(1)


def cheap_hash(password: str) -> str:
    """Argon2id with parameters that only a test may use: strong ones cost a tenth of a second an account."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


async def fill(dsn: str) -> None:
    """Today's schema and the city of Tangerang."""
    await migrate.migrate(dsn)
    connection = await asyncpg.connect(dsn)
    try:
        pack = citypack.read("tangerang")
        await citypack.load(connection, pack, demo=True, hash_password=cheap_hash)
    finally:
        await connection.close()


class Cluster:
    """The server of this run of tests, and fresh databases on it."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def prepare(self) -> None:
        await self.server.start()
        await self._execute(f'CREATE DATABASE "{TEMPLATE}"')
        await fill(self.server.dsn(TEMPLATE))

    async def fresh(self) -> str:
        """The address of a new database with the city in it."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        # Copying files takes a tenth of the time of writing every page to the WAL, which is the default.
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY')
        return self.server.dsn(name)

    async def drop(self, dsn: str) -> None:
        name = dsn.rpartition("?")[0].rpartition("/")[2]
        await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """One server for a whole run; it may lose everything, so it is quick."""
    with asyncio.Runner() as runner:
        made = Cluster(Server(folder / "pg", durable=False))
        runner.run(made.prepare())
        try:
            yield made
        finally:
            runner.run(made.server.stop())
