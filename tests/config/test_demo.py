"""The demonstration's callers."""

import asyncio
import wave
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from config import demo
from config.citypack import read
from config.demo import STORIES, DemoError, callers, encode, place_calls, read_wave, warble
from config.pbx import Asterisk, cache_folder, provide
from config.settings import Settings, load
from tests.support.sip import Desk, free_port, loudness, needs_sipp


def test_the_same_fire_is_called_in_twice_so_that_a_duplicate_can_be_seen() -> None:
    placed = callers(read("tangerang").landmarks, 6)
    assert placed[0].place == placed[4].place
    assert len({caller.place.name for caller in placed}) == 5
    assert placed[0].place.name in placed[0].words


def test_every_scenario_is_sound_xml_and_brings_a_place_unless_its_network_knows_none() -> None:
    for caller in callers(read("tangerang").landmarks, len(STORIES)):
        scenario = caller.invite(patience_s=10, talk_s=10)
        ET.fromstring(scenario)
        assert ("application/pidf+xml" in scenario) is (caller.story.radius_m is not None)


def test_a_voice_is_brought_to_eight_kilohertz_and_stays_loud(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in [9000, -9000] * 11025))
    samples = read_wave(tmp_path / "voice.wav")
    assert abs(len(samples) - 8000) <= 1
    assert loudness(encode(list(warble(1.0)))) > 3000
    assert loudness(encode([0] * 160)) < 200


async def test_without_a_trunk_that_takes_calls_from_here_nothing_is_placed(tmp_path: Path) -> None:
    settings = load(state=tmp_path, trunks=[{"name": "telkom", "match": "192.0.2.1"}])
    with pytest.raises(DemoError, match=r"add 127\.0\.0\.1 to a trunk's match"):
        await place_calls(settings, calls=1, every_s=1, patience_s=1, talk_s=1)


async def test_without_a_running_system_nothing_is_placed(tmp_path: Path) -> None:
    settings = load(state=tmp_path, sip_port=free_port())
    with pytest.raises(DemoError, match="start the system first: make run"):
        await place_calls(settings, calls=1, every_s=1, patience_s=1, talk_s=1)


async def test_without_sipp_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DemoError, match="apt-get install sip-tester"):
        await demo._get_programs()


@needs_sipp
@pytest.mark.telephony
async def test_a_demonstration_call_rings_speaks_and_leaves_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config.launch import exchange

    monkeypatch.setattr(demo, "PACKAGES", {})  # the test's machine is not to be added to
    async with Desk(tmp_path) as desk:
        settings = room(tmp_path, desk)
        asterisk = Asterisk(exchange(settings), await provide(cache_folder(), print))
        await asterisk.start()
        try:
            call = asyncio.create_task(place_calls(settings, calls=1, every_s=1, patience_s=20, talk_s=3))
            await desk.invited()
            await call
        finally:
            await asterisk.stop()
    (ring,) = settings.spool.glob("*.ring")
    assert f"ani={STORIES[0].number} trunk=demo dialled=112 geo=" in ring.read_text()
    (end,) = settings.spool.glob("*.end")
    assert "seat=desk-01" in end.read_text()


def room(folder: Path, desk: Desk) -> Settings:
    names = ("http_port", "push_port", "sip_port", "sip_ws_port", "agi_port", "ami_port")
    return load(state=folder / "state", fallback_phones=[desk.uri], **{name: free_port() for name in names})
