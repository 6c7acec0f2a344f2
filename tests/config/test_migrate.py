"""Schema steps: in order, once, whole or not at all."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from config.migrate import FOLDER, MigrationError, migrate, pending, read
from config.postgres import Server


def put(folder: Path, **files: str) -> Path:
    for name, sql in files.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(sql)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    return put(folder, m0001_first="CREATE TABLE first (n int);", m0002_second="CREATE TABLE second (n int);")


async def test_each_step_is_applied_once_in_order(server: Server, folder: Path) -> None:
    said: list[str] = []
    assert [str(step) for step in await migrate(server.dsn(), folder=folder, say=said.append)] == [
        "0001_first",
        "0002_second",
    ]
    assert said == ["migration 0001_first", "migration 0002_second"]
    assert await migrate(server.dsn(), folder=folder) == []
    put(folder, m0003_third="CREATE TABLE third (n int);")
    assert [str(step) for step in await pending(server.dsn(), folder=folder)] == ["0003_third"]
    assert [str(step) for step in await migrate(server.dsn(), folder=folder)] == ["0003_third"]


async def test_programs_starting_at_once_apply_each_step_once(server: Server, folder: Path) -> None:
    done = await asyncio.gather(*(migrate(server.dsn(), folder=folder) for _ in range(5)))
    assert sorted(len(steps) for steps in done) == [0, 0, 0, 0, 2]


async def test_a_step_that_fails_changes_nothing(server: Server, folder: Path) -> None:
    put(folder, m0003_third="CREATE TABLE third (n int); SELECT 1 / 0;")
    with pytest.raises(MigrationError, match="0003_third failed and changed nothing: division by zero"):
        await migrate(server.dsn(), folder=folder)
    connection = await asyncpg.connect(server.dsn())
    assert await connection.fetchval("SELECT to_regclass('third')") is None
    assert await connection.fetchval("SELECT max(number) FROM migration") == 2
    await connection.close()


async def test_an_applied_step_must_not_change(server: Server, folder: Path) -> None:
    await migrate(server.dsn(), folder=folder)
    put(folder, m0002_second="CREATE TABLE second (n bigint);")
    with pytest.raises(MigrationError, match="put the change in a new migration"):
        await migrate(server.dsn(), folder=folder)


async def test_an_older_program_does_not_touch_a_newer_database(server: Server, folder: Path) -> None:
    await migrate(server.dsn(), folder=folder)
    (folder / "0002_second.sql").unlink()
    with pytest.raises(MigrationError, match="newer than this program"):
        await migrate(server.dsn(), folder=folder)


def test_a_hole_in_the_numbers_is_refused(folder: Path) -> None:
    put(folder, m0004_fourth="SELECT 1")
    with pytest.raises(MigrationError, match="number 0003 is missing"):
        read(folder)


def test_a_name_that_does_not_tell_is_refused(folder: Path) -> None:
    put(folder, mlater="SELECT 1")
    with pytest.raises(MigrationError, match="a migration is named like"):
        read(folder)


async def test_our_own_migrations_apply_to_an_empty_database(server: Server) -> None:
    assert len(await migrate(server.dsn())) == len(read(FOLDER)) > 0
    assert await pending(server.dsn()) == []
