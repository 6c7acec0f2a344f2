"""The PostgreSQL that comes with us, started for real, killed for real."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from config.postgres import Account, PostgresError, Server, socket_folder


async def test_it_answers_keeps_what_was_committed_and_is_careful(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn())
    asked = ["synchronous_commit", "fsync", "listen_addresses", "server_encoding", "timezone"]
    said = [await connection.fetchval("SELECT current_setting($1)", name) for name in asked]
    words = await connection.fetch("SELECT word FROM unnest(array['é', 'z', 'B', 'a']) word ORDER BY word")
    await connection.close()
    assert said == ["on", "on", "", "UTF8", "UTC"]
    assert [row["word"] for row in words] == ["B", "a", "z", "é"]


async def test_its_log_holds_no_callers_number(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn(), server_settings={"log_min_duration_statement": "0"})
    await connection.execute("CREATE TABLE called (ani text UNIQUE, CHECK (ani <> '0899'))")
    for number in ("081234567890", "081234567890", "0899"):
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await connection.execute("INSERT INTO called VALUES ($1)", number)
    await connection.close()
    said = (server.folder / "postgres.log").read_text()
    assert "INSERT INTO called" in said
    assert "violates check constraint" in said
    assert "0812" not in said
    assert "(0899)" not in said


async def test_nobody_else_may_reach_its_socket(server: Server) -> None:
    assert server.socket.stat().st_mode & 0o777 == 0o700


async def test_it_is_never_root(server: Server) -> None:
    status = Path(f"/proc/{server.pid}/status").read_text()
    uids = next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:]
    assert "0" not in uids


async def test_three_crashes_in_a_row_lose_no_committed_row(server: Server) -> None:
    connection = await asyncpg.connect(server.dsn())
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.close()
    for crash in range(3):
        connection = await asyncpg.connect(server.dsn())
        await connection.execute("INSERT INTO kept SELECT generate_series($1::int, $1::int + 199)", crash * 200)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()
        connection.terminate()
        await server.start()
    connection = await asyncpg.connect(server.dsn())
    assert await connection.fetchval("SELECT count(DISTINCT n) FROM kept") == 600
    await connection.close()


async def test_a_second_launcher_on_the_same_folder_is_told_so(server: Server) -> None:
    other = Server(server.folder)
    with pytest.raises(PostgresError, match="in use by another siaga112"):
        await other.start()


ABANDON = """
import asyncio, os, sys
from pathlib import Path
from config.postgres import Server
async def main():
    server = Server(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    os._exit(9)
asyncio.run(main())
"""


async def test_a_server_that_outlived_its_launcher_is_ended_and_replaced(tmp_path: Path) -> None:
    """The launcher was killed with -9: its PostgreSQL lives on and must not stand in the way."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ABANDON, str(tmp_path / "pg"), stdout=subprocess.PIPE
    )
    output, _ = await child.communicate()
    orphan = int(output)
    said: list[str] = []
    server = Server(tmp_path / "pg", say=said.append)
    await server.start()
    assert server.pid not in {None, orphan}
    await server.stop()
    assert said == [f"stopping a PostgreSQL left from before (process {orphan})"]


async def test_a_stale_pid_file_naming_a_living_stranger_does_not_stop_the_start(tmp_path: Path) -> None:
    server = Server(tmp_path / "pg")
    await server.start()
    assert server.pid is not None
    pid_file = server.data / "postmaster.pid"
    left = pid_file.read_text().splitlines()
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()
    pid_file.write_text("\n".join([str(os.getpid()), *left[1:]]) + "\n")
    await server.start()
    assert server.pid is not None
    await server.stop()


async def test_a_cut_initdb_is_begun_again(tmp_path: Path) -> None:
    half = tmp_path / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = Server(tmp_path / "pg")
    await server.start()
    assert server.pid is not None
    await server.stop()


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Server(tmp_path / "pg")
    await server.start()
    await server.stop()
    (server.data / "PG_VERSION").write_text("7\n")
    with pytest.raises(PostgresError, match="incompatible"):
        await server.start()


async def test_stopping_works_while_it_is_frozen_and_twice_is_once(server: Server) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop()
    await server.stop()
    assert server.pid is None


async def test_a_deep_state_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    server = Server(deep)
    await server.start()
    connection = await asyncpg.connect(server.dsn())
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await server.stop()
    server.socket.rmdir()
    assert socket_folder(deep).parent != deep


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must hand PostgreSQL to another account")
async def test_a_state_folder_closed_to_its_account_still_works_for_root(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    account = Account.choose()
    assert account is not None
    assert not account.may_enter(closed)
    server = Server(closed / "pg")
    await server.start()
    assert server.pid is not None
    await server.stop()
