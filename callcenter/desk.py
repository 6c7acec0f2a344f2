"""What the room can do, as commands: each is one transaction, or a part of one.

Commands of the telephone take the ledger, because one call is one transaction.
Commands of people take an open book, so that the web can keep the answer to
an idempotency key in the same transaction (``Ledger.once``).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from callcenter import call, incident, report, seat
from callcenter.call import CALLS, Call, CallClass, Rang, Taken
from callcenter.event import Event
from callcenter.ids import CallId, IncidentId, ReportId, new_id
from callcenter.incident import INCIDENTS, Changes, Incident, Outcome
from callcenter.ledger import Book, Ledger
from callcenter.refused import Refused, unknown
from callcenter.report import REPORTS, Report, ReportAssigned, ReportMade, ReportVerified
from callcenter.seat import SEATS, seat_id
from geo.place import Place

# ------------------------------------------------------------- the telephone --


_RECORDED_ONCE = "a telephone call is recorded once"


async def take_call(ledger: Ledger, rang: Rang) -> Taken:
    """A call becomes a call and an incident, in one round trip. The same call again is the same call."""
    taken = Taken(CallId(new_id()), IncidentId(new_id()))
    try:
        async with ledger.book(by="agi") as book:
            opened = incident.open_(source="112", caller_number=rang.ani, place=rang.place, at=rang.at)
            book.record(INCIDENTS, taken.incident, None, opened)
            rung = call.ring(
                uniqueid=rang.uniqueid,
                ani=rang.ani,
                trunk=rang.trunk,
                dialled=rang.dialled,
                place=rang.place,
                incident=taken.incident,
                spooled=rang.spooled,
                at=rang.at,
            )
            book.record(CALLS, taken.call, None, rung)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _RECORDED_ONCE:
            raise
        row = await ledger.pool.fetchrow("SELECT id, incident FROM call WHERE uniqueid = $1", rang.uniqueid)
        if row is None:
            raise
        return Taken(CallId(row["id"]), IncidentId(row["incident"]))
    return taken


async def call_answered(ledger: Ledger, uniqueid: str, *, seat_name: str, at: datetime) -> None:
    """A call-taker picked up: the call is theirs, and so is the incident."""
    async with ledger.book(by="agi") as book:
        connection = await book.connection()
        # The incident first, as everybody does who locks both.
        incident_id = await connection.fetchval("SELECT incident FROM call WHERE uniqueid = $1", uniqueid)
        if incident_id is None:
            return
        held = await book.lock(INCIDENTS, incident_id)
        ((id_, state),) = await book.lock_where(CALLS, "uniqueid = $1", uniqueid)
        account = await connection.fetchval("SELECT account FROM seat WHERE name = $1", seat_name)
        answered = call.hear(state, call.CallAnswered(at, seat_name, account))
        book.record(CALLS, id_, state, answered)
        if answered and account is not None:
            book.record(INCIDENTS, incident_id, held, incident.take(held, account, now=at))


async def call_held(ledger: Ledger, uniqueid: str, *, at: datetime) -> None:
    """The caller is on hold."""
    await _hear(ledger, uniqueid, call.CallHeld(at))


async def call_resumed(ledger: Ledger, uniqueid: str, *, at: datetime) -> None:
    """The caller is off hold."""
    await _hear(ledger, uniqueid, call.CallResumed(at))


async def call_ended(ledger: Ledger, uniqueid: str, *, cause: str, at: datetime) -> None:
    """The conversation is over."""
    await _hear(ledger, uniqueid, call.CallEnded(at, cause))


async def call_abandoned(ledger: Ledger, uniqueid: str, *, at: datetime) -> None:
    """The caller left before anybody answered."""
    await _hear(ledger, uniqueid, call.CallAbandoned(at))


async def _hear(ledger: Ledger, uniqueid: str, event: Event) -> None:
    async with ledger.book(by="agi") as book:
        found = await _lock_call(book, uniqueid)
        if found is not None:
            id_, state = found
            book.record(CALLS, id_, state, call.hear(state, event))


async def _lock_call(book: Book, uniqueid: str) -> tuple[UUID, Call] | None:
    return next(iter(await book.lock_where(CALLS, "uniqueid = $1", uniqueid)), None)


async def call_back(book: Book, id_: UUID, *, now: datetime) -> None:
    """Wish that an abandoned caller is rung back; ``agi`` follows the log and places the call."""
    state = await book.lock(CALLS, id_)
    book.record(CALLS, id_, state, call.wish_callback(state, now=now))


async def callback_placed(ledger: Ledger, id_: UUID, *, wish: int, seat_name: str, at: datetime) -> bool:
    """Whether the wish is now the asker's to carry out: the record says so to one asker, once.

    A wish is named by the version that it gave the call, so that late news of one does not end the next.
    """
    async with ledger.book(by="agi") as book:
        state = await book.lock(CALLS, id_)
        wished, placed = await _last_wish(book, id_)
        if wished != wish or placed > wish:
            return False
        news = call.hear(state, call.CallbackPlaced(at, seat_name))
        book.record(CALLS, id_, state, news)
        return bool(news)


async def callback_reached(ledger: Ledger, id_: UUID, *, wish: int, at: datetime) -> None:
    """The caller picked up: the call, and the incident, are the call-taker's at the seat."""
    async with ledger.book(by="agi") as book:
        connection = await book.connection()
        # The incident first, as everybody does who locks both.
        incident_id = await connection.fetchval("SELECT incident FROM call WHERE id = $1", id_)
        if incident_id is None:
            raise unknown("call")
        held = await book.lock(INCIDENTS, incident_id)
        state = await book.lock(CALLS, id_)
        if (await _last_wish(book, id_))[0] != wish:
            return
        seat_row = await connection.fetchrow(
            """SELECT placed.data ->> 'seat' AS name, seat.account
               FROM log placed LEFT JOIN seat ON seat.name = placed.data ->> 'seat'
               WHERE placed.kind = 'call' AND placed.subject = $1 AND placed.type = 'CallbackPlaced'
               ORDER BY placed.version DESC LIMIT 1""",
            id_,
        )
        name, account = (seat_row["name"], seat_row["account"]) if seat_row else (None, None)
        reached = call.hear(state, call.CallbackReached(at, name, account))
        book.record(CALLS, id_, state, reached)
        if reached and account is not None:
            book.record(INCIDENTS, incident_id, held, incident.take(held, account, now=at))


