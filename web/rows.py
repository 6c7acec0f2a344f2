"""What a screen shows of each thing: the row as it is now, read by one written-out statement a kind.

These are the same rows in a snapshot, in a change on the live feed, and in an answer, so a screen keeps one store
and puts in whatever comes, by id. ``version`` grows with each change: a row with a lower one than the screen has is
old news.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final, TypeAlias, TypeVar, cast
from uuid import UUID

import asyncpg
from typing_extensions import TypedDict

from callcenter.store import Connection, Pool

Source: TypeAlias = "Pool | Connection"


class PlaceRow(TypedDict):
    """Where something is, and how sure we are."""

    lat: float
    lon: float
    radius_m: float | None
    confidence: int | None
    method: str
    text: str
    kelurahan: str | None
    kecamatan: str | None


class IncidentRow(TypedDict):
    """An incident. Caller's data is null for who may not see it, and half hidden when it is over."""

    id: UUID
    number: int
    version: int
    status: str
    stage: str
    opened_at: datetime
    source: str
    type: str | None
    priority: int | None
    place: PlaceRow | None
    address: str
    notes: str
    hazards: str
    caller_name: str | None
    caller_number: str | None
    callback: str | None
    handled_by: str | None
    triaged_at: datetime | None
    closed_at: datetime | None
    outcome: str | None
    outcome_note: str | None
    duplicate_of: UUID | None
    report: UUID | None
    proposed_unit: UUID | None
    needs_unit: bool
    calls: int
    live_missions: int


class MissionRow(TypedDict):
    """One unit's way to one incident."""

    id: UUID
    version: int
    incident: UUID
    unit: UUID
    call_sign: str
    agency: str
    status: str
    offered_at: datetime
    by: str
    alerts: int
    delivered_at: datetime | None
    accepted_at: datetime | None
    en_route_at: datetime | None
    on_scene_at: datetime | None
    transporting_at: datetime | None
    at_hospital_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    outcome: str | None
    note: str | None
    out_of_order: bool


class UnitRow(TypedDict):
    """A crew and its vehicle, where it last was, and what it does."""

    id: UUID
    version: int
    call_sign: str
    agency: str
    kind: str
    capabilities: list[str]
    status: str
    reason: str | None
    since: datetime
    busy: bool
    mission: UUID | None
    mission_status: str | None
    incident: UUID | None
    station_lat: float
    station_lon: float
    lat: float | None
    lon: float | None
    accuracy_m: float | None
    position_at: datetime | None
    online: bool


CallRow = TypedDict(
    "CallRow",
    {
        "id": UUID,
        "version": int,
        "incident": UUID,
        "status": str,
        "ani": str | None,
        "trunk": str,
        "dialled": str,
        "place": PlaceRow | None,
        "spooled": bool,
        "call_taker": str | None,
        "seat": str | None,
        "rang_at": datetime,
        "answered_at": datetime | None,
        "ended_at": datetime | None,
        "cause": str | None,
        "class": str | None,
    },
)


class SeatRow(TypedDict):
    """A seat and who sits there."""

    id: UUID
    version: int
    name: str
    status: str
    account: str | None
    since: datetime
    reason: str | None


class ReportRow(TypedDict):
    """A report in the queue of an agency."""

    id: UUID
    number: str
    version: int
    status: str
    public_status: str
    created_at: datetime
    source: str
    category: str
    agency: str
    area: str | None
    place: PlaceRow | None
    address: str
    description: str
    reporter_name: str | None
    reporter_number: str | None
    officer: str | None
    incident: UUID | None
    bounces: int
    resolution: str | None
    reason: str | None
    resolved_at: datetime | None
    closed_at: datetime | None


class PositionRow(TypedDict):
    """Where a unit was a moment ago."""

    unit: UUID
    lat: float
    lon: float
    accuracy_m: float | None
    at: datetime


INCIDENT: Final = """
    SELECT id, number, version, status, stage, opened_at, source, type, priority, place, address, notes, hazards,
           caller_name, caller_number, callback, handled_by, triaged_at, closed_at, outcome, outcome_note,
           duplicate_of, report, proposed_unit, needs_unit, calls, live_missions
    FROM incident_now"""
MISSION: Final = """
    SELECT id, version, incident, unit, call_sign, agency, status, offered_at, offered_by AS by, alerts, delivered_at,
           accepted_at, en_route_at, on_scene_at, transporting_at, at_hospital_at, ended_at, reason, outcome, note,
           out_of_order
    FROM mission_now"""
UNIT: Final = """
    SELECT id, version, call_sign, agency, kind, capabilities, status, reason, since, busy, mission, mission_status,
           incident, station_lat, station_lon, lat, lon, accuracy_m, position_at, online
    FROM unit_now"""
CALL: Final = """
    SELECT id, version, incident, status, ani, trunk, dialled, place, spooled, call_taker, seat, rang_at, answered_at,
           ended_at, cause, call_class AS "class"
    FROM call"""
