"""Is this the same incident, told a second time? Points for each sign; a person decides.

Thirty calls about one fire come from thirty numbers, a few hundred metres around it, within minutes, in different
words.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final
from uuid import UUID

from geo.distance import haversine_m

# Within this time, and this far, two incidents can be one.
WINDOW_S: Final = 2 * 3600
FAR_M: Final = 1500.0
# Fewer points than this are not worth a look.
LEAST_SCORE: Final = 0.45
MOST: Final = 8

# Words that every caller says.
_EMPTY: Final = frozenset(
    [
        "ada",
        "di",
        "ke",
        "yang",
        "dan",
        "dari",
        "jalan",
        "jln",
        "jl",
        "no",
        "rt",
        "rw",
        "gang",
        "gg",
        "kel",
        "kec",
        "dekat",
        "depan",
        "tolong",
        "pak",
        "bu",
    ]
)
_WORD: Final = re.compile(r"[a-z0-9]{3,}")


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is compared of an incident."""

    id: UUID
    opened_at: datetime
    numbers: frozenset[str] = frozenset()
    type: str | None = None
    group: str | None = None
    lat: float | None = None
    lon: float | None = None
    radius_m: float = 0.0
    words: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resemblance:
    """How alike two incidents are, and why."""

    of: UUID
    score: float
    distance_m: int | None
    minutes: int
    reasons: tuple[str, ...]


def words_of(*texts: str) -> frozenset[str]:
    """The words that tell one place or event from another."""
    found = chain.from_iterable(_WORD.findall(text.lower()) for text in texts)
    return frozenset(found) - _EMPTY


def alike(one: Sketch, other: Sketch) -> Resemblance | None:
    """Whether the other may be the same; None when it can hardly be."""
    apart_s = abs((one.opened_at - other.opened_at).total_seconds())
    if one.id == other.id or apart_s > WINDOW_S:
        return None
    distance_m = _distance_m(one, other)
    same_number = bool(one.numbers & other.numbers)
    if distance_m is not None and distance_m > FAR_M and not same_number:
        return None
    points = {
        "same_number": 0.5 if same_number else 0.0,
        "near": 0.0 if distance_m is None else 0.4 * max(0.0, 1 - distance_m / FAR_M),
        "same_type": _of_type(one, other),
        "same_words": 0.25 * _shared(one.words, other.words),
        "recent": 0.15 * (1 - apart_s / WINDOW_S),
    }
    # Two types that have nothing in common at one place are two incidents: a theft beside a fire.
    if one.group and other.group and one.group != other.group and not same_number:
        points["near"] /= 2
    score = min(1.0, round(sum(points.values()), 3))
    if score < LEAST_SCORE:
        return None
    reasons = tuple(sorted((name for name, value in points.items() if value > 0.05), key=lambda name: -points[name]))
    shown = None if distance_m is None else round(distance_m)
    return Resemblance(other.id, score, shown, round(apart_s / 60), reasons)


def likeliest(one: Sketch, others: list[Sketch]) -> list[Resemblance]:
    """The few that a person should look at, the most alike first."""
    found = [likeness for other in others if (likeness := alike(one, other))]
    return sorted(found, key=lambda likeness: (-likeness.score, likeness.minutes))[:MOST]


def _distance_m(one: Sketch, other: Sketch) -> float | None:
    """Between the circles, not the points. A trunk's circle of ten kilometres says nothing: it counts as no place."""
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return None
    if max(one.radius_m, other.radius_m) > 2 * FAR_M:
        return None
    return max(0.0, haversine_m(one.lat, one.lon, other.lat, other.lon) - one.radius_m - other.radius_m)


def _of_type(one: Sketch, other: Sketch) -> float:
    if one.type is not None and one.type == other.type:
        return 0.2
    return 0.1 if one.group is not None and one.group == other.group else 0.0


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0