async def callback_failed(ledger: Ledger, id_: UUID, *, wish: int, reason: str, at: datetime) -> None:
    """Nobody spoke to the caller; the desk can wish again."""
    async with ledger.book(by="agi") as book:
        state = await book.lock(CALLS, id_)
        if (await _last_wish(book, id_))[0] == wish:
            book.record(CALLS, id_, state, call.hear(state, call.CallbackFailed(at, reason)))


async def _last_wish(book: Book, id_: UUID) -> tuple[int, int]:
    """The versions of the last wish for a call back, and of the last one that was placed; 0 for none."""
    connection = await book.connection()
    row = await connection.fetchrow(
        """SELECT coalesce(max(version) FILTER (WHERE type = 'CallbackWished'), 0) AS wished,
                  coalesce(max(version) FILTER (WHERE type = 'CallbackPlaced'), 0) AS placed
           FROM log WHERE kind = 'call' AND subject = $1""",
        id_,
    )
    return (row["wished"], row["placed"]) if row else (0, 0)


# ------------------------------------------------------------------ the desk --

CLASS_OF: dict[Outcome, CallClass] = {
    Outcome.INFORMATION: CallClass.INFORMATION,
    Outcome.GHOST: CallClass.GHOST,
    Outcome.PRANK: CallClass.PRANK,
    Outcome.TEST: CallClass.TEST,
}


async def open_incident(
    book: Book, *, source: str, caller_number: str | None, place: Place | None, changes: Changes, now: datetime
) -> IncidentId:
    """Somebody told the desk without a call to 112: by radio, at the door, on another line."""
    id_ = IncidentId(new_id())
    opened = incident.open_(source=source, caller_number=caller_number, place=place, at=now)
    state = book.record(INCIDENTS, id_, None, opened)
    state = book.record(INCIDENTS, id_, state, incident.describe(state, changes, now=now))
    book.record(INCIDENTS, id_, state, incident.take(state, book.by, now=now))
    return id_


