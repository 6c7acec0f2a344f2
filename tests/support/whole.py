"""The whole control room as an operator starts it, on ports and in a folder of its own, gone afterwards."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import asyncpg

from config.pbx import die_with_parent
from config.settings import Settings, load
from tests.support import sip
from tests.support.pbx import eventually, rtp_block

ROOT: Final = Path(__file__).parents[2]
PORTS: Final = ("http_port", "push_port", "sip_port", "sip_ws_port", "agi_port", "ami_port")
DAEMONS: Final = ("agi", "dispatch", "web")
REALERT_S, EXPIRE_S = 5, 10


@dataclass(slots=True)
class Centre:
    """``siaga112 run`` in a process of its own, and what one may ask of it from outside."""

    settings: Settings
    folder: Path
    environment: dict[str, str]
    process: asyncio.subprocess.Process
    outside_port: int  # where the telephone network takes our calls
    said: str = ""
    _numbers: int = field(default=0)
    _asleep: bool = field(default=False)

    # -- its life

    @classmethod
    async def start(cls, folder: Path) -> Self:
        rtp_start = rtp_block()
        given = {
            **{name: sip.free_port() for name in PORTS},
            "rtp_start": rtp_start,
            "rtp_end": rtp_start + 98,
            "seats": 4,
            "offer_realert_s": REALERT_S,
            "offer_expire_s": EXPIRE_S,
        }
        outside = sip.free_port()
        trunks = [{"name": "demo", "match": ["127.0.0.1"], "outbound": f"127.0.0.1:{outside}"}]
        settings = load(state=folder / "state", trunks=trunks, **given)
        environment = {f"SIAGA_{name.upper()}": str(value) for name, value in given.items()}
        environment["SIAGA_TRUNKS"] = json.dumps(trunks)
        environment |= {"SIAGA_STATE": str(settings.state), "SIAGA_CONFIG": "/nonexistent", "PYTHONUNBUFFERED": "1"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "config.cli", "run"),
            env={**os.environ, **environment},
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=die_with_parent,
        )
        return cls(settings, folder, environment, process, outside)

    async def listen(self) -> None:
        """Read what it prints to its end, so that it never waits for a reader."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said += line.decode(errors="replace")

    async def says(self, pattern: str, *, within_s: float = 90, after: int = 0) -> None:
        """Wait until it prints such a line."""

        async def so() -> bool:
            return has_said() or self.process.returncode is not None

        def has_said() -> bool:
            return re.search(pattern, self.said[after:], re.MULTILINE) is not None

        await eventually(so, within_s=within_s)
        assert has_said(), f"it never said {pattern!r}:\n{self.said}"

    async def stop(self) -> None:
        """Ctrl-C, as an operator would; then insist."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(20):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    # -- what happens to it

    async def daemons_die(self) -> None:
        """All three killed, and nobody there to start them again: the launcher is stopped too."""
        self._asleep = True
        self.process.send_signal(signal.SIGSTOP)
        for pid in self._daemons():
            os.kill(pid, signal.SIGKILL)

        async def so() -> bool:
            return await self._refuses(self.settings.http_port) and await self._refuses(self.settings.push_port)

        assert await eventually(so), "the daemons do not die"

    async def daemons_return(self) -> None:
        """The launcher wakes up, and does what it does when a daemon has died."""
        if not self._asleep:
            return
        self._asleep = False
        heard = len(self.said)
        self.process.send_signal(signal.SIGCONT)
        for name in DAEMONS:
            await self.says(rf"{name} ended \(killed by SIGKILL\) and is started again", after=heard, within_s=30)

    def _daemons(self) -> list[int]:
        found: list[int] = []
        mine = f"SIAGA_STATE={self.settings.state}".encode()
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                is_daemon = command[-2:-1] == [b"-m"] and command[-1].decode() in DAEMONS
                if is_daemon and mine in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    @staticmethod
    async def _refuses(port: int) -> bool:
        try:
            _, writer = await asyncio.open_connection(sip.LOCAL, port)
        except OSError:
            return True
        writer.close()
        return False

    # -- what one asks of it

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://localhost:{self.settings.http_port}"

    def new_number(self) -> str:
        """Of somebody who has never called before."""
        self._numbers += 1
        return f"0812{self._numbers:04d}{os.getpid() % 10000:04d}"

    def caller(self, number: str, *, location: str | None = None) -> AbstractAsyncContextManager[sip.Caller]:
        """Somebody rings 112."""
        return sip.call(self.folder, self.settings.sip_port, number=number, location=location)

    async def look_up(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """What the database holds, asked beside all of our programs."""
        connection = await asyncpg.connect(self.settings.database)
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()

    async def audit(self) -> tuple[int, str]:
        """``siaga112 audit``: exit code and words."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "config.cli", "audit"),
            env={**os.environ, **self.environment},
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def logs(self, *, last: int = 25) -> dict[str, str]:
        """The ends of what everybody wrote, by name; for somebody who must understand a failure."""
        found = {"siaga112 run": self.said}
        for path in sorted(self.settings.logs.glob("*.log")):
            found[path.name] = path.read_text(encoding="utf-8", errors="replace")
        messages = self.settings.state / "asterisk/log/messages"
        if messages.exists():
            found["asterisk"] = messages.read_text(encoding="utf-8", errors="replace")
        return {name: "\n".join(text.splitlines()[-last:]) for name, text in found.items()}


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Centre]:
    """The control room, ready for calls, for as long as the block lasts."""
    centre = await Centre.start(folder)
    listening = asyncio.create_task(centre.listen())
    try:
        try:
            await centre.says("^Ready in")
        except AssertionError as failed:
            for name, text in centre.logs().items():
                failed.add_note(f"-- end of {name} --\n{text}")
            raise
        yield centre
    finally:
        await centre.stop()
        await listening
