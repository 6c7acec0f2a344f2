"""Reading what a screen shows: one written-out statement a kind, whose columns are those of the shape."""

from collections.abc import Collection
from typing import Final, TypeAlias, TypeVar, cast
from uuid import UUID

import asyncpg

from callcenter.store import Connection, Pool
from web.shapes import Board, CallRow, IncidentRow, MissionRow, ReportRow, SeatRow, UnitRow

Source: TypeAlias = "Pool | Connection"


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
