"""Starts the whole control room on one machine, keeps it running, and ends it in good order.

PostgreSQL, then the schema and the city, then Asterisk, then ``agi``, ``dispatch`` and ``web``. Whatever dies is
started again; Asterisk does not need the others to ring a phone.
"""

import asyncio
import fcntl
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import asyncpg

from config import cityload, citypack, pbx
from config.child import Daemon, Keeper, Running, Say
from config.debian import NoAsterisk
from config.migrate import MigrationError, migrate
from config.pbx import Asterisk, Exchange, PbxError
from config.ports import trouble_with, wanted
from config.postgres import PostgresError, Server
from config.settings import FILE, Settings

DAEMONS: Final = ("agi", "dispatch", "web")
READY_WITHIN_S: Final = 30.0
GOING_S: Final = 5.0


class LaunchError(Exception):
    """It cannot be started here and now; the message says why and what to do."""


TROUBLE: Final = (LaunchError, PostgresError, MigrationError, PbxError, NoAsterisk, citypack.CityPackError)


class Progress:
    """What the person at the terminal reads: each step by its name, with its time."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def total_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began

    def say(self, words: str) -> None:
        """One line more on what is going on."""
        print(f"      · {words}", flush=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Name a step when it begins and give its time when it is done."""
        began = time.monotonic()
        print(f"  … {name}", flush=True)
        yield
        print(f"  ✓ {name} ({time.monotonic() - began:.1f} s)", flush=True)


