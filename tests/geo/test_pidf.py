"""Whatever a network sends as a caller's location, the answer is a place or a plain refusal."""

import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.pidf import LARGEST_BYTES, BadLocation, read, read_asterisk, read_body
from geo.place import Place

NAMESPACES = (
    'xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" '
    'xmlns:gml="http://www.opengis.net/gml" xmlns:gs="http://www.opengis.net/pidflo/1.0" '
    'xmlns:con="urn:ietf:params:xml:ns:geopriv:conf" xmlns:cl="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr" '
    'xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
)
POINT_2D = '<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>-6.18002 106.688067</gml:pos></gml:Point>'
CIRCLE = (
    '<gs:Circle srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>-6.18002 106.688067</gml:pos>'
    '<gs:radius uom="urn:ogc:def:uom:EPSG::9001">35</gs:radius></gs:Circle>'
)
CIVIC = (
    "<cl:civicAddress><cl:country>ID</cl:country><cl:A3>Kota Tangerang</cl:A3><cl:A4>Cipondoh</cl:A4>"
    "<cl:RD>Jalan  KH Hasyim Ashari</cl:RD><cl:HNO>12</cl:HNO><cl:LMK>Seberang masjid</cl:LMK></cl:civicAddress>"
)


def pidf(
    info: str, *, method: str = "<gp:method>GPS</gp:method>", prolog: str = "", namespaces: str = NAMESPACES
) -> str:
    return (
        f'{prolog}<presence {namespaces} entity="pres:caller@example.org"><dm:device id="d"><gp:geopriv>'
        f"<gp:location-info>{info}</gp:location-info><gp:usage-rules/>{method}</gp:geopriv></dm:device></presence>"
    )


def test_a_point_is_read_latitude_first() -> None:
    assert read(pidf(POINT_2D)) == Place(-6.18002, 106.688067, method="pidf-lo", text="GPS")


def test_a_circle_comes_with_its_radius_in_metres() -> None:
    assert read(pidf(CIRCLE)) == Place(-6.18002, 106.688067, 35.0, method="pidf-lo", text="GPS")


@pytest.mark.parametrize("shape", [POINT_2D, CIRCLE])
def test_the_height_of_a_3d_position_is_left_out(shape: str) -> None:
    high = shape.replace("EPSG::4326", "EPSG::4979").replace("106.688067", "106.688067 14.5")
    assert read(pidf(high)) == read(pidf(shape))


@pytest.mark.parametrize(
    ("said", "percent"),
    [("95", 95), ("67.4", 67), ("100", 100), ("unknown", None), ("", None), ("0", None), ("101", None), ("nan", None)],
)
def test_confidence_is_a_percentage_or_unknown(said: str, percent: int | None) -> None:
    body = pidf(f'{CIRCLE}<con:confidence pdf="normal">{said}</con:confidence>')
    assert read(body).confidence == percent


def test_a_civic_address_beside_the_point_is_kept_in_the_order_it_is_said() -> None:
    place = read(pidf(CIVIC + POINT_2D))
    assert place.text == "Seberang masjid, Jalan KH Hasyim Ashari, 12, Cipondoh, Kota Tangerang · GPS"


def test_a_civic_address_alone_is_no_point_but_is_not_lost() -> None:
    with pytest.raises(BadLocation, match="an address without a point") as caught:
        read(pidf(CIVIC))
    assert caught.value.civic == "Seberang masjid, Jalan KH Hasyim Ashari, 12, Cipondoh, Kota Tangerang"


def test_the_first_location_with_a_shape_counts() -> None:
    second = POINT_2D.replace("-6.18002", "-6.2")
    body = pidf(CIVIC).replace(
        "</gp:geopriv>",
        f"</gp:geopriv><gp:geopriv><gp:location-info>{second}</gp:location-info>"
        f"<gp:method>Cell</gp:method></gp:geopriv>",
    )
    assert read(body) == Place(-6.2, 106.688067, method="pidf-lo", text="Cell")


def test_the_old_tuple_form_of_rfc_4119_is_read_too() -> None:
    body = pidf(f"<gml:location>{POINT_2D}</gml:location>").replace("dm:device", "tuple")
    assert read(body.encode()).lat == -6.18002


@pytest.mark.parametrize(
    "srs",
    [
        "urn:ogc:def:crs:EPSG::4326",
        "EPSG:4326",
        "urn:ogc:def:crs:EPSG:6.6:4326",
        "http://www.opengis.net/gml/srs/epsg.xml#4326",
    ],
)
def test_wgs84_has_several_names(srs: str) -> None:
    assert read(pidf(POINT_2D.replace("urn:ogc:def:crs:EPSG::4326", srs))).lon == 106.688067


