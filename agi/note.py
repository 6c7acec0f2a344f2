"""The lines Asterisk writes of each call before anybody else hears of it: that it rang, and that it ended.

Of a caller who is rung back there is a third: what came of it.

The same line goes into the spool and is what the FastAGI dialogue asks for, so there is one reader. It never refuses:
a line that is cut or spoilt still says that somebody rang 112.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from geo.pidf import BadLocation, read_asterisk
from geo.place import Place

NUMBER: Final = re.compile(r"[0-9+*#]{1,64}")
SEAT: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
BACK: Final = re.compile(r"back-([0-9a-f-]{36})-([0-9]{1,9})")
WHOLE: Final = "1"  # the value of `end`, the last word of a line that was written to its end


@dataclass(frozen=True, slots=True)
class Rings:
    """A call has come in. ``trouble`` says why the place it brought could not be used."""

    uniqueid: str
    at: datetime
    ani: str | None
    trunk: str
    dialled: str
    place: Place | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Ends:
    """A call is over; ``seat`` says who answered it, if anybody did."""

    uniqueid: str
    at: datetime
    answered_at: datetime | None
    seat: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class Back:
    """What came of ringing a caller back. ``dial`` is Asterisk's word for it; ``wish`` says which wish it was."""

    call: UUID
    wish: int
    at: datetime
    dial: str


def is_whole(line: str) -> bool:
    """Whether Asterisk wrote the line to its end."""
    return _words(line).get("end") == WHOLE


def read_rings(line: str, *, uniqueid: str, at: datetime) -> Rings:
    """What a line says of a call that came in; ``uniqueid`` and ``at`` stand in for what it does not say."""
    words = _words(line)
    place, trouble = _place(words.get("geo", ""))
    return Rings(
        uniqueid=words.get("uniqueid") or uniqueid,
        at=_moment(words.get("at")) or at,
        ani=_matching(NUMBER, words.get("ani")),
        trunk=_matching(SEAT, words.get("trunk")) or "unknown",
        dialled=_matching(NUMBER, words.get("dialled")) or "112",
        place=place,
        trouble=trouble,
    )


def read_ends(line: str, *, uniqueid: str, at: datetime) -> Ends:
    """What a line says of a call that is over."""
    words = _words(line)
    return Ends(
        uniqueid=words.get("uniqueid") or uniqueid,
        at=_moment(words.get("at")) or at,
        answered_at=_moment(words.get("answered")),
        seat=_matching(SEAT, words.get("seat")),
        cause=_matching(NUMBER, words.get("cause")) or "0",
    )


def read_back(line: str, *, name: str, at: datetime) -> Back | None:
    """What a line says of a call back; None when its file has a name that we never gave."""
    named = BACK.fullmatch(name)
    if named is None:
        return None
    words = _words(line)
    try:
        call = UUID(named[1])
    except ValueError:
        return None
    return Back(call, int(named[2]), _moment(words.get("at")) or at, words.get("dial", ""))


def moment(epoch: str | None) -> datetime | None:
    """Seconds since 1970, as Asterisk writes them, in UTC."""
    return _moment(epoch)


def _words(line: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def _matching(pattern: re.Pattern[str], value: str | None) -> str | None:
    return value if value and pattern.fullmatch(value) else None


def _moment(epoch: str | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(epoch or ""), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _place(encoded: str) -> tuple[Place | None, str | None]:
    """``format|confidence|location`` in base64, behind a colon that keeps an empty one from being nothing at all."""
    try:
        said = base64.b64decode(encoded, validate=True).decode("utf-8", "replace").removeprefix(":")
    except (binascii.Error, ValueError):
        return None, "the place was cut off"
    kind, confidence, location = [*said.split("|", 2), "", "", ""][:3]
    if not kind and not location:
        return None, None
    try:
        return read_asterisk(location, confidence=confidence), None
    except BadLocation as refusal:
        return None, str(refusal)
