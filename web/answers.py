"""What comes back, where it is more than rows: the same types make the document that clients are generated from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from typing_extensions import TypedDict

from web.shapes import CallRow, IncidentRow, MissionRow, ReportRow, SeatRow, UnitRow


class MyUnit(TypedDict):
    """The unit a device belongs to."""

    id: UUID
    call_sign: str


class MySeat(TypedDict):
    """The seat a call-taker sits at."""

    name: str
    status: str


class Me(TypedDict):
    """Who is signed in, what they may do, and where their screen begins."""

    login: str
    name: str
    role: str
    agency: str | None
    unit: MyUnit | None
    csrf: str
    seat: MySeat | None
    language: str
    may: list[str]
    home: str


class Phone(TypedDict):
    """What the page's telephone registers with, for this sitting."""

    seat: str
    uri: str
    password: str
    ws_url: str
    display: str
    since: datetime
    """When this sitting began. A SeatTaken of this seat after it: the telephone is somewhere else now."""


class TicketAnswer(TypedDict):
    """A word that opens one socket once."""

    ticket: str
    url: str
    expires_in_s: int


class CityName(TypedDict):
    """The city."""

    code: str
    name: str


class LatLon(TypedDict):
    """A point."""

    lat: float
    lon: float


class TypeOf(TypedDict):
    """A type of incident."""

    code: str
    name: str
    name_en: str
    group: str
    priority: int
    capabilities: list[str]
    hazards: str


class Category(TypedDict):
    """A category of reports, and the agency that has it by default."""

    code: str
    name: str
    name_en: str
    agency: str


class Agency(TypedDict):
    """An agency (OPD)."""

    code: str
    name: str
    name_en: str
    phone: str | None


class Config(TypedDict):
    """What every page needs to know of the city."""

    city: CityName
    languages: list[str]
    tiles_url: str | None
    geocoder: bool
    push_url: str
    centre: LatLon
    bounds: list[float]
    types: list[TypeOf]
    categories: list[Category]
    agencies: list[Agency]
    outcomes: list[str]
    call_classes: list[str]
    priorities: list[int]


class PlaceHit(TypedDict):
    """A name that was found. Names recur in several areas, so ``label`` says them all."""

    source: Literal["gazetteer", "geocoder"]
    name: str
    label: str
    kind: str
    lat: float
    lon: float
    radius_m: float | None
    kelurahan: str | None
    kecamatan: str | None
    distance_m: int | None


class PlaceHits(TypedDict):
    """What was found, best first."""

    places: list[PlaceHit]


class AreaName(TypedDict):
    """An area."""

    code: str
    name: str


class PlaceAt(TypedDict):
    """What lies at a point."""

    inside: bool
    kelurahan: AreaName | None
    kecamatan: AreaName | None
    neighbour: AreaName | None
    near: list[AreaName]
    label: str


class BoardAnswer(TypedDict):
    """Everything that is going on, and the cursor to follow the live feed from."""

    cursor: str
    incidents: list[IncidentRow]
    missions: list[MissionRow]
    units: list[UnitRow]
    calls: list[CallRow]
    seats: list[SeatRow]
    reports: list[ReportRow]


class IncidentPage(TypedDict):
    """A page of incidents, newest first; ``next`` is the ``before`` of the page after it."""

    incidents: list[IncidentRow]
    next: str | None


class IncidentAnswer(TypedDict):
    """The incident as it is now."""

    incident: IncidentRow


class SendAnswer(TypedDict):
    """The incident and the missions that were made."""

    incident: IncidentRow
    missions: list[MissionRow]


class ReportMade(TypedDict):
    """The report, and what to tell the citizen: the number, and where to follow it."""

    incident: IncidentRow
    report: ReportRow
    number: str
    tracking_url: str


EarlierCall = TypedDict(
    "EarlierCall",
    {
        "call": UUID,
        "rang_at": datetime,
        "status": str,
        "class": str | None,
        "incident": UUID,
        "number": int,
        "type": str | None,
        "outcome": str | None,
        "address": str,
    },
)


class Likeness(TypedDict):
    """An incident that may be the same one, and why."""

    incident: IncidentRow
    score: float
    distance_m: int | None
    minutes: int
    reasons: list[str]


