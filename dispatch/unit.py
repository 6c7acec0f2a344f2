"""A unit: a crew and its vehicle, and whether it can be sent at all.

Busy is not stored here: a unit is busy while it has a live mission, and the
mission says so.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from callcenter.event import Event
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads


class Status(StrEnum):
    """Whether the crew is there and the vehicle goes."""

    OFF_DUTY = "off_duty"
    AVAILABLE = "available"
    OUT_OF_SERVICE = "out_of_service"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as its row says."""

    status: Status
    call_sign: str
    kind: str
    agency: str
    capabilities: tuple[str, ...]
    station_lat: float
    station_lon: float
    reason: str | None
    since: datetime

    @property
    def can_be_sent(self) -> bool:
        """On duty and in order; whether it is busy is for its missions to say."""
        return self.status is Status.AVAILABLE


@dataclass(frozen=True, slots=True)
class Equipment:
    """What the city pack says of a unit."""

    call_sign: str
    kind: str
    agency: str
    capabilities: tuple[str, ...]
    station_lat: float
    station_lon: float


@dataclass(frozen=True, slots=True)
class UnitRegistered(Event):
    """The city has this unit. It is on duty until somebody says otherwise."""

    call_sign: str
    kind: str
    agency: str
    capabilities: tuple[str, ...]
    station_lat: float
    station_lon: float


@dataclass(frozen=True, slots=True)
class UnitReequipped(Event):
    """The city changed what the unit is, carries, or where it stands."""

    kind: str
    agency: str
    capabilities: tuple[str, ...]
    station_lat: float
    station_lon: float


@dataclass(frozen=True, slots=True)
class UnitOnDuty(Event):
    """The crew is there and ready to be sent."""


@dataclass(frozen=True, slots=True)
class UnitOffDuty(Event):
    """The crew went home."""

    reason: str | None = None


@dataclass(frozen=True, slots=True)
class UnitOutOfService(Event):
    """The crew is there, but the vehicle cannot go."""

    reason: str


EVENTS: tuple[type[Event], ...] = (
    UnitRegistered,
    UnitReequipped,
    UnitOnDuty,
    UnitOffDuty,
    UnitOutOfService,
)

NEXT: dict[tuple[Status, type[Event]], Status] = {
    (Status.OFF_DUTY, UnitOnDuty): Status.AVAILABLE,
    (Status.OUT_OF_SERVICE, UnitOnDuty): Status.AVAILABLE,
    (Status.AVAILABLE, UnitOffDuty): Status.OFF_DUTY,
    (Status.OUT_OF_SERVICE, UnitOffDuty): Status.OFF_DUTY,
    (Status.AVAILABLE, UnitOutOfService): Status.OUT_OF_SERVICE,
    (Status.OFF_DUTY, UnitOutOfService): Status.OUT_OF_SERVICE,
    (Status.OUT_OF_SERVICE, UnitOutOfService): Status.OUT_OF_SERVICE,
    (Status.OFF_DUTY, UnitReequipped): Status.OFF_DUTY,
    (Status.AVAILABLE, UnitReequipped): Status.AVAILABLE,
    (Status.OUT_OF_SERVICE, UnitReequipped): Status.OUT_OF_SERVICE,
}


def register(unit: Unit | None, equipment: Equipment, *, now: datetime) -> list[Event]:
    """The city pack names this unit; told again, only what changed is recorded."""
    if unit is None:
        return [
            UnitRegistered(
                at=now,
                call_sign=equipment.call_sign,
                kind=equipment.kind,
                agency=equipment.agency,
                capabilities=equipment.capabilities,
                station_lat=equipment.station_lat,
                station_lon=equipment.station_lon,
            )
        ]
    if equipment_of(unit) == equipment:
        return []
    return [
        UnitReequipped(
            at=now,
            kind=equipment.kind,
            agency=equipment.agency,
            capabilities=equipment.capabilities,
            station_lat=equipment.station_lat,
            station_lon=equipment.station_lon,
        )
    ]


def on_duty(unit: Unit, *, now: datetime) -> list[Event]:
    """Ready to be sent. Saying it twice is saying it once."""
    return [] if unit.status is Status.AVAILABLE else [UnitOnDuty(at=now)]


def off_duty(unit: Unit, *, busy: bool, reason: str | None, now: datetime) -> list[Event]:
    """Going home, which nobody does in the middle of a mission."""
    if unit.status is Status.OFF_DUTY:
        return []
    if busy:
        message = f"{unit.call_sign} is on a mission; clear it, or have it withdrawn, then go off duty"
        raise Refused(message, code="unit.busy")
    return [UnitOffDuty(at=now, reason=reason)]


def out_of_service(unit: Unit, *, reason: str, now: datetime) -> list[Event]:
    """The vehicle cannot go. It may break down on the way, so a mission does not forbid it."""
    if unit.status is Status.OUT_OF_SERVICE and unit.reason == reason:
        return []
    if not reason.strip():
        raise Refused("say why the unit is out of service", code="unit.reason_missing")
    return [UnitOutOfService(at=now, reason=reason)]


def must_be_sendable(unit: Unit) -> None:
    """Refuse a unit that has no crew or does not go."""
    match unit.status:
        case Status.AVAILABLE:
            return
        case Status.OFF_DUTY:
            message = f"{unit.call_sign} is off duty; choose another, or put it on duty first"
            raise Refused(message, code="unit.off_duty")
        case Status.OUT_OF_SERVICE:
            message = f"{unit.call_sign} is out of service ({unit.reason}); choose another"
            raise Refused(message, code="unit.out_of_service")


def equipment_of(unit: Unit) -> Equipment:
    """What the city pack last said of it."""
    return Equipment(
        call_sign=unit.call_sign,
        kind=unit.kind,
        agency=unit.agency,
        capabilities=unit.capabilities,
        station_lat=unit.station_lat,
        station_lon=unit.station_lon,
    )


def evolve(unit: Unit | None, event: Event) -> Unit:
    """The unit after the event."""
    if isinstance(event, UnitRegistered):
        return _registered(event)
    if unit is None:
        message = f"the first event of a unit is UnitRegistered, not {type(event).__name__}"
        raise ValueError(message)
    status = NEXT[unit.status, type(event)]
    match event:
        case UnitReequipped():
            return replace(
                unit,
                kind=event.kind,
                agency=event.agency,
                capabilities=event.capabilities,
                station_lat=event.station_lat,
                station_lon=event.station_lon,
            )
        case UnitOffDuty() | UnitOutOfService():
            return replace(unit, status=status, reason=event.reason, since=event.at)
        case _:
            return replace(unit, status=status, reason=None, since=event.at)


def _registered(event: UnitRegistered) -> Unit:
    return Unit(
        status=Status.AVAILABLE,
        call_sign=event.call_sign,
        kind=event.kind,
        agency=event.agency,
        capabilities=event.capabilities,
        station_lat=event.station_lat,
        station_lon=event.station_lon,
        reason=None,
        since=event.at,
    )


def _threads(unit_id: UUID, _unit: Unit) -> Threads:
    return None, unit_id


UNITS = Subject(kind="unit", state=Unit, evolve=evolve, events=EVENTS, threads=_threads)
