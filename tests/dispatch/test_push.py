"""The push over real sockets: quick, without gaps, and nobody disturbs another."""

import asyncio

from dispatch.client import Device
from tests.dispatch.room import Air


async def test_an_offer_is_on_the_screen_within_a_second(air: Air) -> None:
    incident = await air.room.incident("medical", notes="jatuh di kamar mandi", caller_name="Siti")
    async with await air.device("amb-01") as amb:
        loop = asyncio.get_running_loop()
        pressed = loop.time()
        await air.room.send(incident, "AMB-01")
        offer = await amb.event("MissionOffered")
        assert loop.time() - pressed < 1.0
    view = offer["mission"]
    assert isinstance(view, dict)
    assert view["address"] == "Jl. Daan Mogot 12"
    assert view["callback"] == "081234567890"
    assert view["caller_name"] == "Siti"
    assert view["notes"] == "jatuh di kamar mandi"
    assert view["type_name"] == "Gawat darurat medis"
    assert isinstance(view["place"], dict)
    assert view["place"]["lat"] == -6.1701


async def test_a_crew_carries_a_mission_out_by_its_device_and_the_incident_closes(air: Air) -> None:
    incident = await air.room.incident()
    async with await air.device("amb-01") as amb:
        await air.room.send(incident, "AMB-01")
        await amb.event("MissionOffered")
        for verb in ("accept", "en_route", "on_scene", "transporting", "at_hospital"):
            assert (await amb.do(verb))["type"] == "ok"
        assert (await amb.do("cleared", outcome="treated_transported", note="RSUD"))["type"] == "ok"
    assert await air.room.missions(incident) == ["AMB-01 cleared"]
    assert await air.room.status(incident) == ("closed", "treated_transported")