class Duplicates(TypedDict):
    """The likeliest first."""

    duplicates: list[Likeness]


class IncidentDetail(TypedDict):
    """All that one screen about an incident shows."""

    incident: IncidentRow
    calls: list[CallRow]
    missions: list[MissionRow]
    earlier_calls: list[EarlierCall]
    duplicates: list[Likeness]
    report: ReportRow | None


class TimelineEvent(TypedDict):
    """Something that happened: who did what, and when."""

    seq: int
    at: datetime
    kind: str
    subject: UUID
    type: str
    by: str
    data: Mapping[str, object]


class Timeline(TypedDict):
    """The first thing first. ``next`` is the ``after`` of the next page, ``earlier`` the ``before`` of the last one."""

    events: list[TimelineEvent]
    next: int | None
    earlier: int | None


class SuggestedUnit(TypedDict):
    """A unit that could go, or why it could not."""

    unit: UUID
    call_sign: str
    kind: str
    distance_m: int | None
    eta_s: int | None
    position_age_s: int | None
    capable: bool
    picked: bool
    reasons: Sequence[str]


class Suggestions(TypedDict):
    """Who could go, best first; why not the others; and what nobody can bring."""

    suggestions: list[SuggestedUnit]
    others: list[SuggestedUnit]
    missing: list[str]


class CallAnswer(TypedDict):
    """The call as it is now."""

    call: CallRow


class MissionAnswer(TypedDict):
    """The mission as it is now."""

    mission: MissionRow


class Units(TypedDict):
    """The units, by call sign."""

    units: list[UnitRow]


class UnitAnswer(TypedDict):
    """The unit as it is now."""

    unit: UnitRow


class ReportPage(TypedDict):
    """A page of reports, newest first; ``next`` is the ``before`` of the page after it."""

    reports: list[ReportRow]
    next: str | None


class ReportAnswer(TypedDict):
    """The report as it is now."""

    report: ReportRow


class ReportDetail(TypedDict):
    """A report and what happened to it."""

    report: ReportRow
    timeline: list[TimelineEvent]
    tracking_url: str


class Step(TypedDict):
    """One dated thing that the citizen may know."""

    at: datetime
    step: str
    agency: str | None
    agency_name: str | None
    note: str | None


class Track(TypedDict):
    """A report for the citizen who has its number and secret: no name, no number, no address, no text of theirs."""

    number: str
    category: str
    category_name: str
    category_name_en: str
    area: str | None
    status: str
    created_at: datetime
    steps: list[Step]


class Interval(TypedDict):
    """How long something took, and how often within its target."""

    count: int
    median_s: float | None
    p90_s: float | None
    target_s: float
    within_target: float | None


class IncidentCounts(TypedDict):
    """How many incidents."""

    total: int
    open: int
    by_type: dict[str, int]
    by_outcome: dict[str, int]
    by_kecamatan: dict[str, int]


class CallCounts(TypedDict):
    """How many calls."""

    total: int
    answered: int
    abandoned: int
    by_class: dict[str, int]


class ReportCounts(TypedDict):
    """How many reports."""

    total: int
    by_status: dict[str, int]
    by_agency: dict[str, int]


class UnitCounts(TypedDict):
    """How many units, now."""

    available: int
    busy: int
    off_duty: int
    out_of_service: int


class Figures(TypedDict):
    """The figures of a period."""

    since: datetime
    until: datetime
    incidents: IncidentCounts
    calls: CallCounts
    reports: ReportCounts
    units: UnitCounts
    times: dict[str, Interval]


class Account(TypedDict):
    """Somebody who can sign in."""

    login: str
    name: str
    role: str
    agency: str | None
    unit: str | None
    active: bool
    sessions: int


class Accounts(TypedDict):
    """Everybody who can sign in."""

    accounts: list[Account]


class Access(TypedDict):
    """Somebody looked at a caller's data."""

    id: int
    at: datetime
    account: str
    action: str
    subject: UUID | None
    detail: str


class Accesses(TypedDict):
    """Who looked at what, newest first."""

    accesses: list[Access]
    next: str | None