class ControlRoom:
    """All parts of one control room, in the order in which they are started."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        self._keepers: list[Keeper] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Bring up each part; the first that cannot be started is the operator's to see."""
        settings, progress = self._settings, self._progress
        await _require_free_ports(settings, progress.say)
        if settings.dsn is None:
            with progress.step("PostgreSQL"):
                server = Server(settings.postgres, log=settings.logs / "postgres.log", say=progress.say)
                await self._take("PostgreSQL", server, settings.logs / "postgres.log")
        with progress.step(f"database and city {settings.city}"):
            await prepare(settings, progress.say)
        with progress.step("Asterisk"):
            found = await pbx.provide(pbx.cache_folder(), progress.say)
            progress.say(f"version {found.version}")
            await _require_free_ports(settings, progress.say)  # again: fetching may have taken minutes
            log = settings.state / "asterisk/log/messages"
            await self._take("Asterisk", Asterisk(exchange(settings), found), log)
        with progress.step("agi, dispatch and web"):
            for name in DAEMONS:
                log = settings.logs / f"{name}.log"
                command = (sys.executable, "-P", "-m", name)
                await self._take(name, Daemon(command, log, daemon_env(settings)), log)
            await _until_ready(settings)

    async def _take(self, name: str, thing: Running, log: Path) -> None:
        keeper = Keeper(name, thing, log, _announce)
        self._keepers.append(keeper)
        await keeper.start()
        self._tasks.append(asyncio.create_task(keeper.keep(), name=f"keep {name}"))

    async def stop(self) -> None:
        """The last started ends first: PostgreSQL outlives whoever writes to it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        daemons = [keeper for keeper in self._keepers if keeper.name in DAEMONS]
        await asyncio.gather(*(keeper.stop() for keeper in daemons))
        for keeper in reversed(self._keepers):
            await keeper.stop()


async def run(settings: Settings) -> None:
    """Everything, until Ctrl-C or SIGTERM."""
    progress = Progress()
    stop = _stop_asked_for()
    print(f"Siaga 112 is starting; its state is in {settings.state}", flush=True)
    with only_one(settings):
        room = ControlRoom(settings, progress)
        try:
            if await _done_before(stop, room.start()):
                password = citypack.read(settings.city).demo_password
                print(welcome(settings, await accounts(settings), password, progress.total_s), flush=True)
                await stop.wait()
            print("\nStopping web, dispatch, agi, Asterisk and PostgreSQL …", flush=True)
        finally:
            await room.stop()
    print("Stopped. Everything is kept for the next run.", flush=True)


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """One launcher a state folder."""
    settings.state.mkdir(parents=True, exist_ok=True)
    settings.logs.mkdir(mode=0o700, exist_ok=True)
    with (settings.state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            process = running_process(settings)
            raise LaunchError(
                f"siaga112 already runs from {settings.state} (process {process}); end that one, or set SIAGA_STATE"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def running_process(settings: Settings) -> int | None:
    """The launcher that has this state folder, if one does."""
    path = settings.state / "lock"
    if not path.exists():
        return None
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read().strip() or 0)
    return None


@asynccontextmanager
async def database(settings: Settings, say: Say) -> AsyncIterator[str]:
    """The database for a command that needs no more than it: the running one, or one started for this."""
    if settings.dsn is not None or running_process(settings) is not None:
        yield settings.database
        return
    server = Server(settings.postgres, log=settings.logs / "postgres.log", say=say)
    await server.start()
    try:
        yield settings.database
    finally:
        await server.stop()


async def prepare(settings: Settings, say: Say) -> None:
    """Today's schema, and the city as its pack describes it."""
    pack = citypack.read(settings.city)
    try:
        await migrate(settings.database, say=say)
        connection = await asyncpg.connect(settings.database, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as trouble:
        raise LaunchError(f"PostgreSQL at SIAGA_DSN: {str(trouble) or type(trouble).__name__}") from trouble
    try:
        await cityload.load(connection, pack, demo=settings.demo)
    finally:
        await connection.close()


def exchange(settings: Settings) -> Exchange:
    """What our Asterisk is to be, by the settings."""
    return Exchange(
        folder=settings.state / "asterisk",
        spool=settings.spool,
        ami_secret=settings.ami_secret(),
        host=settings.host,
        sip_host=settings.sip_host,
        public_host=settings.public_host,
        sip_port=settings.sip_port,
        ws_port=settings.sip_ws_port,
        agi_port=settings.agi_port,
        ami_port=settings.ami_port,
        rtp_start=settings.rtp_start,
        rtp_end=settings.rtp_end,
        trunks=tuple(
            pbx.Trunk(trunk.name, trunk.match, trunk.area or "", trunk.outbound or "") for trunk in settings.trunks
        ),
        seats=settings.seats,
        fallback_phones=settings.fallback_phones,
    )


def daemon_env(settings: Settings) -> dict[str, str]:
    """What the daemons must know beyond what they read for themselves."""
    file = Path(os.environ.get("SIAGA_CONFIG", FILE)).absolute()
    return {
        "SIAGA_STATE": str(settings.state),
        "SIAGA_DSN": settings.database,
        **({"SIAGA_CONFIG": str(file)} if file.exists() else {}),
    }


async def accounts(settings: Settings) -> list[tuple[str, str, str]]:
    """Login, role and name of some demo accounts of each role."""
    if not settings.demo:
        return []
    connection = await asyncpg.connect(settings.database, timeout=10)
    try:
        rows = await connection.fetch(
            "SELECT login, role, name FROM ("
            "  SELECT login, role, name, row_number() OVER (PARTITION BY role ORDER BY login) AS n"
            "  FROM account WHERE active) numbered "
            "WHERE n <= 2 ORDER BY array_position("
            "  ARRAY['call_taker','dispatcher','supervisor','unit','agency_officer','leader','admin'], role), n"
        )
    finally:
        await connection.close()
    return [(row["login"], row["role"], row["name"]) for row in rows]


def welcome(settings: Settings, people: list[tuple[str, str, str]], password: str, took_s: float) -> str:
    """Where to look, who to be, and how to place a call."""
    base = f"http://{settings.browser_host}:{settings.http_port}"
    lines = ["", f"Ready in {took_s:.1f} s.", "", f"  Consoles     {base}/"]
    lines += [f"  Tracking     {base}/track", f"  Health       {base}/health/ready"]
    lines += [f"  Logs         {settings.logs}"]
    if people:
        lines += ["", f"  Sign in with the password {password} as"]
        lines += [f"    {login:<12} {role.replace('_', ' '):<15} {name}" for login, role, name in people]
    sip = f"sip:112@{settings.sip_host or settings.host}:{settings.sip_port}"
    lines += ["", f"  Call 112: point a softphone on this machine at {sip} (no registration, UDP),"]
    lines += ["  or in another terminal: make demo (or: siaga112 demo)"]
    lines += ["", "  Ctrl-C ends everything; the data stays."]
    return "\n".join(lines)


async def _require_free_ports(settings: Settings, say: Say) -> None:
    """Every port, or who has it. The daemons of a launcher that was killed need a moment to go, which they get."""
    deadline = time.monotonic() + GOING_S
    for port in wanted(settings):
        said = False
        while trouble := trouble_with(port):
            if time.monotonic() > deadline:
                raise LaunchError(f"{trouble}; end that program, or set SIAGA_{port.setting.upper()} to another port")
            if not said:
                say(f"{trouble}; waiting a moment")
                said = True
            await asyncio.sleep(0.1)


def _announce(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


def _stop_asked_for() -> asyncio.Event:
    """Set by Ctrl-C, a closed terminal or SIGTERM. Asking again while we stop changes nothing."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _done_before(stop: asyncio.Event, work: Coroutine[None, None, None]) -> bool:
    """Whether the work came to its end before somebody asked to stop; its trouble is raised."""
    task, asked = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    with suppress(asyncio.CancelledError, *TROUBLE):
        await task
    return False


async def _until_ready(settings: Settings) -> None:
    """Wait for web to say that every part is there; name the part that is not."""
    said = "web does not answer"
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        ready, said = await asyncio.to_thread(_ask, f"http://{_local(settings.host)}:{settings.http_port}/health/ready")
        if ready:
            return
        await asyncio.sleep(0.1)
    raise LaunchError(f"not ready after {READY_WITHIN_S:g} s: {said}; see the logs in {settings.logs}")


def _local(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 — compared, not bound


def _ask(url: str) -> tuple[bool, str]:
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 — our own http address
            return answer.status == 200, ""
    except urllib.error.HTTPError as refused:
        with refused:
            return False, " ".join(refused.read().decode(errors="replace").split())[:300]
    except OSError as trouble:
        return False, f"web does not answer ({trouble})"
