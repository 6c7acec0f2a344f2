"""Names a caller may say — areas and landmarks — found while they are typed, misspelt or old-fashioned."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nlargest
from typing import Final

from geo.address import fold, key
from geo.area import Area, Areas, Level, reach_m
from geo.distance import haversine_m
from geo.place import Place

LEAST_SCORE: Final = 0.34
LEAST_SHARED: Final = 0.4
"""A word that shares fewer of the pieces than this is another word."""

LONGEST_QUERY: Final = 80
NEAR_COUNTS_M: Final = 10_000.0
"""Beyond this, being nearer makes no answer better."""

IS_LEVEL: Final[dict[str, Level]] = {
    fold("kelurahan"): "kelurahan",
    fold("kecamatan"): "kecamatan",
    fold("kota"): "kota",
}
SAYS_NOTHING: Final = frozenset(
    fold(word)
    for word in (
        *("jalan", "gang", "no", "rt", "rw", "blok", "nomor", "raya"),
        *("di", "ke", "dari", "dekat", "depan", "sebelah", "belakang", "seberang", "samping", "sekitar", "daerah"),
    )
)
"""Words of an address that no name is found by, unless they are all there is."""

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
    """All names in memory. What is typed is compared with the words names are made of, and those lead to the names."""

    def __init__(self, names: Iterable[Name]) -> None:
        self._names: list[Name] = []
        self._spelt: list[tuple[int, str]] = []  # each spelling: the name it is of, and its key
        self._said: dict[str, list[int]] = defaultdict(list)  # word → spellings with it
        self._words_with: dict[str, list[str]] = defaultdict(list)  # three letters → words with them
        self._words_from: dict[str, list[str]] = defaultdict(list)  # one or two first letters → words
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
        words = [word for word in words if word not in SAYS_NOTHING] or words
        best: dict[int, float] = {}
        for spelt, score in self._scores(words):
            index = self._spelt[spelt][0]
            if score > best.get(index, LEAST_SCORE):
                best[index] = score
        # Weighing costs more than scoring and moves nobody far, so only the best are weighed.
        leading = nlargest(max(limit, 1) * 8, best.items(), key=lambda item: self._levelled(item[0], item[1], level))
        hits = [Hit(self._names[index], self._weighed(index, score, level, near)) for index, score in leading]
        hits.sort(key=lambda hit: (-hit.score, hit.name.name, hit.name.label))
        return hits[:limit]

    def _add(self, index: int, name_key: str) -> None:
        spelt = len(self._spelt)
        self._spelt.append((index, name_key))
        words = name_key.split()
        # "Batu Ceper" is also "Batuceper": the name without its gaps is one more word of it
        for word in dict.fromkeys([*words, "".join(words)]):
            if word not in self._said:
                for piece in _pieces(word):
                    self._words_with[piece].append(word)
                for length in range(1, 1 + min(2, len(word))):
                    self._words_from[word[:length]].append(word)
            self._said[word].append(spelt)

    def _scores(self, words: list[str]) -> list[tuple[int, float]]:
        """How much of what was typed is in the name (most of the weight), and how little else the name is."""
        typed = " ".join(words)
        per_letter = 0.15 * len(typed)
        keys = self._spelt
        return [
            (
                spelt,
                0.75 * share
                + min(0.15, per_letter / len(keys[spelt][1]))
                + (0.1 if keys[spelt][1].startswith(typed) else 0.0),
            )
            for spelt, share in self._shares(words).items()
        ]

    def _shares(self, words: list[str]) -> dict[int, float]:
        """For each spelling that has something of what was typed, how much of it: 0 to 1."""
        total: dict[int, float] = {}
        named: set[int] = set()
        for word in words:
            for spelt, likeness in self._likenesses(word).items():
                total[spelt] = total.get(spelt, 0.0) + likeness / len(words)
            if len(word) >= 4:
                named.update(self._said.get(word, ()))
        for spelt in named:  # one word of a long sentence that is a whole word of a name is worth showing
            total[spelt] = max(total[spelt], 0.5 + 0.2 * total[spelt])
        if len(words) > 1:
            for spelt, likeness in self._likenesses("".join(words)).items():
                if likeness == 1.0:
                    total[spelt] = 1.0
        return total

    def _likenesses(self, word: str) -> dict[int, float]:
        """Spellings with a word like this one, each with the likeness of its best word."""
        found: dict[int, float] = {}
        for other, likeness in sorted(self._alike(word).items(), key=lambda item: item[1]):
            found.update(dict.fromkeys(self._said[other], likeness))
        return found

    def _alike(self, word: str) -> dict[str, float]:
        """Words like this one: those it begins, and those it shares enough three-letter pieces with."""
        if len(word) < 3:
            return dict.fromkeys(self._words_from.get(word, ()), 1.0)
        pieces = _pieces(word)
        shared = Counter(other for piece in pieces for other in self._words_with.get(piece, ()))
        return {
            other: 1.0 if other.startswith(word) else 0.9 * count / len(pieces)
            for other, count in shared.items()
            if count >= LEAST_SHARED * len(pieces)
        }

    def _levelled(self, index: int, score: float, level: Level | None) -> float:
        kind = self._names[index].kind
        return score + LEVEL_FIRST.get(kind, 0.0) + (0.0 if level is None else 0.2 if kind == level else -0.2)

    def _weighed(self, index: int, score: float, level: Level | None, near: tuple[float, float] | None) -> float:
        score = self._levelled(index, score, level)
        if near is not None:
            name = self._names[index]
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
