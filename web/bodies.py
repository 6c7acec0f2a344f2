"""What may be sent to us: each body and each query with its bounds. What is not named here is refused, not ignored."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_CONTROL = {chr(code) for code in [*range(32), 127]}


def _one_line(text: str) -> str:
    if any(char in _CONTROL for char in text):
        raise ValueError("control characters are not text")
    return text


def _printable(text: str) -> str:
    if any(char in _CONTROL and char not in "\n\r\t" for char in text):
        raise ValueError("control characters are not text")
    return text


def _of_our_time(moment: datetime) -> datetime:
    """Without this, the first and the last years of the calendar leave it when they change their zone."""
    if not _FIRST <= moment < _LAST:
        raise ValueError(f"a time between {_FIRST.year} and {_LAST.year}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time)]
Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_one_line)]
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True), AfterValidator(_printable)
]
Words = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_printable)]
Number = Annotated[str, StringConstraints(max_length=32, pattern=r"^\+?[0-9]*$")]
Lat = Annotated[float, Field(ge=-90, le=90)]
Lon = Annotated[float, Field(ge=-180, le=180)]
Priority = Annotated[int, Field(ge=1, le=5)]
Cursor = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[0-9A-Za-z:.+_-]+$")]
Limit = Annotated[int, Field(ge=1, le=200)]
Outcome = Literal[
    "handled",
    "treated_transported",
    "gone_on_arrival",
    "false_alarm",
    "referred",
    "cancelled_before_arrival",
    "information",
    "ghost",
    "prank",
    "test",
]


class Said(BaseModel):
    """Anything said to us."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Nothing(Said):
    """Nothing needs to be said."""


# ------------------------------------------------------------------ people --


class SignIn(Said):
    """A name and a password."""

    login: Name
    password: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class Language(Said):
    """The language to read in."""

    language: Literal["id", "en"]


class Availability(Said):
    """Ready for the next call, or on a break."""

    state: Literal["ready", "paused"]
    reason: Line | None = None


class TicketFor(Said):
    """Which socket the ticket shall open."""

    purpose: Literal["live", "push"]


# ------------------------------------------------------------------ places --


class PlaceSearch(Said):
    """Part of a name, and where the asker looks from (lat,lon). ``more`` waits for the map service too, 2 s at most."""

    q: Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_one_line)]
    near: Annotated[str, StringConstraints(max_length=60, pattern=r"^-?\d{1,2}(\.\d+)?,-?\d{1,3}(\.\d+)?$")] | None = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=50)] = 10
    more: bool = False


class Point(Said):
    """A point on the map."""

    lat: Lat
    lon: Lon


class PlaceBody(Said):
    """Where it is, and how we know."""

    lat: Lat
    lon: Lon
    method: Literal["pin", "gazetteer", "geocoder"] = "pin"
    text: Line = ""


# --------------------------------------------------------------- incidents --


class IncidentSearch(Said):
    """Which incidents: by status, by words, number or caller's number, older than the page before."""

    status: Literal["live", "open", "triaged", "closed", "reported", "duplicate", "cancelled"] | None = None
    q: Annotated[str, StringConstraints(max_length=100), AfterValidator(_one_line)] | None = None
    before: Cursor | None = None
    limit: Limit = 50


class Page(Said):
    """A page of something, older than the cursor of the page before."""

    before: Cursor | None = None
    limit: Limit = 100


class After(Said):
    """A page of a timeline: the first later than ``after``; or, ``newest``, the last before ``before``."""

    after: Annotated[int, Field(ge=0, lt=2**63)] = 0
    newest: bool = False
    before: Annotated[int, Field(ge=1, lt=2**63)] = 2**63 - 1
    limit: Annotated[int, Field(ge=1, le=500)] = 200


class Changes(Said):
    """What the call-taker wrote: only the fields that changed. null empties one."""

    address: Annotated[str, StringConstraints(max_length=500), AfterValidator(_printable)] | None = None
    type: Code | None = None
    priority: Priority | None = None
    notes: Annotated[str, StringConstraints(max_length=8000), AfterValidator(_printable)] | None = None
    hazards: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_printable)] | None = None
    caller_name: Line | None = None
    callback: Number | None = None

    def said(self) -> dict[str, str | int | None]:
        """The fields that were sent, and no others."""
        return self.model_dump(exclude_unset=True)


class Describe(Said):
    """Write down what is known."""

    changes: Changes


class Create(Said):
    """An incident made at the desk: somebody told us by another way than a call."""

    caller_number: Number | None = None
    changes: Changes = Changes()
    place: PlaceBody | None = None


class Send(Said):
    """Who shall go, with the last words typed in the same moment."""

    units: Annotated[list[UUID], Field(min_length=1, max_length=20)]
    changes: Changes | None = None


class MakeReport(Said):
    """No emergency: the category and the place decide which agency gets it."""

    category: Code
    description: Words = ""


class Close(Said):
    """It is over, and how."""

    outcome: Outcome
    note: Words | None = None


class Because(Said):
    """Why."""

    reason: Reason


class DuplicateOf(Said):
    """The incident that this one is the same as."""

    of: UUID


# ------------------------------------------------------- missions and units --


class RadioReport(Said):
    """What a crew said by radio, and when it was."""

    verb: Literal["accept", "decline", "en_route", "on_scene", "transporting", "at_hospital", "cleared"]
    at: Moment | None = None
    reason: Reason | None = None
    outcome: Outcome | None = None
    note: Words | None = None


class Duty(Said):
    """Whether a unit can be sent."""

    status: Literal["available", "off_duty", "out_of_service"]
    reason: Reason | None = None


# ----------------------------------------------------------------- reports --


class ReportSearch(Said):
    """Which reports."""

    status: (
        Literal[
            "open",
            "waiting",
            "verified",
            "assigned",
            "in_progress",
            "resolved",
            "closed",
            "rejected",
            "duplicate",
            "upgraded",
        ]
        | None
    ) = None
    agency: Code | None = None
    q: Annotated[str, StringConstraints(max_length=100), AfterValidator(_one_line)] | None = None
    before: Cursor | None = None
    limit: Limit = 50


class Note(Said):
    """What was done, in words the citizen may read."""

    note: Reason


class Reroute(Said):
    """Another agency is in charge."""

    agency: Code
    reason: Reason


class TrackToken(Said):
    """The code that came with the ticket number, as it was typed."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9 -]+$")]


class Period(Said):
    """From when to when; the last 24 hours if nothing is said."""

    since: Moment | None = None
    until: Moment | None = None

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """Both ends."""
        until = self.until or now
        return self.since or until - timedelta(hours=24), until
