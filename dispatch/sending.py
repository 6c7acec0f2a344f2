"""Sending units: asking them, hearing their answers, and what follows for the incident.

Every function works in an open book, so that whoever calls can keep the answer
to an idempotency key in the same transaction (``Ledger.once``). Rows are locked
in one order: incident, missions, units, each by id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

import asyncpg

from callcenter import desk, incident
from callcenter.call import CallClass
from callcenter.event import Event
from callcenter.ids import MissionId, UnitId, new_id
from callcenter.incident import INCIDENTS, Changes, Incident, Outcome
from callcenter.ledger import Book, Ledger
from callcenter.refused import Refused, unknown
from dispatch import mission, roster, unit
from dispatch.mission import MISSIONS, Mission
from dispatch.unit import UNITS, Equipment, Unit

REALERT = "offer-realert"
EXPIRE = "offer-expire"

# More units than any incident of one city needs: a request for more is a mistake.
MOST_UNITS = 50

_TRIES = 3
_UNITS_OF_SIAGA = UUID("5f0c1c0e-6a3b-5d0e-9f3c-1d6a7d9b1120")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a unit may stay silent, both counted from the offer."""

    realert_s: float = 30
    expire_s: float = 60


@dataclass(frozen=True, slots=True)
class Sent:
    """What a sending became: the incident, and a mission for each unit in the order they were named."""

    incident: Incident
    missions: tuple[MissionId, ...]


class Verb(StrEnum):
    """What a crew can say of its mission, or of itself."""

    ACCEPT = "accept"
    DECLINE = "decline"
    EN_ROUTE = "en_route"
    ON_SCENE = "on_scene"
    TRANSPORTING = "transporting"
    AT_HOSPITAL = "at_hospital"
    CLEARED = "cleared"
    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"
    OUT_OF_SERVICE = "out_of_service"


DUTY = frozenset({Verb.ON_DUTY, Verb.OFF_DUTY, Verb.OUT_OF_SERVICE})
# After these the incident may be over, or may need somebody else.
ENDING = frozenset({Verb.DECLINE, Verb.CLEARED})

# What one unit found outweighs that another was turned back: the first of these closes the incident.
_WEIGHT: Sequence[Outcome] = (
    Outcome.TREATED_TRANSPORTED,
    Outcome.HANDLED,
    Outcome.REFERRED,
    Outcome.FALSE_ALARM,
    Outcome.PRANK,
    Outcome.GONE_ON_ARRIVAL,
    Outcome.INFORMATION,
    Outcome.GHOST,
    Outcome.TEST,
    Outcome.CANCELLED_BEFORE_ARRIVAL,
)


@dataclass(frozen=True, slots=True)
class Telling:
    """One thing a crew says, and when it says that it was."""

    verb: Verb
    at: datetime | None = None
    reason: str | None = None
    outcome: str | None = None
    note: str | None = None


# ------------------------------------------------------------- the dispatcher --


async def send(
    book: Book,
    incident_id: UUID,
    units: Sequence[UUID],
    *,
    changes: Changes | None = None,
    patience: Patience = Patience(),
    now: datetime,
) -> Sent:
    """Decide that somebody goes, and ask these units: all of them, or none and a reason."""
    wanted = list(dict.fromkeys(units))
    if not 0 < len(wanted) <= MOST_UNITS:
        message = f"name the units to send, from one to {MOST_UNITS}"
        raise Refused(message, code="send.units")
    state = await book.lock(INCIDENTS, incident_id)
    state = book.record(INCIDENTS, incident_id, state, incident.describe(state, changes or {}, now=now))
    state = book.record(INCIDENTS, incident_id, state, _triaged(state, now))
    await _must_be_free(book, incident_id, wanted)
    missions = []
    for unit_id in wanted:
        mission_id = MissionId(new_id())
        book.record(MISSIONS, mission_id, None, mission.offer(incident_id, unit_id, by=book.by, now=now))
        book.timer(REALERT, mission_id, after_s=patience.realert_s)
        book.timer(EXPIRE, mission_id, after_s=patience.expire_s)
        missions.append(mission_id)
    return Sent(state, tuple(missions))


async def withdraw(book: Book, mission_id: UUID, *, reason: str, now: datetime) -> Mission:
    """Take a unit off."""
    return await _end(book, mission_id, lambda state: mission.withdraw(state, reason=reason, now=now), now=now)


async def resend(book: Book, mission_id: UUID, *, patience: Patience = Patience(), now: datetime) -> Sent:
    """Ask again a unit that did not go: a new mission, with new deadlines."""
    incident_id = await _incident_of(book, mission_id)
    await book.lock(INCIDENTS, incident_id)
    state = await book.lock(MISSIONS, mission_id)
    mission.must_have_failed(state)
    return await send(book, incident_id, [state.unit], patience=patience, now=now)