async def describe(book: Book, id_: UUID, changes: Changes, *, now: datetime) -> Incident:
    """Write down what is known."""
    return await _change(book, id_, lambda state: incident.describe(state, changes, now=now))


async def locate(book: Book, id_: UUID, place: Place, *, now: datetime) -> Incident:
    """Say where it is."""
    return await _change(book, id_, lambda state: incident.locate(state, place, now=now))


async def close(book: Book, id_: UUID, outcome: Outcome, *, note: str | None, now: datetime) -> Incident:
    """Close it: as handled, or as information, prank, ghost or test, which says what its calls were."""
    state = await book.lock(INCIDENTS, id_)
    await _require_nobody_on_it(book, id_)
    await classify_calls(book, id_, CLASS_OF.get(outcome, CallClass.EMERGENCY), now=now)
    return book.record(INCIDENTS, id_, state, incident.close(state, outcome, note=note, now=now))


async def cancel(book: Book, id_: UUID, reason: str, *, now: datetime) -> Incident:
    """Nobody has to go after all."""
    state = await book.lock(INCIDENTS, id_)
    await _require_nobody_on_it(book, id_)
    return book.record(INCIDENTS, id_, state, incident.cancel(state, reason, now=now))


async def reopen(book: Book, id_: UUID, reason: str, *, now: datetime) -> Incident:
    """It was not over. Calls that went to another incident with it come back."""
    state = await book.lock(INCIDENTS, id_)
    connection = await book.connection()
    rung_here = await connection.fetch(
        "SELECT subject FROM log WHERE incident = $1 AND kind = 'call' AND type = 'CallRang'", id_
    )
    for call_id, moved in await book.lock_where(CALLS, "id = ANY($1)", [row["subject"] for row in rung_here]):
        book.record(CALLS, call_id, moved, call.move(moved, id_, now=now))
    return book.record(INCIDENTS, id_, state, incident.reopen(state, reason, now=now))


async def mark_duplicate(book: Book, id_: UUID, of: UUID, *, now: datetime) -> Incident:
    """It is the same as ``of``: its calls go there, and it is reopened if that was wrong."""
    if of == id_:
        message = "an incident cannot be a duplicate of itself; choose another"
        raise Refused(message, code="incident.itself")
    both = dict(await book.lock_where(INCIDENTS, "id = ANY($1)", [id_, of]))
    if len(both) < 2:
        raise unknown("incident")
    if not both[of].is_live:
        message = "the other incident is not open any more; reopen it first"
        raise Refused(message, code="incident.not_live")
    await _require_nobody_on_it(book, id_)
    for call_id, state in await book.lock_where(CALLS, "incident = $1", id_):
        book.record(CALLS, call_id, state, call.move(state, of, now=now))
    return book.record(INCIDENTS, id_, both[id_], incident.mark_duplicate(both[id_], of, now=now))


async def classify_calls(book: Book, incident_id: UUID, call_class: CallClass, *, now: datetime) -> None:
    """Say what the calls of an incident were."""
    for call_id, state in await book.lock_where(CALLS, "incident = $1", incident_id):
        book.record(CALLS, call_id, state, call.classify(state, call_class, now=now))


async def _change(book: Book, id_: UUID, decide: Callable[[Incident], Sequence[Event]]) -> Incident:
    state = await book.lock(INCIDENTS, id_)
    return book.record(INCIDENTS, id_, state, decide(state))


async def _require_nobody_on_it(book: Book, id_: UUID) -> None:
    connection = await book.connection()
    if await connection.fetchval("SELECT live_missions FROM incident_now WHERE id = $1", id_):
        message = "units are still on it; withdraw them or let them clear first"
        raise Refused(message, code="incident.units_on_it")


# ------------------------------------------------------------------- reports --


@dataclass(frozen=True, slots=True)
class Ticket:
    """A report that was made: its id, the number for the citizen, and the agency it went to."""

    id: ReportId
    number: str
    agency: str


