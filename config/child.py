"""What we keep running: started, started again when it dies, ended in good order."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

from config.pbx import die_with_parent

BACK_OFF_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_S: Final = 30.0
LONGEST_LOG: Final = 20 * 1024 * 1024

Say = Callable[[str], None]


class Running(Protocol):
    """A thing with a life: PostgreSQL, Asterisk, or one of our daemons."""

    async def start(self) -> None:
        """Run, and return when it may be used."""

    async def wait(self) -> int:
        """Return when it has ended, with its exit code."""

    async def stop(self) -> None:
        """End it. Doing so twice is doing so once."""


class Daemon:
    """One of our own programs, with its log in a file. It does not outlive us."""

    def __init__(self, command: tuple[str, ...], log: Path, env: Mapping[str, str], *, stop_s: float = 5.0) -> None:
        self._command = command
        self._log = log
        self._env = env
        self._stop_s = stop_s
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Run it away from our terminal's Ctrl-C, which is ours to hear."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > LONGEST_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log.fileno(),
                stderr=log.fileno(),
                env={**os.environ, **self._env},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    async def wait(self) -> int:
        """Return when it has ended, with its exit code."""
        if self._process is None:
            return 0
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end, then insist: it may hang, or be frozen."""
        pid = self.pid
        if pid is None or self._process is None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(self._stop_s):
                await self._process.wait()
        except TimeoutError:
            os.killpg(pid, signal.SIGKILL)
            await self._process.wait()


class Keeper:
    """Keeps one thing running until ``stop``."""

    def __init__(self, name: str, thing: Running, log: Path, say: Say) -> None:
        self.name = name
        self._thing = thing
        self._log = log
        self._say = say
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start it the first time, when a failure is the operator's to see."""
        await self._thing.start()

    async def keep(self) -> None:
        """Return only after ``stop``. A death before that is told, and answered by a new start after a pause."""
        failures = 0
        clock = asyncio.get_running_loop().time
        while True:
            born = clock()
            code = await self._thing.wait()
            if self._stopping.is_set():
                return
            failures = 0 if clock() - born > STEADY_S else failures
            self._say(f"{self.name} ended ({how(code)}) and is started again; its log is {self._log}")
            while not await self._started_after(BACK_OFF_S[min(failures, len(BACK_OFF_S) - 1)]):
                failures += 1
            failures += 1

    async def _started_after(self, pause_s: float) -> bool:
        await asyncio.sleep(pause_s)
        try:
            await self._thing.start()
        except Exception as trouble:  # noqa: BLE001 — the edge of the keeper's loop: told, and tried again after a pause
            self._say(f"{self.name} did not start: {trouble}")
            return False
        return True

    async def stop(self) -> None:
        """End it and keep it ended."""
        self._stopping.set()
        await self._thing.stop()


def how(code: int) -> str:
    """An exit code in words."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
