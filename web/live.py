"""The live feed: every console sees what happens within a moment, from one reading of the log for all of them.

One follower reads the log; the rows that a batch touched are read once, written once for each way of showing them,
and the same bytes go to every console that is shown them so. A console is put on the list before its snapshot is
read, so what happens in between reaches it twice rather than never, and it knows repeats by their number.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from aiohttp import WSCloseCode, WSMsgType, web
from pydantic import ValidationError
from pydantic_core import to_json

from callcenter import follow
from callcenter.bell import Bell
from callcenter.follow import Entry, Follower
from callcenter.refused import Refused
from callcenter.store import AWAY, Pool
from web import redact, rows, shapes
from web.frames import (
    BAD_FRAME,
    BAD_TICKET,
    SESSION_ENDED,
    START_ANEW,
    TOO_SLOW,
    TRY_LATER,
    Beat,
    Changes,
    EventHead,
    Frame,
    Hello,
    Positions,
    Snapshot,
)
from web.policy import scope
from web.redact import Rendering, Sight
from web.session import Doors, Session

log = logging.getLogger(__name__)

HELLO_S: Final = 5.0
BEAT_S: Final = 2.0
TICK_S: Final = 1.0
GUARD_S: Final = 2.0
SEND_S: Final = 5.0
SNAPSHOT_S: Final = 20.0
ROOM_BYTES: Final = 256 * 1024
MOST_CONSOLES: Final = 1000
MOST_MISSED: Final = 1000
# A beat is withheld when the record has not been read for this long: a screen must not look fresh when it is not.
FRESH_S: Final = 3.0
_TOUCH_EVERY_S: Final = 60.0
_RETRY_S: Final = 0.5


@dataclass(slots=True, eq=False)
class Console:
    """One open screen: what it may see, and what waits to be sent to it."""

    ws: web.WebSocketResponse
    session: Session
    to: Rendering
    waiting: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    some: asyncio.Event = field(default_factory=asyncio.Event)
    closing: tuple[int, str] | None = None

    def put(self, frame: bytes) -> None:
        """Have it sent soon; a console that does not keep up is told to come back."""
        if self.closing is not None:
            return
        # A frame larger than the room still goes to a console that has kept up: it is not the one that is slow.
        if self.waiting and self.waiting_bytes + len(frame) > ROOM_BYTES:
            self.close(TOO_SLOW, "too slow; come back with your cursor")
            return
        self.waiting.append(frame)
        self.waiting_bytes += len(frame)
        self.some.set()

    def close(self, code: int, reason: str) -> None:
        """Have it closed, with what to do next."""
        if self.closing is None:
            self.closing = (code, reason)
            self.waiting.clear()
            self.some.set()

    async def pour(self) -> None:
        """Send what waits, until it is closed. The first code it is closed with is the one it is told."""
        while self.closing is None:
            await self.some.wait()
            self.some.clear()
            while self.waiting:
                frame = self.waiting.popleft()
                self.waiting_bytes -= len(frame)
                try:
                    async with asyncio.timeout(SEND_S):
                        await self.ws.send_str(frame.decode())
                except TimeoutError:
                    self.close(TOO_SLOW, "too slow; come back with your cursor")
                except ConnectionError:
                    self.close(WSCloseCode.GOING_AWAY, "gone")


@dataclass(frozen=True, slots=True)
class Touched:
    """The things that a batch of events touched, by kind."""

    incident: frozenset[UUID] = frozenset()
    mission: frozenset[UUID] = frozenset()
    unit: frozenset[UUID] = frozenset()
    call: frozenset[UUID] = frozenset()
    seat: frozenset[UUID] = frozenset()
    report: frozenset[UUID] = frozenset()


def touched_by(entries: Iterable[Entry]) -> Touched:
    """An incident is touched by all that happens to its calls and missions, a unit by its missions."""
    found: dict[str, set[UUID]] = {kind: set() for kind in ("incident", "mission", "unit", "call", "seat", "report")}
    for entry in entries:
        if entry.kind in found:
            found[entry.kind].add(entry.subject)
        if entry.incident is not None:
            found["incident"].add(entry.incident)
        if entry.unit is not None:
            found["unit"].add(entry.unit)
    return Touched(**{kind: frozenset(ids) for kind, ids in found.items()})


class Live:
    """All consoles, and the one follower that feeds them. One a process."""

    def __init__(self, pool: Pool, bell: Bell, doors: Doors, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._doors = doors
        self._now = now
        self._follower = Follower(pool, bell)
        self._consoles: set[Console] = set()
        self._fresh_at = -1e9
        # Where the reading of the log stands still although there is more to read: a transaction is open that may
        # yet write below it (see ``callcenter.follow``).
        self._stuck: str | None = None
        self._since: datetime | None = None
        self._shown: dict[UUID, datetime] = {}
        self._touched_at = 0.0

    def __len__(self) -> int:
        return len(self._consoles)

    @property
    def is_fresh(self) -> bool:
        """Whether the record was read a moment ago."""
        return asyncio.get_running_loop().time() - self._fresh_at <= FRESH_S

    async def run(self) -> None:
        """Feed the consoles, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._follow())
                tasks.create_task(self._every(TICK_S, self._tick))
                tasks.create_task(self._every(GUARD_S, self._guard))
                tasks.create_task(self._beat())
        finally:
            self.farewell()

    def farewell(self) -> None:
        """Tell every console that we go, and that it shall come back."""
        for console in list(self._consoles):
            console.close(WSCloseCode.GOING_AWAY, "we are restarting; come back with your cursor")

    # ---------------------------------------------------------------- a console --

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One console, from its hello to its end."""
        ws = web.WebSocketResponse(heartbeat=10.0, max_msg_size=4096, compress=False, timeout=2.0)
        await ws.prepare(request)
        console = await self._admit(ws)
        if console is None:
            return ws
        pouring = asyncio.create_task(console.pour())
        listening = asyncio.create_task(self._listen(console))
        try:
            await asyncio.wait({pouring, listening}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._consoles.discard(console)
            for task in (pouring, listening):
                task.cancel()
            await asyncio.gather(pouring, listening, return_exceptions=True)
            code, reason = console.closing or (WSCloseCode.OK, "")
            await ws.close(code=code, message=reason.encode())
        return ws

    async def _admit(self, ws: web.WebSocketResponse) -> Console | None:
        try:
            hello = await _first_words(ws)
            if len(self._consoles) >= MOST_CONSOLES:
                await ws.close(code=TRY_LATER, message=b"too many consoles")
                return None
            session = await self._doors.redeem(hello.ticket, "live")
            right = None if session is None else scope(session.who.role, "live.follow")
            if session is None or right is None:
                await ws.close(code=BAD_TICKET, message=b"get a new ticket")
                return None
            console = Console(ws, session, redact.rendering_for(session.who, right))
            self._consoles.add(console)
            try:
                await self._catch_up(console, hello.cursor)
            except BaseException:
                self._consoles.discard(console)
                raise
        except AWAY:
            await ws.close(code=TRY_LATER, message=b"the record cannot be reached now")
            return None
        except Refused:
            await ws.close(code=START_ANEW, message=b"come back without a cursor")
            return None
        except _BadHelloError as bad:
            await ws.close(code=bad.code, message=str(bad).encode())
            return None
        return console

    async def _catch_up(self, console: Console, cursor: str | None) -> None:
        """What a new console must know before what happens from now on; it is on the list already."""
        await self._pool.execute(
            "INSERT INTO access_log (account, action) VALUES ($1, 'live.follow')", console.session.who.login
        )
        missed: list[Entry] = []
        if cursor is not None:
            missed = await follow.read(self._pool, cursor, limit=MOST_MISSED)
        if cursor is None or len(missed) >= MOST_MISSED:
            frame = await self._snapshot(console.to)
        elif missed:
            frame = (await self._render(missed, {console.to}))[console.to]
        else:
            return
        async with asyncio.timeout(SNAPSHOT_S):
            await console.ws.send_str(frame.decode())

    async def _snapshot(self, to: Rendering) -> bytes:
        cursor = await follow.head(self._pool)
        board = redact.board(await rows.board(self._pool, agency=to.agency), to)
        return _bytes(Snapshot(type="snapshot", cursor=cursor, **board))

    async def _listen(self, console: Console) -> None:
        """A console has nothing to say, so whatever it says ends it; pings are answered below us."""
        async for message in console.ws:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                console.close(BAD_FRAME, "nothing is expected here")
                return
        if console.ws.close_code == WSCloseCode.MESSAGE_TOO_BIG:
            console.close(BAD_FRAME, "too large")

    # ----------------------------------------------------------- what all are sent --

    async def _follow(self) -> None:
        """Also while there is no log yet: we may be up before the tables are."""
        while True:
            try:
                await self._feed()
            except AWAY as error:
                log.warning("the live feed cannot read the log", extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_S)

    async def _feed(self) -> None:
        async for batch in self._follower:
            if not self._consoles:
                continue
            frames = await self._insist(batch)
            for console in self._consoles:
                if console.to in frames:
                    console.put(frames[console.to])

    async def _insist(self, batch: list[Entry]) -> dict[Rendering, bytes]:
        while True:
            try:
                return await self._render(batch, {console.to for console in self._consoles})
            except AWAY as error:
                log.warning("the live feed waits for PostgreSQL", extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_S)

    async def _render(self, batch: Sequence[Entry], renderings: set[Rendering]) -> dict[Rendering, bytes]:
        touched = touched_by(batch)
        whole = await self._rows(touched)
        had = await self._had({entry.subject for entry in batch if entry.type == "ReportRerouted"})
        return {to: _bytes(_changes(batch, whole, had, to)) for to in renderings}

    async def _had(self, rerouted: set[UUID]) -> dict[UUID, set[str]]:
        """Which agencies each of these reports has ever been with: they have been shown it, nobody else has."""
        if not rerouted:
            return {}
        found = await self._pool.fetch(
            """SELECT subject, array_agg(data ->> 'agency') AS agencies FROM log
               WHERE kind = 'report' AND subject = ANY($1) AND data ? 'agency' GROUP BY subject""",
            list(rerouted),
        )
        return {row["subject"]: set(row["agencies"]) for row in found}

    async def _rows(self, touched: Touched) -> shapes.Board:
        return shapes.Board(
            incidents=await rows.incidents(self._pool, touched.incident),
            missions=await rows.missions(self._pool, touched.mission),
            units=await rows.units(self._pool, touched.unit),
            calls=await rows.calls(self._pool, touched.call),
            seats=await rows.seats(self._pool, touched.seat),
            reports=await rows.reports(self._pool, touched.report),
        )

    async def _tick(self) -> None:
        """What changes without an event: positions, who is online, and which offers have arrived."""
        before, cursor = self._since, self._follower.cursor
        self._since, waits = await self._look(cursor)
        if not (waits and cursor == self._stuck):
            self._fresh_at = asyncio.get_running_loop().time()
        self._stuck = cursor if waits else None
        if before is None or not self._consoles:
            return
        # A little overlap, because what commits late carries an earlier time.
        since = before - timedelta(seconds=2)
        await self._send_positions(since)
        await self._send_quiet_changes(since)

    async def _look(self, cursor: str | None) -> tuple[datetime, bool]:
        """The record's time, and whether its log goes on beyond ``cursor``."""
        if cursor is None:
            return await self._pool.fetchval("SELECT now()"), False
        txid, seq = follow.parse_cursor(cursor)
        [row] = await self._pool.fetch(
            "SELECT now() AS now, EXISTS (SELECT FROM log WHERE (txid, seq) > ($1::text::xid8, $2)) AS waits",
            str(txid),
            seq,
        )
        return row["now"], row["waits"]

    async def _send_positions(self, since: datetime) -> None:
        found = await self._pool.fetch(
            "SELECT unit, lat, lon, accuracy_m, at, received_at FROM position WHERE received_at > $1 LIMIT 20000", since
        )
        news = [row for row in found if self._shown.get(row["unit"]) != row["received_at"]]
        self._shown.update({row["unit"]: row["received_at"] for row in news})
        if not news:
            return
        units = [
            shapes.PositionRow(
                unit=row["unit"], lat=row["lat"], lon=row["lon"], accuracy_m=row["accuracy_m"], at=row["at"]
            )
            for row in news
        ]
        frame = _bytes(Positions(type="positions", units=units))
        for console in self._consoles:
            if console.to.sight in {Sight.WHOLE, Sight.WORKING}:
                console.put(frame)

    async def _send_quiet_changes(self, since: datetime) -> None:
        units = await self._pool.fetch("SELECT unit FROM presence WHERE since > $1 LIMIT 5000", since)
        missions = await self._pool.fetch(
            """SELECT m.id AS subject FROM mission m
               JOIN log l ON l.kind = 'mission' AND l.subject = m.id AND l.version = 1
               JOIN delivery d ON d.unit = m.unit AND d.seq = l.seq
               WHERE m.status = 'offered' AND d.acked_at > $1 LIMIT 5000""",
            since,
        )
        cursor = self._follower.cursor
        if cursor is None or not (units or missions):
            return
        touched = Touched(
            unit=frozenset(row["unit"] for row in units), mission=frozenset(row["subject"] for row in missions)
        )
        whole = await self._rows(touched)
        for to in {console.to for console in self._consoles if console.to.sight in {Sight.WHOLE, Sight.WORKING}}:
            frame = _bytes(_changes([], whole, {}, to, cursor=cursor))
            for console in self._consoles:
                if console.to == to:
                    console.put(frame)

    async def _guard(self) -> None:
        """Close the consoles of sessions that have ended; the others are in use."""
        consoles = {console.session.hash: console for console in self._consoles}
        if not consoles:
            return
        ended = await self._doors.ended(list(consoles))
        for console in self._consoles:
            if console.session.hash in ended:
                console.close(SESSION_ENDED, "signed out")
        loop_time = asyncio.get_running_loop().time()
        if loop_time - self._touched_at > _TOUCH_EVERY_S:
            self._touched_at = loop_time
            await self._doors.touch([one for one in consoles if one not in ended])

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if self.is_fresh:
                frame = _bytes(Beat(type="beat", at=self._now()))
                for console in self._consoles:
                    console.put(frame)

    async def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await do()
            except AWAY as error:
                log.warning("the live feed cannot read the record", extra={"error": type(error).__name__})
            await asyncio.sleep(seconds)


