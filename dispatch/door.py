"""The door: who a device is, and what it missed, looked up for all who come in the same moment.

How a device that comes back loses nothing: it is put on the lines first, where
whatever is routed from then on waits for it. What it missed is read from the
log up to where the routing stood at that moment. Then it gets the welcome,
what it missed, what waited, and from there on everything at once.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from websockets.asyncio.server import ServerConnection

from callcenter.follow import parse_cursor
from callcenter.refused import Refused
from callcenter.store import AWAY, Pool
from dispatch import frames, views
from dispatch.frames import Hello, MissionView, UnitView
from dispatch.gather import Gatherer
from dispatch.line import BAD_TICKET, NOT_A_UNIT, START_ANEW, TRY_LATER, Line, Lines
from dispatch.mission import LIVE
from dispatch.route import told_late

HELLO_S = 10.0
ANSWER_S = 10.0

Position = tuple[int, int]


class TurnedAway(Exception):
    """Somebody does not come in: the close code says what to do, the reason why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def _no_record() -> TurnedAway:
    return TurnedAway(TRY_LATER, "the record cannot be read now")


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who said hello and waits to be told whether they come in."""

    ws: ServerConnection
    hello: Hello
    cursor: Position | None
    answer: asyncio.Future[Line]

    def turn_away(self, turned: TurnedAway) -> None:
        """Say no, if they still wait."""
        if not self.answer.done():
            self.answer.set_exception(turned)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a device is shown when it comes in: its unit, its missions, and the events it missed."""

    unit: UnitView
    missions: list[MissionView]
    news: list[views.Missed]


class Door:
    """Lets devices in."""

    def __init__(self, pool: Pool, lines: Lines, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._lines = lines
        self._clock = clock
        self.gatherer: Gatherer[Guest] = Gatherer("guests", self._greet, wait_s=0.01, most=200)

    async def admit(self, ws: ServerConnection) -> Line:
        """The line of a device that said a good hello and has been welcomed; else TurnedAway."""
        hello = await _first_words(ws)
        guest = Guest(ws, hello, _cursor(hello), asyncio.get_running_loop().create_future())
        if not self.gatherer.put(guest):
            raise TurnedAway(TRY_LATER, "too many are at the door")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await guest.answer
        except TimeoutError:
            raise _no_record() from None

    async def _greet(self, guests: list[Guest]) -> None:
        waiting = [guest for guest in guests if not guest.answer.done()]
        if self._lines.routed is None:
            for guest in waiting:
                guest.turn_away(_no_record())
            return
        holders = await views.redeem(self._pool, [views.ticket_hash(guest.hello.ticket) for guest in waiting])
        # No await between reading where the routing stands and being on the lines: this is what leaves no gap.
        until = self._lines.routed
        let_in: list[tuple[Guest, Line]] = []
        for guest in waiting:
            try:
                # A ticket that two come with in one moment lets in the first.
                holder = holders.pop(views.ticket_hash(guest.hello.ticket), None)
                let_in.append((guest, self._let_in(guest, holder, parse_cursor(until))))
            except TurnedAway as turned:
                guest.turn_away(turned)
        try:
            await self._welcome_all(let_in, until)
        except Exception as error:
            # Their tickets are used up, so trying again would not help them: they come back with new ones.
            for guest, line in let_in:
                if not line.is_open:
                    self._lines.drop(line)
                    guest.turn_away(_no_record())
            if not isinstance(error, AWAY):
                raise

    def _let_in(self, guest: Guest, holder: views.Holder | None, until: Position) -> Line:
        if holder is None:
            raise TurnedAway(BAD_TICKET, "this ticket is not valid; get a new one")
        if holder.unit is None:
            raise TurnedAway(NOT_A_UNIT, "this account drives no unit")
        if guest.cursor is not None and guest.cursor > until:
            # Only a record that was restored to an older time is behind its devices.
            raise TurnedAway(START_ANEW, "start anew without a cursor")
        line = Line(guest.ws, holder, holder.unit)
        self._lines.add(line)
        return line

    async def _welcome_all(self, let_in: list[tuple[Guest, Line]], until: str) -> None:
        if not let_in:
            return
        units = {line.unit for _, line in let_in}
        missed = await self._missed(let_in, until)
        ended = {event.subject for events in missed.values() for event in events if event.kind == "mission"}
        missions: dict[UUID, list[MissionView]] = {}
        for mission in await views.missions_of(self._pool, units, also=ended):
            missions.setdefault(mission.unit, []).append(mission)
        units_now = await views.units(self._pool, units)
        for guest, line in let_in:
            unit = units_now[line.unit]
            news = [one for one in missed.get(unit.id, ()) if guest.cursor and (one.txid, one.seq) > guest.cursor]
            if line.overrun or len(news) > views.MOST_MISSED:
                self._lines.drop(line)
                guest.turn_away(TurnedAway(START_ANEW, "too much was missed; start anew without a cursor"))
            elif guest.answer.done():
                self._lines.drop(line)
            else:
                self._welcome(guest, line, Shown(unit, missions.get(unit.id, []), news), until)

    async def _missed(self, let_in: Iterable[tuple[Guest, Line]], until: str) -> dict[UUID, list[views.Missed]]:
        """What the units have not seen since the oldest cursor that a device of theirs came with."""
        oldest: dict[UUID, Position] = {}
        for guest, line in let_in:
            if guest.cursor is not None:
                oldest[line.unit] = min(guest.cursor, oldest.get(line.unit, guest.cursor))
        if not oldest:
            return {}
        return await views.missed(self._pool, list(oldest.items()), parse_cursor(until))

    def _welcome(self, guest: Guest, line: Line, shown: Shown, until: str) -> None:
        welcome = frames.Welcome(
            unit=shown.unit,
            missions=[mission for mission in shown.missions if mission.status in LIVE],
            # Who came with a cursor goes on from it, event by event; who came without has all up to `until`.
            cursor=guest.hello.cursor or until,
            server_time=self._clock(),
        )
        waited = line.let_flow()
        line.write(welcome.model_dump_json().encode())
        for event in shown.news:
            told = told_late(event, shown.missions, shown.unit)
            if told is not None:
                line.tell(told.seq, told.model_dump_json().encode())
        for seq, frame in waited:
            line.tell(seq, frame)
        guest.answer.set_result(line)


async def _first_words(ws: ServerConnection) -> Hello:
    try:
        async with asyncio.timeout(HELLO_S):
            match frames.hear(await ws.recv()):
                case Hello() as hello:
                    return hello
                case _:
                    raise TurnedAway(BAD_TICKET, "say hello with a ticket first")
    except (Refused, TimeoutError):
        raise TurnedAway(BAD_TICKET, "say hello with a ticket first") from None


def _cursor(hello: Hello) -> Position | None:
    if hello.cursor is None:
        return None
    try:
        return parse_cursor(hello.cursor)
    except Refused:
        raise TurnedAway(START_ANEW, "this cursor is not one of ours; start anew without it") from None
