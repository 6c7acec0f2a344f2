"""Incidents: finding them, describing them, sending to them, and saying how they ended."""

import re
from typing import Final
from uuid import UUID

import asyncpg
import phonenumbers

from callcenter import desk as room
from callcenter.event import JSON
from callcenter.incident import Outcome
from callcenter.ledger import Answer, Book
from dispatch import roster, sending
from dispatch.recommend import Suggestion
from geo.place import Place
from web import redact, rows, shapes
from web.answers import (
    Duplicates,
    EarlierCall,
    IncidentAnswer,
    IncidentDetail,
    IncidentPage,
    Likeness,
    ReportMade,
    SendAnswer,
    SuggestedUnit,
    Suggestions,
    Timeline,
)
from web.api.common import after_of, before_of, next_of, timeline_of
from web.bodies import (
    After,
    Because,
    Close,
    Create,
    Describe,
    DuplicateOf,
    IncidentSearch,
    MakeReport,
    Nothing,
    PlaceBody,
    Said,
    Send,
)
from web.desk import Desk
from web.duplicates import WINDOW_S, Sketch, likeliest, words_of
from web.openapi import Ask, route
from web.policy import Scope
from web.problem import Problem, no_such
from web.tracking import tracking_url

_DIGITS: Final = re.compile(r"\+?[0-9][0-9 -]{0,30}")


# ----------------------------------------------------------------- looking --


@route("GET", "/incidents", action="incident.read", said=IncidentSearch, answer=IncidentPage)
async def find_incidents(desk: Desk, ask: Ask[IncidentSearch]) -> IncidentPage:
    """Incidents, newest first, by status, number, caller's number or words of the last 30 days."""
    if ask.scope is Scope.OWN:
        raise Problem(403, "not.allowed", "your missions come by the push; there is no list of incidents")
    said = ask.said
    at, id_ = before_of(said.before)
    condition, sought = _sought(said.q, desk.city.country, redacted=ask.scope is Scope.REDACTED)
    found = await desk.pool.fetch(
        f"""{rows.INCIDENT}
            WHERE ($1::text IS NULL OR status = $1 OR ($1 = 'live' AND status IN ('open', 'triaged')))
              AND ($2::timestamptz IS NULL OR opened_at < $2 OR (opened_at = $2 AND id > $3))
              AND {condition}
            ORDER BY opened_at DESC, id LIMIT $4""",
        said.status,
        at,
        id_,
        said.limit,
        *sought,
    )
    to = redact.rendering_for(ask.who, ask.scope)
    if ask.scope is Scope.ALL:
        await desk.looked(ask, detail="searched" if said.q else "listed")
    page = [redact.incident(rows.as_incident(row), to, own=row["handled_by"] == ask.who.login) for row in found]
    return IncidentPage(incidents=page, next=next_of(found, said.limit, "opened_at"))


def _sought(q: str | None, country: str, *, redacted: bool) -> tuple[str, list[object]]:
    """What was typed into the search: an incident's number, a telephone number, or words. As SQL, and its values."""
    q = (q or "").strip()
    if not q:
        return "true", []
    if _DIGITS.fullmatch(q):
        digits = re.sub(r"[^0-9]", "", q)
        number = int(digits) if len(digits) <= 15 and not q.startswith("+") else 0
        return (
            """id IN (SELECT id FROM incident WHERE number = $5
                      UNION SELECT id FROM incident WHERE caller_number = ANY($6))""",
            [number, [] if redacted else _spellings(q, country)],
        )
    if redacted:
        # A search by words would tell what the redacted rows hide.
        raise Problem(403, "not.allowed", "search by the incident's number")
    escaped = q.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return (
        """opened_at > now() - interval '30 days'
           AND (address ILIKE $5 OR notes ILIKE $5 OR caller_name ILIKE $5)""",
        [f"%{escaped}%"],
    )


