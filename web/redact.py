"""What is hidden from whom: a caller's name and number are for those who may have to ring back.

The same row is shown in a few renderings, not one a person: so a change on the live feed is written once for each
rendering, however many screens look at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from web.policy import Role, Scope, Viewer
from web.shapes import Board, CallRow, IncidentRow, PlaceRow, ReportRow

LIVE: Final = frozenset({"open", "triaged"})
RINGING: Final = frozenset({"ringing", "talking", "held", "abandoned", "callback"})


class Sight(StrEnum):
    """How much a person sees."""

    WHOLE = "whole"
    """Supervisors: everything."""
    WORKING = "working"
    """Call-takers and dispatchers: everything of what is going on; of what is over the caller is half hidden."""
    VEILED = "veiled"
    """Leaders: what happens, roughly where, and to nobody in particular."""
    QUEUE = "queue"
    """Agency officers: the reports of their own agency, without the reporter."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A way of showing rows. Two people with equal renderings are sent the same bytes."""

    sight: Sight
    agency: str | None = None


def rendering_for(who: Viewer, scope: Scope) -> Rendering:
    """How rows are shown to this person."""
    match scope:
        case Scope.REDACTED:
            return Rendering(Sight.VEILED)
        case Scope.AGENCY:
            return Rendering(Sight.QUEUE, who.agency or "")
        case _:
            return Rendering(Sight.WHOLE if who.role is Role.SUPERVISOR else Sight.WORKING)


def mask(number: str | None) -> str | None:
    """Enough of a number to recognise it, too little to ring it.

    >>> mask("+628121234567")
    '+628•••••••67'
    """
    if number is None:
        return None
    kept = 4 if len(number) > 8 else 0
    return number[:kept] + "•" * max(0, len(number) - kept - 2) + number[-2:] if len(number) > 4 else "•" * len(number)


def incident(row: IncidentRow, to: Rendering, *, own: bool = False) -> IncidentRow:
    """An incident as it is shown. ``own``: the person took its call, and may need the number for the wrap-up."""
    if to.sight is Sight.VEILED:
        return {
            **row,
            "caller_name": None,
            "caller_number": None,
            "callback": None,
            "notes": "",
            "address": "",
            "hazards": "",
            "outcome_note": None,
            "place": _roughly(row["place"]),
        }
    if to.sight is Sight.WHOLE or own or row["status"] in LIVE:
        return row
    return {
        **row,
        "caller_name": None,
        "caller_number": mask(row["caller_number"]),
        "callback": mask(row["callback"]),
    }


def call(row: CallRow, to: Rendering, *, own: bool = False) -> CallRow:
    """A call as it is shown."""
    if to.sight is Sight.WHOLE or own or row["status"] in RINGING:
        return row
    return {**row, "ani": mask(row["ani"])}


def report(row: ReportRow, to: Rendering) -> ReportRow:
    """A report as it is shown."""
    if to.sight in {Sight.WHOLE, Sight.WORKING}:
        return row
    nameless: ReportRow = {**row, "reporter_name": None, "reporter_number": None}
    if to.sight is Sight.QUEUE:
        return nameless
    rough = _roughly(row["place"])
    return {**nameless, "address": "", "description": "", "resolution": None, "reason": None, "place": rough}


def board(whole: Board, to: Rendering) -> Board:
    """The board as it is shown: a leader gets no calls and no crews, an officer only the queue."""
    incidents = [] if to.sight is Sight.QUEUE else [incident(row, to) for row in whole["incidents"]]
    reports = [report(row, to) for row in whole["reports"] if sees_report(row, to)]
    if to.sight in {Sight.VEILED, Sight.QUEUE}:
        return Board(incidents=incidents, missions=[], units=[], calls=[], seats=[], reports=reports)
    live = {row["id"] for row in whole["incidents"] if row["status"] in LIVE}
    calls = [call(row, to, own=row["incident"] in live) for row in whole["calls"]]
    return Board(
        incidents=incidents,
        missions=whole["missions"],
        units=whole["units"],
        calls=calls,
        seats=whole["seats"],
        reports=reports,
    )


def sees_report(row: ReportRow, to: Rendering) -> bool:
    """Whether this report exists for them at all."""
    return to.agency is None or row["agency"] == to.agency


def _roughly(place: PlaceRow | None) -> PlaceRow | None:
    """Within a kilometre: the neighbourhood, not the house."""
    if place is None:
        return None
    return {
        **place,
        "lat": round(place["lat"], 2),
        "lon": round(place["lon"], 2),
        "radius_m": max(1000.0, place["radius_m"] or 0),
        "confidence": None,
        "text": "",
    }


# Fields of events that say who called.
_NUMBERS: Final = frozenset({"caller_number", "callback", "reporter_number", "ani"})
_NAMES: Final = frozenset({"caller_name", "reporter_name"})


def data(of_event: Mapping[str, object], to: Rendering, *, is_open: bool) -> dict[str, object]:
    """An event's content as it is shown in a timeline."""
    if to.sight is Sight.VEILED:
        return {}
    if to.sight is Sight.QUEUE:
        return {name: value for name, value in of_event.items() if name not in _NUMBERS | _NAMES}
    if to.sight is Sight.WHOLE or is_open:
        return dict(of_event)
    return {name: _hidden(name, value, to) for name, value in of_event.items()}


def _hidden(name: str, value: object, to: Rendering) -> object:
    match value:
        case str() if name in _NUMBERS:
            return mask(value)
        case str() if name in _NAMES:
            return None
        case Mapping():
            return data(value, to, is_open=False)
        case _:
            return value
