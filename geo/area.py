"""The city's areas: which kelurahan and kecamatan a point lies in, and who is the neighbour beyond the edge."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import cos, hypot, inf, radians
from pathlib import Path
from typing import Final, Literal, get_args

from geo.distance import EARTH_M
from geo.place import Place

Level = Literal["kota", "kecamatan", "kelurahan", "neighbour"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)

NEAR_EDGE_M: Final = 50.0
"""The boundaries are not survey-grade: this close to an edge, both sides are shown."""

METRES_A_DEGREE: Final = EARTH_M * radians(1)

Edge = tuple[float, float, float, float]
"""Two ends as lon, lat, lon, lat with the southern end first, so that both neighbours of an edge compute alike."""


class BadAreas(ValueError):
    """The boundary files cannot be used; the message names the file and the feature."""


@dataclass(frozen=True, slots=True)
class Area:
    """One kota, kecamatan or kelurahan, or a neighbour's kelurahan or desa."""

    code: str
    level: Level
    name: str
    parent: str | None
    lat: float
    lon: float
    city: str
    district: str = ""
    postal_code: str = ""
    edges: tuple[Edge, ...] = field(default=(), repr=False, compare=False)
    west: float = field(default=inf, repr=False, compare=False)
    south: float = field(default=inf, repr=False, compare=False)
    east: float = field(default=-inf, repr=False, compare=False)
    north: float = field(default=-inf, repr=False, compare=False)

    def holds(self, lat: float, lon: float) -> bool:
        """Even-odd rule over all rings, so holes and several parts need no case of their own."""
        if not (self.west <= lon <= self.east and self.south <= lat <= self.north):
            return False
        inside = False
        for x1, y1, x2, y2 in self.edges:
            if y1 <= lat < y2 and lon < x1 + (lat - y1) * (x2 - x1) / (y2 - y1):
                inside = not inside
        return inside

    def is_within(self, metres: float, lat: float, lon: float) -> bool:
        """Whether the point is inside, or closer than this to the edge."""
        up = metres / METRES_A_DEGREE
        squeeze = max(cos(radians(lat)), 1e-6)
        along = up / squeeze
        if not (self.west - along <= lon <= self.east + along and self.south - up <= lat <= self.north + up):
            return False
        if self.holds(lat, lon):
            return True
        return any(
            _miss(lon, lat, edge, squeeze) <= up
            for edge in self.edges
            if edge[1] - up <= lat <= edge[3] + up and _spans(edge[0], edge[2], lon, along)
        )


@dataclass(frozen=True, slots=True)
class Where:
    """What lies at a point: at most one kelurahan or neighbour, and what else it may be so close to an edge."""

    kelurahan: Area | None = None
    kecamatan: Area | None = None
    neighbour: Area | None = None
    near: tuple[Area, ...] = ()

    @property
    def in_city(self) -> bool:
        return self.kelurahan is not None

    @property
    def label(self) -> str:
        """For a person: both levels always, because names recur at both."""
        names = [f"Kel. {self.kelurahan.name}, Kec. {self.kelurahan.district}"] if self.kelurahan else []
        if self.neighbour:
            names.append(f"{self.neighbour.name}, {self.neighbour.district}, {self.neighbour.city}")
        if not names:
            names.append("di luar peta")
        names += [f"{area.name} ({area.district})" for area in self.near]
        return " / ".join(names)


