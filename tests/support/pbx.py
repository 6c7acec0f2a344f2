"""A private Asterisk for a test: on ports of its own, beside any other, gone afterwards."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from config.pbx import Asterisk, Exchange, Pbx, cache_folder, die_with_parent, find_or_fetch
from tests.support.sip import free_port

AMI_SECRET = "only-for-the-tests-of-siaga112"

_rtp_blocks = itertools.count()


def find_asterisk() -> Pbx:
    """This machine's Asterisk, or the fetched one: once a machine, shared by every run."""
    return find_or_fetch(cache_folder(), print)


def rtp_block() -> int:
    """The first of a hundred ports for sound; other workers and other Asterisks get other hundreds."""
    return 30000 + (os.getpid() * 7 + next(_rtp_blocks)) % 300 * 100


def exchange(folder: Path, *, agi_port: int | None = None, phones: tuple[str, ...] = (), seats: int = 4) -> Exchange:
    """An Asterisk's settings for a test."""
    rtp_start = rtp_block()
    return Exchange(
        folder=folder / "asterisk",
        spool=folder / "spool",
        ami_secret=AMI_SECRET,
        sip_port=free_port(),
        ws_port=free_port(),
        agi_port=free_port() if agi_port is None else agi_port,
        ami_port=free_port(),
        rtp_start=rtp_start,
        rtp_end=rtp_start + 98,
        seats=seats,
        fallback_phones=phones,
    )


@contextlib.asynccontextmanager
async def running(settings: Exchange) -> AsyncIterator[Asterisk]:
    """Asterisk, ready for calls, for as long as the block lasts."""
    asterisk = Asterisk(settings, await asyncio.to_thread(find_asterisk))
    await asterisk.start()
    try:
        yield asterisk
    finally:
        # Nothing is worth keeping, and a kill is a second quicker than goodbye.
        if asterisk.process is not None and asterisk.process.returncode is None:
            asterisk.process.kill()
            await asterisk.process.wait()


def log_of(settings: Exchange) -> str:
    """What Asterisk complained of; for the message of a failed assertion."""
    return (settings.folder / "log" / "messages").read_text(encoding="utf-8", errors="replace")


async def ami(settings: Exchange, *actions: str) -> str:
    """Say a few things to Asterisk's manager, without any code of ours between; returns all it said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", settings.ami_port)
    try:
        login = f"Action: Login\r\nUsername: siaga\r\nSecret: {settings.ami_secret}\r\nEvents: off\r\n\r\n"
        writer.write(login.encode())
        for number, action in enumerate(actions):
            writer.write(f"{action}\r\nActionID: test-{number}\r\n\r\n".encode())
        writer.write(b"Action: Logoff\r\n\r\n")
        async with asyncio.timeout(5):
            return (await reader.read(-1)).decode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def is_listening(port: int) -> bool:
    with socket.socket() as tcp:
        tcp.settimeout(0.5)
        return tcp.connect_ex(("127.0.0.1", port)) == 0


class Agi:
    """Our daemon, as it runs for real: a process that can be killed, stopped and started again."""

    def __init__(self, settings: Exchange, dsn: str, *, log: Path) -> None:
        ways_out = [{"name": t.name, "match": t.match, "outbound": t.outbound or None} for t in settings.trunks]
        self.log = log
        self.process: asyncio.subprocess.Process | None = None
        self._env = {
            **os.environ,
            "SIAGA_STATE": str(settings.spool.parent),
            "SIAGA_DSN": dsn,
            "SIAGA_AGI_PORT": str(settings.agi_port),
            "SIAGA_AMI_PORT": str(settings.ami_port),
            "SIAGA_CONFIG": "/nonexistent",
            "SIAGA_TRUNKS": json.dumps(ways_out),
        }
        self._port = settings.agi_port
        secret = settings.spool.parent / "ami.secret"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text(settings.ami_secret)

    async def start(self, *, within_s: float = 15) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "agi", env=self._env, stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        async with asyncio.timeout(within_s):
            while not is_listening(self._port):
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.02)

    async def says(self, words: str, *, within_s: float = 10) -> None:
        """Wait until the log has ``words``."""
        try:
            async with asyncio.timeout(within_s):
                while words not in self.log.read_text():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"agi never said {words!r}: {self.log.read_text()[-3000:]}") from None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def stop(self) -> int:
        """As an operator would; returns the exit code."""
        if self.process is None or self.process.returncode is not None:
            return 0
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            async with asyncio.timeout(5):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise AssertionError(f"agi did not end when asked: {self.log.read_text()[-3000:]}") from None

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@contextlib.asynccontextmanager
async def agi(settings: Exchange, dsn: str, *, log: Path) -> AsyncIterator[Agi]:
    """Our daemon beside an Asterisk, for as long as the block lasts."""
    daemon = Agi(settings, dsn, log=log)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


async def eventually(claim: Callable[[], Awaitable[bool]], *, within_s: float = 5) -> bool:
    """Whether ``claim`` comes true in time."""
    try:
        async with asyncio.timeout(within_s):
            while not await claim():
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True
