"""The location a network sends along with a call (PIDF-LO), read without ever trusting it.

RFC 4119 and 5491: a point or a circle in WGS 84, latitude first; RFC 7459: how sure the sender is of it.
The caller's network is a stranger: whatever it sends, the answer is a place or ``BadLocation``, never anything else,
because a garbled body must cost nothing but the location.
"""

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from geo.place import LONGEST_TEXT, Place

LARGEST_BYTES: Final = 64 * 1024
PIDF_TYPE: Final = "application/pidf+xml"

PRESENCE: Final = "{urn:ietf:params:xml:ns:pidf}presence"
GEOPRIV: Final = "{urn:ietf:params:xml:ns:pidf:geopriv10}"
CIVIC: Final = "{urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr}"
GML: Final = "{http://www.opengis.net/gml}"
SHAPES: Final = "{http://www.opengis.net/pidflo/1.0}"
CONFIDENCE: Final = "{urn:ietf:params:xml:ns:geopriv:conf}confidence"

POINT: Final = f"{GML}Point"
CIRCLE: Final = f"{SHAPES}Circle"

WGS84: Final = re.compile(r"(?i)(?:\S*[:/])?epsg\S*[:#](4326|4979)")
METRES: Final = frozenset({None, "urn:ogc:def:uom:EPSG::9001", "EPSG:9001", "m"})
DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
BOUNDARY: Final = re.compile(r"""(?i)boundary\s*=\s*(?:"([^"]{1,70})"|([^\s;"]{1,70}))""")
FIELD: Final = re.compile(r"""([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,"']*))""")

CIVIC_ORDER: Final = (
    "LMK",
    "NAM",
    "BLD",
    "UNIT",
    "FLR",
    "RD",
    "STS",
    "HNO",
    "HNS",
    "LOC",
    "A6",
    "A5",
    "A4",
    "A3",
    "PC",
)
"""Civic address elements in the order an Indonesian address is said, from the house outwards."""


class BadLocation(Exception):
    """The location cannot be used; the message says why. ``civic`` keeps an address sent without a point."""

    def __init__(self, why: str, *, civic: str = "") -> None:
        super().__init__(why)
        self.civic = civic


def read(body: bytes | str) -> Place:
    """The first point or circle of a PIDF-LO document."""
    geopriv = _geopriv(_document(body))
    civic = _civic(geopriv)
    shape = _shape(geopriv)
    if shape is None:
        raise BadLocation(_what_else(geopriv, civic), civic=civic)
    try:
        lat, lon = _position(shape)
        return Place(
            lat,
            lon,
            radius_m=_radius(shape),
            confidence=_confidence(geopriv),
            method="pidf-lo",
            text=_said(civic, _method(geopriv)),
        )
    except ValueError as trouble:
        raise BadLocation(str(trouble), civic=civic) from trouble


def read_body(content_type: str, body: bytes) -> Place:
    """The location of a SIP body: PIDF-LO alone, or one part of a multipart beside the SDP."""
    kind = content_type.split(";", 1)[0].strip().lower()
    if kind == PIDF_TYPE:
        return read(body)
    if not kind.startswith("multipart/"):
        raise BadLocation(f"a body of type {kind[:80] or 'nothing'} holds no location")
    if len(body) > LARGEST_BYTES:
        raise BadLocation(f"the body has {len(body)} bytes; at most {LARGEST_BYTES} are read")
    for part_type, part in _parts(content_type, body):
        if part_type == PIDF_TYPE:
            return read(part)
    raise BadLocation("none of the body's parts is a location")


def read_asterisk(location_info: str, *, method: str = "", confidence: str = "") -> Place:
    """The same from Asterisk's ``GEOLOC_PROFILE``: ``shape="Circle",crs="2d",pos="-6.2 106.6",radius="35"``."""
    if len(location_info) > LARGEST_BYTES:
        raise BadLocation(f"the location has {len(location_info)} characters; at most {LARGEST_BYTES} are read")
    fields, sure = _fields(location_info), _fields(confidence)
    shape = fields.get("shape", "")
    if shape not in {"Point", "Circle"}:
        raise BadLocation(f"the shape {shape[:40] or 'of nothing'} is not read; points and circles are")
    try:
        lat, lon = _pair(fields.get("pos", ""))
        return Place(
            lat,
            lon,
            radius_m=_metres(fields.get("radius", "")) if shape == "Circle" else None,
            confidence=_percent(sure.get("value", "")),
            method="pidf-lo",
            text=_said(method),
        )
    except ValueError as trouble:
        raise BadLocation(str(trouble)) from trouble