def _spellings(typed: str, country: str) -> list[str]:
    """However a trunk wrote a caller's number: in Indonesia 0812…, 62812… and +62812… are one."""
    digits = re.sub(r"[^0-9]", "", typed)
    spellings = [digits, f"+{digits}"]
    try:
        number = phonenumbers.parse(typed, country)
    except phonenumbers.NumberParseException:
        return spellings
    world = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    home = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    return list(dict.fromkeys([*spellings, world, world.removeprefix("+"), re.sub(r"[^0-9]", "", home)]))


@route("GET", "/incidents/{id}", action="incident.read", answer=IncidentDetail)
async def read_incident(desk: Desk, ask: Ask[Nothing]) -> IncidentDetail:
    """All that one screen about an incident shows."""
    row = await _seen(desk, ask)
    to = redact.rendering_for(ask.who, ask.scope)
    if ask.scope is Scope.REDACTED:
        return IncidentDetail(
            incident=redact.incident(row, to), calls=[], missions=[], earlier_calls=[], duplicates=[], report=None
        )
    await desk.looked(ask, ask.id)
    own = ask.scope is Scope.OWN or row["handled_by"] == ask.who.login
    is_live = row["status"] in redact.LIVE
    calls = [redact.call(call, to, own=own or is_live) for call in await rows.calls_of(desk.pool, ask.id)]
    missions = await rows.missions_of(desk.pool, ask.id)
    if ask.scope is Scope.OWN:
        mine = redact.incident(row, to, own=True)
        return IncidentDetail(
            incident=mine, calls=calls, missions=missions, earlier_calls=[], duplicates=[], report=None
        )
    reports = await rows.reports(desk.pool, [row["report"]] if row["report"] else [])
    return IncidentDetail(
        incident=redact.incident(row, to, own=own),
        calls=calls,
        missions=missions,
        earlier_calls=await _earlier_calls(desk, row),
        duplicates=await _duplicates(desk, row, to) if is_live else [],
        report=redact.report(reports[0], to) if reports else None,
    )


@route("GET", "/incidents/{id}/timeline", action="incident.read", said=After, answer=Timeline)
async def read_timeline(desk: Desk, ask: Ask[After]) -> Timeline:
    """Everything that happened to it, the first thing first."""
    row = await _seen(desk, ask)
    await desk.looked(ask, ask.id, "timeline")
    own = row["handled_by"] == ask.who.login
    to = redact.rendering_for(ask.who, ask.scope)
    said = ask.said
    found = await desk.pool.fetch(
        """SELECT seq, at, kind, subject, type, by, data FROM log
           WHERE incident = $1 AND seq > $2 AND seq < $3
           ORDER BY CASE WHEN $4 THEN -seq ELSE seq END LIMIT $5""",
        ask.id,
        said.after,
        said.before,
        said.newest,
        said.limit,
    )
    is_open = own or row["status"] in redact.LIVE
    going_on = after_of(found, said.limit)
    return Timeline(
        events=timeline_of(found[::-1] if said.newest else found, to, is_open=is_open),
        next=None if said.newest else going_on,
        earlier=going_on if said.newest else None,
    )


@route("GET", "/incidents/{id}/duplicates", action="incident.suggest", answer=Duplicates)
async def find_duplicates(desk: Desk, ask: Ask[Nothing]) -> Duplicates:
    """Incidents that may be the same one, the likeliest first."""
    row = await _seen(desk, ask)
    await desk.looked(ask, ask.id)
    to = redact.rendering_for(ask.who, ask.scope)
    return Duplicates(duplicates=await _duplicates(desk, row, to))


@route("GET", "/incidents/{id}/suggestions", action="incident.suggest", answer=Suggestions)
async def suggest_units(desk: Desk, ask: Ask[Nothing]) -> Suggestions:
    """Who should go, as things stand."""
    advice = await roster.advice(desk.pool, ask.id, now=desk.now())
    return Suggestions(
        suggestions=[_line(one) for one in advice.suggested],
        others=[_line(one) for one in advice.others],
        missing=list(advice.missing),
    )


