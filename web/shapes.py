"""What a screen shows of each thing: one shape a kind, the same in a snapshot, in a change and in an answer.

A screen keeps one store and puts in whatever comes, by id. ``version`` grows with each change of the thing itself:
a row with a lower one than the screen has is old news.
"""

from datetime import datetime
from uuid import UUID

from typing_extensions import TypedDict


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


class Board(TypedDict):
    """Everything that is going on."""

    incidents: list[IncidentRow]
    missions: list[MissionRow]
    units: list[UnitRow]
    calls: list[CallRow]
    seats: list[SeatRow]
    reports: list[ReportRow]
