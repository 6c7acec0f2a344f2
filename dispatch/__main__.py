"""``python -m dispatch``: the daemon that pushes to units and keeps their deadlines. ``… audit`` checks the record."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import Final

import asyncpg
import structlog

from callcenter.bell import Bell
from callcenter.ledger import Ledger
from callcenter.store import AWAY, Pool, open_pool
from config import citypack
from config.log import log_to_stderr
from config.settings import Settings, SettingsError, load
from dispatch import deadline, house, sending
from dispatch.audit import Count, audit
from dispatch.push import Push, utc_now
from dispatch.unit import Equipment

log = structlog.get_logger("dispatch")

RETRY_S: Final = 1.0
POOL: Final = 12
STOP_S: Final = 2.5


def equipment(settings: Settings) -> list[Equipment]:
    """The units of the city pack, as the record wants them."""
    return [
        Equipment(
            call_sign=one.call_sign,
            kind=one.kind,
            agency=one.agency,
            capabilities=one.capabilities,
            station_lat=one.lat,
            station_lon=one.lon,
        )
        for one in citypack.read(settings.city).units
    ]


def origins(settings: Settings) -> list[str]:
    """The pages that may open a line: our own, by the names that browsers know us by."""
    hosts = {settings.browser_host, settings.host, "localhost", "127.0.0.1"}
    inside = [f"http://{host}:{settings.http_port}" for host in hosts]
    # Behind a proxy the page has the proxy's address, and TLS.
    return sorted([*inside, *([f"https://{settings.public_host}"] if settings.public_host else [])])


async def connect(settings: Settings, stop: asyncio.Event) -> Pool | None:
    """A pool, however long PostgreSQL takes to be there; None when asked to stop before."""
    while not stop.is_set():
        try:
            return await open_pool(settings.database, size=POOL, name="siaga112 dispatch")
        except (*AWAY, asyncpg.CannotConnectNowError) as error:
            log.warning("waiting for PostgreSQL", error=type(error).__name__)
        with suppress(TimeoutError):
            async with asyncio.timeout(RETRY_S):
                await stop.wait()
    return None


async def register_units(ledger: Ledger, settings: Settings) -> None:
    """The city's units, once the record can be written and its schema is there."""
    units = equipment(settings)
    while True:
        try:
            await sending.register(ledger, units, now=utc_now())
        except (*AWAY, asyncpg.UndefinedTableError, asyncpg.ForeignKeyViolationError) as error:
            log.warning("waiting for the city in PostgreSQL", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
        else:
            log.info("units are registered", count=len(units))
            return


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Everything this daemon does, until asked to stop."""
    pool = await connect(settings, stop)
    if pool is None:
        return
    bell = Bell()
    ledger = Ledger(pool, bell)
    push = Push(ledger, host=settings.host, port=settings.push_port, origins=origins(settings))
    async with asyncio.TaskGroup() as tasks:
        owned = [
            tasks.create_task(bell.tend(pool)),
            tasks.create_task(deadline.watch(ledger, utc_now)),
            tasks.create_task(register_units(ledger, settings)),
            tasks.create_task(house.keep(pool)),
        ]
        async with push.open() as port:
            log.info("ready", port=port)
            await stop.wait()
            log.info("stopping")
        for task in owned:
            task.cancel()
    pool.terminate()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C, also while PostgreSQL is still away."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(settings, stop))
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not serving.done():
        await asyncio.wait({serving}, timeout=STOP_S)
    if serving.done():
        serving.result()
    else:
        # PostgreSQL is away, or does not answer: what was acknowledged is committed, so we may go.
        serving.cancel()
        await asyncio.wait({serving})


async def check(settings: Settings) -> int:
    """0 when log and rows agree, 1 when they do not, 2 when they cannot be read."""
    try:
        pool = await open_pool(settings.database, size=1, answer_s=600, name="siaga112 audit")
    except AWAY as error:
        _say(f"PostgreSQL cannot be reached: {str(error) or type(error).__name__}")
        return 2
    count = Count()
    try:
        async with pool, pool.acquire() as connection:
            wrong = await audit(connection, count)
    except asyncpg.UndefinedTableError:
        _say("there is no record in this database yet; run: siaga112 migrate")
        return 2
    if wrong is not None:
        _say(f"log and rows do not agree: {wrong}")
        return 1
    _say(f"log and rows agree: {count.subjects} things, {count.events} events")
    return 0


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")


def main() -> None:
    """Where ``python -m dispatch`` enters."""
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(str(error))
    match sys.argv[1:]:
        case []:
            log_to_stderr("dispatch", settings.log_format)
            asyncio.run(run(settings))
        case ["audit"]:
            sys.exit(asyncio.run(check(settings)))
        case _:
            sys.exit("usage: python -m dispatch [audit]")


if __name__ == "__main__":
    main()
