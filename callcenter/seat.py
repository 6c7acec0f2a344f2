"""A seat: one place in the room where 112 rings, and who sits there now.

Seats are fixed in Asterisk, people come and go: so the phones ring on while
our programs are dead, and nobody's account has to be known to Asterisk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from callcenter.event import Event
from callcenter.ids import SeatId
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads


class Status(StrEnum):
    """Whether calls ring here."""

    FREE = "free"
    READY = "ready"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Seat:
    """One seat, by the name that Asterisk's queue knows it by."""

    status: Status
    name: str
    since: datetime
    account: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SeatInstalled(Event):
    """The room has this seat."""

    name: str


@dataclass(frozen=True, slots=True)
class SeatTaken(Event):
    """A call-taker sits down, with a new telephone password. Calls ring once they say so."""

    account: str


@dataclass(frozen=True, slots=True)
class SeatLeft(Event):
    """The call-taker got up."""


@dataclass(frozen=True, slots=True)
class SeatReady(Event):
    """Calls may ring here."""


@dataclass(frozen=True, slots=True)
class SeatPaused(Event):
    """No calls here for now (break)."""

    reason: str | None


NEXT: dict[tuple[Status, type[Event]], Status] = {
    (Status.FREE, SeatTaken): Status.PAUSED,
    (Status.READY, SeatTaken): Status.READY,
    (Status.PAUSED, SeatTaken): Status.PAUSED,
    (Status.READY, SeatLeft): Status.FREE,
    (Status.PAUSED, SeatLeft): Status.FREE,
    (Status.PAUSED, SeatReady): Status.READY,
    (Status.READY, SeatPaused): Status.PAUSED,
}


def seat_id(name: str) -> SeatId:
    """A seat is the same seat after any restart, so its id follows from its name."""
    return SeatId(uuid5(NAMESPACE_URL, f"urn:siaga112:seat:{name}"))


def install(name: str, *, now: datetime) -> list[Event]:
    """Put a seat into the room."""
    return [SeatInstalled(now, name)]


def take(seat: Seat, account: str, *, now: datetime) -> list[Event]:
    """Sit down. Sitting down again only renews the password."""
    if seat.account not in (None, account):
        message = f"{seat.name} is taken by {seat.account}; choose another seat"
        raise Refused(message, code="seat.taken")
    return [SeatTaken(now, account)]


def leave(seat: Seat, *, now: datetime) -> list[Event]:
    """Get up."""
    return [] if seat.status is Status.FREE else [SeatLeft(now)]


def ready(seat: Seat, *, now: datetime) -> list[Event]:
    """Let calls ring."""
    _require_taken(seat)
    return [] if seat.status is Status.READY else [SeatReady(now)]


def pause(seat: Seat, reason: str | None, *, now: datetime) -> list[Event]:
    """Let no calls ring for now."""
    _require_taken(seat)
    return [] if seat.status is Status.PAUSED else [SeatPaused(now, reason)]


def _require_taken(seat: Seat) -> None:
    if seat.status is Status.FREE:
        message = f"nobody sits at {seat.name}; connect the telephone first"
        raise Refused(message, code="seat.free")


def evolve(seat: Seat | None, event: Event) -> Seat:
    """What a seat becomes by an event."""
    if isinstance(event, SeatInstalled):
        return Seat(Status.FREE, event.name, event.at)
    if seat is None:
        raise ValueError(event)
    seat = replace(seat, status=NEXT[seat.status, type(event)], since=event.at, reason=None)
    match event:
        case SeatTaken():
            return replace(seat, account=event.account)
        case SeatLeft():
            return replace(seat, account=None)
        case SeatPaused():
            return replace(seat, reason=event.reason)
        case _:
            return seat


def _threads(_: UUID, __: Seat) -> Threads:
    return None, None


EVENTS: Sequence[type[Event]] = (SeatInstalled, SeatTaken, SeatLeft, SeatReady, SeatPaused)
SEATS = Subject(kind="seat", state=Seat, evolve=evolve, events=EVENTS, threads=_threads)