def _changes(
    batch: Sequence[Entry], whole: shapes.Board, had: Mapping[UUID, set[str]], to: Rendering, *, cursor: str = ""
) -> Changes:
    """A batch as one rendering shows it. Also an empty one is sent, so that the cursor goes on."""
    shown = redact.board(whole, to)
    events = [_head(entry) for entry in batch if _hears(entry, shown, to)]
    theirs = {id_ for id_, agencies in had.items() if to.agency in agencies}
    gone = theirs - {row["id"] for row in shown["reports"]} if to.sight is Sight.QUEUE else set()
    return Changes(
        type="changes", cursor=batch[-1].cursor if batch else cursor, events=events, gone=sorted(gone), **shown
    )


def _hears(entry: Entry, shown: shapes.Board, to: Rendering) -> bool:
    match to.sight:
        case Sight.QUEUE:
            return entry.kind == "report" and any(row["id"] == entry.subject for row in shown["reports"])
        case Sight.VEILED:
            return entry.kind in {"incident", "report"}
        case _:
            return True


def _head(entry: Entry) -> EventHead:
    return EventHead(
        seq=entry.seq,
        at=entry.at,
        kind=entry.kind,
        subject=entry.subject,
        type=entry.type,
        by=entry.by,
        incident=entry.incident,
    )


def _bytes(frame: Frame) -> bytes:
    return to_json(frame, inf_nan_mode="null")


class _BadHelloError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


async def _first_words(ws: web.WebSocketResponse) -> Hello:
    try:
        message = await ws.receive(timeout=HELLO_S)
    except TimeoutError:
        raise _BadHelloError(BAD_TICKET, "say hello with a ticket first") from None
    if message.type is not WSMsgType.TEXT:
        raise _BadHelloError(BAD_FRAME, "say hello in one small text frame")
    try:
        return Hello.model_validate_json(message.data)
    except (ValidationError, UnicodeEncodeError):
        raise _BadHelloError(BAD_FRAME, "say hello with a ticket first") from None
