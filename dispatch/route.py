"""Whom an event concerns, and what they are told of it."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from callcenter.follow import Entry
from dispatch.frames import MissionView, Told, UnitView
from dispatch.mission import LIVE
from dispatch.views import TELLING, Missed

KINDS = frozenset({"mission", "unit", "incident"})
# What crews are told of events that are not their own: look at the mission again.
INCIDENT_CHANGED = "IncidentChanged"
OTHERS_CHANGED = "OthersChanged"


def concerning(batch: Iterable[Entry]) -> list[Entry]:
    """The events that some crew may have to hear of."""
    return [entry for entry in batch if entry.kind in KINDS and (entry.kind != "incident" or entry.type in TELLING)]


def route(
    entries: Sequence[Entry],
    missions: Sequence[MissionView],
    units: Mapping[UUID, UnitView],
    listening: Container[UUID],
) -> Iterator[tuple[UUID, Told]]:
    """Each event, in order, for each unit that listens and that it concerns.

    A unit hears of its own missions and its own duty; of the incident it is
    on, when that changes; and of others who come to it or leave it.
    """
    by_id = {mission.id: mission for mission in missions}
    by_incident: dict[UUID, list[MissionView]] = {}
    for mission in missions:
        if mission.status in LIVE:
            by_incident.setdefault(mission.incident, []).append(mission)
    for entry in entries:
        if entry.unit is not None and entry.unit in listening:
            yield entry.unit, _told(entry, entry.type, mission=by_id.get(entry.subject), units=units)
        if entry.incident is None:
            continue
        name = INCIDENT_CHANGED if entry.kind == "incident" else OTHERS_CHANGED
        for mission in by_incident.get(entry.incident, ()):
            # The rows may be ahead of the entries: a crew must not hear of its incident before the offer, which rings.
            was_asked = (mission.offer_txid, mission.offer_seq) < (entry.txid, entry.seq)
            if was_asked and mission.unit != entry.unit and mission.unit in listening:
                yield mission.unit, _told(entry, name, mission=mission, units=units)


def told_late(event: Missed, missions: Iterable[MissionView], unit: UnitView) -> Told | None:
    """What a unit that comes back is told of an event it missed; None when it does not matter any more."""
    at, cursor = event.at, f"{event.txid}-{event.seq}"
    if event.kind == "unit":
        return Told(seq=event.seq, cursor=cursor, at=at, event=event.type, unit=unit)
    if event.own:
        found = next((mission for mission in missions if mission.id == event.subject), None)
        name = event.type
    else:
        found = next((one for one in missions if one.incident == event.incident and one.status in LIVE), None)
        name = INCIDENT_CHANGED if event.kind == "incident" else OTHERS_CHANGED
    if found is None:
        return None
    return Told(seq=event.seq, cursor=cursor, at=at, event=name, mission=found)


def _told(entry: Entry, name: str, *, mission: MissionView | None, units: Mapping[UUID, UnitView]) -> Told:
    unit = units.get(entry.subject) if entry.kind == "unit" else None
    return Told(seq=entry.seq, cursor=entry.cursor, at=entry.at, event=name, mission=mission, unit=unit)
