"""An incident: something that needs somebody to go, from the first ring to the word that it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from callcenter.event import Event
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads
from geo.place import Place


class Status(StrEnum):
    """Where an incident stands. Who is on the way is derived from its missions, not stored here."""

    OPEN = "open"
    TRIAGED = "triaged"
    CLOSED = "closed"
    REPORTED = "reported"
    DUPLICATE = "duplicate"
    CANCELLED = "cancelled"


class Outcome(StrEnum):
    """How it ended (disposition). Codes after APCO 1.111.2-2018, with the local ones that SOPs count."""

    HANDLED = "handled"
    TREATED_TRANSPORTED = "treated_transported"
    GONE_ON_ARRIVAL = "gone_on_arrival"
    FALSE_ALARM = "false_alarm"
    REFERRED = "referred"
    CANCELLED_BEFORE_ARRIVAL = "cancelled_before_arrival"
    INFORMATION = "information"
    GHOST = "ghost"
    PRANK = "prank"
    TEST = "test"


LIVE = frozenset({Status.OPEN, Status.TRIAGED})
ENDED = frozenset({Status.CLOSED, Status.REPORTED, Status.DUPLICATE, Status.CANCELLED})

# What a call-taker may write, and the most characters of each.
DESCRIBABLE: Mapping[str, int] = {
    "address": 500,
    "type": 64,
    "notes": 8000,
    "hazards": 2000,
    "caller_name": 200,
    "callback": 32,
}
Changes = dict[str, str | int | None]
_NEVER_NULL = frozenset({"address", "notes", "hazards"})
_PRIORITIES = range(1, 6)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. ``address`` is what a person typed, which no machine ever writes; ``place`` is on the map."""

    status: Status
    opened_at: datetime
    source: str
    caller_number: str | None
    place: Place | None
    caller_name: str | None = None
    callback: str | None = None
    address: str = ""
    type: str | None = None
    priority: int | None = None
    notes: str = ""
    hazards: str = ""
    handled_by: str | None = None
    triaged_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: Outcome | None = None
    outcome_note: str | None = None
    duplicate_of: UUID | None = None
    report: UUID | None = None
    proposed_unit: UUID | None = None

    @property
    def is_live(self) -> bool:
        """Whether somebody may still have to go."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class IncidentOpened(Event):
    """Somebody told us: by a call, at the desk, or through a report."""

    source: str
    caller_number: str | None
    place: Place | None


@dataclass(frozen=True, slots=True)
class IncidentTaken(Event):
    """A call-taker has it in hand."""

    call_taker: str


@dataclass(frozen=True, slots=True)
class IncidentDescribed(Event):
    """What the call-taker wrote: only the fields that changed."""

    changes: Changes


@dataclass(frozen=True, slots=True)
class IncidentPlaced(Event):
    """Where it is, by a better source than before. Earlier places stay in the log."""

    place: Place


@dataclass(frozen=True, slots=True)
class IncidentTriaged(Event):
    """It is decided that somebody goes."""

    type: str
    priority: int


@dataclass(frozen=True, slots=True)
class UnitProposed(Event):
    """The unit asked did not come: the dispatcher is told, and who could be next."""

    unit: UUID | None
    because: str


@dataclass(frozen=True, slots=True)
class IncidentClosed(Event):
    """It is over."""

    outcome: Outcome
    note: str | None


@dataclass(frozen=True, slots=True)
class IncidentCancelled(Event):
    """Nobody has to go after all."""

    reason: str


@dataclass(frozen=True, slots=True)
class IncidentReopened(Event):
    """It was not over."""

    reason: str


@dataclass(frozen=True, slots=True)
class IncidentMarkedDuplicate(Event):
    """It is another incident, told a second time."""

    of: UUID


@dataclass(frozen=True, slots=True)
class IncidentReported(Event):
    """It is no emergency: it went on as a report."""

    report: UUID


NEXT: dict[tuple[Status, type[Event]], Status] = {
    (Status.OPEN, IncidentTriaged): Status.TRIAGED,
    (Status.OPEN, IncidentClosed): Status.CLOSED,
    (Status.OPEN, IncidentCancelled): Status.CANCELLED,
    (Status.OPEN, IncidentMarkedDuplicate): Status.DUPLICATE,
    (Status.OPEN, IncidentReported): Status.REPORTED,
    (Status.TRIAGED, IncidentTriaged): Status.TRIAGED,
    (Status.TRIAGED, IncidentClosed): Status.CLOSED,
    (Status.TRIAGED, IncidentCancelled): Status.CANCELLED,
    (Status.TRIAGED, IncidentMarkedDuplicate): Status.DUPLICATE,
    (Status.TRIAGED, IncidentReported): Status.REPORTED,
    (Status.CLOSED, IncidentReopened): Status.OPEN,
    (Status.CANCELLED, IncidentReopened): Status.OPEN,
    (Status.DUPLICATE, IncidentReopened): Status.OPEN,
    (Status.REPORTED, IncidentReopened): Status.OPEN,
}


def open_(*, source: str, caller_number: str | None, place: Place | None, at: datetime) -> list[Event]:
    """Somebody tells us of something."""
    return [IncidentOpened(at, source, caller_number, place)]


def take(incident: Incident, call_taker: str, *, now: datetime) -> list[Event]:
    """A call-taker takes it in hand. The last one who does is the one to ask."""
    return [] if incident.handled_by == call_taker else [IncidentTaken(now, call_taker)]


def describe(incident: Incident, changes: Changes, *, now: datetime) -> list[Event]:
    """Write down what is known. Only what differs becomes an event; an ended incident keeps its words."""
    news = {name: _checked(name, value) for name, value in changes.items()}
    news = {name: value for name, value in news.items() if getattr(incident, name) != value}
    if not news:
        return []
    _require_live(incident, "described")
    return [IncidentDescribed(now, news)]


def locate(incident: Incident, place: Place, *, now: datetime) -> list[Event]:
    """Say where it is."""
    if incident.place == place:
        return []
    _require_live(incident, "moved")
    return [IncidentPlaced(now, place)]


def triage(incident: Incident, *, now: datetime) -> list[Event]:
    """Decide that somebody goes. It takes a type, a priority and somewhere to go to."""
    _require_live(incident, "sent to")
    if incident.type is None:
        message = "choose what it is before sending anybody"
        raise Refused(message, code="incident.no_type")
    if incident.priority is None:
        message = "choose a priority before sending anybody"
        raise Refused(message, code="incident.no_priority")
    if incident.place is None and not incident.address.strip():
        message = "say where it is before sending anybody: type an address or set the pin"
        raise Refused(message, code="incident.no_place")
    return [IncidentTriaged(now, incident.type, incident.priority)]


def propose(incident: Incident, unit: UUID | None, because: str, *, now: datetime) -> list[Event]:
    """Tell the dispatcher that somebody else must go."""
    return [UnitProposed(now, unit, because)] if incident.is_live else []


def close(incident: Incident, outcome: Outcome, *, note: str | None = None, now: datetime) -> list[Event]:
    """Say that it is over, and how."""
    if incident.status is Status.CLOSED and incident.outcome is outcome:
        return []
    _require_live(incident, "closed")
    return [IncidentClosed(now, outcome, note)]


def cancel(incident: Incident, reason: str, *, now: datetime) -> list[Event]:
    """Nobody has to go after all."""
    if incident.status is Status.CANCELLED:
        return []
    _require_live(incident, "cancelled")
    return [IncidentCancelled(now, _said(reason))]


def reopen(incident: Incident, reason: str, *, now: datetime) -> list[Event]:
    """It was not over."""
    if incident.is_live:
        return []
    return [IncidentReopened(now, _said(reason))]


def mark_duplicate(incident: Incident, of: UUID, *, now: datetime) -> list[Event]:
    """It is the same as another. The caller of this function knows that the other is live."""
    if incident.duplicate_of == of and incident.status is Status.DUPLICATE:
        return []
    _require_live(incident, "joined to another")
    return [IncidentMarkedDuplicate(now, of)]


def become_report(incident: Incident, report: UUID, *, now: datetime) -> list[Event]:
    """It is no emergency; the agency in charge gets it."""
    _require_live(incident, "made a report")
    return [IncidentReported(now, report)]


def _require_live(incident: Incident, wish: str) -> None:
    if not incident.is_live:
        message = f"this incident is {incident.status}, so it cannot be {wish}; reopen it first"
        raise Refused(message, code="incident.not_live")


def _said(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        message = "say why in a few words"
        raise Refused(message, code="reason.missing")
    return reason[:1000]


def _checked(name: str, value: str | int | None) -> str | int | None:
    if name == "priority":
        if value is not None and (not isinstance(value, int) or value not in _PRIORITIES):
            message = "priority is a number from 1 (life in danger) to 5"
            raise Refused(message, code="incident.priority")
        return value
    if name not in DESCRIBABLE:
        message = f"there is no field called {name!r} on an incident"
        raise Refused(message, code="incident.field")
    if value is None:
        return "" if name in _NEVER_NULL else None
    if not isinstance(value, str) or len(value) > DESCRIBABLE[name]:
        message = f"{name} is text of at most {DESCRIBABLE[name]} characters"
        raise Refused(message, code="incident.too_long")
    return value


def evolve(incident: Incident | None, event: Event) -> Incident:
    """What an incident becomes by an event."""
    match event:
        case IncidentOpened():
            return Incident(Status.OPEN, event.at, event.source, event.caller_number, event.place)
        case _ if incident is None:
            raise ValueError(event)
        case IncidentTaken():
            return replace(incident, handled_by=event.call_taker)
        case IncidentDescribed():
            # The keys were checked against DESCRIBABLE before the event was made.
            return replace(incident, **event.changes)  # type: ignore[arg-type]
        case IncidentPlaced():
            return replace(incident, place=event.place)
        case UnitProposed():
            return replace(incident, proposed_unit=event.unit)
        case IncidentTriaged():
            first = incident.triaged_at or event.at
            triaged = replace(incident, type=event.type, priority=event.priority, triaged_at=first, proposed_unit=None)
            return replace(triaged, status=NEXT[incident.status, IncidentTriaged])
        case IncidentClosed():
            closed = replace(incident, outcome=event.outcome, outcome_note=event.note)
            return _ended(closed, event)
        case IncidentMarkedDuplicate():
            return _ended(replace(incident, duplicate_of=event.of), event)
        case IncidentReported():
            return _ended(replace(incident, report=event.report), event)
        case IncidentReopened():
            reopened = replace(incident, closed_at=None, outcome=None, outcome_note=None, duplicate_of=None)
            return replace(reopened, status=NEXT[incident.status, IncidentReopened])
        case _:
            return _ended(incident, event)


def _ended(incident: Incident, event: Event) -> Incident:
    return replace(incident, status=NEXT[incident.status, type(event)], closed_at=event.at, proposed_unit=None)


def _threads(id_: UUID, _: Incident) -> Threads:
    return id_, None


EVENTS: Sequence[type[Event]] = (
    IncidentOpened,
    IncidentTaken,
    IncidentDescribed,
    IncidentPlaced,
    IncidentTriaged,
    UnitProposed,
    IncidentClosed,
    IncidentCancelled,
    IncidentReopened,
    IncidentMarkedDuplicate,
    IncidentReported,
)
INCIDENTS = Subject(kind="incident", state=Incident, evolve=evolve, events=EVENTS, threads=_threads, numbered=True)
