"""A mission: one unit on its way to one incident, from being asked to being free again.

Everything that changes a mission's life is in this file. Reports come by radio
and by patchy networks, so a step may be missing or come late: it is taken with
the time that the crew gives, and flagged. Only what would be untrue is refused.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from callcenter.event import Event
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads

# A device's clock may be this wrong before its time is worth a flag.
CLOCK_TOLERANCE = timedelta(seconds=60)


class Status(StrEnum):
    """Where the unit is with it."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    TRANSPORTING = "transporting"
    AT_HOSPITAL = "at_hospital"
    CLEARED = "cleared"
    DECLINED = "declined"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


LIVE = (
    Status.OFFERED,
    Status.ACCEPTED,
    Status.EN_ROUTE,
    Status.ON_SCENE,
    Status.TRANSPORTING,
    Status.AT_HOSPITAL,
)


@dataclass(frozen=True, slots=True)
class Mission:
    """A mission as its row says."""

    status: Status
    incident: UUID
    unit: UUID
    offered_at: datetime
    offered_by: str
    alerts: int
    accepted_at: datetime | None = None
    en_route_at: datetime | None = None
    on_scene_at: datetime | None = None
    transporting_at: datetime | None = None
    at_hospital_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    outcome: str | None = None
    note: str | None = None
    out_of_order: bool = False

    @property
    def is_live(self) -> bool:
        """Whether the unit is asked or busy with it."""
        return self.status in LIVE


# ------------------------------------------------------------------ events --


@dataclass(frozen=True, slots=True)
class MissionOffered(Event):
    """The unit is asked to go."""

    incident: UUID
    unit: UUID
    by: str


@dataclass(frozen=True, slots=True)
class OfferRealerted(Event):
    """The unit stayed silent and is asked once more, louder."""


@dataclass(frozen=True, slots=True)
class MissionExpired(Event):
    """The unit stayed silent and is no longer asked."""


@dataclass(frozen=True, slots=True)
class MissionWithdrawn(Event):
    """The dispatcher takes the unit off the incident."""

    reason: str


@dataclass(frozen=True, slots=True)
class Told(Event):
    """Something the crew says: ``at`` is when we heard, ``reported_at`` when they say it was."""

    reported_at: datetime
    out_of_order: bool = False


@dataclass(frozen=True, slots=True)
class MissionAccepted(Told):
    """The unit says yes."""


@dataclass(frozen=True, slots=True)
class UnitEnRoute(Told):
    """The wheels turn."""


@dataclass(frozen=True, slots=True)
class UnitOnScene(Told):
    """The unit has arrived."""


@dataclass(frozen=True, slots=True)
class UnitTransporting(Told):
    """The unit carries a patient."""


@dataclass(frozen=True, slots=True)
class UnitAtHospital(Told):
    """The unit is at the hospital with the patient."""


