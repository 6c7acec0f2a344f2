"""The two lines a call leaves in the spool, whole, cut and spoilt."""

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agi.note import is_whole, read_ends, read_rings

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
RANG = "v=1 uniqueid=siaga-1795511538.0 at=1795511538.580 ani=081234567890 trunk=demo dialled=112 geo={} end=1"


def geo(text: str) -> str:
    return base64.b64encode(f":{text}".encode()).decode()


CIRCLE = 'GML||shape="Circle",crs="2d",pos="-6.17 106.63",radius="50"'


def test_a_line_says_who_called_when_and_from_where() -> None:
    rings = read_rings(RANG.format(geo(CIRCLE)), uniqueid="x", at=NOW)
    assert (rings.uniqueid, rings.ani, rings.trunk, rings.dialled) == (
        "siaga-1795511538.0",
        "081234567890",
        "demo",
        "112",
    )
    assert rings.at == datetime(2026, 11, 24, 9, 12, 18, 580000, tzinfo=UTC)
    assert rings.place is not None
    assert (rings.place.lat, rings.place.lon, rings.place.radius_m) == (-6.17, 106.63, 50)


def test_a_call_without_a_place_is_no_trouble() -> None:
    rings = read_rings(RANG.format(geo("")), uniqueid="x", at=NOW)
    assert (rings.place, rings.trouble) == (None, None)


def test_a_place_of_no_use_says_why_and_costs_nothing_else() -> None:
    rings = read_rings(RANG.format(geo('GML||shape="Circle",pos="-600 106"')), uniqueid="x", at=NOW)
    assert rings.place is None
    assert rings.trouble
    assert rings.ani == "081234567890"


def test_a_line_that_was_cut_still_says_that_somebody_called() -> None:
    line = RANG.format(geo(CIRCLE))
    for length in range(len(line)):
        rings = read_rings(line[:length], uniqueid="siaga-1795511538.0", at=NOW)
        assert rings.uniqueid.startswith("siaga-1795511538") or length < 40
        assert not is_whole(line[:length])
    assert is_whole(line)


def test_a_withheld_number_is_none() -> None:
    assert read_rings("ani= end=1", uniqueid="x", at=NOW).ani is None
    assert read_rings("ani=anonymous end=1", uniqueid="x", at=NOW).ani is None


def test_an_end_says_who_answered_and_why_it_ended() -> None:
    line = "v=1 uniqueid=a at=1795511541.305 answered=1795511538.788 seat=seat-01 cause=16 end=1"
    ends = read_ends(line, uniqueid="x", at=NOW)
    assert (ends.seat, ends.cause) == ("seat-01", "16")
    assert ends.answered_at is not None
    assert ends.answered_at < ends.at


def test_an_end_without_an_answer_was_given_up() -> None:
    ends = read_ends("v=1 uniqueid=a at=1795511541.305 answered= seat= cause=127 end=1", uniqueid="x", at=NOW)
    assert (ends.answered_at, ends.seat) == (None, None)


@given(st.text())
def test_no_line_whatever_it_says_is_refused(line: str) -> None:
    assert read_rings(line, uniqueid="x", at=NOW).at.tzinfo is UTC
    assert read_ends(line, uniqueid="x", at=NOW).at.tzinfo is UTC


def test_times_out_of_this_world_are_the_files_own_time() -> None:
    for epoch in ("nan", "inf", "-1e300", "1e300", "twelve", ""):
        assert read_rings(f"at={epoch} end=1", uniqueid="x", at=NOW).at == NOW