async def become_report(
    book: Book, id_: UUID, *, category: str, description: str | None, prefix: str, year: int, now: datetime
) -> Ticket:
    """The incident is no emergency: it goes on, with all that is known, to the agency in charge.

    The ticket number starts with the city's ``prefix`` and the ``year`` in the city's own time.
    """
    state = await book.lock(INCIDENTS, id_)
    await _require_nobody_on_it(book, id_)
    ticket = Ticket(
        ReportId(new_id()), await _next_number(book, prefix, year), await _agency_for(book, category, state.place)
    )
    events = incident.become_report(state, ticket.id, now=now)
    made = ReportMade(
        now,
        number=ticket.number,
        source=state.source,
        category=category,
        agency=ticket.agency,
        place=state.place,
        address=state.address,
        description=state.notes if description is None else description,
        reporter_name=state.caller_name,
        reporter_number=state.callback or state.caller_number,
        incident=id_,
    )
    # A person of ours spoke to the citizen, so it is verified as it is made.
    verified: list[Event] = [made, ReportVerified(now), ReportAssigned(now, ticket.agency)]
    book.record(REPORTS, ticket.id, None, verified)
    book.record(INCIDENTS, id_, state, events)
    await classify_calls(book, id_, CallClass.NON_EMERGENCY, now=now)
    return ticket


async def _next_number(book: Book, prefix: str, year: int) -> str:
    """The next ticket number. The row is locked until commit, so numbers have no gaps."""
    connection = await book.connection()
    last = await connection.fetchval(
        """INSERT INTO report_counter (year, last) VALUES ($1, 1)
           ON CONFLICT (year) DO UPDATE SET last = report_counter.last + 1 RETURNING last""",
        year,
    )
    return f"{prefix}-{year}-{last:06d}"


async def _agency_for(book: Book, category: str, place: Place | None) -> str:
    """The agency in charge: the rule for the kelurahan, else for the kecamatan, else for the category."""
    connection = await book.connection()
    areas = [code for code in ((place.kelurahan, place.kecamatan) if place else ()) if code]
    agency: str | None = await connection.fetchval(
        """SELECT coalesce(
               (SELECT agency FROM routing WHERE category = $1 AND area = ANY($2)
                ORDER BY length(area) DESC LIMIT 1),
               (SELECT agency FROM category WHERE code = $1))""",
        category,
        areas,
    )
    if agency is None:
        message = f"there is no category {category!r}; choose one of the list"
        raise Refused(message, code="report.category")
    return agency


async def change_report(book: Book, id_: UUID, decide: Callable[[Report], Sequence[Event]]) -> Report:
    """Let an officer's wish happen to a report; the wishes themselves are in ``callcenter.report``."""
    state = await book.lock(REPORTS, id_)
    return book.record(REPORTS, id_, state, decide(state))


async def reroute_report(book: Book, id_: UUID, agency: str, reason: str, *, now: datetime) -> Report:
    """Send it to the agency whose work it is."""
    connection = await book.connection()
    if not await connection.fetchval("SELECT true FROM agency WHERE code = $1", agency):
        message = f"there is no agency {agency!r}; choose one of the list"
        raise Refused(message, code="report.agency")
    return await change_report(book, id_, lambda state: report.reroute(state, agency, reason, now=now))


# --------------------------------------------------------------------- seats --

# The realm that a telephone password is digested with, and that Asterisk asks with.
SIP_REALM = "siaga112"

# A screen that is open says so each minute; one that has said nothing for so long is a closed laptop.
DESERTED_AFTER = timedelta(minutes=30)


def seat_names(count: int) -> list[str]:
    """The names of the seats of a room with ``count`` of them: seat-01, seat-02 and so on."""
    return [f"seat-{number:02d}" for number in range(1, count + 1)]


async def install_seats(ledger: Ledger, names: Sequence[str], *, now: datetime) -> None:
    """Make sure that the room has these seats. Safe to do at each start, by several processes at once."""
    known = await ledger.pool.fetch("SELECT name FROM seat")
    for name in sorted(set(names) - {row["name"] for row in known}):
        try:
            async with ledger.book(by="rule") as book:
                book.record(SEATS, seat_id(name), None, seat.install(name, now=now))
        except asyncpg.UniqueViolationError:
            # Another process installed it in the same moment.
            continue