# ------------------------------------------------------------------- the crew --


async def hear(
    book: Book, mission_id: UUID, telling: Telling, *, unit_id: UUID | None = None, now: datetime
) -> Mission:
    """A crew says how it is with its mission, by its device or by radio through a dispatcher.

    ``unit_id`` is whose device it is: a unit speaks of its own missions only.
    """
    decide = _decision(telling, now)

    def decide_for_its_own(state: Mission) -> list[Event]:
        if unit_id not in (None, state.unit):
            raise unknown("mission")
        return decide(state)

    if telling.verb in ENDING:
        return await _end(book, mission_id, decide_for_its_own, now=now)
    state = await book.lock(MISSIONS, mission_id)
    return book.record(MISSIONS, mission_id, state, decide_for_its_own(state))


async def live_mission(book: Book, unit_id: UUID) -> MissionId:
    """The mission a crew means when it names none: it has only one."""
    connection = await book.connection()
    found: UUID | None = await connection.fetchval("SELECT mission FROM unit_now WHERE id = $1", unit_id)
    if found is None:
        raise Refused("this unit has no mission now; wait for an offer", code="mission.none")
    return MissionId(found)


async def set_duty(book: Book, unit_id: UUID, verb: Verb, *, reason: str | None = None, now: datetime) -> Unit:
    """A crew comes, goes, or says that its vehicle does not."""
    state = await book.lock(UNITS, unit_id)
    match verb:
        case Verb.ON_DUTY:
            events = unit.on_duty(state, now=now)
        case Verb.OFF_DUTY:
            connection = await book.connection()
            busy: bool = await connection.fetchval("SELECT busy FROM unit_now WHERE id = $1", unit_id)
            events = unit.off_duty(state, busy=busy, reason=reason, now=now)
        case Verb.OUT_OF_SERVICE:
            events = unit.out_of_service(state, reason=reason or "", now=now)
        case _:
            raise Refused(f"{verb} is not said of a unit but of its mission", code="unit.verb")
    return book.record(UNITS, unit_id, state, events)


# ------------------------------------------------------------------ the rules --


async def realert(book: Book, mission_id: UUID, *, now: datetime) -> Mission:
    """The unit is still silent: ask once more."""
    state = await book.lock(MISSIONS, mission_id)
    return book.record(MISSIONS, mission_id, state, mission.realert(state, now=now))


async def expire(book: Book, mission_id: UUID, *, now: datetime) -> Mission:
    """The unit stayed silent: stop asking, and tell the dispatcher who could go instead."""
    return await _end(book, mission_id, lambda state: mission.expire(state, now=now), now=now)


def unit_id_of(call_sign: str) -> UnitId:
    """A unit's id follows from its call sign, so registering it twice cannot make two."""
    return UnitId(uuid5(_UNITS_OF_SIAGA, call_sign))


async def register(ledger: Ledger, equipment: Sequence[Equipment], *, now: datetime) -> None:
    """Make sure that the city's units are as the city pack says. Safe at each start, by several processes at once."""
    for _ in range(_TRIES):
        try:
            async with ledger.book(by="rule") as book:
                ids = [unit_id_of(wanted.call_sign) for wanted in equipment]
                known: dict[UUID, Unit] = dict(await book.lock_where(UNITS, "id = ANY($1)", ids))
                for unit_id, wanted in zip(ids, equipment, strict=True):
                    state = known.get(unit_id)
                    events = unit.register(state, wanted, now=now)
                    if events:
                        book.record(UNITS, unit_id, state, events)
        except asyncpg.UniqueViolationError:
            # Another process registers them in the same moment; now they are known.
            continue
        return


# -------------------------------------------------------------------- insides --


def _triaged(state: Incident, now: datetime) -> list[Event]:
    """The decision that somebody goes, unless it is taken already and nothing has changed since."""
    events = incident.triage(state, now=now)
    is_news = state.status is not incident.Status.TRIAGED or state.proposed_unit is not None
    return events if is_news else []


