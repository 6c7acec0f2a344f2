"""The push over real sockets: quick, without gaps, and nobody disturbs another."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from callcenter import desk
from callcenter.ids import MissionId
from dispatch import sending, views
from dispatch.client import Device, Frame, device
from dispatch.push import Push
from dispatch.sending import Verb, unit_id_of
from tests.dispatch.room import Air, Room, closed_by, eventually, reading, routing
from tests.support.builders import NOON, described


def mission_of(frame: Frame) -> dict[str, Any]:  # a test reads what it expects to be there
    found = frame["mission"]
    assert isinstance(found, dict)
    return found


async def quiet(one: Device) -> list[str]:
    """What a device was told and has not looked at, up to an answer to something said now."""
    await one.do("on_duty")
    told = [str(event["event"]) for event in one.events]
    one.events.clear()
    return told


async def test_an_offer_is_on_the_screen_within_a_second_with_all_that_is_needed_to_go(air: Air) -> None:
    incident = await air.room.incident("medical", notes="jatuh di kamar mandi", caller_name="Siti")
    async with await air.device("amb-01") as amb:
        loop = asyncio.get_running_loop()
        pressed = loop.time()
        await air.room.send(incident, "AMB-01", "AMB-02")
        offer = await amb.event("MissionOffered")
        assert loop.time() - pressed < 1.0
    view = mission_of(offer)
    assert view["address"] == "Jl. Daan Mogot 12"
    assert view["callback"] == "081234567890"
    assert view["caller_name"] == "Siti"
    assert view["notes"] == "jatuh di kamar mandi"
    assert view["type_name"] == "Gawat darurat medis"
    assert view["place"]["lat"] == -6.1701
    assert view["other_units"] == [{"call_sign": "AMB-02", "kind": "ambulance", "status": "offered"}]


async def test_a_crew_carries_a_mission_out_by_its_device_and_the_incident_closes(air: Air) -> None:
    incident = await air.room.incident()
    async with await air.device("amb-01") as amb:
        await air.room.send(incident, "AMB-01")
        await amb.event("MissionOffered")
        for verb in ("accept", "en_route", "on_scene", "transporting", "at_hospital"):
            assert (await amb.do(verb))["type"] == "ok"
        assert (await amb.do("cleared", outcome="treated_transported", note="RSUD"))["type"] == "ok"
        cleared = mission_of(await amb.event("MissionCleared"))
    assert await air.room.missions(incident) == ["AMB-01 cleared"]
    assert await air.room.status(incident) == ("closed", "treated_transported")
    # A crew that is done has no more business with who called.
    assert (cleared["callback"], cleared["caller_name"], cleared["notes"]) == (None, None, "")


async def test_a_unit_hears_of_its_own_missions_only(air: Air) -> None:
    async with await air.device("amb-01") as amb, await air.device("amb-02") as other:
        await air.room.send(await air.room.incident(), "AMB-01")
        assert await quiet(amb) == ["MissionOffered"] or (await amb.event("MissionOffered"))
        assert await quiet(other) == []


async def test_after_45_seconds_without_network_nothing_is_missing_and_nothing_comes_twice(air: Air) -> None:
    incident = await air.room.incident()
    (mission,) = await air.room.send(incident, "AMB-01")
    async with await air.device("amb-01") as amb:
        assert str(mission) in json.dumps(amb.welcome["missions"])
        await amb.do("accept", mission=str(mission))
        await amb.event("MissionAccepted")
        cursor, seen = amb.cursor, set(amb.seen)
    # While the network is away the world goes on; wall-clock time plays no part in what is missed.
    await described(air.room.ledger, incident, notes="pintu pagar hijau")
    await air.room.send(incident, "AMB-02")
    async with air.room.ledger.book(by="budi") as book:
        await sending.withdraw(book, mission, reason="AMB-02 lebih dekat", now=NOON)
    other = await air.room.incident()
    await air.room.send(other, "AMB-01")
    async with await air.device("amb-01", cursor=cursor) as amb:
        assert (await amb.event())["event"] == "MissionWithdrawn"
        assert (await amb.event())["event"] == "MissionOffered"
        assert not amb.seen & seen
        assert await quiet(amb) == []
        # And from here on live.
        assert (await amb.do("accept"))["type"] == "ok"
        await amb.event("MissionAccepted")


async def test_a_device_that_keeps_coming_back_gets_each_event_once_and_in_order(air: Air) -> None:
    """Events go on while devices come and go: the moment of coming in is where a gap would be."""
    incident = await air.room.incident()
    await air.room.send(incident, "AMB-01")
    told: list[int] = []
    done = asyncio.Event()

    async def change() -> None:
        for n in range(150):
            await described(air.room.ledger, incident, notes=f"catatan {n}")
            await asyncio.sleep(0.002)
        done.set()

    async def come_and_go() -> None:
        cursor: str | None = None
        for stay in range(1, 1000):
            was_over = done.is_set()
            async with await air.device("amb-01", cursor=cursor, acks=False) as amb:
                if cursor is None:
                    cursor = amb.cursor
                    continue
                if was_over:
                    while len(await quiet(amb)):
                        pass
                for _ in range(stay % 4):
                    if was_over:
                        break
                    # Events may be over, and the next beat is far.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.2):
                            await amb.read()
                told.extend(sorted(amb.seen))
                cursor = amb.cursor
            if was_over:
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(come_and_go())
        tasks.create_task(change())
    written = await air.room.pool.fetch(
        """SELECT seq FROM log WHERE type = 'IncidentDescribed' AND incident = $1
           AND data -> 'changes' ->> 'notes' LIKE 'catatan%'""",
        incident,
    )
    assert len(told) == len(set(told))
    assert told == sorted(told)
    missing = {row["seq"] for row in written} - set(told)
    # Those before the first welcome were in its snapshot.
    assert all(seq < min(told) for seq in missing), sorted(missing)
    assert len(missing) < 20


@pytest.mark.parametrize("held_up", ["missed", "missions_of"])
async def test_what_happens_in_the_moment_of_coming_in_is_told_once(
    air: Air, held_up: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await air.device("amb-01") as amb:
        (mission,) = await air.room.send(await air.room.incident(), "AMB-01")
        cursor = (await amb.event("MissionOffered"))["cursor"]
        assert isinstance(cursor, str)
    at_the_door, go_on = asyncio.Event(), asyncio.Event()
    real = getattr(views, held_up)

    async def slow(*args: object, **kwargs: object) -> object:
        at_the_door.set()
        await go_on.wait()
        return await real(*args, **kwargs)

    async def meanwhile() -> None:
        await at_the_door.wait()
        async with events_are_routed(air, 2):
            await air.room.tell(mission, "accept", "en_route")
        go_on.set()

    monkeypatch.setattr(views, held_up, slow)
    changing = asyncio.create_task(meanwhile())
    async with await air.device("amb-01", cursor=cursor) as amb:
        await changing
        assert await quiet(amb) == ["MissionAccepted", "UnitEnRoute"]
        assert amb.repeats == 0


@asynccontextmanager
async def events_are_routed(air: Air, count: int) -> AsyncIterator[None]:
    """Wait at the end of the block until as many events as this have been routed since its beginning."""

    def routed() -> float:
        return air.push.figures.registry.get_sample_value("siaga_push_delay_seconds_count") or 0

    before = routed()
    yield

    async def enough() -> bool:
        return routed() >= before + count

    await eventually(enough)


async def test_what_changes_at_the_incident_reaches_those_who_are_on_their_way(air: Air) -> None:
    incident = await air.room.incident()
    async with await air.device("amb-01") as amb, await air.device("pmk-01") as pmk:
        await air.room.send(incident, "AMB-01")
        await amb.event("MissionOffered")
        await described(air.room.ledger, incident, hazards="anjing galak")
        assert mission_of(await amb.event("IncidentChanged"))["hazards"] == "anjing galak"
        await air.room.send(incident, "PMK-01")
        assert [one["call_sign"] for one in mission_of(await amb.event("OthersChanged"))["other_units"]] == ["PMK-01"]
        assert (await pmk.event())["event"] == "MissionOffered"


async def test_the_offer_comes_before_what_was_written_with_it(air: Air) -> None:
    incident = await air.room.incident()
    async with await air.device("amb-01") as amb:
        async with air.room.ledger.book(by="sari") as book:
            changes: dict[str, str | int | None] = {"notes": "sesak napas"}
            await sending.send(book, incident, [unit_id_of("AMB-01")], changes=changes, now=NOON)
        assert (await amb.event())["event"] == "MissionOffered"
        assert await quiet(amb) == []


async def test_the_same_word_with_the_same_key_is_said_once(air: Air) -> None:
    incident = await air.room.incident()
    (mission,) = await air.room.send(incident, "AMB-01")
    async with await air.device("amb-01") as amb:
        first = await amb.do("accept", key="k1", mission=str(mission))
        again = await amb.do("accept", key="k1", mission=str(mission))
        other = await amb.do("decline", key="k1", mission=str(mission), reason="ban kempes")
    assert first == again == {"type": "ok", "re": "k1", "mission": str(mission)}
    assert (other["type"], other["code"]) == ("refused", "key.reused")
    assert await air.room.missions(incident) == ["AMB-01 accepted"]


async def test_a_word_that_comes_late_is_refused_and_says_what_to_do(air: Air) -> None:
    (mission,) = await air.room.send(await air.room.incident(), "AMB-01")
    async with air.room.ledger.book(by="rule") as book:
        await sending.expire(book, mission, now=NOON)
    async with await air.device("amb-01") as amb:
        answer = await amb.do("accept", mission=str(mission))
    assert answer["code"] == "mission.expired"
    assert "wait for a new offer" in str(answer["message"])


async def test_acknowledged_is_a_row_and_the_mission_says_it_was_delivered(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        (mission,) = await air.room.send(await air.room.incident(), "AMB-01")
        await amb.event("MissionOffered")

        async def delivered() -> bool:
            return await _delivered(air.room, mission)

        await eventually(delivered)


async def _delivered(room: Room, mission: MissionId) -> bool:
    found: bool = await room.pool.fetchval("SELECT delivered_at IS NOT NULL FROM mission_now WHERE id = $1", mission)
    return found


async def test_two_devices_of_a_unit_both_hear_and_the_unit_is_online_until_the_last_goes(air: Air) -> None:
    async def online() -> bool:
        row: bool = await air.room.pool.fetchval("SELECT online FROM unit_now WHERE call_sign = 'AMB-01'")
        return row

    async def offline() -> bool:
        return not await online()

    async with await air.device("amb-01") as phone:
        async with await air.device("amb-01") as tablet:
            await air.room.send(await air.room.incident(), "AMB-01")
            assert (await phone.event())["event"] == (await tablet.event())["event"] == "MissionOffered"
        await eventually(online)
        assert await quiet(phone) == []
        assert await online()
    await eventually(offline)


async def test_the_last_position_is_a_row_and_the_trace_is_thin(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        for n in range(40):
            await amb.at(-6.17 - n / 1_000_000, 106.64)
            await asyncio.sleep(0.01)
        await amb.at(-6.18, 106.64)

        async def there() -> bool:
            row = await air.room.pool.fetchrow("SELECT lat, lon FROM unit_now WHERE call_sign = 'AMB-01'")
            return row is not None and (row["lat"], row["lon"]) == (-6.18, 106.64)

        await eventually(there)
    assert await air.room.pool.fetchval("SELECT count(*) FROM position_history") == 2


async def test_an_old_position_never_overtakes_a_new_one(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        await amb.at(-6.18, 106.64)

        async def kept() -> bool:
            return bool(await air.room.pool.fetchval("SELECT count(*) FROM position"))

        await eventually(kept)
        await amb.at(-6.99, 106.64, at=NOON.replace(year=2025))
        await quiet(amb)
        await asyncio.sleep(0.6)
    assert await air.room.pool.fetchval("SELECT lat FROM position") == -6.18


async def test_a_position_from_the_future_does_not_keep_the_next_ones_out(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        await amb.at(-6.18, 106.64, at=NOON.replace(year=2090))
        await asyncio.sleep(0.4)
        await amb.at(-6.19, 106.64)

        async def moved() -> bool:
            return bool(await air.room.pool.fetchval("SELECT lat = -6.19 FROM position"))

        await eventually(moved)


async def test_who_is_signed_out_loses_the_line_within_five_seconds(air: Air) -> None:
    session = await air.room.sign_in("amb-01")
    async with await air.device("amb-02") as other, await air.device("amb-01", session=session) as amb:
        await air.room.pool.execute("UPDATE session SET revoked_at = now() WHERE hash = $1", session)
        async with asyncio.timeout(5):
            assert await closed_by(reading(amb)) == 4401
        assert await quiet(other) == []


@asynccontextmanager
async def _deaf(air: Air, login: str) -> AsyncIterator[None]:
    """A device that came in and reads no more, with a small window, as on a dying network."""
    ready = socket.socket()
    ready.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ready.setblocking(False)
    await asyncio.get_running_loop().sock_connect(ready, ("127.0.0.1", air.port))
    ws = await connect(air.url, sock=ready, compression=None, max_queue=1)
    await ws.send(json.dumps({"type": "hello", "ticket": await air.room.ticket(login)}))
    await ws.recv()
    ws.transport.pause_reading()
    yield
    ws.transport.abort()
    await ws.wait_closed()


async def test_a_device_that_does_not_read_is_given_up_and_others_do_not_wait_for_it(air: Air) -> None:
    incident = await air.room.incident(notes="x" * 7000)
    await air.room.send(incident, "AMB-01", "AMB-02")
    async with _deaf(air, "amb-01"), await air.device("amb-02") as other:
        slowest = 0.0
        loop = asyncio.get_running_loop()
        for n in range(120):
            began = loop.time()
            await described(air.room.ledger, incident, notes=f"{n} " + "x" * 7000)
            await other.event("IncidentChanged")
            slowest = max(slowest, loop.time() - began)
        assert slowest < 1.0

        async def given_up() -> bool:
            sample = air.push.figures.registry.get_sample_value("siaga_push_closed_total", {"code": "4408"})
            return sample == 1

        await eventually(given_up, within_s=10)
        assert await quiet(other) == []


async def test_the_line_says_that_it_is_alive_and_how_far_it_is(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        async with asyncio.timeout(7):
            while amb.beats == 0:
                await amb.read()
        beat = amb.cursor
    async with await air.device("amb-01", cursor=beat) as amb:
        assert await quiet(amb) == []


async def test_the_line_says_nothing_while_the_log_cannot_be_read(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.push.BEAT_S", 0.1)
    monkeypatch.setattr("dispatch.push.FRESH_S", 0.5)

    async def beats(amb: Device, *, within_s: float) -> bool:
        before = amb.beats
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while amb.beats == before:
                    await amb.read()
        return amb.beats > before

    async with await air.device("amb-01") as amb:
        # The first beat comes at the usual pace, the next ones at ours.
        assert await beats(amb, within_s=10)
        assert await beats(amb, within_s=1)
        async with air.room.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE log IN ACCESS EXCLUSIVE MODE")
            async with asyncio.timeout(10):
                while await beats(amb, within_s=1.5):
                    pass
        assert await beats(amb, within_s=10)


async def test_a_dispatcher_who_takes_a_unit_off_duty_is_heard_by_its_device(air: Air) -> None:
    async with await air.device("amb-01") as amb:
        async with air.room.ledger.book(by="budi") as book:
            await sending.set_duty(book, unit_id_of("AMB-01"), Verb.OUT_OF_SERVICE, reason="servis", now=NOON)
        told = await amb.event("UnitOutOfService")
        assert isinstance(told["unit"], dict)
        assert (told["unit"]["status"], told["unit"]["reason"]) == ("out_of_service", "servis")


async def test_events_go_on_after_postgresql_cut_everybody_off(air: Air) -> None:
    incident = await air.room.incident()
    async with await air.device("amb-01") as amb:
        for _ in range(3):
            await air.room.kill_connections()
            await asyncio.sleep(0.05)
        (mission,) = await air.room.send(incident, "AMB-01")
        assert mission_of(await amb.event("MissionOffered"))["id"] == str(mission)
        assert (await amb.do("accept"))["type"] == "ok"


async def test_a_restarted_server_goes_on_from_the_devices_cursor(room: Room) -> None:
    incident = await room.incident()
    cursor = ""
    for restart in range(2):
        push = Push(room.ledger, host="127.0.0.1", port=0)
        async with push.open() as port:
            air = Air(room, push, port)
            if restart == 0:
                async with await air.device("amb-01") as amb:
                    cursor = amb.cursor
            else:
                async with await air.device("amb-01", cursor=cursor) as amb:
                    assert (await amb.event())["event"] == "MissionOffered"
        if restart == 0:
            await room.send(incident, "AMB-01")
        assert not await room.pool.fetchval("SELECT count(*) FROM presence WHERE online")


async def test_too_much_missed_means_starting_anew(air: Air) -> None:
    incident = await air.room.incident()
    await air.room.send(incident, "AMB-01")
    async with await air.device("amb-01") as amb:
        cursor = amb.cursor
    async with air.room.ledger.book(by="sari") as book:
        for n in range(510):
            await desk.describe(book, incident, {"notes": str(n)}, now=NOON)
    await asyncio.sleep(0.5)
    # The device is told to start anew instead of being welcomed.
    hello = {"type": "hello", "ticket": await air.room.ticket("amb-01"), "cursor": cursor}
    async with connect(air.url, compression=None) as ws:
        await ws.send(json.dumps(hello))
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        assert ws.close_code == 4409


async def test_pages_of_others_may_not_connect(room: Room) -> None:
    push = Push(room.ledger, host="127.0.0.1", port=0, origins=["http://localhost:8112"])
    async with push.open() as port:
        url = f"ws://127.0.0.1:{port}/unit"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, origin="http://evil.example"):  # type: ignore[arg-type]  # a NewType of str
                pass
        assert refused.value.response.status_code == 403
        await routing(push)
        async with device(url, await room.ticket("amb-01")) as amb:
            assert (await amb.do("on_duty"))["type"] == "ok"


async def test_health_and_figures_are_on_the_same_port(air: Air) -> None:
    import aiohttp

    async with aiohttp.ClientSession(f"http://127.0.0.1:{air.port}") as http:
        async with http.get("/health/live") as response:
            assert response.status == 200
        async with http.get("/health/ready") as response:
            assert response.status == 200
        async with http.get("/metrics") as response:
            assert "siaga_push_lines 0.0" in await response.text()


async def test_a_line_that_is_cut_without_a_word_is_noticed_by_the_kernel_and_by_pings(air: Air) -> None:
    async with await air.device("amb-01"):
        (line,) = air.push._lines
        plug = line.ws.transport.get_extra_info("socket")
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
        assert (line.ws.ping_interval, line.ws.ping_timeout) == (10, 10)
        assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) <= 256 * 1024
