"""A call: somebody rings 112, is answered or is not, and is never forgotten either way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from callcenter.event import Event
from callcenter.ids import CallId, IncidentId
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads
from geo.place import Place


class Status(StrEnum):
    """Where a call stands."""

    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    ENDED = "ended"
    ABANDONED = "abandoned"
    CALLBACK = "callback"
    REACHED = "reached"
    UNREACHABLE = "unreachable"


class CallClass(StrEnum):
    """What a call turned out to be; Indonesian service standards count these."""

    EMERGENCY = "emergency"
    NON_EMERGENCY = "non_emergency"
    INFORMATION = "information"
    GHOST = "ghost"
    PRANK = "prank"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Call:
    """One telephone call. The times are Asterisk's, in UTC."""

    status: Status
    uniqueid: str
    ani: str | None
    trunk: str
    dialled: str
    place: Place | None
    incident: UUID
    spooled: bool
    rang_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    seat: str | None = None
    call_taker: str | None = None
    cause: str | None = None
    call_class: CallClass | None = None


@dataclass(frozen=True, slots=True)
class CallRang(Event):
    """Asterisk took a call to 112. ``spooled`` says that we heard of it afterwards."""

    uniqueid: str
    ani: str | None
    trunk: str
    dialled: str
    place: Place | None
    incident: UUID
    spooled: bool


@dataclass(frozen=True, slots=True)
class CallAnswered(Event):
    """A call-taker picked up at a seat."""

    seat: str
    call_taker: str | None


@dataclass(frozen=True, slots=True)
class CallHeld(Event):
    """The caller was put on hold."""


@dataclass(frozen=True, slots=True)
class CallResumed(Event):
    """The caller was taken off hold."""


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """The conversation is over."""

    cause: str


@dataclass(frozen=True, slots=True)
class CallAbandoned(Event):
    """The caller left before anybody answered."""


@dataclass(frozen=True, slots=True)
class CallClassified(Event):
    """A person, or the rule that follows from what a person did, says what the call was."""

    call_class: CallClass


@dataclass(frozen=True, slots=True)
class CallMoved(Event):
    """The call belongs to another incident after all."""

    incident: UUID


@dataclass(frozen=True, slots=True)
class CallbackWished(Event):
    """The desk wants the abandoned caller rung back."""


@dataclass(frozen=True, slots=True)
class CallbackPlaced(Event):
    """Asterisk is told to ring this seat, and then the caller. It is told once a wish."""

    seat: str


@dataclass(frozen=True, slots=True)
class CallbackReached(Event):
    """The abandoned caller was rung back and picked up."""

    seat: str | None = None
    call_taker: str | None = None


