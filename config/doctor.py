"""Looks the machine over and says what is missing or in the way, and what to do about it."""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import asyncpg

from config import pbx, postgres
from config.launch import running_process
from config.ports import trouble_with, wanted
from config.settings import Settings, SettingsError, load

ROOM_MIB: Final = 1024
OLDEST_POSTGRES: Final = 150000


class How(StrEnum):
    """How a thing stands."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it stands, and what to do when it does not stand well."""

    what: str
    how: How
    says: str
    do: str = ""


def examine() -> list[Finding]:
    """Everything, in the order in which it would be needed."""
    try:
        settings = load()
    except SettingsError as wrong:
        return [
            Finding("settings", How.WRONG, line, "correct siaga112.toml or the environment") for line in _lines(wrong)
        ]
    return [finding for look in LOOKS for finding in look(settings)]


def report(findings: list[Finding]) -> bool:
    """Print them; True when nothing is wrong."""
    for finding in findings:
        print(f"{finding.how:<6} {finding.what:<12} {finding.says}")
        if finding.do:
            print(f"{'':<6} {'':<12} → {finding.do}")
    wrong = sum(finding.how is How.WRONG for finding in findings)
    print()
    print(f"{wrong} to put right before siaga112 can run." if wrong else "Nothing stands in the way of siaga112 run.")
    return wrong == 0


def _python(_: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", How.OK, f"{version} at {sys.executable}")


def _settings(settings: Settings) -> Iterator[Finding]:
    yield Finding("settings", How.OK, f"city {settings.city}, state in {settings.state}")
    known = {f"SIAGA_{name.upper()}" for name in Settings.model_fields} | {"SIAGA_CONFIG", "SIAGA_CACHE"}
    for name in sorted(os.environ):
        if name.startswith("SIAGA_") and name not in known:
            yield Finding("settings", How.NOTE, f"{name} is set, but there is no such setting", "correct its name")


def _account(_: Settings) -> Iterator[Finding]:
    if os.geteuid() != 0:
        yield Finding("account", How.OK, f"process of user {os.geteuid()}; nothing here needs root")
        return
    try:
        account = postgres.Account.choose()
    except postgres.PostgresError as none:
        yield Finding("account", How.WRONG, str(none))
        return
    assert account is not None  # noqa: S101 — we are root, so one was chosen
    yield Finding("account", How.OK, f"root; PostgreSQL will run as {account.name}")


def _disk(settings: Settings) -> Iterator[Finding]:
    there = next(folder for folder in (settings.state, *settings.state.parents) if folder.exists())
    if not os.access(there, os.W_OK):
        yield Finding("disk", How.WRONG, f"{there} is not ours to write in", "set SIAGA_STATE to a folder of yours")
        return
    free_mib = shutil.disk_usage(there).free // 2**20
    if free_mib < ROOM_MIB:
        yield Finding("disk", How.WRONG, f"{free_mib} MiB free for {settings.state}", f"make room: {ROOM_MIB} MiB")
    else:
        yield Finding("disk", How.OK, f"{free_mib / 1024:.0f} GiB free for {settings.state}")


def _ports(settings: Settings) -> Iterator[Finding]:
    if process := running_process(settings):
        yield Finding("ports", How.OK, f"siaga112 is running from this state folder (process {process}) and holds them")
        return
    bad = [(port, trouble) for port in wanted(settings) if (trouble := trouble_with(port))]
    for port, trouble in bad:
        name = f"SIAGA_{port.setting.upper()}"
        yield Finding("ports", How.WRONG, trouble, f"end that program, or set {name} to another port")
    if not bad:
        yield Finding("ports", How.OK, "free: " + ", ".join(f"{p.port}/{p.kind}" for p in wanted(settings)))


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.dsn is not None:
        yield asyncio.run(_their_postgres(settings.dsn))
        return
    try:
        yield Finding("PostgreSQL", How.OK, f"ours, from {postgres.binaries()}")
    except postgres.PostgresError as none:
        yield Finding("PostgreSQL", How.WRONG, str(none))


async def _their_postgres(dsn: str) -> Finding:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError, ValueError) as trouble:
        said = str(trouble) or type(trouble).__name__
        return Finding("PostgreSQL", How.WRONG, f"SIAGA_DSN: {said}", "start that server, or correct SIAGA_DSN")
    number = int(await connection.fetchval("SHOW server_version_num"))
    await connection.close()
    if number < OLDEST_POSTGRES:
        return Finding("PostgreSQL", How.WRONG, f"version {number // 10000} is too old", "use PostgreSQL 15 or newer")
    return Finding("PostgreSQL", How.OK, f"version {number // 10000} at SIAGA_DSN")


def _asterisk(_: Settings) -> Iterator[Finding]:
    if found := pbx.installed():
        yield Finding("Asterisk", How.OK, f"the machine's {found.version}")
    elif any(pbx.cache_folder().glob("asterisk-*")):
        yield Finding("Asterisk", How.OK, f"fetched before, in {pbx.cache_folder()}")
    elif shutil.which("apt-get") and shutil.which("dpkg-deb"):
        yield Finding("Asterisk", How.NOTE, "none yet; the first siaga112 run fetches Debian's, nothing is installed")
    else:
        do = "install Asterisk 20 or newer, or use docker/compose.yaml"
        yield Finding("Asterisk", How.WRONG, "none, and no apt-get here to fetch one with", do)


def _consoles(_: Settings) -> Iterator[Finding]:
    spec = importlib.util.find_spec("web")
    built = spec is not None and spec.origin is not None and (Path(spec.origin).parent / "static/index.html").exists()
    if built:
        yield Finding("consoles", How.OK, "built")
    else:
        yield Finding("consoles", How.WRONG, "web/static is not built", "make setup, or: python hatch_build.py")


def _helpers(_: Settings) -> Iterator[Finding]:
    """Not needed to run: the demo's caller and the tests' browser."""
    for what, program, package, use in (
        ("SIPp", "sipp", "sip-tester", "siaga112 demo"),
        ("Chromium", "chromium", "chromium", "make test"),
    ):
        if shutil.which(program):
            yield Finding(what, How.OK, f"here, for {use}")
        else:
            yield Finding(what, How.NOTE, f"not here; only needed for {use}", f"apt-get install {package}")


def _lines(wrong: Exception) -> list[str]:
    return str(wrong).splitlines()


LOOKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    *(_python, _settings, _account, _disk, _ports, _postgres, _asterisk, _consoles, _helpers),
)