async def _must_be_free(book: Book, incident_id: UUID, wanted: Sequence[UUID]) -> None:
    """Hold the units, so that of two dispatchers who want the same one the second is told who was first."""
    held = dict(await book.lock_where(UNITS, "id = ANY($1)", list(wanted)))
    for unit_id in wanted:
        if unit_id not in held:
            raise unknown("unit")
        unit.must_be_sendable(held[unit_id])
    connection = await book.connection()
    busy = await connection.fetch(
        """SELECT u.call_sign, u.mission_status, m.offered_by, m.incident, i.number
           FROM unit_now u JOIN mission m ON m.id = u.mission JOIN incident i ON i.id = m.incident
           WHERE u.id = ANY($1) ORDER BY u.call_sign""",
        list(wanted),
    )
    for row in busy:
        if row["incident"] == incident_id:
            message = f"{row['call_sign']} is already on this incident, sent by {row['offered_by']}"
            raise Refused(message, code="unit.here")
        message = (
            f"{row['call_sign']} is busy with incident {row['number']}, sent by {row['offered_by']}; "
            "choose another, or withdraw it there first"
        )
        raise Refused(message, code="unit.busy")


def _decision(telling: Telling, now: datetime) -> Callable[[Mission], list[Event]]:
    """What a crew's word means for its mission."""
    at = telling.at
    match telling.verb:
        case Verb.ACCEPT:
            return lambda state: mission.accept(state, now=now, reported_at=at)
        case Verb.DECLINE:
            return lambda state: mission.decline(state, reason=telling.reason or "", now=now, reported_at=at)
        case Verb.CLEARED:
            outcome = _outcome(telling.outcome)
            note = telling.note or ""
            return lambda state: mission.clear(state, outcome=outcome, note=note, now=now, reported_at=at)
        case Verb.EN_ROUTE | Verb.ON_SCENE | Verb.TRANSPORTING | Verb.AT_HOSPITAL as verb:
            return lambda state: mission.step(state, _STEPS[verb], now=now, reported_at=at)
        case _:
            raise Refused(f"{telling.verb} is said of a unit, not of its mission", code="mission.verb")


_STEPS: Mapping[Verb, mission.Step] = {
    Verb.EN_ROUTE: mission.UnitEnRoute,
    Verb.ON_SCENE: mission.UnitOnScene,
    Verb.TRANSPORTING: mission.UnitTransporting,
    Verb.AT_HOSPITAL: mission.UnitAtHospital,
}


def _outcome(said: str | None) -> Outcome:
    try:
        return Outcome(said or "")
    except ValueError:
        raise Refused("say how it ended: choose an outcome of the list", code="mission.outcome") from None


async def _incident_of(book: Book, mission_id: UUID) -> UUID:
    """Which never changes, so it needs no lock, and the incident can be locked before the mission."""
    connection = await book.connection()
    found: UUID | None = await connection.fetchval("SELECT incident FROM mission WHERE id = $1", mission_id)
    if found is None:
        raise unknown("mission")
    return found


async def _end(book: Book, mission_id: UUID, decide: Callable[[Mission], list[Event]], *, now: datetime) -> Mission:
    """Let a mission end, and do what follows for its incident: close it, or ask for somebody else."""
    incident_id = await _incident_of(book, mission_id)
    held = await book.lock(INCIDENTS, incident_id)
    before = await book.lock(MISSIONS, mission_id)
    after = book.record(MISSIONS, mission_id, before, decide(before))
    if before.is_live and not after.is_live:
        await _settle(book, incident_id, held, mission_id, after, now=now)
    return after


async def _settle(
    book: Book, incident_id: UUID, held: Incident, ended_id: UUID, ended: Mission, *, now: datetime
) -> None:
    connection = await book.connection()
    others = await connection.fetch(
        """SELECT status, outcome FROM mission
           WHERE incident = $1 AND id <> $2 AND offered_at >= coalesce(
               (SELECT max(at) FROM log WHERE incident = $1 AND type = 'IncidentReopened'), '-infinity')""",
        incident_id,
        ended_id,
    )
    still_on_it = any(row["status"] in mission.LIVE for row in others)
    outcomes = {outcome for outcome in (ended.outcome, *(row["outcome"] for row in others)) if outcome}
    if outcomes and not still_on_it and held.is_live:
        outcome = min(map(Outcome, outcomes), key=_WEIGHT.index)
        await desk.classify_calls(book, incident_id, desk.CLASS_OF.get(outcome, CallClass.EMERGENCY), now=now)
        book.record(INCIDENTS, incident_id, held, incident.close(held, outcome, note=ended.note or None, now=now))
    elif _somebody_else_must_go(ended, still_on_it=still_on_it):
        best = (await roster.advice(connection, incident_id, now=now)).next_best
        proposal = incident.propose(held, best.unit if best else None, str(ended.status), now=now)
        book.record(INCIDENTS, incident_id, held, proposal)


def _somebody_else_must_go(ended: Mission, *, still_on_it: bool) -> bool:
    """A unit that was wanted did not go; or the dispatcher took the last one off."""
    return ended.status is not mission.Status.CLEARED and not (still_on_it and ended.status is mission.Status.WITHDRAWN)