class Areas:
    """All areas of a city pack, found by code or by point."""

    def __init__(self, areas: Iterable[Area]) -> None:
        self._by_code: dict[str, Area] = {}
        for area in areas:
            if area.code in self._by_code:
                raise BadAreas(f"the area code {area.code} is there twice; each code belongs to one area")
            self._by_code[area.code] = area
        self._found_by_point = [area for area in self if area.level in {"kelurahan", "neighbour"}]
        for area in self:
            if area.level == "kelurahan" and area.parent not in self._by_code:
                raise BadAreas(f"kelurahan {area.code} {area.name} belongs to {area.parent}, which is in no file")

    @classmethod
    def load(cls, folder: Path) -> "Areas":
        """Read kota, kecamatan, kelurahan and neighbours (which may be absent) from a folder of GeoJSON files."""
        names = [name for name in ("kota", "kecamatan", "kelurahan") if _is_there(folder / f"{name}.geojson")]
        if (folder / "neighbours.geojson").exists():
            names.append("neighbours")
        return cls(area for name in names for area in read(folder / f"{name}.geojson"))

    def __iter__(self) -> Iterator[Area]:
        return iter(self._by_code.values())

    def __len__(self) -> int:
        return len(self._by_code)

    def get(self, code: str | None) -> Area | None:
        return None if code is None else self._by_code.get(code)

    def of_level(self, level: Level) -> list[Area]:
        return [area for area in self if area.level == level]

    def kecamatan_of(self, code: str | None) -> Area | None:
        """The kecamatan a kelurahan belongs to; a kecamatan belongs to itself."""
        area = self.get(code)
        if area is None or area.level == "kecamatan":
            return area
        return self.get(area.parent) if area.level == "kelurahan" else None

    def at(self, lat: float, lon: float) -> Where:
        """Everything a call-taker wants to know about a point. A point out of the city names the neighbour."""
        close = [area for area in self._found_by_point if area.is_within(NEAR_EDGE_M, lat, lon)]
        inside = [area for area in close if area.holds(lat, lon)]
        kelurahan = next((area for area in inside if area.level == "kelurahan"), None)
        # Neighbours are drawn coarser and may overlap our edge a little; our own polygon is the one that counts.
        neighbour = None if kelurahan else next((area for area in inside if area.level == "neighbour"), None)
        return Where(
            kelurahan=kelurahan,
            kecamatan=self.get(kelurahan.parent) if kelurahan else None,
            neighbour=neighbour,
            near=tuple(area for area in close if area is not kelurahan and area is not neighbour),
        )

    def settle(self, place: Place) -> Place:
        """The place with the kelurahan and kecamatan our own boundaries say, whatever it said before."""
        where = self.at(place.lat, place.lon)
        return replace(
            place,
            kelurahan=where.kelurahan.code if where.kelurahan else None,
            kecamatan=where.kecamatan.code if where.kecamatan else None,
        )

    def middle_of(self, code: str, *, method: Literal["trunk", "gazetteer", "pin"], text: str = "") -> Place:
        """A place standing for a whole area: its inner point, with a circle that holds all of it."""
        area = self._by_code[code]
        kecamatan = self.kecamatan_of(code)
        return Place(
            area.lat,
            area.lon,
            radius_m=round(reach_m(area)),
            method=method,
            text=text or area.name,
            kelurahan=code if area.level == "kelurahan" else None,
            kecamatan=kecamatan.code if kecamatan else None,
        )


def reach_m(area: Area) -> float:
    """From the area's inner point to its farthest corner."""
    squeeze = cos(radians(area.lat))
    corners = ((x, y) for x1, y1, x2, y2 in area.edges for x, y in ((x1, y1), (x2, y2)))
    return max(
        (hypot((x - area.lon) * squeeze, y - area.lat) * METRES_A_DEGREE for x, y in corners),
        default=0.0,
    )


def read(path: Path) -> list[Area]:
    """The areas of one GeoJSON file."""
    try:
        data: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as trouble:
        raise BadAreas(f"{path} cannot be read as JSON: {trouble}") from trouble
    try:
        return list(from_geojson(data))
    except BadAreas as trouble:
        raise BadAreas(f"{path}: {trouble}") from trouble


