"""Names a caller may say — areas and landmarks — found while they are typed, misspelt or old-fashioned."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from geo.address import fold, key
from geo.area import Area, Areas, Level, reach_m
from geo.distance import haversine_m
from geo.place import Place

LEAST_SCORE: Final = 0.34
LONGEST_QUERY: Final = 80
NEAR_COUNTS_M: Final = 10_000.0
"""Beyond this, being nearer makes no answer better."""

IS_LEVEL: Final[dict[str, Level]] = {
    fold("kelurahan"): "kelurahan",
    fold("kecamatan"): "kecamatan",
    fold("kota"): "kota",
}
LEVEL_FIRST: Final = {"kelurahan": 0.03, "kecamatan": 0.02, "kota": 0.01}
"""Between equals the smaller area is the better answer: it says more."""


@dataclass(frozen=True, slots=True)
class Name:
    """One thing that can be found. ``kelurahan`` and ``kecamatan`` are codes, ``label`` names both for a person."""

    name: str
    kind: str
    lat: float
    lon: float
    radius_m: float | None = None
    kelurahan: str | None = None
    kecamatan: str | None = None
    label: str = ""
    aliases: tuple[str, ...] = ()

    def place(self) -> Place:
        """As a suggestion for an incident."""
        return Place(
            self.lat,
            self.lon,
            radius_m=self.radius_m,
            method="gazetteer",
            text=self.label or self.name,
            kelurahan=self.kelurahan,
            kecamatan=self.kecamatan,
        )


@dataclass(frozen=True, slots=True)
class Hit:
    """A name and how well it fits what was typed (about 0 to 1)."""

    name: Name
    score: float


class Gazetteer:
    """All names in memory, searched by the three-letter pieces they share with what was typed."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._names: list[Name] = []
        self._spelt: list[tuple[int, str, frozenset[str]]] = []  # (index of the name, its key, its pieces)
        self._with_piece: dict[str, list[int]] = defaultdict(list)
        self._starting: dict[str, list[int]] = defaultdict(list)
        for name in names:
            self._names.append(name)
            for spelling in (name.name, *name.aliases):
                self._add(len(self._names) - 1, key(spelling))

    @classmethod
    def of(cls, areas: Areas, landmarks: Iterable[Name] = ()) -> "Gazetteer":
        """The city's own areas and its landmarks, each labelled with kelurahan and kecamatan."""
        own = (area for area in areas if area.level != "neighbour")
        return cls([*(_of_area(area, areas) for area in own), *(_labelled(name, areas) for name in landmarks)])

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[Name]:
        return iter(self._names)

    def search(self, typed: str, *, limit: int = 8, near: tuple[float, float] | None = None) -> list[Hit]:
        """The best names for what was typed so far, best first. Words may be unfinished, swapped or misspelt."""
        level, words = _asked_for(key(typed[:LONGEST_QUERY]).split())
        if not words:
            return []
        best: dict[int, float] = {}
        for spelt in self._candidates(words):
            index, name_key, pieces = self._spelt[spelt]
            score = _score(words, name_key, pieces)
            if score >= LEAST_SCORE:
                best[index] = max(score, best.get(index, 0.0))
        hits = [Hit(self._names[index], self._weighed(index, score, level, near)) for index, score in best.items()]
        hits.sort(key=lambda hit: (-hit.score, hit.name.name, hit.name.label))
        return hits[:limit]

    def _add(self, index: int, name_key: str) -> None:
        spelt = len(self._spelt)
        pieces = frozenset(piece for word in name_key.split() for piece in _pieces(word))
        self._spelt.append((index, name_key, pieces))
        for piece in pieces:
            self._with_piece[piece].append(spelt)
        for word in set(name_key.split()):
            for length in (1, 2):
                self._starting[word[:length]].append(spelt)

    def _candidates(self, words: list[str]) -> set[int]:
        """Whatever shares a piece with a word, or starts like it while the word is still short."""
        found: set[int] = set()
        for word in words:
            if len(word) < 3:
                found.update(self._starting.get(word, ()))
            else:
                for piece in _pieces(word):
                    found.update(self._with_piece.get(piece, ()))
        return found

    def _weighed(self, index: int, score: float, level: Level | None, near: tuple[float, float] | None) -> float:
        name = self._names[index]
        if level is not None:
            score += 0.2 if name.kind == level else -0.2
        score += LEVEL_FIRST.get(name.kind, 0.0)
        if near is not None:
            away_m = haversine_m(near[0], near[1], name.lat, name.lon)
            score += 0.05 * (1 - min(away_m, NEAR_COUNTS_M) / NEAR_COUNTS_M)
        return round(score, 4)


def _of_area(area: Area, areas: Areas) -> Name:
    kecamatan = areas.kecamatan_of(area.code)
    label = {
        "kelurahan": f"Kel. {area.name}, Kec. {area.district}",
        "kecamatan": f"Kec. {area.name} (seluruh kecamatan)",
    }.get(area.level, area.name)
    return Name(
        area.name,
        area.level,
        area.lat,
        area.lon,
        round(reach_m(area)),
        area.code if area.level == "kelurahan" else None,
        kecamatan.code if kecamatan else None,
        label,
    )


def _labelled(name: Name, areas: Areas) -> Name:
    kelurahan = areas.get(name.kelurahan) or areas.at(name.lat, name.lon).kelurahan
    if kelurahan is None:
        return replace(name, label=f"{name.name} ({areas.at(name.lat, name.lon).label})")
    return replace(
        name,
        kelurahan=kelurahan.code,
        kecamatan=kelurahan.parent,
        label=f"{name.name}, Kel. {kelurahan.name}, Kec. {kelurahan.district}",
    )


def _asked_for(words: list[str]) -> tuple[Level | None, list[str]]:
    """The level in what was typed: "kec cibodas" asks for a kecamatan called Cibodas."""
    levels = [IS_LEVEL[word] for word in words if word in IS_LEVEL]
    rest = [word for word in words if word not in IS_LEVEL]
    return (levels[0], rest) if levels and rest else (None, words)


@lru_cache(maxsize=20_000)
def _pieces(word: str) -> frozenset[str]:
    """Three letters at a time, the beginning marked; the end is not, because it may still be typed."""
    padded = f"  {word}"
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def _score(words: list[str], name_key: str, pieces: frozenset[str]) -> float:
    """How much of what was typed is in the name (most of the weight), and how little else the name is."""
    name_words = name_key.split()
    share = sum(_likeness(word, name_words, pieces) for word in words) / len(words)
    typed = "".join(words)
    fits = min(1.0, len(typed) / max(1, len(name_key)))
    begins = 0.1 if name_key.startswith(" ".join(words)) else 0.0
    return 0.75 * share + 0.15 * fits + begins


def _likeness(word: str, name_words: list[str], pieces: frozenset[str]) -> float:
    if any(name_word.startswith(word) for name_word in name_words):
        return 1.0
    if len(word) < 3:
        return 0.0
    mine = _pieces(word)
    return 0.9 * len(mine & pieces) / len(mine)
