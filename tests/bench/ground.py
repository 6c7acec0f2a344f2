"""What the benches stand on: a PostgreSQL that loses nothing, as in production, and processes of our own beside it."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from callcenter.bell import Bell
from callcenter.ledger import Ledger
from callcenter.store import Pool, open_pool
from config.pbx import die_with_parent
from config.postgres import Server
from tests.support.database import Cluster

Process = asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def city() -> AsyncIterator[tuple[str, Path]]:
    """The address of a durable database with the city in it, and a folder to work in."""
    with tempfile.TemporaryDirectory(prefix="siaga112-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL has an account of its own
        made = Cluster(Server(folder / "pg", durable=True))
        try:
            await made.prepare()
            yield await made.fresh(), folder
        finally:
            await made.server.stop()


@contextlib.asynccontextmanager
async def writer(dsn: str, *, size: int, tends: bool = True) -> AsyncIterator[Ledger]:
    """A ledger as a daemon has it, with ``size`` connections beside the bell's. ``tends=False`` rings nobody up."""
    pool = await open_pool(dsn, size=size, least=size)
    ringers = await open_pool(dsn, size=1)
    bell = Bell()
    tending = asyncio.create_task(bell.tend(ringers)) if tends else None
    try:
        yield Ledger(pool, bell)
    finally:
        if tending is not None:
            tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await tending
        ringers.terminate()
        pool.terminate()


@contextlib.asynccontextmanager
async def reader(dsn: str) -> AsyncIterator[Pool]:
    """A few connections to look with."""
    pool = await open_pool(dsn, size=2, answer_s=60)
    try:
        yield pool
    finally:
        pool.terminate()


@contextlib.asynccontextmanager
async def program(
    module: str, *arguments: str, env: Mapping[str, str] | None = None, log: Path | None = None
) -> AsyncIterator[Process]:
    """A Python program of ours in a process of its own, which we talk to by lines."""
    with contextlib.nullcontext() if log is None else log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **(env or {})},
            limit=64 * 1024 * 1024,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def hear(process: Process, *, within_s: float = 60) -> str:
    """The next line that it says."""
    assert process.stdout is not None
    async with asyncio.timeout(within_s):
        line = await process.stdout.readline()
    assert line, "it ended without an answer"
    return line.decode().strip()


async def tell(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line.encode() + b"\n")
    await process.stdin.drain()


def resident_kib(process: Process) -> int:
    """What it holds in memory now."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(process.pid)