def _line(one: Suggestion) -> SuggestedUnit:
    return SuggestedUnit(
        unit=one.unit,
        call_sign=one.call_sign,
        kind=one.kind,
        distance_m=one.distance_m,
        eta_s=one.eta_s,
        position_age_s=one.position_age_s,
        capable=one.capable,
        picked=one.picked,
        reasons=list(one.reasons),
    )


async def _seen(desk: Desk, ask: Ask[Said]) -> shapes.IncidentRow:
    """The incident, if it exists for this person: a crew sees its own, until an hour after it is cleared."""
    found = await desk.pool.fetchrow(
        f"""{rows.INCIDENT} WHERE id = $1 AND ($2::text IS NULL OR id IN (
                SELECT m.incident FROM mission m JOIN unit u ON u.id = m.unit
                WHERE u.call_sign = $2 AND m.incident = $1
                  AND (m.status NOT IN ('declined', 'expired', 'withdrawn'))
                  AND coalesce(m.ended_at, now()) > now() - interval '1 hour'))""",  # noqa: S608 - the text of rows, and no input
        ask.id,
        (ask.who.unit or "") if ask.scope is Scope.OWN else None,
    )
    if found is None:
        raise no_such("incident")
    return rows.as_incident(found)


async def _earlier_calls(desk: Desk, row: shapes.IncidentRow) -> list[EarlierCall]:
    """What this number rang about before."""
    number = row["caller_number"]
    if not number:
        return []
    found = await desk.pool.fetch(
        """SELECT c.id AS call, c.rang_at, c.status, c.call_class AS "class", i.id AS incident, i.number, i.type,
                  i.outcome, i.address
           FROM call c JOIN incident i ON i.id = c.incident
           WHERE c.ani = $1 AND c.incident <> $2 ORDER BY c.rang_at DESC LIMIT 20""",
        number,
        row["id"],
    )
    return [
        {
            "call": one["call"],
            "rang_at": one["rang_at"],
            "status": one["status"],
            "class": one["class"],
            "incident": one["incident"],
            "number": one["number"],
            "type": one["type"],
            "outcome": one["outcome"],
            "address": one["address"],
        }
        for one in found
    ]


async def _duplicates(desk: Desk, row: shapes.IncidentRow, to: redact.Rendering) -> list[Likeness]:
    found = await desk.pool.fetch(
        """SELECT i.id, i.opened_at, i.caller_number, i.callback, i.type, t."group", i.place, i.address, i.notes
           FROM incident i LEFT JOIN incident_type t ON t.code = i.type
           WHERE (i.status IN ('open', 'triaged') OR i.closed_at > now() - interval '1 hour' OR i.id = $1)
             AND i.opened_at BETWEEN $2::timestamptz - make_interval(secs => $3) AND $2 + make_interval(secs => $3)
             AND i.status <> 'duplicate'
           ORDER BY i.opened_at DESC LIMIT 300""",
        row["id"],
        row["opened_at"],
        float(WINDOW_S),
    )
    sketches = {one["id"]: _sketch(one) for one in found}
    this = sketches.pop(row["id"], None)
    if this is None:
        return []
    alike = likeliest(this, list(sketches.values()))
    others = {other["id"]: other for other in await rows.incidents(desk.pool, [one.of for one in alike])}
    return [
        Likeness(
            incident=redact.incident(others[one.of], to),
            score=one.score,
            distance_m=one.distance_m,
            minutes=one.minutes,
            reasons=list(one.reasons),
        )
        for one in alike
        if one.of in others
    ]


