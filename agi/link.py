"""The line to Asterisk's manager: what happens to calls, heard as it happens, and heard again in full after a silence.

pyst2 blocks, so it has a thread of its own; the loop never waits on it without an end. When the line is cut it is
opened again, and a full list of Asterisk's channels says what was missed.
"""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from asterisk.manager import ManagerException

from agi.manager import Ami, Fields

log = logging.getLogger(__name__)

RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)
PING_S: Final = 5.0
ANSWER_S: Final = 6.0
BOOT_S: Final = 30.0


class LineDown(Exception):
    """Asterisk's manager cannot be reached now."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where Asterisk's manager is, and who we are to it."""

    port: int
    secret: str
    host: str = "127.0.0.1"
    user: str = "siaga"


class Link:
    """One line at a time. ``heard`` gets each event, on the loop; ``opened`` runs after each opening."""

    def __init__(self, address: Address, *, heard: Callable[[Fields], None]) -> None:
        self._address = address
        self._heard = heard
        self._ami: Ami | None = None
        self._opening: Ami | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ami")
        self._ids = itertools.count()
        self._lists: dict[str, list[Fields]] = {}
        self._list_ends: dict[str, asyncio.Future[None]] = {}
        self._cut = asyncio.Event()
        self._booted = asyncio.Event()

    @property
    def is_up(self) -> bool:
        return self._ami is not None

    async def run(self, opened: Callable[[], Awaitable[None]]) -> None:
        """For ever: open the line, say so, watch it, and open it again when it is cut."""
        failures = 0
        try:
            while True:
                try:
                    await self._open()
                    failures = 0
                    log.info("the line to Asterisk's manager is open")
                    await opened()
                    await self._watch()
                except (LineDown, OSError, ManagerException) as error:  # a TimeoutError is an OSError
                    log.warning("no line to Asterisk's manager", extra={"error": str(error)})
                    failures += 1
                finally:
                    self._close()
                await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def do(self, action: str, **fields: str) -> Fields:
        """Tell Asterisk to do something; returns its answer, which may be that it will not."""
        return await self._say(action, fields, f"do-{next(self._ids)}")

    async def list(self, action: str, **fields: str) -> list[Fields]:
        """Ask for a list; returns its entries when the list is complete."""
        action_id = f"list-{next(self._ids)}"
        self._lists[action_id] = []
        complete = self._list_ends[action_id] = asyncio.get_running_loop().create_future()
        try:
            await self._say(action, fields, action_id)
            async with asyncio.timeout(ANSWER_S):
                await complete
            return self._lists[action_id]
        except TimeoutError as error:
            self._cut.set()
            raise LineDown(f"the list of {action} has no end") from error
        finally:
            del self._lists[action_id], self._list_ends[action_id]

    async def _say(self, action: str, fields: Fields, action_id: str) -> Fields:
        ami = self._ami
        if ami is None:
            raise LineDown("not connected")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await loop.run_in_executor(self._thread, ami.say, action, fields, action_id)
        except (TimeoutError, OSError, ManagerException) as error:
            self._cut.set()
            raise LineDown(f"{action}: {error}") from error

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        cut = self._cut = asyncio.Event()
        booted = self._booted = asyncio.Event()
        ami = self._opening = Ami(
            heard=lambda event: _on(loop, self._hear, event),
            cut=lambda: _on(loop, cut.set),
        )
        await loop.run_in_executor(self._thread, self._connect, ami)
        # A starting Asterisk lets us in before its modules are there: "unknown command: QueuePause" (22.10, 2026-11).
        async with asyncio.timeout(BOOT_S):
            await _first(cut, booted)
        if cut.is_set():
            raise LineDown("the line was cut while Asterisk started")
        self._ami = ami

    def _connect(self, ami: Ami) -> None:
        ami.connect(self._address.host, self._address.port)
        ami.log_in(self._address.user, self._address.secret)

    async def _watch(self) -> None:
        """Until the line is cut. A line that is only half open does not answer a ping."""
        while not self._cut.is_set():
            try:
                async with asyncio.timeout(PING_S):
                    await self._cut.wait()
            except TimeoutError:
                await self.do("Ping")
        raise LineDown("the line was cut")

    def _close(self) -> None:
        ami, self._ami, self._opening = self._opening, None, None
        if ami is not None:
            ami.hang_up()
        for ending in self._list_ends.values():
            if not ending.done():
                ending.set_exception(LineDown("the line was cut"))

    def _hear(self, event: Fields) -> None:
        if event.get("Event") == "FullyBooted":
            self._booted.set()
        action_id = event.get("ActionID", "")
        if action_id not in self._lists:
            self._heard(event)
        elif event.get("EventList") == "Complete":
            if not self._list_ends[action_id].done():
                self._list_ends[action_id].set_result(None)
        else:
            self._lists[action_id].append(event)


async def _first(*events: asyncio.Event) -> None:
    """Until one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _on(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: object) -> None:
    """From pyst2's thread to ours; a loop that has ended needs no news."""
    if not loop.is_closed():
        try:
            loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # it closed in between
            return