def _document(body: bytes | str) -> Element:
    try:
        data = body.encode() if isinstance(body, str) else body
        if len(data) > LARGEST_BYTES:
            raise BadLocation(f"the location has {len(data)} bytes; at most {LARGEST_BYTES} are read")
        root = fromstring(data, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    except (ParseError, ValueError, LookupError) as trouble:
        # defusedxml's refusals are ValueErrors; an unheard-of encoding is a LookupError
        raise BadLocation(f"the location is not XML we read: {trouble}") from trouble
    if root.tag != PRESENCE:
        raise BadLocation(f"the location is not a PIDF document but {root.tag[:120]}")
    return root


def _geopriv(root: Element) -> Element:
    """RFC 5491: with several locations the first that has a shape counts; it is the one the sender prefers."""
    found = list(root.iter(f"{GEOPRIV}geopriv"))
    if not found:
        raise BadLocation("the PIDF document says nothing about a location")
    return next((geopriv for geopriv in found if _shape(geopriv) is not None), found[0])


def _shape(geopriv: Element) -> Element | None:
    infos = geopriv.iter(f"{GEOPRIV}location-info")
    return next((element for info in infos for element in info.iter() if element.tag in {POINT, CIRCLE}), None)


def _what_else(geopriv: Element, civic: str) -> str:
    if civic:
        return "the location is an address without a point"
    first = next((element.tag for info in geopriv.iter(f"{GEOPRIV}location-info") for element in info), "")
    return f"the shape {first.rpartition('}')[2][:40] or 'of nothing'} is not read; points and circles are"


def _position(shape: Element) -> tuple[float, float]:
    srs = shape.get("srsName")
    if srs is not None and not WGS84.fullmatch(srs.strip()):
        raise ValueError(f"the location is not in WGS 84 but in {srs[:80]}")
    pos = shape.find(f"{GML}pos")
    if pos is None:
        raise ValueError("the shape has no position")
    return _pair(pos.text or "")


def _pair(text: str) -> tuple[float, float]:
    """Latitude and longitude; the height of a 3D position is left out."""
    numbers = [_decimal(word) for word in text.split()[:4]]
    if len(numbers) not in {2, 3}:
        raise ValueError(f"a position is latitude and longitude, perhaps height, not {text[:60].strip()!r}")
    return numbers[0], numbers[1]


def _radius(shape: Element) -> float | None:
    if shape.tag == POINT:
        return None
    radius = shape.find(f"{SHAPES}radius")
    if radius is None:
        raise ValueError("the circle has no radius")
    if radius.get("uom") not in METRES:
        raise ValueError(f"the radius is not in metres but in {str(radius.get('uom'))[:60]}")
    return _metres(radius.text or "")


def _metres(text: str) -> float:
    radius_m = _decimal(text.strip())
    if radius_m <= 0:
        raise ValueError(f"a circle's radius is more than zero metres, not {radius_m:g}")
    return radius_m


def _confidence(geopriv: Element) -> int | None:
    element = next(geopriv.iter(CONFIDENCE), None)
    return None if element is None else _percent(element.text or "")


def _percent(text: str) -> int | None:
    """What cannot be read is unknown: the point is worth having without it."""
    try:
        percent = round(_decimal(text.strip()))
    except (ValueError, OverflowError):
        return None
    return percent if 0 < percent <= 100 else None


def _decimal(word: str) -> float:
    # float() would also take "nan", "infinity", "1_0" and Arabic digits
    if len(word) > 40 or not DECIMAL.fullmatch(word):
        raise ValueError(f"{word[:40]!r} is not a number")
    return float(word)


def _method(geopriv: Element) -> str:
    return " ".join((geopriv.findtext(f"{GEOPRIV}method") or "").split())[:40]


def _civic(geopriv: Element) -> str:
    address = next(geopriv.iter(f"{CIVIC}civicAddress"), None)
    if address is None:
        return ""
    said = {element.tag.removeprefix(CIVIC): " ".join((element.text or "").split()) for element in address}
    return ", ".join(said[key] for key in CIVIC_ORDER if said.get(key))[:LONGEST_TEXT]


def _said(*words: str) -> str:
    return " · ".join(word for word in words if word)[:LONGEST_TEXT]


def _fields(text: str) -> dict[str, str]:
    return {name: double or single or bare.strip() for name, double, single, bare in FIELD.findall(text)}


def _parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    match = BOUNDARY.search(content_type)
    if match is None:
        raise BadLocation("the multipart body does not say where its parts end")
    boundary = b"--" + (match[1] or match[2]).encode("utf-8", "replace")
    for chunk in body.split(boundary)[1:]:
        head, gap, content = chunk.replace(b"\r\n", b"\n").lstrip(b" \t").removeprefix(b"\n").partition(b"\n\n")
        if gap:
            yield _type_of(head), content.strip()


def _type_of(head: bytes) -> str:
    for line in head.decode("ascii", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.split(";", 1)[0].strip().lower()
    return ""
