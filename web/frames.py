"""What the consoles' websocket carries: one JSON object a frame, described by the types that make it."""

from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from web.bodies import Cursor, Said
from web.shapes import CallRow, IncidentRow, MissionRow, PositionRow, ReportRow, SeatRow, UnitRow

BAD_TICKET: Final = 4401
SESSION_ENDED: Final = 4403
TOO_SLOW: Final = 4408
START_ANEW: Final = 4409
BAD_FRAME: Final = 4413
TRY_LATER: Final = 1013


class Hello(Said):
    """The only frame a console sends: its one-time ticket, and the cursor it has seen last."""

    ticket: Annotated[str, Field(min_length=1, max_length=200)]
    cursor: Cursor | None = None


class Snapshot(TypedDict):
    """Everything that is going on: put it in the place of what you have."""

    type: Literal["snapshot"]
    cursor: str
    incidents: list[IncidentRow]
    missions: list[MissionRow]
    units: list[UnitRow]
    calls: list[CallRow]
    seats: list[SeatRow]
    reports: list[ReportRow]


class EventHead(TypedDict):
    """That something happened; what it changed is in the rows."""

    seq: int
    at: datetime
    kind: str
    subject: UUID
    type: str
    by: str
    incident: UUID | None


class Changes(TypedDict):
    """What happened, and the rows it touched as they are now: put each in the place of the one with its id."""

    type: Literal["changes"]
    cursor: str
    events: list[EventHead]
    incidents: list[IncidentRow]
    missions: list[MissionRow]
    units: list[UnitRow]
    calls: list[CallRow]
    seats: list[SeatRow]
    reports: list[ReportRow]
    gone: list[UUID]
    """Reports that are no longer yours."""


class Positions(TypedDict):
    """Where units are now; at most one such frame a second."""

    type: Literal["positions"]
    units: list[PositionRow]


class Beat(TypedDict):
    """What you have is true. Say that you are behind when none came for five seconds."""

    type: Literal["beat"]
    at: datetime


Frame = Snapshot | Changes | Positions | Beat