def _sketch(row: asyncpg.Record) -> Sketch:
    place: shapes.PlaceRow | None = row["place"]
    return Sketch(
        id=row["id"],
        opened_at=row["opened_at"],
        numbers=frozenset(number for number in (row["caller_number"], row["callback"]) if number),
        type=row["type"],
        group=row["group"],
        lat=place["lat"] if place else None,
        lon=place["lon"] if place else None,
        radius_m=(place["radius_m"] or 0.0) if place else 0.0,
        words=words_of(row["address"], row["notes"]),
    )


# ------------------------------------------------------------------- doing --


@route("POST", "/incidents", action="incident.create", said=Create, answer=IncidentAnswer, status=201)
async def create_incident(desk: Desk, ask: Ask[Create]) -> IncidentAnswer:
    """An incident that did not come by a call to 112: by radio, at the door, on another line."""
    said = ask.said

    async def work(book: Book) -> Answer:
        await _must_know_type(book, said.changes.said())
        made = await room.open_incident(
            book,
            source="desk",
            caller_number=said.caller_number or None,
            place=_place(desk, said.place) if said.place else None,
            changes=said.changes.said(),
            now=desk.now(),
        )
        return {"incident": str(made)}

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("PATCH", "/incidents/{id}", action="incident.describe", said=Describe, answer=IncidentAnswer)
async def describe_incident(desk: Desk, ask: Ask[Describe]) -> IncidentAnswer:
    """Write down what is known; sent by itself while the call-taker types."""
    changes = ask.said.changes.said()

    async def work(book: Book) -> Answer:
        await _must_know_type(book, changes)
        await room.describe(book, ask.id, changes, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("PUT", "/incidents/{id}/place", action="incident.place", said=PlaceBody, answer=IncidentAnswer)
async def place_incident(desk: Desk, ask: Ask[PlaceBody]) -> IncidentAnswer:
    """Say where it is on the map. The typed address stays as it was typed."""
    place = _place(desk, ask.said)

    async def work(book: Book) -> Answer:
        await room.locate(book, ask.id, place, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("POST", "/incidents/{id}/send", action="incident.send", said=Send, answer=SendAnswer)
async def send_units(desk: Desk, ask: Ask[Send]) -> SendAnswer:
    """One key: it is decided that somebody goes, and these units are asked."""
    changes = ask.said.changes.said() if ask.said.changes else None

    async def work(book: Book) -> Answer:
        await _must_know_type(book, changes or {})
        sent = await sending.send(book, ask.id, ask.said.units, changes=changes, patience=desk.patience, now=desk.now())
        return {"incident": str(ask.id), "missions": [str(one) for one in sent.missions]}

    done = await desk.do(ask, work)
    answer = await _as_it_is(desk, ask, done)
    return SendAnswer(incident=answer["incident"], missions=await rows.missions(desk.pool, _ids(done["missions"])))


@route("POST", "/incidents/{id}/report", action="incident.report", said=MakeReport, answer=ReportMade)
async def make_report(desk: Desk, ask: Ask[MakeReport]) -> ReportMade:
    """No emergency: it becomes a report of the agency in charge, with a number for the citizen."""
    said = ask.said
    now = desk.now()
    year = desk.city.local(now).year

    async def work(book: Book) -> Answer:
        ticket = await room.become_report(
            book,
            ask.id,
            category=said.category,
            description=said.description or None,
            prefix=desk.city.report_prefix,
            year=year,
            now=now,
        )
        return {"incident": str(ask.id), "report": str(ticket.id), "number": ticket.number}

    done = await desk.do(ask, work)
    answer = await _as_it_is(desk, ask, done)
    number = str(done["number"])
    report = (await rows.reports(desk.pool, _ids([done["report"]])))[0]
    return ReportMade(
        incident=answer["incident"],
        report=redact.report(report, redact.rendering_for(ask.who, ask.scope)),
        number=number,
        tracking_url=tracking_url(desk.doorplate.page_url(ask.http), desk.secret, number),
    )


@route("POST", "/incidents/{id}/close", action="incident.close", said=Close, answer=IncidentAnswer)
async def close_incident(desk: Desk, ask: Ask[Close]) -> IncidentAnswer:
    """It is over, and how: handled, information, prank, ghost, test and so on."""

    async def work(book: Book) -> Answer:
        await room.close(book, ask.id, Outcome(ask.said.outcome), note=ask.said.note, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("POST", "/incidents/{id}/cancel", action="incident.cancel", said=Because, answer=IncidentAnswer)
async def cancel_incident(desk: Desk, ask: Ask[Because]) -> IncidentAnswer:
    """Nobody has to go after all."""

    async def work(book: Book) -> Answer:
        await room.cancel(book, ask.id, ask.said.reason, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("POST", "/incidents/{id}/reopen", action="incident.reopen", said=Because, answer=IncidentAnswer)
async def reopen_incident(desk: Desk, ask: Ask[Because]) -> IncidentAnswer:
    """It was not over, or not a duplicate, or not a report."""

    async def work(book: Book) -> Answer:
        if ask.scope is Scope.OWN:
            await _must_be_theirs(book, ask.id, ask.who.login)
        await room.reopen(book, ask.id, ask.said.reason, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("POST", "/incidents/{id}/duplicate", action="incident.merge", said=DuplicateOf, answer=IncidentAnswer)
async def mark_duplicate(desk: Desk, ask: Ask[DuplicateOf]) -> IncidentAnswer:
    """It is the same as another: its calls go there."""

    async def work(book: Book) -> Answer:
        await room.mark_duplicate(book, ask.id, ask.said.of, now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


@route("DELETE", "/incidents/{id}/duplicate", action="incident.merge", answer=IncidentAnswer)
async def unmark_duplicate(desk: Desk, ask: Ask[Nothing]) -> IncidentAnswer:
    """It was another incident after all: its calls come back."""

    async def work(book: Book) -> Answer:
        connection = await book.connection()
        status = await connection.fetchval("SELECT status FROM incident WHERE id = $1", ask.id)
        if status not in {None, "duplicate"}:
            raise Problem(409, "incident.not_duplicate", "this incident is not marked as a duplicate")
        await room.reopen(book, ask.id, "not a duplicate", now=desk.now())
        return _this(ask.id)

    return await _as_it_is(desk, ask, await desk.do(ask, work))


async def _must_be_theirs(book: Book, incident: UUID, login: str) -> None:
    connection = await book.connection()
    taker = await connection.fetchval("SELECT handled_by FROM incident WHERE id = $1", incident)
    if taker not in {None, login}:
        raise Problem(403, "not.allowed", "a colleague took this call; ask them, a dispatcher or the supervisor")


async def _must_know_type(book: Book, changes: dict[str, str | int | None]) -> None:
    kind = changes.get("type")
    if kind is None:
        return
    connection = await book.connection()
    if not await connection.fetchval("SELECT true FROM incident_type WHERE code = $1", kind):
        raise Problem(409, "incident.type", "there is no such type of incident; choose one of the list")


def _place(desk: Desk, said: PlaceBody) -> Place:
    """With the kelurahan and kecamatan that our own boundaries say."""
    return desk.city.areas.settle(Place(said.lat, said.lon, method=said.method, text=said.text))


def _this(id_: UUID) -> Answer:
    return {"incident": str(id_)}


def _ids(texts: JSON) -> list[UUID]:
    return [UUID(str(text)) for text in texts] if isinstance(texts, list) else []


async def _as_it_is(desk: Desk, ask: Ask[Said], done: Answer) -> IncidentAnswer:
    """What is kept of an answer are its ids; the row is shown as it is now, also to a request that is sent again."""
    row = (await rows.incidents(desk.pool, _ids([done["incident"]])))[0]
    to = redact.rendering_for(ask.who, ask.scope)
    return IncidentAnswer(incident=redact.incident(row, to, own=row["handled_by"] == ask.who.login))
