"""The consoles' live feed."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import BaseTestServer

from callcenter.ledger import Ledger
from callcenter.store import Pool
from tests.web.conftest import Visit
from tests.web.scene import NUMBER, a_category, call, fire, free_units
from web.desk import Desk
from web.live import ROOM_BYTES, Console


@pytest.fixture(autouse=True)
async def live(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The feed runs, a few times faster than it would."""
    for name in ("BEAT_S", "TICK_S", "GUARD_S"):
        monkeypatch.setattr(f"web.live.{name}", 0.2)
    running = asyncio.create_task(desk.live.run())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def frame(socket: ClientWebSocketResponse, *kinds: str, within_s: float = 5.0) -> Any:
    """The next frame of these kinds."""
    async with asyncio.timeout(within_s):
        while True:
            message = await socket.receive()
            assert message.type is WSMsgType.TEXT, f"closed with {socket.close_code}"
            said = message.json()
            if said["type"] in kinds:
                return said


async def change(socket: ClientWebSocketResponse, event: str) -> Any:
    """The next change in which this happened."""
    while True:
        said = await frame(socket, "changes")
        if event in [one["type"] for one in said["events"]]:
            return said


async def closed(socket: ClientWebSocketResponse, within_s: float = 6.0) -> int | None:
    """The code it is closed with."""
    async with asyncio.timeout(within_s):
        while not socket.closed:
            message = await socket.receive()
            if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}:
                break
    return socket.close_code


async def test_a_call_is_on_every_console_within_a_moment(visit: Visit, ledger: Ledger) -> None:
    consoles = [await (await visit(login)).follow() for login in ("sari", "budi", "ratna")]
    for console in consoles:
        assert (await frame(console, "snapshot"))["incidents"] == []
    incident = await call(ledger)
    for console in consoles:
        said = await change(console, "IncidentOpened")
        assert said["incidents"][0]["id"] == str(incident)
        assert said["incidents"][0]["caller_number"] == NUMBER
        assert said["calls"][0]["status"] == "ringing"
        assert {one["type"] for one in said["events"]} == {"CallRang", "IncidentOpened"}
        assert said["cursor"]


async def test_a_console_that_was_away_gets_what_it_missed_in_order(visit: Visit, ledger: Ledger, units: None) -> None:
    sari = await visit("sari")
    incident = await call(ledger)
    console = await sari.follow()
    cursor = (await frame(console, "snapshot"))["cursor"]
    await console.close()
    await fire(sari, incident)
    (await sari.post(f"/incidents/{incident}/send", {"units": [(await free_units(sari))[0]["id"]]})).ok()
    again = await sari.follow(cursor)
    said = await frame(again, "changes", "snapshot")
    assert said["type"] == "changes"
    assert [one["type"] for one in said["events"]] == ["IncidentDescribed", "IncidentTriaged", "MissionOffered"]
    assert said["incidents"][0]["stage"] == "offered"
    assert said["missions"][0]["status"] == "offered"
    assert said["units"][0]["busy"] is True
    (await sari.patch(f"/incidents/{incident}", {"changes": {"notes": "baru"}})).ok()
    assert (await change(again, "IncidentDescribed"))["incidents"][0]["notes"] == "baru"


