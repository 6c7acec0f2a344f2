"""A call to 112, as questions to Asterisk and one thing to write down. No IO: the test of it is a list of strings."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from agi.note import Rings, read_rings
from callcenter.call import Rang, Taken
from geo.place import Place


class HungUp(Exception):
    """The caller hung up in the middle of the dialogue."""


@dataclass(frozen=True, slots=True)
class Get:
    """Ask Asterisk for a variable of the call; the answer is its text, or None."""

    name: str


@dataclass(frozen=True, slots=True)
class Set:
    """Give the call a variable."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Record:
    """Write the call down; the answer is what it became, or None when that could not be done in time."""

    rang: Rang


@dataclass(frozen=True, slots=True)
class Missed:
    """The caller is gone already; write the call down when there is time."""

    rang: Rang


Step: TypeAlias = Get | Set | Record | Missed
Dialogue: TypeAlias = Generator[Step, "str | Taken | None", None]
PlaceOf: TypeAlias = Callable[[Rings], Place | None]


def take(env: Mapping[str, str], *, now: datetime, place_of: PlaceOf) -> Dialogue:
    """One call. ``place_of`` knows the map, and the area that a trunk serves."""
    bare = from_environment(env, now=now)
    try:
        line = yield Get("RING")
    except HungUp:
        yield Missed(rang(bare, place_of))
        return
    rings = read_rings(line, uniqueid=bare.uniqueid, at=now) if isinstance(line, str) else bare
    taken = yield Record(rang(rings, place_of))
    if isinstance(taken, Taken):
        yield Set("INCIDENT", str(taken.incident))
        yield Set("CALL", str(taken.call))


def from_environment(env: Mapping[str, str], *, now: datetime) -> Rings:
    """What Asterisk says of a call without being asked. It asks from beside the call, whose id is the argument."""
    caller, dialled = env.get("agi_callerid", ""), env.get("agi_dnid", "")
    line = f"ani={_word(caller)} dialled={_word(dialled)} end=1"
    uniqueid = env.get("agi_arg_1") or env.get("agi_uniqueid") or f"unknown-{now.timestamp():.6f}"
    return read_rings(line, uniqueid=uniqueid, at=now)


def rang(rings: Rings, place_of: PlaceOf, *, spooled: bool = False) -> Rang:
    """What the record keeps of it."""
    return Rang(
        uniqueid=rings.uniqueid,
        ani=rings.ani,
        trunk=rings.trunk,
        dialled=rings.dialled,
        at=rings.at,
        place=place_of(rings),
        spooled=spooled,
    )


def _word(text: str) -> str:
    """Nothing of a stranger's may become a second word of the line."""
    return "".join(text.split())
