"""All of the telephone's parts together: taking calls, writing down, hearing Asterisk, telling it about the seats."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from agi.callback import Callbacks
from agi.heard import Gone, census, conversations, hear
from agi.intake import Dialogue, PlaceOf, take
from agi.link import Address, Link
from agi.manager import Fields
from agi.scribe import Scribe, remove_rings
from agi.seats import Seats
from agi.server import Server
from agi.sign import show
from callcenter import desk
from callcenter.bell import Bell
from callcenter.call import Rang, Taken
from callcenter.follow import Entry, Follower, head
from callcenter.ledger import Ledger
from callcenter.store import AWAY, Pool, open_pool

log = logging.getLogger(__name__)

COMMIT_S: Final = 1.0  # what one commit may cost a caller
RETRY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Wiring:
    """What this daemon needs to know."""

    dsn: str
    spool: Path
    ami: Address
    agi_port: int
    agi_host: str = "127.0.0.1"
    outbound: tuple[str, ...] = ()  # the trunks that take calls of ours


class Telephone:
    """The daemon. It serves calls from its first moment, with or without PostgreSQL or Asterisk's manager."""

    def __init__(self, wiring: Wiring, *, place_of: PlaceOf) -> None:
        self._wiring = wiring
        self._place_of = place_of
        self._ledger: Ledger | None = None
        self._scribe = Scribe(wiring.spool, place_of=place_of)
        self._link = Link(wiring.ami, heard=self._hear)
        self._seats = Seats(self._link)
        self._callbacks = Callbacks(self._link, spool=wiring.spool, outbound=wiring.outbound)

    async def run(self) -> None:
        """Until cancelled."""
        self._wiring.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        loop = asyncio.get_running_loop()
        server = Server(
            self._wiring.agi_host,
            self._wiring.agi_port,
            begin=self._begin,
            record=lambda rang: self._record(loop, rang),
            missed=lambda rang: _on(loop, self._scribe, rang),
        )
        server.start()
        log.info("listening for calls", extra={"port": server.port})
        try:
            async with _pool(self._wiring.dsn) as pool, asyncio.TaskGroup() as tasks:
                bell = Bell()
                # From before the first look at the rows: what changes in between is in the log that is followed.
                cursor = await _now(pool)
                ledger = self._ledger = Ledger(pool, bell)
                tasks.create_task(bell.tend(pool))
                tasks.create_task(self._scribe.run(ledger))
                tasks.create_task(self._seats.run(pool))
                tasks.create_task(self._callbacks.run(ledger))
                tasks.create_task(self._follow(Follower(pool, bell, cursor=cursor)))
                tasks.create_task(self._link.run(self._catch_up))
                tasks.create_task(show(self._link, self._wiring.dsn))
        finally:
            # Off the loop: a call in hand may be waiting for the loop to commit it.
            await asyncio.to_thread(server.close)

    async def _follow(self, log_of_the_room: AsyncIterable[Sequence[Entry]]) -> None:
        async for batch in log_of_the_room:
            self._seats.notice(batch)
            self._callbacks.notice(batch)

    def _begin(self, env: Mapping[str, str]) -> Dialogue:
        return take(env, now=datetime.now(UTC), place_of=self._place_of)

    def _record(self, loop: asyncio.AbstractEventLoop, rang: Rang) -> Taken | None:
        """In the call's own thread: one hand-over to the loop, one commit, and no waiting beyond its bound."""
        began = time.monotonic()
        future = asyncio.run_coroutine_threadsafe(self._take(rang), loop)
        try:
            taken = future.result(COMMIT_S)
        except (TimeoutError, CancelledError):
            future.cancel()
            taken = None
        if taken is None:
            log.warning("a call could not be written down in time", extra={"call": rang.uniqueid})
            _on(loop, self._scribe, rang)
            return None
        remove_rings(self._wiring.spool, rang.uniqueid)
        took_ms = round((time.monotonic() - began) * 1000, 1)
        log.info("a call rang", extra={"call": rang.uniqueid, "incident": str(taken.incident), "took_ms": took_ms})
        return taken

    async def _take(self, rang: Rang) -> Taken | None:
        if self._ledger is None:
            return None
        try:
            async with asyncio.timeout(COMMIT_S):
                return await desk.take_call(self._ledger, rang)
        except AWAY as error:
            log.warning("PostgreSQL is away", extra={"call": rang.uniqueid, "error": type(error).__name__})
        except Exception:
            # A bug of ours is no reason to keep a caller waiting; the scribe tries the call again, and says so.
            log.exception("a call was not taken", extra={"call": rang.uniqueid})
        return None

    def _hear(self, event: Fields) -> None:
        self._callbacks.hear(event)
        news = hear(event, now=datetime.now(UTC))
        if isinstance(news, Gone):
            # How it ended is in the spool, whether it was heard or not: one way of writing it down.
            self._scribe.look()
        elif news is not None:
            self._scribe.tell(news)

    async def _catch_up(self) -> None:
        """The line to Asterisk is new: nothing it was told is sure, and something may have been missed."""
        self._seats.forget()
        now = datetime.now(UTC)
        channels = await self._link.list("CoreShowChannels")
        for answered in conversations(channels, now=now):
            self._scribe.tell(answered)
        self._scribe.tell(census(channels, now=now))


@contextlib.asynccontextmanager
async def _pool(dsn: str) -> AsyncIterator[Pool]:
    """Waits for PostgreSQL as long as it takes."""
    while True:
        try:
            pool = await open_pool(dsn, size=8, answer_s=5, name="siaga112 agi")
            break
        except AWAY as error:
            log.warning("PostgreSQL cannot be reached; calls ring and are spooled", extra={"error": str(error)})
            await asyncio.sleep(RETRY_S)
    try:
        yield pool
    finally:
        pool.terminate()


async def _now(pool: Pool) -> str:
    """The end of the log, as soon as PostgreSQL says where that is."""
    while True:
        try:
            return await head(pool)
        except AWAY as error:
            log.warning("PostgreSQL is away", extra={"error": type(error).__name__})
            await asyncio.sleep(RETRY_S)


def _on(loop: asyncio.AbstractEventLoop, scribe: Scribe, rang: Rang) -> None:
    """From a call's thread to the scribe, who belongs to the loop."""
    with contextlib.suppress(RuntimeError):  # the loop has ended; the spool has the call
        loop.call_soon_threadsafe(scribe.tell, rang)
