"""The one hand that writes down what the telephone says, in order, and tries again until it is written.

What comes by itself (a call answered, held, gone) waits in a bounded line; below it lies the spool, two small files a
call that Asterisk writes whether or not we live. A file is removed only after what it says is committed, and the same
call is recorded once however often it is told.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, assert_never

from agi.callback import Why
from agi.heard import Answered, Census, Gone, Heard, Held, Resumed
from agi.intake import PlaceOf, rang
from agi.note import Ends, is_whole, read_back, read_ends, read_rings
from callcenter import desk
from callcenter.call import Rang
from callcenter.ledger import Ledger
from callcenter.store import AWAY

log = logging.getLogger(__name__)

SWEEP_S: Final = 1.0
RETRY_S: Final = 0.5
LONGEST_LINE: Final = 10_000
RIPE_S: Final = 3.0  # a call younger than this is still being taken by FastAGI
LINE_LOST: Final = "line lost"
TRIES: Final = 5
LARGEST_BYTES: Final = 64 * 1024

RESULT: Final = {"BUSY": Why.BUSY, "NOANSWER": Why.NO_ANSWER, "CANCEL": Why.GIVEN_UP, "": Why.GIVEN_UP}

News: TypeAlias = Heard | Census | Rang


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    uniqueid: str
    text: str
    written_at: datetime

    def age_s(self, now: datetime) -> float:
        """How far from now it was written: the clock may have been put back since."""
        return abs((now - self.written_at).total_seconds())


class Scribe:
    """Writes to the ledger; asks nobody to wait for it."""

    def __init__(self, spool: Path, *, place_of: PlaceOf) -> None:
        self.spool = spool
        self._place_of = place_of
        self._line: deque[News] = deque()
        self._woken = asyncio.Event()
        self._tries: dict[str, int] = {}

    def tell(self, news: News) -> None:
        """Something to write down, when it is its turn. Never waits; call it on the loop."""
        if len(self._line) >= LONGEST_LINE:
            log.error("too much to write down; the oldest is left to the spool")
            self._line.popleft()
        self._line.append(news)
        self._woken.set()

    def look(self) -> None:
        """There may be something new in the spool."""
        self._woken.set()

    async def run(self, ledger: Ledger) -> None:
        """For ever: what was told, then the spool."""
        while True:
            self._woken.clear()
            try:
                await self.write_what_was_told(ledger)
                await self.sweep(ledger)
            except AWAY as error:
                if is_told_to_end():
                    raise asyncio.CancelledError from error
                log.warning("PostgreSQL is away; trying again", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_S)
                continue
            try:
                async with asyncio.timeout(SWEEP_S):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def write_what_was_told(self, ledger: Ledger) -> None:
        while self._line:
            news = self._line[0]
            try:
                await self._write(ledger, news)
            except AWAY:
                raise
            except Exception:
                # One piece of news that cannot be written must not hold up the others. The spool still has the call.
                log.exception("this could not be written down", extra={"news": type(news).__name__})
            if self._line and self._line[0] is news:
                self._line.popleft()

    async def _write(self, ledger: Ledger, news: News) -> None:
        if isinstance(news, Census):
            await self._close_lost_lines(ledger, news)
            return
        # A call has to be there before anything can happen to it. A file that was cut short knows less than we do.
        if not isinstance(news, Rang) or self._is_whole(news.uniqueid):
            await self._import_rings(ledger, news.uniqueid)
        match news:
            case Rang():
                await desk.take_call(ledger, news)
                remove_rings(self.spool, news.uniqueid)
            case Answered(uniqueid, seat, at):
                await desk.call_answered(ledger, uniqueid, seat_name=seat, at=at)
            case Held(uniqueid, at):
                await desk.call_held(ledger, uniqueid, at=at)
            case Resumed(uniqueid, at):
                await desk.call_resumed(ledger, uniqueid, at=at)
            case Gone(uniqueid, _):
                await self._import_ends(ledger, uniqueid)
            case _:
                assert_never(news)

    async def _close_lost_lines(self, ledger: Ledger, census: Census) -> None:
        """Asterisk died in the middle of these, and wrote no end: the desk must know that the caller is cut off."""
        rows = await ledger.pool.fetch(
            """SELECT uniqueid FROM call
               WHERE status IN ('ringing', 'talking', 'held') AND rang_at < $1 AND uniqueid <> ALL($2)""",
            census.at,
            list(census.calls),
        )
        for uniqueid in (row["uniqueid"] for row in rows):
            if not (self.spool / f"{uniqueid}.end").exists():
                await desk.call_ended(ledger, uniqueid, cause=LINE_LOST, at=census.at)

    async def sweep(self, ledger: Ledger) -> None:
        """Everything in the spool that is ripe, oldest first."""
        now = datetime.now(UTC)
        for path in sorted(self.spool.glob("*.ring")):
            file = _read(path)
            if file is not None and file.age_s(now) >= RIPE_S:
                await self._or_park(path, self._import_rings(ledger, file.uniqueid))
        for path in sorted(self.spool.glob("*.end")):
            file = _read(path)
            if file is not None and (is_whole(file.text) or file.age_s(now) >= RIPE_S):
                await self._or_park(path, self._import_ends(ledger, file.uniqueid))
        for path in sorted(self.spool.glob("*.back")):
            file = _read(path)
            if file is not None and (is_whole(file.text) or file.age_s(now) >= RIPE_S):
                await self._or_park(path, _import_back(ledger, file))

    def _is_whole(self, uniqueid: str) -> bool:
        file = _read(self.spool / f"{uniqueid}.ring")
        return file is not None and is_whole(file.text)

    async def _import_rings(self, ledger: Ledger, uniqueid: str) -> None:
        file = _read(self.spool / f"{uniqueid}.ring")
        if file is None:
            return
        rings = read_rings(file.text, uniqueid=file.uniqueid, at=file.written_at)
        if rings.trouble:
            log.warning("the place that came with a call is of no use", extra={"call": uniqueid, "why": rings.trouble})
        await desk.take_call(ledger, rang(rings, self._place_of, spooled=True))
        file.path.unlink(missing_ok=True)

    async def _import_ends(self, ledger: Ledger, uniqueid: str) -> None:
        file = _read(self.spool / f"{uniqueid}.end")
        if file is None:
            return
        await self._import_rings(ledger, uniqueid)
        await _end(ledger, read_ends(file.text, uniqueid=file.uniqueid, at=file.written_at))
        file.path.unlink(missing_ok=True)

    async def _or_park(self, path: Path, work: Coroutine[object, object, None]) -> None:
        """A file that fails again and again is put aside, for a person to look at, and the rest go on."""
        try:
            await work
        except AWAY:
            raise
        except Exception:
            # Whatever it is, the next file is another caller.
            tries = self._tries[path.name] = self._tries.get(path.name, 0) + 1
            log.exception("a spooled call could not be written down", extra={"file": path.name, "tries": tries})
            if tries >= TRIES:
                path.rename(path.with_name(path.name + ".bad"))
                del self._tries[path.name]
        else:
            self._tries.pop(path.name, None)


def is_told_to_end() -> bool:
    """Closing a connection in the middle of a statement raises an error that hides the cancellation."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def remove_rings(spool: Path, uniqueid: str) -> None:
    """The call is committed; its first file has done its work."""
    (spool / f"{uniqueid}.ring").unlink(missing_ok=True)


async def _end(ledger: Ledger, ends: Ends) -> None:
    if ends.answered_at is not None and ends.seat is not None:
        await desk.call_answered(ledger, ends.uniqueid, seat_name=ends.seat, at=ends.answered_at)
    if ends.answered_at is None:
        await desk.call_abandoned(ledger, ends.uniqueid, at=ends.at)
    # Also then: a spoilt line forgets that somebody picked up, and over is over. After an abandoned call it changes
    # nothing.
    await desk.call_ended(ledger, ends.uniqueid, cause=ends.cause, at=ends.at)


async def _import_back(ledger: Ledger, file: _File) -> None:
    back = read_back(file.text, name=file.path.stem, at=file.written_at)
    if back is None:
        raise ValueError(file.path.name)
    if back.dial == "ANSWER":
        await desk.callback_reached(ledger, back.call, wish=back.wish, at=back.at)
    else:
        reason = RESULT.get(back.dial, Why.NOT_REACHED)
        await desk.callback_failed(ledger, back.call, wish=back.wish, reason=reason, at=back.at)
    file.path.unlink(missing_ok=True)


def _read(path: Path) -> _File | None:
    """None when somebody else was quicker."""
    try:
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    return _File(path, path.stem, text, written_at)
