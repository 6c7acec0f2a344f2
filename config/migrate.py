"""Brings the database to today's schema: numbered files, forward only, each in one transaction, each once.

Several programs may start at once; an advisory lock lets one work while the others wait. A file that was applied
must not change afterwards, which its checksum proves.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

FOLDER: Final = Path(__file__).parent / "migrations"
NAME: Final = re.compile(r"^(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql$")
LOCK: Final = 0x51A6A112

Say = Callable[[str], None]


class MigrationError(Exception):
    """The database and our files do not fit; the message says how."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What proves that the file is still the one that was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.number:04d}_{self.name}"


def read(folder: Path = FOLDER) -> list[Migration]:
    """The files in order: 0001, 0002, … without a hole."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = NAME.match(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is named like 0002_what_it_does.sql")
        found.append(Migration(int(match["number"]), match["name"], path.read_text(encoding="utf-8")))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise MigrationError(f"{migration}: number {expected:04d} is missing or used twice")
    return found


async def migrate(dsn: str, *, folder: Path = FOLDER, say: Say = lambda _: None) -> list[Migration]:
    """Apply what is not applied yet, and return it."""
    connection = await asyncpg.connect(dsn)
    try:
        return await apply(connection, read(folder), say=say)
    finally:
        await connection.close()


async def apply(
    connection: "asyncpg.Connection[asyncpg.Record]", migrations: list[Migration], *, say: Say = lambda _: None
) -> list[Migration]:
    """The same on an open connection, which tests use on many databases."""
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute("SET client_min_messages = warning")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration ("
            "number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch("SELECT number, name, checksum FROM migration ORDER BY number")
        _require_the_same_past([(row["number"], row["name"], row["checksum"]) for row in rows], migrations)
        new = migrations[len(rows) :]
        for migration in new:
            say(f"migration {migration}")
            await _apply_one(connection, migration)
        return new
    finally:
        await connection.execute("RESET client_min_messages")
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)


async def pending(dsn: str, *, folder: Path = FOLDER) -> list[Migration]:
    """What ``migrate`` would apply, without applying it."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT to_regclass('migration')") is None:
            return read(folder)
        rows = await connection.fetch("SELECT number FROM migration")
    finally:
        await connection.close()
    applied = {row["number"] for row in rows}
    return [migration for migration in read(folder) if migration.number not in applied]


async def _apply_one(connection: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    async with connection.transaction():
        try:
            await connection.execute(migration.sql)
        except asyncpg.PostgresError as wrong:
            raise MigrationError(f"{migration} failed and changed nothing: {wrong}") from wrong
        await connection.execute(
            "INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.checksum,
        )


def _require_the_same_past(applied: list[tuple[int, str, str]], migrations: list[Migration]) -> None:
    if len(applied) > len(migrations):
        raise MigrationError(
            f"the database is at {applied[-1][0]:04d}_{applied[-1][1]}, newer than this program; upgrade the program"
        )
    for (number, name, checksum), migration in zip(applied, migrations, strict=False):
        if (number, checksum) != (migration.number, migration.checksum):
            raise MigrationError(
                f"{migration} is not the {number:04d}_{name} that was applied; put the change in a new migration"
            )