@dataclass(frozen=True, slots=True)
class SeatKey:
    """A seat and the telephone password for this sitting. The password is kept nowhere."""

    seat: str
    password: str


async def take_seat(book: Book, account: str, *, seats: Sequence[str], now: datetime) -> SeatKey:
    """Sit down at the seat one has, or at the first free one of ``seats``, with a new telephone password.

    When none is free, somebody may have closed a laptop and gone: that seat is taken over.
    """
    mine = await book.lock_where(SEATS, "account = $1", account)
    if not mine:
        mine = await book.lock_where(
            SEATS,
            "id = (SELECT id FROM seat WHERE status = 'free' AND name = ANY($1) ORDER BY name LIMIT 1 "
            "FOR UPDATE SKIP LOCKED)",
            list(seats),
        )
    if not mine:
        mine = await _deserted_seat(book, seats, now=now)
    if not mine:
        message = "all seats are taken; ask a colleague to sign out, or have more seats set up"
        raise Refused(message, code="seat.none")
    id_, state = mine[0]
    book.record(SEATS, id_, state, seat.take(state, account, now=now))
    password = secrets.token_urlsafe(24)
    # MD5 is what SIP digest authentication (RFC 3261, 22.4) calls HA1; the password is random and short-lived.
    digest = hashlib.md5(f"{state.name}:{SIP_REALM}:{password}".encode(), usedforsecurity=False).hexdigest()
    connection = await book.connection()
    await connection.execute(
        """INSERT INTO seat_secret (seat, digest) VALUES ($1, $2)
           ON CONFLICT (seat) DO UPDATE SET digest = $2, set_at = now()""",
        state.name,
        digest,
    )
    return SeatKey(state.name, password)


async def _deserted_seat(book: Book, seats: Sequence[str], *, now: datetime) -> list[tuple[UUID, seat.Seat]]:
    """A seat whose person has neither used a screen nor been in a call for a while; it is free afterwards."""
    deserted = await book.lock_where(
        SEATS,
        "id = (SELECT s.id FROM seat s WHERE s.name = ANY($1) AND s.account IS NOT NULL AND s.since < $2 "
        "AND NOT EXISTS (SELECT FROM session WHERE session.account = s.account AND session.seen_at >= $2 "
        "AND session.revoked_at IS NULL AND session.expires_at > $3) "
        "AND NOT EXISTS (SELECT FROM call WHERE call.seat = s.name AND call.status IN ('talking', 'held')) "
        "ORDER BY s.since LIMIT 1 FOR UPDATE SKIP LOCKED)",
        list(seats),
        now - DESERTED_AFTER,
        now,
    )
    return [(id_, book.record(SEATS, id_, state, seat.leave(state, now=now))) for id_, state in deserted]


async def leave_seat(book: Book, account: str, *, now: datetime) -> None:
    """Get up; the telephone password is void."""
    for id_, state in await book.lock_where(SEATS, "account = $1", account):
        connection = await book.connection()
        await connection.execute("DELETE FROM seat_secret WHERE seat = $1", state.name)
        book.record(SEATS, id_, state, seat.leave(state, now=now))


async def ready_seat(book: Book, account: str, *, now: datetime) -> None:
    """Let calls ring at my seat."""
    id_, state = await _my_seat(book, account)
    book.record(SEATS, id_, state, seat.ready(state, now=now))


async def pause_seat(book: Book, account: str, reason: str | None, *, now: datetime) -> None:
    """Let no calls ring at my seat for now."""
    id_, state = await _my_seat(book, account)
    book.record(SEATS, id_, state, seat.pause(state, reason, now=now))


async def _my_seat(book: Book, account: str) -> tuple[UUID, seat.Seat]:
    mine = await book.lock_where(SEATS, "account = $1", account)
    if not mine:
        message = "you have no seat; connect the telephone first"
        raise Refused(message, code="seat.free")
    return mine[0]
