"""What Asterisk's manager says, in the trade's words. A table of events; no IO."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from agi.note import moment

AmiEvent: TypeAlias = Mapping[str, str]

MEMBER: Final = re.compile(r"PJSIP/((?:seat|desk)-[0-9]+)(?:-[0-9a-f]+)?")


@dataclass(frozen=True, slots=True)
class Answered:
    """A seat picked up."""

    uniqueid: str
    seat: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """The seat put the caller on hold."""

    uniqueid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Resumed:
    """The seat took the caller off hold."""

    uniqueid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """The caller's line is closed; Asterisk has written down how it ended."""

    uniqueid: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Census:
    """Every call that Asterisk has, asked at ``at``; what rang before and is not among them has lost its line."""

    calls: frozenset[str]
    at: datetime


Heard: TypeAlias = Answered | Held | Resumed | Gone


def seat_of(channel: str) -> str | None:
    """The seat a channel or interface belongs to: ``PJSIP/seat-01-0000002a`` is seat-01's."""
    found = MEMBER.fullmatch(channel)
    return found[1] if found else None


def _answered(event: AmiEvent, at: datetime) -> Heard | None:
    seat = seat_of(event.get("Interface", "")) or seat_of(event.get("DestChannel", ""))
    return Answered(event["Uniqueid"], seat, at) if seat else None


def _held(event: AmiEvent, at: datetime) -> Heard | None:
    return Held(event["Linkedid"], at) if seat_of(event.get("Channel", "")) else None


def _resumed(event: AmiEvent, at: datetime) -> Heard | None:
    return Resumed(event["Linkedid"], at) if seat_of(event.get("Channel", "")) else None


def _gone(event: AmiEvent, at: datetime) -> Heard | None:
    return Gone(event["Uniqueid"], at) if _is_caller(event) else None


MEANING: Final[Mapping[str, Callable[[AmiEvent, datetime], Heard | None]]] = {
    "AgentConnect": _answered,
    "Hold": _held,
    "Unhold": _resumed,
    "Hangup": _gone,
}


def hear(event: AmiEvent, *, now: datetime) -> Heard | None:
    """What an event means to the record; None for what it need not know."""
    meaning = MEANING.get(event.get("Event", ""))
    if meaning is None:
        return None
    try:
        return meaning(event, moment(event.get("Timestamp")) or now)
    except KeyError:
        # An event without the headers it is known by tells us nothing.
        return None


def conversations(channels: Iterable[AmiEvent], *, now: datetime) -> list[Answered]:
    """Who talks to whom, out of a full list of channels: what was answered while we were not listening."""
    listed = list(channels)
    bridged = {c["BridgeId"]: c["Uniqueid"] for c in listed if _is_caller(c) and c.get("BridgeId")}
    found: list[Answered] = []
    for channel in listed:
        seat = seat_of(channel.get("Channel", ""))
        caller = bridged.get(channel.get("BridgeId", ""))
        if seat is not None and caller is not None:
            found.append(Answered(caller, seat, now))
    return found


def census(channels: Iterable[AmiEvent], *, now: datetime) -> Census:
    """The calls that Asterisk has now."""
    return Census(frozenset(channel["Uniqueid"] for channel in channels if _is_caller(channel)), now)


def _is_caller(channel: AmiEvent) -> bool:
    return channel.get("Channel", "").startswith("PJSIP/trunk-") and "Uniqueid" in channel