async def test_a_console_that_missed_too_much_starts_from_the_board(
    visit: Visit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.live.MOST_MISSED", 3)
    sari = await visit("sari")
    cursor = (await frame(await sari.follow(), "snapshot"))["cursor"]
    for n in range(4):
        await call(ledger, f"+6285500{n}")
    said = await frame(await sari.follow(cursor), "snapshot", "changes")
    assert said["type"] == "snapshot"
    assert len(said["incidents"]) == 4


async def test_no_event_is_missed_by_a_console_that_comes_in_the_middle_of_many(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    incidents: set[str] = set()

    async def ring() -> None:
        for n in range(40):
            incidents.add(str(await call(ledger, f"+6285500{n}")))

    ringing = asyncio.create_task(ring())
    console = await sari.follow()
    seen = {one["id"] for one in (await frame(console, "snapshot"))["incidents"]}
    await ringing
    while seen != incidents:
        seen |= {one["id"] for one in (await frame(console, "changes"))["incidents"]}


async def test_beats_come_while_what_is_shown_is_true(visit: Visit) -> None:
    console = await (await visit("sari")).follow()
    assert (await frame(console, "beat"))["at"].endswith("Z")


async def test_no_beat_comes_while_the_record_does_not_answer(
    visit: Visit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.live.FRESH_S", 0.5)
    console = await (await visit("sari")).follow()
    await frame(console, "beat")
    async with hung(ledger.pool):
        await beats_end(console)
    await frame(console, "beat")


@asynccontextmanager
async def hung(pool: Pool) -> AsyncIterator[None]:
    """PostgreSQL's processes that serve this test take what they are asked and do not answer."""
    serving = await pool.fetch("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
    for row in serving:
        os.kill(row["pid"], signal.SIGSTOP)
    try:
        yield
    finally:
        for row in serving:
            os.kill(row["pid"], signal.SIGCONT)


async def test_no_beat_comes_while_an_open_transaction_holds_up_what_happens(
    visit: Visit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.live.FRESH_S", 0.5)
    console = await (await visit("sari")).follow()
    await frame(console, "beat")
    async with ledger.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_current_xact_id()")
        await call(ledger)
        # Beats end, though PostgreSQL answers whatever it is asked.
        await beats_end(console)
        assert await ledger.pool.fetchval("SELECT true")
    await change(console, "CallRang")
    await frame(console, "beat")


async def beats_end(socket: ClientWebSocketResponse, *, for_s: float = 1.5, within_s: float = 10.0) -> None:
    """Until none has come for so long."""
    async with asyncio.timeout(within_s):
        while True:
            try:
                await frame(socket, "beat", within_s=for_s)
            except TimeoutError:
                return


async def test_positions_come_together_and_only_to_those_who_send_units(
    visit: Visit, ledger: Ledger, units: None
) -> None:
    budi, leader = await (await visit("budi")).follow(), await (await visit("walikota")).follow()
    await frame(budi, "beat")
    await ledger.pool.execute(
        "INSERT INTO position (unit, lat, lon, at) SELECT id, station_lat, station_lon, now() FROM unit"
    )
    moved = await frame(budi, "positions")
    assert len(moved["units"]) == await ledger.pool.fetchval("SELECT count(*) FROM unit")
    assert {"unit", "lat", "lon", "accuracy_m", "at"} == set(moved["units"][0])
    with pytest.raises(TimeoutError):
        await frame(leader, "positions", within_s=1.0)


async def test_that_an_offer_arrived_and_a_unit_is_online_is_seen_without_an_event(
    visit: Visit, ledger: Ledger, units: None
) -> None:
    sari = await visit("sari")
    incident = await call(ledger)
    await fire(sari, incident)
    unit = (await free_units(sari))[0]["id"]
    (await sari.post(f"/incidents/{incident}/send", {"units": [unit]})).ok()
    console = await sari.follow()
    await frame(console, "beat")
    await ledger.pool.execute(
        "INSERT INTO delivery (unit, seq) SELECT unit, seq FROM log WHERE type = 'MissionOffered'"
    )
    await ledger.pool.execute("INSERT INTO presence (unit, online) VALUES ($1, true)", unit)
    delivered = online = False
    while not (delivered and online):
        said = await frame(console, "changes")
        delivered = delivered or any(one["delivered_at"] for one in said["missions"])
        online = online or any(one["online"] for one in said["units"])
        assert said["cursor"]


async def test_a_leader_follows_what_happens_and_is_told_of_nobody(visit: Visit, ledger: Ledger) -> None:
    leader = await (await visit("walikota")).follow()
    snapshot = await frame(leader, "snapshot")
    assert (snapshot["units"], snapshot["calls"], snapshot["seats"]) == ([], [], [])
    await call(ledger)
    said = await change(leader, "IncidentOpened")
    assert said["incidents"][0]["caller_number"] is None
    assert said["incidents"][0]["place"]["lat"] == -6.17
    assert said["calls"] == []
    assert NUMBER not in str(said)
    assert {one["kind"] for one in said["events"]} == {"incident"}


async def test_an_officer_follows_the_queue_of_their_agency_and_is_told_what_left_it(
    visit: Visit, ledger: Ledger
) -> None:
    sari, ratna = await visit("sari"), await visit("ratna")
    theirs, other, third = [await (await visit(login)).follow() for login in ("dlh", "pupr", "dishub")]
    for console in (theirs, other, third):
        assert (await frame(console, "snapshot"))["reports"] == []
    incident = await call(ledger)
    answer = (await sari.post(f"/incidents/{incident}/report", {"category": await a_category(sari)})).ok()
    report = answer["report"]["id"]
    said = await change(theirs, "ReportMade")
    assert [one["id"] for one in said["reports"]] == [report]
    assert (said["incidents"], said["reports"][0]["reporter_number"]) == ([], None)
    (await ratna.post(f"/reports/{report}/reroute", {"agency": "pupr", "reason": "saluran"})).ok()
    while True:
        left = await frame(theirs, "changes")
        if left["gone"]:
            break
    assert (left["gone"], left["reports"], left["events"]) == ([report], [], [])
    come = await change(other, "ReportRerouted")
    assert [one["agency"] for one in come["reports"]] == ["pupr"]
    # Whom it never was with learns nothing, not even that there is such a report.
    (await sari.post(f"/incidents/{await call(ledger)}/report", {"category": await a_category(sari, "dishub")})).ok()
    while True:
        heard = await frame(third, "changes")
        assert report not in str(heard)
        if heard["reports"]:
            break


async def test_an_unknown_ticket_opens_nothing(visit: Visit) -> None:
    stranger = await visit()
    for ticket in ("x", "x" * 43):
        socket = await stranger.socket()
        await socket.send_json({"ticket": ticket})
        assert await closed(socket) == 4401


async def test_a_ticket_opens_one_socket_once(visit: Visit) -> None:
    sari = await visit("sari")
    ticket = await sari.ticket()
    first, second = await sari.socket(), await sari.socket()
    await first.send_json({"ticket": ticket})
    await frame(first, "snapshot")
    await second.send_json({"ticket": ticket})
    assert await closed(second) == 4401


async def test_of_many_who_come_with_one_ticket_at_once_one_comes_in(visit: Visit) -> None:
    sari = await visit("sari")
    ticket = await sari.ticket()
    sockets = [await sari.socket() for _ in range(8)]
    await asyncio.gather(*(socket.send_json({"ticket": ticket}) for socket in sockets))
    first = await asyncio.gather(*(socket.receive(timeout=5) for socket in sockets))
    assert sum(message.type is WSMsgType.TEXT for message in first) == 1


async def test_a_ticket_that_is_too_old_or_for_the_push_opens_nothing(visit: Visit, ledger: Ledger) -> None:
    sari, crew = await visit("sari"), await visit("amb-01")
    old = await sari.ticket()
    await ledger.pool.execute("UPDATE ticket SET expires_at = now() - interval '1 second'")
    for ticket in (old, await crew.ticket("push")):
        socket = await sari.socket()
        await socket.send_json({"ticket": ticket})
        assert await closed(socket) == 4401


HELLOS = [
    "",
    "null",
    "[]",
    "{}",
    '{"ticket":1}',
    '{"ticket":NaN}',
    '{"ticket":"\\ud800"}',
    '{"ticket":"x","cursor":7}',
    '{"ticket":"x","more":1}',
    "[" * 3000,
]


async def test_a_hello_that_says_nothing_known_is_closed_and_nobody_else_is_disturbed(visit: Visit) -> None:
    sari = await visit("sari")
    good = await sari.follow()
    await frame(good, "snapshot")
    for text in HELLOS:
        bad = await sari.socket()
        await bad.send_str(text)
        assert await closed(bad) == 4413, text[:80]
    await frame(good, "beat")


async def test_a_frame_that_is_too_large_or_not_expected_is_closed(visit: Visit) -> None:
    sari = await visit("sari")
    large = await sari.socket()
    with suppress(ConnectionError):  # we hang up before all of it has been sent
        await large.send_str('{"ticket":"' + "x" * 10_000_000 + '"}')
    assert await closed(large) in {4413, 1009, 1006}
    long_hello = await sari.socket()
    await long_hello.send_str('{"ticket":"' + "x" * 8000 + '"}')
    assert await closed(long_hello) == 1009
    talkative = await sari.follow()
    await frame(talkative, "snapshot")
    await talkative.send_str("hello?")
    assert await closed(talkative) == 4413
    binary = await sari.socket()
    await binary.send_bytes(b"\x00")
    assert await closed(binary) == 4413


async def test_a_cursor_that_is_not_ours_starts_anew(visit: Visit) -> None:
    socket = await (await visit("sari")).follow("99999999999999999999999-1")
    assert await closed(socket) == 4409


async def test_a_page_of_another_site_cannot_open_it(visit: Visit) -> None:
    sari = await visit("sari")
    with pytest.raises(WSServerHandshakeError) as refused:
        await sari.socket(origin="https://evil.example")
    assert refused.value.status == 403


async def test_our_own_page_opens_it(visit: Visit, server: BaseTestServer) -> None:
    sari = await visit("sari")
    socket = await sari.socket(origin=f"http://{server.host}:{server.port}")
    await socket.send_json({"ticket": await sari.ticket()})
    await frame(socket, "snapshot")


async def test_who_is_signed_out_is_off_the_feed_within_five_seconds(visit: Visit) -> None:
    sari, dewi, admin = await visit("sari"), await visit("dewi"), await visit("admin")
    first, second = await sari.follow(), await dewi.follow()
    await frame(first, "snapshot")
    await frame(second, "snapshot")
    (await admin.delete("/accounts/sari/sessions")).ok()
    assert await closed(first, within_s=5.0) == 4403
    await frame(second, "beat")


async def test_a_console_that_reads_nothing_is_dropped_and_its_memory_is_bounded(visit: Visit, desk: Desk) -> None:
    sari = await visit("sari")
    socket = await sari.follow()
    await frame(socket, "snapshot")
    console: Console = next(iter(desk.live._consoles))
    console.ws.send_str = stuck  # type: ignore[method-assign]  # a line that takes nothing more
    for _ in range(ROOM_BYTES // 1000 + 10):
        console.put(b"x" * 1000)
    assert console.closing is not None
    assert console.closing[0] == 4408
    assert len(console.waiting) == 0


async def test_a_frame_larger_than_the_room_reaches_a_console_that_keeps_up(visit: Visit, desk: Desk) -> None:
    socket = await (await visit("sari")).follow()
    await frame(socket, "snapshot")
    console: Console = next(iter(desk.live._consoles))
    console.put(b'{"type":"large","of":"%b"}' % (b"x" * ROOM_BYTES))
    assert len((await frame(socket, "large"))["of"]) == ROOM_BYTES
    assert console.closing is None


async def stuck(*_: object, **__: object) -> None:
    await asyncio.Event().wait()


async def test_consoles_are_told_when_we_go(visit: Visit, desk: Desk) -> None:
    console = await (await visit("sari")).follow()
    await frame(console, "snapshot")
    desk.live.farewell()
    assert await closed(console) == 1001


async def test_a_seat_that_is_taken_is_seen_by_all(visit: Visit, desk: Desk) -> None:
    budi, sari = await (await visit("budi")).follow(), await visit("sari")
    await frame(budi, "snapshot")
    phone = (await sari.post("/session/phone")).ok()
    said = await change(budi, "SeatTaken")
    assert (said["seats"][0]["name"], said["seats"][0]["account"]) == ("seat-01", "sari")
    # By this time a console knows its own sitting from the next one.
    assert said["events"][0]["at"] == phone["since"]