def from_geojson(data: object) -> Iterator[Area]:
    """Areas from a parsed FeatureCollection of polygons, each with code, name, level, lon and lat."""
    features = data.get("features") if isinstance(data, Mapping) else None
    if not isinstance(features, list):
        raise BadAreas("this is not a GeoJSON FeatureCollection; export the layer as GeoJSON (WGS 84)")
    for number, feature in enumerate(features, start=1):
        try:
            yield _area(feature)
        except (KeyError, TypeError, ValueError, IndexError) as trouble:
            raise BadAreas(f"feature {number}: {type(trouble).__name__}: {trouble}") from trouble


def _area(feature: Mapping[str, Mapping[str, object]]) -> Area:
    about, geometry = feature["properties"], feature["geometry"]
    level = next((level for level in LEVELS if level == about["level"]), None)
    if level is None:
        raise ValueError(f"level {about['level']!r} is not one of {', '.join(LEVELS)}")
    edges = tuple(_edges(geometry))
    if not edges:
        raise ValueError("the polygon has no edges")
    place = Place(_degrees(about["lat"]), _degrees(about["lon"]), method="gazetteer")
    return Area(
        code=_words(about["code"]),
        level=level,
        name=_words(about["name"]),
        parent=_parent(level, about),
        lat=place.lat,
        lon=place.lon,
        city=_words(about.get("city", about["name"])),
        district=_words(about.get("district", about["name"] if level == "kecamatan" else "")),
        postal_code=_words(about.get("postal_code", "")),
        edges=edges,
        west=min(min(edge[0], edge[2]) for edge in edges),
        south=min(edge[1] for edge in edges),
        east=max(max(edge[0], edge[2]) for edge in edges),
        north=max(edge[3] for edge in edges),
    )


def _parent(level: Level, about: Mapping[str, object]) -> str | None:
    match level:
        case "kota":
            return None
        case "kecamatan":
            return _words(about["city_code"])
        case "kelurahan" | "neighbour":
            return _words(about["district_code"])


def _edges(geometry: Mapping[str, object]) -> Iterator[Edge]:
    parts = _parts(geometry)
    for ring in (ring for part in parts for ring in part):
        for (x1, y1, *_), (x2, y2, *_) in pairwise(ring):
            for lon, lat in ((x1, y1), (x2, y2)):
                if not (-180 <= lon <= 180 and -90 <= lat <= 90):
                    raise ValueError(f"({lon}, {lat}) is not a longitude and a latitude")
            yield (x1, y1, x2, y2) if (y1, x1) <= (y2, x2) else (x2, y2, x1, y1)


def _parts(geometry: Mapping[str, object]) -> Sequence[Sequence[Sequence[Sequence[float]]]]:
    coordinates = geometry["coordinates"]
    if not isinstance(coordinates, list):
        raise TypeError("the coordinates are a list of rings")
    match geometry["type"]:
        case "Polygon":
            return [coordinates]
        case "MultiPolygon":
            return coordinates
        case other:
            raise ValueError(f"an area is a Polygon or a MultiPolygon, not a {other}")


def _degrees(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number of degrees")
    return value


def _words(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _is_there(path: Path) -> bool:
    if not path.exists():
        raise BadAreas(f"{path} is missing; a city pack has kota, kecamatan and kelurahan boundaries")
    return True


def _spans(x1: float, x2: float, lon: float, slack: float) -> bool:
    return min(x1, x2) - slack <= lon <= max(x1, x2) + slack


def _miss(lon: float, lat: float, edge: Edge, squeeze: float) -> float:
    """How far (in degrees of latitude) the point is from the edge; flat earth is exact enough over 50 m."""
    x1, y1 = (edge[0] - lon) * squeeze, edge[1] - lat
    dx, dy = (edge[2] - edge[0]) * squeeze, edge[3] - edge[1]
    length = dx * dx + dy * dy
    t = 0.0 if length == 0 else min(1.0, max(0.0, -(x1 * dx + y1 * dy) / length))
    return hypot(x1 + t * dx, y1 + t * dy)
