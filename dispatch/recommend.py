"""Who should go: units in the order we would send them, each with the reasons, and why not the others.

The advice is arithmetic, never an order: a dispatcher may send anybody who can be sent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from operator import itemgetter
from uuid import UUID

from dispatch.unit import Status
from geo.distance import cruise_kmh, eta_s, haversine_m

# A moving unit is somewhere else after this long, so an older position costs it time.
FRESH_S = 60
# Nobody knows where a unit is whose position is older than this.
LOST_S = 1800
# How much of the age of a stale position is added to the time it needs.
STALE_PENALTY = 0.5
# A crew that waits at its station needs this long to get going.
TURNOUT_S = 60


class Reason(StrEnum):
    """Why a unit stands where it stands in the list. The interface has the words."""

    CAPABLE = "capable"
    PARTLY_CAPABLE = "partly_capable"
    NOT_CAPABLE = "not_capable"
    AT_STATION = "at_station"
    POSITION_STALE = "position_stale"
    POSITION_LOST = "position_lost"
    OFFLINE = "offline"
    BUSY = "busy"
    HERE = "here"
    OFF_DUTY = "off_duty"
    OUT_OF_SERVICE = "out_of_service"
    DECLINED = "declined"
    EXPIRED = "expired"
    PLACE_UNKNOWN = "place_unknown"


@dataclass(frozen=True, slots=True)
class Need:
    """What an incident asks for. A capability named twice needs two units that have it."""

    lat: float | None
    lon: float | None
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit as far as the choice goes."""

    unit: UUID
    call_sign: str
    kind: str
    capabilities: frozenset[str]
    status: Status
    station_lat: float
    station_lon: float
    lat: float | None = None
    lon: float | None = None
    position_at: datetime | None = None
    online: bool = True
    busy_with: UUID | None = None
    answered: Reason | None = None
    """What it said to this incident when asked before: DECLINED or EXPIRED."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One line of the list."""

    unit: UUID
    call_sign: str
    kind: str
    distance_m: int | None
    eta_s: int | None
    position_age_s: int | None
    capable: bool
    picked: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The whole list: who could go, best first; why not the others; and what nobody can bring."""

    suggested: tuple[Suggestion, ...]
    others: tuple[Suggestion, ...]
    missing: tuple[str, ...]

    @property
    def next_best(self) -> Suggestion | None:
        """Whom to ask first."""
        return next((line for line in self.suggested if line.picked), None)


def advise(need: Need, candidates: Iterable[Candidate], *, incident: UUID | None = None, now: datetime) -> Advice:
    """Rank the able units by the time they need, honest about what we do not know."""
    ranked: list[tuple[float, int, str, Candidate, Suggestion]] = []
    others: list[Suggestion] = []
    for candidate in candidates:
        line, cost_s, can_go = _line(need, candidate, incident, now)
        if can_go:
            ranked.append((cost_s, line.distance_m or 0, candidate.call_sign, candidate, line))
        else:
            others.append(line)
    ranked.sort(key=itemgetter(0, 1, 2))
    picked, missing = _pick(need.capabilities, [candidate for *_, candidate, _ in ranked])
    suggested = [replace(line, picked=True) if line.unit in picked else line for *_, line in ranked]
    others.sort(key=lambda line: (not line.capable, line.distance_m or 0, line.call_sign))
    return Advice(tuple(suggested), tuple(others), missing)


def _line(need: Need, candidate: Candidate, incident: UUID | None, now: datetime) -> tuple[Suggestion, float, bool]:
    """What can be said of a unit; its cost, the seconds it needs and those we do not know of; whether it can go."""
    reasons = [_capability(need, candidate)]
    age_s = None if candidate.position_at is None else max(0, round((now - candidate.position_at).total_seconds()))
    lat, lon, extra_s = candidate.lat, candidate.lon, 0.0
    if lat is None or lon is None or age_s is None:
        # It never told where it is: a crew on duty waits at its station.
        lat, lon, extra_s = candidate.station_lat, candidate.station_lon, TURNOUT_S
        reasons.append(Reason.AT_STATION)
    elif age_s > LOST_S:
        reasons.append(Reason.POSITION_LOST)
    elif age_s > FRESH_S:
        extra_s = STALE_PENALTY * age_s
        reasons.append(Reason.POSITION_STALE)
    if not candidate.online:
        reasons.append(Reason.OFFLINE)
    distance_m = travel_s = None
    if need.lat is None or need.lon is None:
        reasons.append(Reason.PLACE_UNKNOWN)
    else:
        distance_m = haversine_m(need.lat, need.lon, lat, lon)
        travel_s = eta_s(distance_m, speed_kmh=cruise_kmh(candidate.kind))
    obstacles = _obstacles(candidate, incident, reasons)
    line = Suggestion(
        unit=candidate.unit,
        call_sign=candidate.call_sign,
        kind=candidate.kind,
        distance_m=None if distance_m is None else round(distance_m),
        eta_s=travel_s,
        position_age_s=age_s,
        capable=reasons[0] is not Reason.NOT_CAPABLE,
        picked=False,
        reasons=tuple(dict.fromkeys((*obstacles, *reasons))),
    )
    return line, (travel_s or 0) + extra_s, not obstacles


def _capability(need: Need, candidate: Candidate) -> Reason:
    wanted = set(need.capabilities)
    if wanted <= candidate.capabilities:
        return Reason.CAPABLE
    return Reason.PARTLY_CAPABLE if wanted & candidate.capabilities else Reason.NOT_CAPABLE


def _obstacles(candidate: Candidate, incident: UUID | None, reasons: Sequence[Reason]) -> list[Reason]:
    """Why this unit is not suggested at all."""
    obstacles = [Reason.NOT_CAPABLE] if Reason.NOT_CAPABLE in reasons else []
    match candidate.status:
        case Status.OFF_DUTY:
            obstacles.append(Reason.OFF_DUTY)
        case Status.OUT_OF_SERVICE:
            obstacles.append(Reason.OUT_OF_SERVICE)
        case Status.AVAILABLE:
            pass
    if candidate.busy_with is not None:
        obstacles.append(Reason.HERE if candidate.busy_with == incident else Reason.BUSY)
    if candidate.answered is not None:
        obstacles.append(candidate.answered)
    if Reason.POSITION_LOST in reasons:
        obstacles.append(Reason.POSITION_LOST)
    return obstacles


def _pick(wanted: Sequence[str], ranked: Sequence[Candidate]) -> tuple[set[UUID], tuple[str, ...]]:
    """The first units in the ranking that together bring what is wanted, and what is still missing then."""
    if not wanted:
        return {candidate.unit for candidate in ranked[:1]}, ()
    missing = list(wanted)
    picked: set[UUID] = set()
    for candidate in ranked:
        brought = [capability for capability in dict.fromkeys(missing) if capability in candidate.capabilities]
        if brought:
            picked.add(candidate.unit)
            for capability in brought:
                missing.remove(capability)
    return picked, tuple(missing)
