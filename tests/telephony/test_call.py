"""A call to 112 on real parts: SIPp, Asterisk, our daemon, PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.support import sip
from tests.support.pbx import Agi, ami, eventually, log_of
from tests.support.rooms import Room


async def test_a_call_is_a_call_and_an_incident_before_it_rings(room: Room, agi: Agi) -> None:
    async with room.call("081234567890", location=sip.circle(-6.17, 106.63, 50)) as caller:
        invitation = await room.desk.invited()
        [call], [incident] = await room.calls(), await room.incidents()
        await caller.answered()

    assert (invitation.header("X-Incident"), invitation.header("X-Call")) == (str(incident["id"]), str(call["id"]))
    assert "sip:081234567890@" in (invitation.header("From") or "")
    assert (call["ani"], call["trunk"], call["dialled"], call["spooled"]) == ("081234567890", "demo", "112", False)
    assert call["incident"] == incident["id"]
    assert abs(call["rang_at"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert (incident["status"], incident["caller_number"], incident["source"]) == ("open", "081234567890", "112")


async def test_both_hear_each_other(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
        assert await eventually(lambda: _true(caller.voice.heard > 50))
        assert caller.voice.sent > 50
        assert caller.voice.loudest > 1000  # the desk echoes the caller's own tone


async def _true(claim: bool) -> bool:
    return claim


async def test_the_life_of_a_call_is_in_the_record(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
        [call] = await room.becomes("talking")
        assert call["seat"] == "desk-01"
        assert call["answered_at"] >= call["rang_at"]
        await room.desk.do(sip.HOLD)
        await room.becomes("held")
        await room.desk.do(sip.RESUME)
        await room.becomes("talking")
        await caller.hang_up()
        [call] = await room.becomes("ended")
    assert call["cause"] == "16"
    assert call["ended_at"] > call["answered_at"]
    assert await room.spool_is_empty()


async def test_the_call_taker_can_hang_up(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
        await room.becomes("talking")
        await room.desk.do(sip.HANG_UP)
        await caller.is_hung_up_on()
        await room.becomes("ended")


async def test_a_caller_on_hold_hears_that_the_line_lives(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
        await room.desk.do(sip.HOLD)
        await room.becomes("held")
        heard = caller.voice.heard
        assert await eventually(lambda: _true(caller.voice.heard > heard + 25))


async def test_a_caller_who_gives_up_is_abandoned_and_not_forgotten(room: Room, agi: Agi) -> None:
    async with room.call("0811") as caller:
        await caller.rings()
        await caller.hang_up()
        [call] = await room.becomes("abandoned")
    [incident] = await room.incidents()
    assert (call["answered_at"], incident["status"]) == (None, "open")
    assert await room.spool_is_empty()


LOCATIONS = {
    "a point": (sip.point(-6.1716, 106.6404), None),
    "a circle": (sip.circle(-6.1716, 106.6404, 120), 120.0),
}


async def test_the_place_that_comes_with_the_call_is_the_incidents(room: Room, agi: Agi) -> None:
    for shape, (location, radius_m) in LOCATIONS.items():
        async with room.call(location=location) as caller:
            await caller.answered()
        place = (await room.incidents())[-1]["place"]
        assert (place["lat"], place["lon"], place["radius_m"]) == (-6.1716, 106.6404, radius_m), shape
        assert (place["method"], place["kecamatan"]) == ("pidf-lo", "36.71.01"), shape


USELESS = {
    "no location at all": None,
    "not XML": "this is not XML <",
    "cut off": sip.point(-6.1, 106.6)[:300],
    "entities": '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><p>&b;</p>',
    "a file of ours": '<?xml version="1.0"?><!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><p>&a;</p>',
    "not on earth": sip.point(-6000, 106.6),
    "not a number": sip.point(float("nan"), float("inf")),
    "a shape we do not read": sip.pidf("<gs:Ellipse/>"),
    "quotes and commas": sip.pidf('<gml:Point srsName="x"><gml:pos>1,2)" |;${SHELL(id)}</gml:pos></gml:Point>'),
}


async def test_a_useless_location_costs_nothing_but_the_location(room: Room, agi: Agi) -> None:
    for number, (what, body) in enumerate(USELESS.items()):
        async with room.call(f"0812{number}", location=body) as caller:
            assert await caller.answered() < 2, what
        incident = (await room.incidents())[-1]
        assert incident["place"]["method"] == "trunk", (what, log_of(room.exchange))
        assert incident["caller_number"] == f"0812{number}", what


async def test_ten_megabytes_of_location_disturb_nobody(room: Room, agi: Agi) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", room.exchange.sip_port)
    writer.write(
        b"INVITE sip:112@127.0.0.1 SIP/2.0\r\nContent-Type: application/pidf+xml\r\nContent-Length: 10000000\r\n\r\n"
    )
    try:
        async with asyncio.timeout(3):
            for _ in range(160):
                writer.write(b"x" * 65536)
                await writer.drain()
            await reader.read()
    except OSError:
        pass  # Asterisk has cut the line
    finally:
        writer.close()
    async with room.call() as caller:
        assert await caller.answered() < 2


NAMES = {
    "a quote": '"Pak \\"Budi\\""',
    "dialplan": '"${SHELL(touch /tmp/siaga-owned)}"',
    "AGI": '"x\\" SET VARIABLE INCIDENT 1"',
    "a comma and brackets": '"a,b)(|;=c"',
    "Javanese": '"ꦧꦸꦢꦶ"',
}


async def test_a_callers_name_is_only_a_name(room: Room, agi: Agi) -> None:
    for what, name in NAMES.items():
        async with room.call(name=name) as caller:
            assert await caller.answered() < 2, what
        incident = (await room.incidents())[-1]
        assert incident["caller_number"] == "081234567890", what
        assert room.desk.invitations[-1].header("X-Incident") == str(incident["id"]), what
    assert not Path("/tmp/siaga-owned").exists()


NUMBERS = {"anonymous": None, "+6281234": "+6281234", "0812;x=1": "0812", "sip.user_x": None}


async def test_the_callers_number_is_digits_or_unknown(room: Room, agi: Agi) -> None:
    for number, known in NUMBERS.items():
        async with room.call(number) as caller:
            await caller.answered()
        assert (await room.calls())[-1]["ani"] == known, number


async def test_whatever_was_dialled_a_call_on_the_emergency_line_is_taken(room: Room, agi: Agi) -> None:
    for dialled in ("112", "+62112", "021112", "911", "sos", "polisi"):
        async with room.call(dialled=dialled) as caller:
            await caller.answered()
        assert (await room.calls())[-1]["dialled"] == (dialled if dialled[-1].isdigit() else "112")


async def test_a_stranger_cannot_call(room: Room, agi: Agi) -> None:
    stranger = sip.Sipp(
        room.folder / "stranger", sip.caller_scenario(number="0811", dialled="112", media_port=9), host="127.0.0.2"
    )
    await stranger.start("-m", "1", "-s", "112", f"127.0.0.1:{room.exchange.sip_port}")
    try:
        await stranger.first(r"SIP/2.0 40[13]")
    finally:
        await stranger.kill()
    assert (await room.calls(), room.desk.invitations) == ([], [])


async def test_nobody_calls_in_as_a_desk_phone_or_a_seat(room: Room, agi: Agi) -> None:
    async with room.call("seat-01") as caller:
        await caller.sipp.first(r"SIP/2.0 [45]")
    async with room.call("desk-01") as caller:
        await caller.answered()
        # Known by the trunk's address, not by the name it gives itself: it reached 112 and nothing else.
    assert [row["trunk"] for row in await room.calls()] == ["demo"]


async def test_a_waiting_call_is_answered_when_a_phone_is_free_again(room: Room, agi: Agi) -> None:
    async with room.call("0811") as first:
        await first.answered()
        async with room.call("0812") as second:
            await second.rings()
            await first.hang_up()
            await second.answered()
    assert sorted(row["ani"] for row in await room.calls()) == ["0811", "0812"]


async def test_a_line_that_dies_with_asterisk_is_shown_as_lost(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
        await room.becomes("talking")
        process = room.asterisk.process
        assert process is not None
        process.kill()
        await process.wait()
        await room.asterisk.start()
        [call] = await room.becomes("ended", within_s=10)
    assert call["cause"] == "line lost"
    async with room.call("0899") as caller:
        await caller.answered(within_s=5)


async def test_what_was_answered_while_nobody_listened_is_found_in_the_list_of_channels(room: Room, agi: Agi) -> None:
    await agi.kill()
    async with room.call() as caller:
        await caller.answered()
        await agi.start()
        [call] = await room.becomes("talking")
        assert (call["seat"], call["spooled"]) == ("desk-01", True)


async def test_the_manager_account_cannot_run_commands(room: Room) -> None:
    refused = ("Action: Command\r\nCommand: core show version", "Action: UpdateConfig\r\nSrcFilename: extensions.conf")
    assert (await ami(room.exchange, *refused)).count("Permission denied") == 2
    # It may originate, so that a caller can be rung back; what would run a program is not there to be called.
    able = ("app_system", "func_shell", "app_exec", "app_externalivr", "res_agi")
    said = await ami(room.exchange, *(f"Action: ModuleCheck\r\nModule: {name}" for name in able))
    assert said.count("Module not loaded") == len(able) - 1