LAUGHS = (
    '<!DOCTYPE p [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9))
    + "]>"
)
MALFORMED = {
    "nothing": ("", "not XML"),
    "words": ("somewhere near the mosque", "not XML"),
    "half": (pidf(CIRCLE)[:300], "not XML"),
    "nul": ("\0\0\0", "not XML"),
    "another document": ("<html/>", "not a PIDF document but html"),
    "no namespace": (pidf(CIRCLE).replace('xmlns="urn:ietf:params:xml:ns:pidf" ', ""), "not a PIDF document"),
    "wrong gml": (pidf(CIRCLE).replace("opengis.net/gml", "opengis.net/gml/3.2"), "no position"),
    "wrong geopriv": (pidf(CIRCLE).replace('pidf:geopriv10"', 'pidf:geopriv99"'), "nothing about a location"),
    "dtd": (pidf(CIRCLE, prolog='<!DOCTYPE presence SYSTEM "file:///etc/passwd">'), "not XML"),
    "external entity": (pidf("&x;", prolog='<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "not XML"),
    "billion laughs": (pidf("&j;", prolog=LAUGHS), "not XML"),
    "undefined entity": (pidf("&nowhere;"), "not XML"),
    "encoding": (pidf(CIRCLE, prolog='<?xml version="1.0" encoding="klingon"?>'), "not XML"),
    "multibyte encoding": (pidf(CIRCLE, prolog='<?xml version="1.0" encoding="utf-7"?>'), "not XML"),
    "surrogate": (pidf(CIVIC.replace("masjid", "\ud800")), "not XML"),
    "nan": (pidf(POINT_2D.replace("-6.18002", "NaN")), "'NaN' is not a number"),
    "inf": (pidf(POINT_2D.replace("-6.18002", "inf")), "'inf' is not a number"),
    "overflow": (pidf(POINT_2D.replace("-6.18002", "1e999")), "latitude is a number we can draw"),
    "arabic digits": (pidf(POINT_2D.replace("-6.18002", "٦")), "is not a number"),
    "underscore": (pidf(POINT_2D.replace("-6.18002", "1_0")), "is not a number"),
    "swapped": (pidf(POINT_2D.replace("-6.18002 106.688067", "106.688067 -6.18002")), "latitude lies between"),
    "one number": (pidf(POINT_2D.replace("-6.18002 ", "")), "latitude and longitude"),
    "four numbers": (pidf(POINT_2D.replace("106.688067", "1 2 3")), "latitude and longitude"),
    "no numbers": (pidf(POINT_2D.replace("-6.18002 106.688067", "")), "latitude and longitude"),
    "many numbers": (pidf(POINT_2D.replace("106.688067", "1 " * 9000)), "latitude and longitude"),
    "no pos": (pidf("<gml:Point/>"), "the shape has no position"),
    "no radius": (pidf(CIRCLE.replace("gs:radius", "gs:diameter")), "the circle has no radius"),
    "feet": (pidf(CIRCLE.replace("9001", "9002")), "not in metres but in urn:ogc:def:uom:EPSG::9002"),
    "negative radius": (pidf(CIRCLE.replace(">35<", ">-35<")), "more than zero metres, not -35"),
    "zero radius": (pidf(CIRCLE.replace(">35<", ">0<")), "more than zero metres"),
    "nan radius": (pidf(CIRCLE.replace(">35<", ">NaN<")), "'NaN' is not a number"),
    "radius beyond the earth": (pidf(CIRCLE.replace(">35<", ">1e12<")), "radius in metres lies between"),
    "other grid": (pidf(CIRCLE.replace("::4326", "::3857")), "not in WGS 84 but in"),
    "ellipse": (pidf("<gs:Ellipse/>"), "the shape Ellipse is not read"),
    "no shape": (pidf(""), "the shape of nothing is not read"),
    "no info": (pidf("").replace("gp:location-info", "gp:other"), "the shape of nothing is not read"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_bad_location_is_refused_in_words(name: str) -> None:
    body, said = MALFORMED[name]
    with pytest.raises(BadLocation, match=said):
        read(body)


def test_ten_megabytes_are_refused_without_being_read() -> None:
    body = pidf(POINT_2D + "<gp:x>" + "a" * 10_000_000 + "</gp:x>").encode()
    start = time.perf_counter()
    with pytest.raises(BadLocation, match=f"at most {LARGEST_BYTES} are read"):
        read(body)
    with pytest.raises(BadLocation, match=f"at most {LARGEST_BYTES} are read"):
        read_body("multipart/mixed; boundary=x", body)
    with pytest.raises(BadLocation, match=f"at most {LARGEST_BYTES} are read"):
        read_asterisk("x" * 10_000_000)
    assert time.perf_counter() - start < 0.5


def test_a_deep_document_is_read_in_a_moment() -> None:
    start = time.perf_counter()
    with pytest.raises(BadLocation):
        read(pidf("<a>" * 9000 + "</a>" * 9000))
    assert read(pidf("<a>" * 4000 + "</a>" * 4000 + POINT_2D)).lat == -6.18002
    assert time.perf_counter() - start < 1


@settings(max_examples=300)
@given(st.one_of(st.text(), st.binary()))
def test_any_bytes_are_a_place_or_a_bad_location(body: str | bytes) -> None:
    with pytest.raises(BadLocation):
        read(body)


@settings(max_examples=300)
@given(st.data())
def test_a_document_damaged_anywhere_is_a_place_or_a_bad_location(data: st.DataObject) -> None:
    body = bytearray(pidf(CIVIC + CIRCLE).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=4))
    with suppress(BadLocation):
        assert isinstance(read(bytes(body)), Place)


@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(0.1, 1e6))
def test_every_point_and_radius_comes_through_exactly(lat: float, lon: float, radius_m: float) -> None:
    body = pidf(CIRCLE.replace("-6.18002 106.688067", f"{lat!r} {lon!r}").replace(">35<", f">{radius_m!r}<"))
    place = read(body)
    assert (place.lat, place.lon, place.radius_m) == (lat, lon, radius_m)


SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n"


def multipart(*parts: tuple[str, bytes], boundary: str = "b1", newline: bytes = b"\r\n") -> bytes:
    out = b""
    for kind, content in parts:
        head = f"Content-Type: {kind}".encode() + newline + b"Content-ID: <caller@example.org>" + newline * 2
        out += b"--" + boundary.encode() + newline + head + content + newline
    return out + b"--" + boundary.encode() + b"--" + newline


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("content_type", ["multipart/mixed; boundary=b1", 'Multipart/Mixed;boundary="b1";x=y'])
def test_the_location_is_found_beside_the_sdp(content_type: str, newline: bytes) -> None:
    body = multipart(
        ("application/sdp", SDP), ("application/PIDF+xml; charset=utf-8", pidf(CIRCLE).encode()), newline=newline
    )
    assert read_body(content_type, body).radius_m == 35


def test_a_location_alone_needs_no_parts() -> None:
    assert read_body("application/pidf+xml;charset=UTF-8", pidf(CIRCLE).encode()).radius_m == 35


@pytest.mark.parametrize(
    ("content_type", "body", "said"),
    [
        ("application/sdp", SDP, "a body of type application/sdp holds no location"),
        ("", b"", "a body of type nothing holds no location"),
        ("multipart/mixed", multipart(("application/sdp", SDP)), "does not say where its parts end"),
        ("multipart/mixed; boundary=b1", multipart(("application/sdp", SDP)), "none of the body's parts"),
        ("multipart/mixed; boundary=zz", multipart(("application/pidf+xml", b"x")), "none of the body's parts"),
        ("multipart/mixed; boundary=b1", b"--b1\r\nnonsense", "none of the body's parts"),
        ("multipart/mixed; boundary=b1", b"--b1\r\nX: y\r\n\r\nz", "none of the body's parts"),
        ("multipart/mixed; boundary=b1", multipart(("application/pidf+xml", b"<")), "not XML"),
    ],
)
def test_a_body_without_a_location_says_so(content_type: str, body: bytes, said: str) -> None:
    with pytest.raises(BadLocation, match=said):
        read_body(content_type, body)


@given(st.text(max_size=60), st.binary(max_size=300))
def test_any_sip_body_is_a_place_or_a_bad_location(content_type: str, body: bytes) -> None:
    for kind in (content_type, "multipart/mixed; boundary=" + content_type):
        with pytest.raises(BadLocation):
            read_body(kind, body)


def test_asterisk_says_it_in_its_own_words() -> None:
    said = 'shape="Circle",crs="2d",pos="-6.18002 106.688067",radius="35"'
    assert read_asterisk(said, method="GPS", confidence='pdf="normal",value="95"') == Place(
        -6.18002, 106.688067, 35.0, 95, method="pidf-lo", text="GPS"
    )
    assert read_asterisk("shape=Point, crs=3d, pos=-6.2 106.6 12").radius_m is None


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ("", "the shape of nothing is not read"),
        ("shape=Ellipse,pos=1 2", "the shape Ellipse is not read"),
        ("shape=Point", "a position is latitude and longitude"),
        ("shape=Circle,pos=1 2", "is not a number"),
        ("shape=Circle,pos=1 2,radius=-5", "more than zero metres"),
        ("shape=Point,pos=nan nan", "'nan' is not a number"),
        ("shape=Point,pos=200 1", "latitude lies between"),
    ],
)
def test_what_asterisk_could_not_make_sense_of_is_refused(info: str, said: str) -> None:
    with pytest.raises(BadLocation, match=said):
        read_asterisk(info)


@given(st.text(max_size=200), st.text(max_size=30))
def test_any_variable_of_asterisk_is_a_place_or_a_bad_location(info: str, other: str) -> None:
    with pytest.raises(BadLocation):
        read_asterisk(info, method=other, confidence=other)
    assert read_asterisk("shape=Point,pos=1 2", method=other, confidence=other).lat == 1