@dataclass(frozen=True, slots=True)
class MissionDeclined(Told):
    """The unit says no, or breaks off before it arrived."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class MissionCleared(Told):
    """The unit is done and free again."""

    outcome: str = "handled"
    note: str = ""


EVENTS: tuple[type[Event], ...] = (
    MissionOffered,
    OfferRealerted,
    MissionExpired,
    MissionWithdrawn,
    MissionAccepted,
    UnitEnRoute,
    UnitOnScene,
    UnitTransporting,
    UnitAtHospital,
    MissionDeclined,
    MissionCleared,
)

# ------------------------------------------------------------------- rules --

# The life as it should be.
IN_ORDER: dict[tuple[Status, type[Event]], Status] = {
    (Status.OFFERED, OfferRealerted): Status.OFFERED,
    (Status.OFFERED, MissionExpired): Status.EXPIRED,
    (Status.OFFERED, MissionAccepted): Status.ACCEPTED,
    (Status.OFFERED, MissionDeclined): Status.DECLINED,
    (Status.ACCEPTED, MissionDeclined): Status.DECLINED,
    (Status.EN_ROUTE, MissionDeclined): Status.DECLINED,
    (Status.ACCEPTED, UnitEnRoute): Status.EN_ROUTE,
    (Status.EN_ROUTE, UnitOnScene): Status.ON_SCENE,
    (Status.ON_SCENE, UnitTransporting): Status.TRANSPORTING,
    (Status.TRANSPORTING, UnitAtHospital): Status.AT_HOSPITAL,
    (Status.ON_SCENE, MissionCleared): Status.CLEARED,
    (Status.TRANSPORTING, MissionCleared): Status.CLEARED,
    (Status.AT_HOSPITAL, MissionCleared): Status.CLEARED,
    **{(status, MissionWithdrawn): Status.WITHDRAWN for status in LIVE},
}

# The life as the radio tells it: steps that were never reported, taken and flagged.
SKIPPED: dict[tuple[Status, type[Event]], Status] = {
    (Status.OFFERED, UnitEnRoute): Status.EN_ROUTE,
    (Status.OFFERED, UnitOnScene): Status.ON_SCENE,
    (Status.OFFERED, UnitTransporting): Status.TRANSPORTING,
    (Status.OFFERED, UnitAtHospital): Status.AT_HOSPITAL,
    (Status.OFFERED, MissionCleared): Status.CLEARED,
    (Status.ACCEPTED, UnitOnScene): Status.ON_SCENE,
    (Status.ACCEPTED, UnitTransporting): Status.TRANSPORTING,
    (Status.ACCEPTED, UnitAtHospital): Status.AT_HOSPITAL,
    (Status.ACCEPTED, MissionCleared): Status.CLEARED,
    (Status.EN_ROUTE, UnitTransporting): Status.TRANSPORTING,
    (Status.EN_ROUTE, UnitAtHospital): Status.AT_HOSPITAL,
    (Status.EN_ROUTE, MissionCleared): Status.CLEARED,
    (Status.ON_SCENE, UnitAtHospital): Status.AT_HOSPITAL,
}

# Steps told after a later one: their time is filled in, and nothing goes back.
LATE: dict[tuple[Status, type[Event]], Status] = {
    (Status.ON_SCENE, UnitEnRoute): Status.ON_SCENE,
    (Status.TRANSPORTING, UnitEnRoute): Status.TRANSPORTING,
    (Status.TRANSPORTING, UnitOnScene): Status.TRANSPORTING,
    (Status.AT_HOSPITAL, UnitEnRoute): Status.AT_HOSPITAL,
    (Status.AT_HOSPITAL, UnitOnScene): Status.AT_HOSPITAL,
    (Status.AT_HOSPITAL, UnitTransporting): Status.AT_HOSPITAL,
}

NEXT: dict[tuple[Status, type[Event]], Status] = IN_ORDER | SKIPPED | LATE

Step: TypeAlias = type[UnitEnRoute] | type[UnitOnScene] | type[UnitTransporting] | type[UnitAtHospital]

ENDINGS: dict[Status, tuple[str, str]] = {
    Status.CLEARED: ("mission.cleared", "this mission is already cleared; wait for a new offer"),
    Status.DECLINED: ("mission.declined", "this unit said no to this mission; wait for a new offer"),
    Status.EXPIRED: (
        "mission.expired",
        "this offer has expired and another unit may be going; call the dispatcher, or wait for a new offer",
    ),
    Status.WITHDRAWN: (
        "mission.withdrawn",
        "the dispatcher has withdrawn this mission; stay free, or call the dispatcher if you are already there",
    ),
}


def offer(incident: UUID, unit: UUID, *, by: str, now: datetime) -> list[Event]:
    """Ask a unit to go."""
    return [MissionOffered(at=now, incident=incident, unit=unit, by=by)]


def accept(mission: Mission, *, now: datetime, reported_at: datetime | None = None) -> list[Event]:
    """The unit says yes. Saying it twice is saying it once."""
    _must_be_live(mission)
    if mission.status is not Status.OFFERED:
        return []
    when = reported_at or now
    return [MissionAccepted(at=now, reported_at=when, out_of_order=_is_doubtful(mission, when, now))]


def decline(mission: Mission, *, reason: str, now: datetime, reported_at: datetime | None = None) -> list[Event]:
    """The unit says no, or breaks off before it arrived, and says why."""
    if mission.status is Status.DECLINED:
        return []
    _must_be_live(mission)
    if (mission.status, MissionDeclined) not in NEXT:
        message = "the unit has arrived; clear the mission with an outcome instead of declining it"
        raise Refused(message, code="mission.arrived")
    if not reason.strip():
        raise Refused("say why the unit cannot go", code="mission.reason_missing")
    when = reported_at or now
    flag = _is_doubtful(mission, when, now)
    return [MissionDeclined(at=now, reported_at=when, out_of_order=flag, reason=reason)]


def step(mission: Mission, kind: Step, *, now: datetime, reported_at: datetime | None = None) -> list[Event]:
    """The unit is further on. A step out of order is taken and flagged, a step told twice is one."""
    _must_be_live(mission)
    if _time_of(mission, kind) is not None:
        return []
    when = reported_at or now
    flag = (mission.status, kind) not in IN_ORDER or _is_doubtful(mission, when, now)
    return [kind(at=now, reported_at=when, out_of_order=flag)]


def clear(
    mission: Mission,
    *,
    outcome: str,
    note: str = "",
    now: datetime,
    reported_at: datetime | None = None,
) -> list[Event]:
    """The unit is done, and says what came of it."""
    if mission.status is Status.CLEARED:
        return []
    _must_be_live(mission)
    when = reported_at or now
    flag = (mission.status, MissionCleared) not in IN_ORDER or _is_doubtful(mission, when, now)
    return [MissionCleared(at=now, reported_at=when, out_of_order=flag, outcome=outcome, note=note)]


def withdraw(mission: Mission, *, reason: str, now: datetime) -> list[Event]:
    """The dispatcher takes the unit off."""
    if mission.status is Status.WITHDRAWN:
        return []
    if not mission.is_live:
        message = f"this mission has ended ({mission.status}); there is nothing to withdraw"
        raise Refused(message, code="mission.ended")
    if not reason.strip():
        raise Refused("say why the unit is withdrawn", code="mission.reason_missing")
    return [MissionWithdrawn(at=now, reason=reason)]


def realert(mission: Mission, *, now: datetime) -> list[Event]:
    """Ask once more, if the unit is still silent."""
    return [OfferRealerted(at=now)] if mission.status is Status.OFFERED else []


def expire(mission: Mission, *, now: datetime) -> list[Event]:
    """Stop asking, if the unit is still silent."""
    return [MissionExpired(at=now)] if mission.status is Status.OFFERED else []


def must_have_failed(mission: Mission) -> None:
    """Only a unit that did not go can be asked again."""
    if mission.status not in (Status.DECLINED, Status.EXPIRED, Status.WITHDRAWN):
        message = (
            f"this mission is {mission.status}; only one that was declined, expired or withdrawn can be sent again"
        )
        raise Refused(message, code="mission.not_failed")


def evolve(mission: Mission | None, event: Event) -> Mission:
    """The mission after the event."""
    if isinstance(event, MissionOffered):
        return Mission(
            status=Status.OFFERED,
            incident=event.incident,
            unit=event.unit,
            offered_at=event.at,
            offered_by=event.by,
            alerts=1,
        )
    if mission is None:
        message = f"the first event of a mission is MissionOffered, not {type(event).__name__}"
        raise ValueError(message)
    status = NEXT[mission.status, type(event)]
    if isinstance(event, Told):
        return _told(replace(mission, status=status), event)
    match event:
        case OfferRealerted():
            return replace(mission, alerts=mission.alerts + 1)
        case MissionWithdrawn():
            return replace(mission, status=status, ended_at=event.at, reason=event.reason)
        case _:
            return replace(mission, status=status, ended_at=event.at)


def _told(mission: Mission, event: Told) -> Mission:
    when = _within(mission, event.reported_at, event.at)
    mission = replace(mission, out_of_order=mission.out_of_order or event.out_of_order)
    match event:
        case MissionAccepted():
            return replace(mission, accepted_at=when)
        case UnitEnRoute():
            return replace(mission, en_route_at=when)
        case UnitOnScene():
            return replace(mission, on_scene_at=when)
        case UnitTransporting():
            return replace(mission, transporting_at=when)
        case UnitAtHospital():
            return replace(mission, at_hospital_at=when)
        case MissionDeclined():
            return replace(mission, ended_at=when, reason=event.reason)
        case MissionCleared():
            return replace(mission, ended_at=when, outcome=event.outcome, note=event.note)
        case _:
            message = f"{type(event).__name__} is not something a crew tells"
            raise TypeError(message)


def _time_of(mission: Mission, kind: Step) -> datetime | None:
    times: dict[Step, datetime | None] = {
        UnitEnRoute: mission.en_route_at,
        UnitOnScene: mission.on_scene_at,
        UnitTransporting: mission.transporting_at,
        UnitAtHospital: mission.at_hospital_at,
    }
    return times[kind]


def _within(mission: Mission, reported_at: datetime, heard_at: datetime) -> datetime:
    """The crew's time, but never before they were asked or after we heard it: their clock was wrong."""
    return max(mission.offered_at, min(reported_at, heard_at))


def _is_doubtful(mission: Mission, reported_at: datetime, now: datetime) -> bool:
    return abs(_within(mission, reported_at, now) - reported_at) > CLOCK_TOLERANCE


def _must_be_live(mission: Mission) -> None:
    if not mission.is_live:
        code, message = ENDINGS[mission.status]
        raise Refused(message, code=code)


def _threads(_mission_id: UUID, mission: Mission) -> Threads:
    return mission.incident, mission.unit


MISSIONS = Subject(kind="mission", state=Mission, evolve=evolve, events=EVENTS, threads=_threads)
