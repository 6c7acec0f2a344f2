"""What we keep running, with small programs of our own in the part of the daemons."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config import child
from config.child import Daemon, Keeper

SLEEPER = "import time; print('here', flush=True); time.sleep(600)"
POLITE = (
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(0)); print('here', flush=True); time.sleep(600)"
)
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "BACK_OFF_S", (0.05, 0.1))


def daemon(log: Path, code: str, *, stop_s: float = 5.0) -> Daemon:
    return Daemon((sys.executable, "-c", code), log, {}, stop_s=stop_s)


async def until(claim: Callable[[], bool], *, within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not claim():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def kept(thing: Daemon, log: Path, say: Callable[[str], None]) -> AsyncIterator[Keeper]:
    keeper = Keeper("agi", thing, log, say)
    await keeper.start()
    keeping = asyncio.create_task(keeper.keep())
    try:
        yield keeper
    finally:
        await keeper.stop()
        await keeping


async def test_a_daemon_that_was_killed_is_started_again_and_it_is_told(tmp_path: Path) -> None:
    log, said = tmp_path / "agi.log", list[str]()
    thing = daemon(log, SLEEPER)
    async with kept(thing, log, said.append):
        first = thing.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: thing.pid not in {None, first})
    assert said == [f"agi ended (killed by SIGKILL) and is started again; its log is {log}"]
    assert thing.pid is None


async def test_a_daemon_that_dies_at_once_is_tried_again_and_again(tmp_path: Path) -> None:
    log, said = tmp_path / "agi.log", list[str]()
    async with kept(daemon(log, "raise SystemExit(3)"), log, said.append):
        await until(lambda: len(said) >= 3)
    assert set(said) == {f"agi ended (exit code 3) and is started again; its log is {log}"}


async def test_a_daemon_that_cannot_even_be_started_is_tried_again(tmp_path: Path) -> None:
    log, said = tmp_path / "agi.log", list[str]()
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 4\n")
    program.chmod(0o755)
    async with kept(Daemon((str(program),), log, {}), log, said.append):
        program.unlink()
        await until(lambda: sum("did not start" in line for line in said) >= 2)
        program.write_text("#!/bin/sh\nexit 5\n")
        program.chmod(0o755)
        await until(lambda: any("exit code 5" in line for line in said))


@pytest.mark.parametrize("numb", ["deaf", "frozen"])
async def test_a_daemon_that_does_not_hear_is_killed(tmp_path: Path, numb: str) -> None:
    log = tmp_path / "agi.log"
    thing = daemon(log, STUBBORN if numb == "deaf" else POLITE, stop_s=0.2)
    await thing.start()
    await until(lambda: "here" in log.read_text())
    if numb == "frozen":
        os.kill(thing.pid or 0, signal.SIGSTOP)
    await thing.stop()
    assert await thing.wait() == -signal.SIGKILL


ABANDON = """
import asyncio, os, sys
from pathlib import Path
from config.child import Daemon
async def main():
    daemon = Daemon((sys.executable, "-c", "import time; time.sleep(600)"), Path(sys.argv[1]), {})
    await daemon.start()
    print(daemon.pid, flush=True)
    os._exit(9)
asyncio.run(main())
"""


async def test_a_daemon_does_not_outlive_a_launcher_that_was_killed(tmp_path: Path) -> None:
    launcher = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ABANDON, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await launcher.communicate()
    await until(lambda: not _lives(int(output)))


async def test_a_log_that_grew_too_long_is_turned_over_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LONGEST_LOG", 10)
    log = tmp_path / "agi.log"
    log.write_text("a long story")
    thing = daemon(log, "pass")
    await thing.start()
    await thing.wait()
    assert log.read_text() == ""
    assert (tmp_path / "agi.log.1").read_text() == "a long story"


async def test_what_was_never_started_can_be_waited_for_and_stopped(tmp_path: Path) -> None:
    calls: list[Callable[[], Awaitable[object]]] = [
        daemon(tmp_path / "log", "pass").wait,
        daemon(tmp_path / "log", "").stop,
    ]
    for call in calls:
        await call()


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