SEAT: Final = "SELECT id, version, name, status, account, since, reason FROM seat"
REPORT: Final = """
    SELECT id, number, version, status, created_at, source, category, agency,
           coalesce(place ->> 'kelurahan', place ->> 'kecamatan') AS area, place, address, description,
           reporter_name, reporter_number, officer, incident, bounces, resolution, reason, resolved_at, closed_at,
           CASE WHEN status IN ('waiting', 'verified', 'assigned') THEN 'menunggu'
                WHEN status IN ('in_progress', 'upgraded') THEN 'proses'
                ELSE 'selesai' END AS public_status
    FROM report"""

R = TypeVar("R")


async def _read(source: Source, statement: str, *args: object) -> list[R]:
    # The statements above name the columns of the TypedDicts above; tests hold each pair together.
    return [cast("R", dict(row)) for row in await source.fetch(statement, *args)]


def as_incident(row: asyncpg.Record) -> IncidentRow:
    """A row of ``INCIDENT``."""
    return cast("IncidentRow", dict(row))


def as_unit(row: asyncpg.Record) -> UnitRow:
    """A row of ``UNIT``."""
    return cast("UnitRow", dict(row))


def as_report(row: asyncpg.Record) -> ReportRow:
    """A row of ``REPORT``."""
    return cast("ReportRow", dict(row))


async def incidents(source: Source, ids: Collection[UUID]) -> list[IncidentRow]:
    return await _read(source, f"{INCIDENT} WHERE id = ANY($1) ORDER BY opened_at DESC", list(ids)) if ids else []


async def missions(source: Source, ids: Collection[UUID]) -> list[MissionRow]:
    return await _read(source, f"{MISSION} WHERE id = ANY($1) ORDER BY offered_at", list(ids)) if ids else []


async def units(source: Source, ids: Collection[UUID]) -> list[UnitRow]:
    return await _read(source, f"{UNIT} WHERE id = ANY($1) ORDER BY call_sign", list(ids)) if ids else []


async def calls(source: Source, ids: Collection[UUID]) -> list[CallRow]:
    return await _read(source, f"{CALL} WHERE id = ANY($1) ORDER BY rang_at", list(ids)) if ids else []


async def seats(source: Source, ids: Collection[UUID]) -> list[SeatRow]:
    return await _read(source, f"{SEAT} WHERE id = ANY($1) ORDER BY name", list(ids)) if ids else []


async def reports(source: Source, ids: Collection[UUID]) -> list[ReportRow]:
    return await _read(source, f"{REPORT} WHERE id = ANY($1) ORDER BY created_at DESC", list(ids)) if ids else []


async def missions_of(source: Source, incident: UUID) -> list[MissionRow]:
    """Everybody who was asked, in the order of asking."""
    return await _read(source, f"{MISSION} WHERE incident = $1 ORDER BY offered_at LIMIT 200", incident)


async def calls_of(source: Source, incident: UUID) -> list[CallRow]:
    """Every call about it, the first one first."""
    return await _read(source, f"{CALL} WHERE incident = $1 ORDER BY rang_at LIMIT 200", incident)


# ------------------------------------------------------------- the whole board --

# A screen cannot show more than this, and a snapshot must stay a size that a slow line can carry.
MOST: Final = 500


class Board(TypedDict):
    """Everything that is going on."""

    incidents: list[IncidentRow]
    missions: list[MissionRow]
    units: list[UnitRow]
    calls: list[CallRow]
    seats: list[SeatRow]
    reports: list[ReportRow]


async def board(source: Source, *, agency: str | None = None) -> Board:
    """What is live: open incidents, units and their missions, calls, seats, and reports that wait for somebody."""
    return Board(
        incidents=await _read(
            source, f"{INCIDENT} WHERE status IN ('open', 'triaged') ORDER BY opened_at DESC LIMIT $1", MOST
        ),
        missions=await _read(
            source,
            f"""{MISSION} WHERE id IN (
                    SELECT mission FROM unit_now WHERE busy
                    UNION SELECT m.id FROM mission m JOIN incident i ON i.id = m.incident
                          WHERE i.status IN ('open', 'triaged'))
                ORDER BY offered_at DESC LIMIT $1""",  # noqa: S608 - the text above, and no input
            4 * MOST,
        ),
        units=await _read(source, f"{UNIT} ORDER BY call_sign LIMIT $1", 20 * MOST),
        calls=await _read(
            source,
            f"""{CALL} WHERE id IN (
                    SELECT id FROM call WHERE status IN ('ringing', 'talking', 'held')
                    UNION SELECT id FROM call
                          WHERE status IN ('abandoned', 'callback') AND rang_at > now() - interval '4 hours'
                    UNION SELECT c.id FROM call c JOIN incident i ON i.id = c.incident
                          WHERE i.status IN ('open', 'triaged'))
                ORDER BY rang_at DESC LIMIT $1""",  # noqa: S608 - the text above, and no input
            2 * MOST,
        ),
        seats=await _read(source, f"{SEAT} ORDER BY name LIMIT $1", MOST),
        reports=await _read(
            source,
            f"""{REPORT} WHERE status IN ('waiting', 'verified', 'assigned', 'in_progress')
                AND ($2::text IS NULL OR agency = $2) ORDER BY created_at DESC LIMIT $1""",
            MOST,
            agency,
        ),
    )
