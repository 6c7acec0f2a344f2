"""``python -m web`` as a process: it answers while PostgreSQL is away, comes back with it, and ends when asked."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from aiohttp import ClientError, ClientSession, CookieJar

from config import migrate
from tests.support.database import PASSWORD, Cluster
from web.app import serving
from web.desk import Desk

NOBODY_HERE = "postgresql://siaga112@127.0.0.1:1/siaga112"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def daemon(dsn: str, folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    port = free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SIAGA_")},
        "SIAGA_DSN": dsn,
        "SIAGA_STATE": str(folder / "state"),
        "SIAGA_HTTP_PORT": str(port),
    }
    log = (folder / "web.log").open("wb")
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "web", env=env, stderr=log)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        log.close()


async def until(true: Callable[[], Awaitable[bool]], within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not await true():
        assert time.monotonic() < deadline, "it did not become true in time"
        await asyncio.sleep(0.05)


async def ends(process: asyncio.subprocess.Process) -> None:
    """It ends in good order when asked: within three seconds on a quiet machine, which this one may not be."""
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def answers(session: ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except ClientError:
        return False


async def problem(session: ClientSession, method: str, url: str, **more: Any) -> tuple[int, str, str]:
    async with session.request(method, url, **more) as response:
        said = json.loads(await response.read())
        return response.status, said["code"], said["detail"]


async def test_while_postgresql_is_away_it_answers_and_says_what_to_do(tmp_path: Path) -> None:
    async with daemon(NOBODY_HERE, tmp_path) as (process, url), ClientSession() as session:
        await until(lambda: answers(session, f"{url}/health/live"))
        async with session.get(f"{url}/health/ready") as ready:
            assert ready.status == 503
            assert "PostgreSQL does not answer" in (await ready.json())["parts"]["postgresql"]["detail"]
        async with session.get(f"{url}/metrics") as metrics:
            assert "siaga_record_up 0.0" in await metrics.text()
        async with session.get(f"{url}/api/v1/areas/kota.geojson") as outlines:
            assert outlines.status == 200
        status, code, detail = await problem(
            session, "POST", f"{url}/api/v1/session", json={"login": "sari", "password": PASSWORD}
        )
        assert (status, code) == (503, "database.away")
        assert "try again" in detail
        cookie = {"Cookie": "siaga_session=" + "x" * 43}
        assert (await problem(session, "GET", f"{url}/api/v1/board", headers=cookie))[:2] == (503, "database.away")
        await ends(process)
    assert '"record away"' in (tmp_path / "web.log").read_text()


async def test_it_serves_ends_when_asked_and_outlives_broken_connections(dsn: str, tmp_path: Path) -> None:
    async with daemon(dsn, tmp_path) as (process, url), ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        await until(lambda: answers(session, f"{url}/api/v1/config"))
        async with session.post(f"{url}/api/v1/session", json={"login": "sari", "password": PASSWORD}) as signed_in:
            assert signed_in.status == 200
        breaker = await asyncpg.connect(dsn)
        for _ in range(3):
            await breaker.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'siaga112 web' AND pid <> pg_backend_pid()"
            )
            await until(lambda: answers(session, f"{url}/api/v1/board"), within_s=5)
        await breaker.close()
        await ends(process)
    log = (tmp_path / "web.log").read_text()
    assert "Traceback" not in log
    assert PASSWORD not in log


async def test_before_the_tables_are_there_it_says_so_and_stays(cluster: Cluster, tmp_path: Path) -> None:
    await cluster._execute("CREATE DATABASE nothing_yet")
    empty = cluster.server.dsn("nothing_yet")
    async with daemon(empty, tmp_path) as (process, url), ClientSession() as session:
        await until(lambda: answers(session, f"{url}/health/live"))
        async with session.get(f"{url}/health/ready") as ready:
            assert "migrate" in (await ready.json())["parts"]["schema"]["detail"]
        assert (await problem(session, "GET", f"{url}/api/v1/config"))[:2] == (503, "database.away")
        await migrate.migrate(empty)
        await until(lambda: answers(session, f"{url}/api/v1/config"))
        assert process.returncode is None
        await ends(process)
    await cluster.drop(empty)


async def test_it_says_in_one_line_what_is_wrong_with_the_settings(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "web",
        env={**os.environ, "SIAGA_CITY": "atlantis", "SIAGA_STATE": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"atlantis" in said
    assert b"Traceback" not in said


async def test_a_port_of_our_own_choosing_is_told(desk: Desk, tmp_path: Path) -> None:
    async with serving(desk, host="127.0.0.1", port=0, static=tmp_path) as port, ClientSession() as session:
        assert await answers(session, f"http://127.0.0.1:{port}/health/live")
