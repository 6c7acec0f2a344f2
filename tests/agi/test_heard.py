"""What Asterisk's manager says of calls; tables pasted from a real one (22.10)."""

from datetime import UTC, datetime

import pytest

from agi.heard import Answered, Census, Gone, Heard, Held, Resumed, census, conversations, hear, seat_of

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
AT = datetime.fromtimestamp(1795512155.5, UTC)


def event(text: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, value in (line.split(":", 1) for line in text.strip().splitlines())}


CONNECT = """
    Event: AgentConnect
    Timestamp: 1795512155.5
    Channel: PJSIP/trunk-demo-00000000
    Uniqueid: siaga-1795512155.0
    Linkedid: siaga-1795512155.0
    DestChannel: PJSIP/seat-01-00000001
    DestUniqueid: siaga-1795512155.5
    Queue: 112
    Interface: PJSIP/seat-01
    RingTime: 0
    HoldTime: 0
"""
HOLD = """
    Event: Hold
    Timestamp: 1795512155.5
    Channel: PJSIP/seat-01-00000001
    Uniqueid: siaga-1795512155.5
    Linkedid: siaga-1795512155.0
"""
HANGUP = """
    Event: Hangup
    Timestamp: 1795512155.5
    Channel: PJSIP/trunk-demo-00000000
    Uniqueid: siaga-1795512155.0
    Linkedid: siaga-1795512155.0
    Cause: 16
"""


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        (CONNECT, Answered("siaga-1795512155.0", "seat-01", AT)),
        (HOLD, Held("siaga-1795512155.0", AT)),
        (HOLD.replace("Event: Hold", "Event: Unhold"), Resumed("siaga-1795512155.0", AT)),
        (HANGUP, Gone("siaga-1795512155.0", AT)),
        (HANGUP.replace("trunk-demo", "seat-01"), None),
        (HOLD.replace("seat-01", "trunk-demo"), None),
        (CONNECT.replace("Uniqueid", "Nonsense"), None),
        ("Event: RTCPSent\nSSRC: 1", None),
        ("Response: Success", None),
    ],
)
def test_an_event_means_one_thing(text: str, meaning: Heard | None) -> None:
    assert hear(event(text), now=NOW) == meaning


def test_an_event_without_a_time_happened_now() -> None:
    assert hear(event(HOLD.replace("Timestamp: 1795512155.5", "X: y")), now=NOW) == Held("siaga-1795512155.0", NOW)


def channel(name: str, uniqueid: str, bridge: str, linked: str | None = None) -> dict[str, str]:
    return {"Channel": name, "Uniqueid": uniqueid, "Linkedid": linked or uniqueid, "BridgeId": bridge}


CHANNELS = [
    channel("PJSIP/trunk-demo-00000000", "siaga-1", "b1"),
    channel("PJSIP/seat-02-00000001", "siaga-3", "b1", "siaga-1"),
    channel("PJSIP/trunk-demo-00000002", "siaga-4", ""),
    channel("PJSIP/seat-01-00000003", "siaga-6", "", "siaga-4"),
    channel("Local/s@siaga-beside-00000000;2", "siaga-5", ""),
]


def test_a_list_of_channels_tells_who_talks_to_whom() -> None:
    assert conversations(CHANNELS, now=NOW) == [Answered("siaga-1", "seat-02", NOW)]


def test_a_list_of_channels_is_a_census_of_callers() -> None:
    assert census(CHANNELS, now=NOW) == Census(frozenset({"siaga-1", "siaga-4"}), NOW)


def test_a_channel_belongs_to_a_seat_or_to_nobody() -> None:
    assert seat_of("PJSIP/seat-01-0000002a") == "seat-01"
    assert seat_of("PJSIP/seat-01") == "seat-01"
    assert seat_of("PJSIP/desk-12-0000002a") == "desk-12"
    assert seat_of("PJSIP/trunk-demo-00000000") is None
    assert seat_of("") is None
