"""A call-taker's seat in Asterisk: a password for one session, breaks, and all of it again after a restart."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from callcenter import desk as commands
from callcenter.desk import SeatKey
from callcenter.ledger import Ledger
from config.pbx import Asterisk, Exchange
from tests.support import pbx, sip
from tests.support.pbx import Agi, ami, eventually
from tests.support.rooms import Room

SEATS = commands.seat_names(4)


async def sits_down(ledger: Ledger, account: str) -> SeatKey:
    now = datetime.now(UTC)
    await commands.install_seats(ledger, SEATS, now=now)
    async with ledger.book(by=account) as book:
        return await commands.take_seat(book, account, seats=SEATS, now=now)


async def gets_up(ledger: Ledger, account: str) -> None:
    async with ledger.book(by=account) as book:
        await commands.leave_seat(book, account, now=datetime.now(UTC))


async def is_ready(ledger: Ledger, account: str, *, ready: bool) -> None:
    now = datetime.now(UTC)
    async with ledger.book(by=account) as book:
        if ready:
            await commands.ready_seat(book, account, now=now)
        else:
            await commands.pause_seat(book, account, "prayer", now=now)


async def registers(room: Room, seat: str, password: str) -> str:
    return (await sip.register(room.folder, room.exchange.sip_port, seat, password)).removeprefix("SIP/2.0 ")


FREE, AWAY = "1", "5"  # device states, as the queue numbers them


async def member(exchange: Exchange, seat: str) -> str:
    said = await ami(exchange, "Action: QueueStatus\r\nQueue: 112")
    return next(block for block in said.split("\r\n\r\n") if f"Name: {seat}\r\n" in block)


async def is_paused(exchange: Exchange, seat: str) -> bool:
    return "Paused: 1" in await member(exchange, seat)


async def is_(state: str, exchange: Exchange, seat: str) -> bool:
    return f"\r\nStatus: {state}\r\n" in await member(exchange, seat)


async def test_a_session_password_works_from_the_moment_it_is_given(room: Room, agi: Agi, ledger: Ledger) -> None:
    key = await sits_down(ledger, "sari")

    async def lets_in() -> bool:
        return await registers(room, key.seat, key.password) == "200 OK"

    assert await eventually(lets_in)
    assert await registers(room, key.seat, "a guess") == "401 Unauthorized"
    assert await registers(room, "seat-02", key.password) != "200 OK"


async def test_a_new_session_makes_the_old_password_void(room: Room, agi: Agi, ledger: Ledger) -> None:
    old = await sits_down(ledger, "sari")
    new = await sits_down(ledger, "sari")
    assert (old.seat, old.password != new.password) == (new.seat, True)

    async def lets_in_the_new_one() -> bool:
        return await registers(room, new.seat, new.password) == "200 OK"

    assert await eventually(lets_in_the_new_one)
    assert await registers(room, old.seat, old.password) == "401 Unauthorized"


async def test_who_left_cannot_come_back_with_the_same_password(room: Room, agi: Agi, ledger: Ledger) -> None:
    key = await sits_down(ledger, "sari")

    async def lets_in() -> bool:
        return await registers(room, key.seat, key.password) == "200 OK"

    assert await eventually(lets_in)
    await gets_up(ledger, "sari")

    async def keeps_out() -> bool:
        return not await lets_in()

    assert await eventually(keeps_out)
    assert await is_paused(room.exchange, key.seat)


async def test_a_password_outlives_asterisk_and_our_daemon(
    room: Room, agi: Agi, ledger: Ledger, asterisk: Asterisk
) -> None:
    key = await sits_down(ledger, "sari")

    async def lets_in() -> bool:
        return await registers(room, key.seat, key.password) == "200 OK"

    assert await eventually(lets_in)
    await agi.kill()
    await asterisk.stop()
    await asterisk.start()
    assert await lets_in()


async def test_a_break_is_a_break_in_asterisk_too(room: Room, agi: Agi, ledger: Ledger, asterisk: Asterisk) -> None:
    key = await sits_down(ledger, "sari")
    await is_ready(ledger, "sari", ready=True)

    async def paused() -> bool:
        return await is_paused(room.exchange, key.seat)

    assert await eventually(lambda: _is_not_paused(room.exchange, key.seat))
    await is_ready(ledger, "sari", ready=False)
    assert await eventually(paused)
    # A new Asterisk knows of no breaks until it is told.
    await asterisk.stop()
    await asterisk.start()
    assert await eventually(paused)
    assert await is_paused(room.exchange, "seat-02")  # nobody sits there


async def test_a_browser_that_goes_away_is_not_rung_any_more(room: Room, agi: Agi, ledger: Ledger) -> None:
    key = await sits_down(ledger, "sari")
    await is_ready(ledger, "sari", ready=True)

    async def signs_in() -> bool:
        async with sip.web_phone(room.exchange.ws_port, key.seat, key.password) as phone:
            if await phone.register() != "SIP/2.0 200 OK":
                return False
            assert await eventually(lambda: is_(FREE, room.exchange, key.seat))  # it would be rung
            return True

    assert await eventually(signs_in)
    assert await eventually(lambda: is_(AWAY, room.exchange, key.seat))
    async with sip.web_phone(room.exchange.ws_port, key.seat, "a guess") as stranger:
        assert await stranger.register() == "SIP/2.0 401 Unauthorized"
    async with room.call() as caller:
        await caller.answered()
    assert [row["seat"] for row in await room.becomes("ended")] == ["desk-01"]


@pytest.mark.slow
async def test_a_seat_that_does_not_answer_gives_the_call_to_a_desk_phone(room: Room, agi: Agi, ledger: Ledger) -> None:
    key = await sits_down(ledger, "sari")
    await is_ready(ledger, "sari", ready=True)
    async with sip.web_phone(room.exchange.ws_port, key.seat, key.password) as phone:
        phone.picks_up = False

        async def signs_in() -> bool:
            return await phone.register() == "SIP/2.0 200 OK"

        assert await eventually(signs_in)
        assert await eventually(lambda: _is_not_paused(room.exchange, key.seat))
        assert await eventually(lambda: is_(FREE, room.exchange, key.seat))
        async with room.call() as caller:
            delay_s = await caller.answered(within_s=40)
        rang_out = (room.exchange.folder / "log/queue_log").read_text().count(f"|{key.seat}|RINGNOANSWER|")
    assert rang_out >= 2  # the seat was asked first, and more than once
    assert delay_s < 25
    assert [row["seat"] for row in await room.becomes("ended")] == ["desk-01"]


async def _is_not_paused(exchange: Exchange, seat: str) -> bool:
    return not await is_paused(exchange, seat)


async def test_nobody_signed_in_means_that_the_desk_phone_rings(room: Room, agi: Agi) -> None:
    async with room.call() as caller:
        await caller.answered()
    assert len(room.desk.invitations) == 1


async def test_several_asterisks_run_side_by_side(tmp_path: Path) -> None:
    async with sip.Desk(tmp_path / "a") as desk_a, sip.Desk(tmp_path / "b") as desk_b:
        a = pbx.exchange(tmp_path / "a", phones=(desk_a.uri,))
        b = pbx.exchange(tmp_path / "b", phones=(desk_b.uri,))
        async with (
            pbx.running(a),
            pbx.running(b),
            sip.call(tmp_path, a.sip_port) as to_a,
            sip.call(tmp_path, b.sip_port) as to_b,
        ):
            await to_a.answered()
            await to_b.answered()
        assert (len(desk_a.invitations), len(desk_b.invitations)) == (1, 1)