@dataclass(frozen=True, slots=True)
class CallbackFailed(Event):
    """The abandoned caller could not be rung back, and why: a word that the screen has a sentence for."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rang:
    """What Asterisk says of a call to 112. ``ani`` is the caller's number, None when withheld."""

    uniqueid: str
    ani: str | None
    trunk: str
    dialled: str
    at: datetime
    place: Place | None
    spooled: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What a call became."""

    call: CallId
    incident: IncidentId


NEXT: dict[tuple[Status, type[Event]], Status] = {
    (Status.RINGING, CallAnswered): Status.TALKING,
    (Status.RINGING, CallAbandoned): Status.ABANDONED,
    (Status.RINGING, CallEnded): Status.ENDED,
    # The call-taker's page died and another seat has the caller now.
    (Status.TALKING, CallAnswered): Status.TALKING,
    (Status.HELD, CallAnswered): Status.TALKING,
    (Status.TALKING, CallHeld): Status.HELD,
    (Status.TALKING, CallEnded): Status.ENDED,
    (Status.HELD, CallResumed): Status.TALKING,
    (Status.HELD, CallEnded): Status.ENDED,
    (Status.ABANDONED, CallbackWished): Status.CALLBACK,
    (Status.UNREACHABLE, CallbackWished): Status.CALLBACK,
    (Status.CALLBACK, CallbackPlaced): Status.CALLBACK,
    (Status.CALLBACK, CallbackReached): Status.REACHED,
    (Status.CALLBACK, CallbackFailed): Status.UNREACHABLE,
}


def ring(
    *,
    uniqueid: str,
    ani: str | None,
    trunk: str,
    dialled: str,
    place: Place | None,
    incident: UUID,
    spooled: bool,
    at: datetime,
) -> list[Event]:
    """A call comes in."""
    return [CallRang(at, uniqueid, ani, trunk, dialled, place, incident, spooled)]


def hear(call: Call, event: Event) -> list[Event]:
    """What the telephone says has happened. News that comes late or twice changes nothing."""
    if isinstance(event, CallAnswered) and call.seat == event.seat:
        return []
    return [event] if (call.status, type(event)) in NEXT else []


def classify(call: Call, call_class: CallClass, *, now: datetime) -> list[Event]:
    """Say what the call was. It can be corrected, and the log keeps both."""
    return [] if call.call_class is call_class else [CallClassified(now, call_class)]


def move(call: Call, incident: UUID, *, now: datetime) -> list[Event]:
    """Attach the call to another incident."""
    return [] if call.incident == incident else [CallMoved(now, incident)]


def wish_callback(call: Call, *, now: datetime) -> list[Event]:
    """Ask the telephone to ring the caller back."""
    if call.status is Status.CALLBACK:
        return []
    if (call.status, CallbackWished) not in NEXT:
        message = "only a caller who left before an answer is rung back"
        raise Refused(message, code="call.not_abandoned")
    if not call.ani:
        message = "the caller's number was withheld, so nobody can be rung back"
        raise Refused(message, code="call.no_number")
    return [CallbackWished(now)]


def evolve(call: Call | None, event: Event) -> Call:
    """What a call becomes by an event."""
    match event:
        case CallRang():
            return Call(
                status=Status.RINGING,
                uniqueid=event.uniqueid,
                ani=event.ani,
                trunk=event.trunk,
                dialled=event.dialled,
                place=event.place,
                incident=event.incident,
                spooled=event.spooled,
                rang_at=event.at,
            )
        case _ if call is None:
            raise ValueError(event)
        case CallClassified():
            return replace(call, call_class=event.call_class)
        case CallMoved():
            return replace(call, incident=event.incident)
        case CallAnswered():
            # How long a caller waited is known at the first answer.
            first = call.answered_at or event.at
            answered = replace(call, answered_at=first, seat=event.seat, call_taker=event.call_taker)
            return replace(answered, status=NEXT[call.status, CallAnswered])
        case CallEnded():
            return replace(call, status=NEXT[call.status, CallEnded], ended_at=event.at, cause=event.cause)
        case CallAbandoned():
            return replace(call, status=NEXT[call.status, CallAbandoned], ended_at=event.at)
        case CallbackWished():
            return replace(call, status=NEXT[call.status, CallbackWished], cause=None)
        case CallbackReached():
            reached = replace(call, seat=event.seat, call_taker=event.call_taker)
            return replace(reached, status=NEXT[call.status, CallbackReached])
        case CallbackFailed():
            return replace(call, status=NEXT[call.status, CallbackFailed], cause=event.reason or None)
        case _:
            return replace(call, status=NEXT[call.status, type(event)])


def _threads(_: UUID, call: Call) -> Threads:
    return call.incident, None


EVENTS: Sequence[type[Event]] = (
    CallRang,
    CallAnswered,
    CallHeld,
    CallResumed,
    CallEnded,
    CallAbandoned,
    CallClassified,
    CallMoved,
    CallbackWished,
    CallbackPlaced,
    CallbackReached,
    CallbackFailed,
)
CALLS = Subject(kind="call", state=Call, evolve=evolve, events=EVENTS, threads=_threads)
