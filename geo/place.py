"""A place: where something is, how sure we are of it, and who said so."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass
from math import isfinite
from typing import Final, Literal, get_args

Method = Literal["pidf-lo", "trunk", "pin", "gazetteer", "gps", "geocoder"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

HALF_THE_EARTH_M: Final = 20_037_508.0
LONGEST_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A point in WGS 84, the circle we believe it in, and the kelurahan and kecamatan (codes) it lies in.

    >>> Place(-6.1716, 106.6404, method="pin", text="Alun-alun").lat
    -6.1716
    """

    lat: float
    lon: float
    radius_m: float | None = None
    confidence: int | None = None
    _: KW_ONLY
    method: Method
    text: str = ""
    kelurahan: str | None = None
    kecamatan: str | None = None

    def __post_init__(self) -> None:
        _within("latitude", self.lat, -90, 90)
        _within("longitude", self.lon, -180, 180)
        if self.radius_m is not None:
            _within("radius in metres", self.radius_m, 0, HALF_THE_EARTH_M)
        if self.confidence is not None:
            _within("confidence in percent", self.confidence, 0, 100)
            if not isinstance(self.confidence, int):
                raise ValueError(f"the confidence in percent is a whole number, not {self.confidence!r}")
        if self.method not in METHODS:
            raise ValueError(f"a place comes from one of {', '.join(METHODS)}, not from {self.method!r}")
        if len(self.text) > LONGEST_TEXT:
            raise ValueError(f"the text of a place has at most {LONGEST_TEXT} characters, not {len(self.text)}")


def as_json(place: Place) -> dict[str, float | int | str | None]:
    """Wide enough for a jsonb column or a frame to a console."""
    return asdict(place)


def from_json(data: Mapping[str, object]) -> Place:
    """The same way back, as strict as the constructor: what is missing or of the wrong kind is named."""
    return Place(
        lat=_number(data, "lat"),
        lon=_number(data, "lon"),
        radius_m=None if data.get("radius_m") is None else _number(data, "radius_m"),
        confidence=_whole(data, "confidence"),
        method=_method(data.get("method")),
        text=_words(data, "text") or "",
        kelurahan=_words(data, "kelurahan"),
        kecamatan=_words(data, "kecamatan"),
    )


def _within(what: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"the {what} is a number we can draw on a map, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"the {what} lies between {low:g} and {high:g}, not at {value:g}")


def _number(data: Mapping[str, object], key: str) -> float:
    match data.get(key):
        case bool() | None:
            raise ValueError(f"a place needs {key} as a number")
        case int() | float() as number:
            return number
        case other:
            raise ValueError(f"{key} is a number, not {other!r}")


def _whole(data: Mapping[str, object], key: str) -> int | None:
    match data.get(key):
        case None:
            return None
        case int() as number if not isinstance(number, bool):
            return number
        case other:
            raise ValueError(f"{key} is a whole number, not {other!r}")


def _words(data: Mapping[str, object], key: str) -> str | None:
    match data.get(key):
        case None:
            return None
        case str() as words:
            return words
        case other:
            raise ValueError(f"{key} is text, not {other!r}")


def _method(value: object) -> Method:
    for method in METHODS:
        if value == method:
            return method
    raise ValueError(f"a place comes from one of {', '.join(METHODS)}, not from {value!r}")
