"""``python -m dispatch`` as the launcher starts it: ready, quick to end, and still there when PostgreSQL is not."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from callcenter.ledger import Ledger
from callcenter.store import Pool
from dispatch.client import device
from dispatch.sending import Patience
from tests.dispatch.room import CREWS, Room, eventually
from tests.support.builders import story


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@asynccontextmanager
async def daemon(dsn: str, state: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    env = {**os.environ, "SIAGA_DSN": dsn, "SIAGA_STATE": str(state), "SIAGA_PUSH_PORT": str(port)}
    with (state / "dispatch.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "dispatch", env=env, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def is_ready(port: int) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/health/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def test_the_daemon_registers_the_units_pushes_and_ends_within_three_seconds(
    ledger: Ledger, pool: Pool, dsn: str, tmp_path: Path
) -> None:
    port = free_port()
    room = Room(ledger)
    async with daemon(dsn, tmp_path, port) as process:

        async def registered() -> bool:
            found: int = await pool.fetchval("SELECT count(*) FROM unit")
            return found == len(CREWS) and await is_ready(port)

        await eventually(registered, within_s=20)
        async with device(f"ws://127.0.0.1:{port}/unit", await room.ticket("amb-01")) as amb:
            incident = await room.incident()
            await room.send(incident, "AMB-01")
            await amb.event("MissionOffered")
            assert (await amb.do("accept"))["type"] == "ok"
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(3):
                assert await process.wait() == 0
    assert not await pool.fetchval("SELECT count(*) FROM presence WHERE online")


async def test_a_deadline_that_came_due_while_the_daemon_was_dead_goes_off_once_when_it_is_back(
    room: Room, dsn: str, tmp_path: Path
) -> None:
    port = free_port()
    async with daemon(dsn, tmp_path, port) as process:
        async with asyncio.timeout(20):
            while not await is_ready(port):
                await asyncio.sleep(0.05)
        process.kill()
    (mission,) = await room.send(await room.incident(), "AMB-01", patience=Patience(realert_s=0, expire_s=0.2))

    async def gone_off() -> bool:
        return bool(await room.pool.fetchval("SELECT count(*) = 0 FROM timer"))

    async with daemon(dsn, tmp_path, port), daemon(dsn, tmp_path, free_port()):
        await eventually(gone_off, within_s=20)
    told = await story(room.ledger, "mission", mission)
    assert told in (["MissionOffered", "OfferRealerted", "MissionExpired"], ["MissionOffered", "MissionExpired"])


@pytest.mark.parametrize("away", ["postgresql://127.0.0.1:1/nothing"])
async def test_the_daemon_waits_while_postgresql_is_away_and_ends_when_asked(away: str, tmp_path: Path) -> None:
    port = free_port()
    async with daemon(away, tmp_path, port) as process:
        log = tmp_path / "dispatch.log"
        async with asyncio.timeout(20):
            while b"waiting for PostgreSQL" not in log.read_bytes():
                await asyncio.sleep(0.05)
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(3):
            assert await process.wait() == 0


async def test_the_audit_command_answers_by_its_exit_code(room: Room, dsn: str, tmp_path: Path) -> None:
    (mission,) = await room.send(await room.incident(), "AMB-01")

    async def audit(address: str) -> tuple[int | None, str]:
        env = {**os.environ, "SIAGA_DSN": address, "SIAGA_STATE": str(tmp_path)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "dispatch", "audit", env=env, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    code, said = await audit(dsn)
    assert (code, said[:20]) == (0, "log and rows agree: ")
    await room.pool.execute("UPDATE mission SET alerts = 9")
    code, said = await audit(dsn)
    assert code == 1
    assert f"mission {mission}: alerts is 9 in the row, 1 by the log" in said
    await room.pool.execute("ALTER TABLE log RENAME TO gone")
    code, said = await audit(dsn)
    assert (code, said) == (2, "there is no record in this database yet; run: siaga112 migrate\n")
    code, said = await audit("postgresql://127.0.0.1:1/nothing")
    assert code == 2
    assert "cannot be reached" in said
