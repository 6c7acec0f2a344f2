"""The launcher: one command, everything there, and all of it gone after Ctrl-C."""

import asyncio
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from config.cli import app
from config.launch import LaunchError, daemon_env, database, exchange, only_one, prepare, running_process, welcome
from config.postgres import Server
from config.settings import Settings, load
from tests.support.sip import free_port

NAMES = ("http_port", "push_port", "sip_port", "sip_ws_port", "agi_port", "ami_port")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load(state=tmp_path / "state", **{name: free_port() for name in NAMES})


def test_a_second_launcher_on_the_same_state_is_told_who_has_it(settings: Settings) -> None:
    assert running_process(settings) is None
    with only_one(settings):
        assert running_process(settings) == os.getpid()
        with pytest.raises(LaunchError, match=rf"already runs from .* \(process {os.getpid()}\)"), only_one(settings):
            pass
    assert running_process(settings) is None


def test_the_daemons_are_told_where_the_state_the_database_and_the_file_are(settings: Settings, tmp_path: Path) -> None:
    assert set(daemon_env(settings)) == {"SIAGA_STATE", "SIAGA_DSN"}
    (tmp_path / "siaga112.toml").touch()
    env = daemon_env(settings)
    assert env["SIAGA_CONFIG"] == str(tmp_path / "siaga112.toml")
    assert env["SIAGA_DSN"].endswith("state%2Fpostgres%2Fsocket") or "host=" in env["SIAGA_DSN"]


def test_asterisk_is_what_the_settings_say(tmp_path: Path) -> None:
    settings = load(
        state=tmp_path,
        trunks=[{"name": "telkom", "match": ["192.0.2.0/24"], "area": "36.71"}],
        fallback_phones=["sip:desk@192.0.2.7"],
        seats=3,
    )
    made = exchange(settings)
    assert [(trunk.name, trunk.match, trunk.area) for trunk in made.trunks] == [("telkom", ("192.0.2.0/24",), "36.71")]
    assert (made.seats, made.fallback_phones, made.spool) == (3, ("sip:desk@192.0.2.7",), tmp_path / "spool")


def test_the_greeting_says_where_to_look_who_to_be_and_how_to_call(tmp_path: Path) -> None:
    said = welcome(load(state=tmp_path), [("sari", "call_taker", "Sari Wulandari")], "a-password", 3.14)
    assert "Ready in 3.1 s." in said
    assert "http://localhost:8112/" in said
    assert re.search(r"password a-password as\n +sari +call taker +Sari Wulandari", said)
    assert "sip:112@127.0.0.1:5060" in said
    assert "password" not in welcome(load(state=tmp_path, demo=False), [], "a-password", 3.14)


async def test_a_command_that_needs_only_the_database_starts_it_and_ends_it(settings: Settings) -> None:
    said: list[str] = []
    async with database(settings, said.append) as dsn:
        await prepare(settings, said.append)
        await prepare(settings, said.append)
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT count(*) FROM area WHERE level = 'kelurahan'") == 104
        await connection.close()
    with pytest.raises(OSError, match="No such file"):
        await asyncpg.connect(settings.database)


async def test_a_database_that_is_not_there_is_told_in_a_line(settings: Settings) -> None:
    away = settings.model_copy(update={"dsn": f"postgresql://nobody@127.0.0.1:{free_port()}/none"})
    with pytest.raises(LaunchError, match="PostgreSQL at SIAGA_DSN"):
        await prepare(away, lambda _: None)


# -- all of it, for real -----------------------------------------------------------------------------------------------


class Room:
    """``siaga112 run`` in a process of its own."""

    def __init__(self, settings: Settings, process: asyncio.subprocess.Process) -> None:
        self.settings = settings
        self.process = process
        self.said = ""

    async def until(self, pattern: str, *, within_s: float = 60) -> str:
        """Read what it prints until a line matches."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            while line := (await self.process.stdout.readline()).decode():
                self.said += line
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"it ended without {pattern!r}:\n{self.said}")

    async def ctrl_c(self) -> int:
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(20):
            _, code = await asyncio.gather(self.until("Stopped"), self.process.wait())
        return code

    def ready(self) -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.settings.http_port}/health/ready", timeout=5) as answer:
            return bool(answer.status == 200)

    def processes(self, of: str) -> list[int]:
        """The living processes whose command line ends like this, started by this room."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            if command.endswith(of) and f"SIAGA_STATE={self.settings.state}".encode() in environment.split(b"\0"):
                found.append(int(entry.name))
        return found


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Room]:
    env = {f"SIAGA_{name.upper()}": str(getattr(settings, name)) for name in NAMES}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "config.cli", "run"),
        env={**os.environ, **env, "SIAGA_STATE": str(settings.state), "PYTHONUNBUFFERED": "1"},
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    room = Room(settings, process)
    try:
        await room.until("^Ready in")
        yield room
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.telephony
@pytest.mark.timeout(180)
async def test_one_command_brings_everything_up_survives_deaths_and_ends_cleanly_twice(settings: Settings) -> None:
    async with running(settings) as room:
        assert room.ready()
        (agi,) = room.processes("-m agi")
        os.kill(agi, signal.SIGKILL)
        await room.until(r"agi ended \(killed by SIGKILL\) and is started again")
        postmaster = int((settings.postgres / "data/postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGKILL)
        await room.until(r"PostgreSQL ended \(killed by SIGKILL\) and is started again")
        connection = await asyncpg.connect(await until_answering(settings.database))
        await connection.execute("CREATE TABLE kept ()")
        await connection.close()
        assert await room.ctrl_c() == 0
        assert [room.processes(f"-m {name}") for name in ("agi", "dispatch", "web")] == [[], [], []]
        assert running_process(settings) is None

    began = time.monotonic()
    async with running(settings) as room:
        assert time.monotonic() - began < 15
        connection = await asyncpg.connect(settings.database)
        assert await connection.fetchval("SELECT to_regclass('kept')") is not None
        await connection.close()
        assert await room.ctrl_c() == 0


@pytest.mark.telephony
@pytest.mark.timeout(180)
async def test_after_the_launcher_itself_was_killed_the_next_start_finds_its_way(settings: Settings) -> None:
    async with running(settings) as room:
        room.process.kill()
        await room.process.wait()
    async with running(settings) as room:
        assert room.ready()
        assert await room.ctrl_c() == 0


async def until_answering(dsn: str) -> str:
    async with asyncio.timeout(20):
        while True:
            try:
                await (await asyncpg.connect(dsn)).close()
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
            else:
                return dsn


async def test_a_database_of_ours_left_by_nobody_is_not_in_the_way_of_the_next(settings: Settings) -> None:
    server = Server(settings.postgres)
    await server.start()
    await server.stop()
    async with database(settings, lambda _: None) as dsn:
        assert dsn == settings.database


@pytest.mark.parametrize("command", ["run", "migrate", "audit"])
def test_a_state_folder_that_cannot_be_is_told_in_a_sentence(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIAGA_STATE", str(tmp_path / "file" / "state"))
    result = CliRunner().invoke(app, [command])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "Not a directory" in result.stderr
