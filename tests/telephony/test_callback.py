"""An abandoned caller is rung back, on real parts: Asterisk, our daemon, a seat and the caller's own phone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from callcenter import desk as commands
from callcenter.ledger import Ledger
from callcenter.store import Pool
from config.pbx import Asterisk, Exchange, Trunk
from tests.support import pbx, sip
from tests.support.pbx import Agi, ami, eventually
from tests.support.rooms import Room
from tests.telephony.test_seats import sits_down


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[sip.Desk]:
    """The abandoned caller's telephone, out in the network."""
    async with sip.Desk(tmp_path / "caller") as ringing:
        yield ringing


@pytest.fixture
def exchange(tmp_path: Path, phone: sip.Desk) -> Exchange:
    way_out = Trunk("demo", ("127.0.0.1",), outbound=f"127.0.0.1:{phone.sipp.port}")
    # No desk phone: whoever rings is abandoned unless a seat is there.
    return replace(pbx.exchange(tmp_path), trunks=(way_out,))


async def abandons(room: Room, number: str = "081234567890") -> UUID:
    async with room.call(number) as caller:
        await caller.rings()
        await caller.hang_up()
        [row] = await room.becomes("abandoned")
    call: UUID = row["id"]
    return call


async def wishes(ledger: Ledger, call: UUID, *, by: str = "sari", at: datetime | None = None) -> None:
    async with ledger.book(by=by) as book:
        await commands.call_back(book, call, now=at or datetime.now(UTC))


async def told(pool: Pool, call: UUID) -> list[str]:
    rows = await pool.fetch("SELECT type FROM log WHERE subject = $1 AND type LIKE 'Callback%' ORDER BY version", call)
    return [row["type"].removeprefix("Callback") for row in rows]


@asynccontextmanager
async def seated(
    room: Room, ledger: Ledger, account: str = "sari", *, picks_up: bool = True
) -> AsyncIterator[sip.WebPhone]:
    """A call-taker with a telephone that Asterisk knows to be there."""
    key = await sits_down(ledger, account)

    async def registered() -> bool:
        return await line.register() == "SIP/2.0 200 OK"

    async def known() -> bool:
        said = await ami(room.exchange, "Action: QueueStatus\r\nQueue: 112")
        member = next(block for block in said.split("\r\n\r\n") if f"Name: {key.seat}\r\n" in block)
        return "\r\nStatus: 1\r\n" in member

    async with sip.web_phone(room.exchange.ws_port, key.seat, key.password, picks_up=picks_up) as line:
        assert await eventually(registered)
        assert await eventually(known)
        yield line


async def test_the_seat_rings_first_and_then_the_callers_phone(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    async with seated(room, ledger) as seat:
        await wishes(ledger, call)
        invitation = await phone.invited()
        assert invitation.first_line.startswith("INVITE sip:081234567890@")
        assert "sip:112@" in (invitation.header("From") or "")
        [row] = await room.becomes("reached")
    [at_the_seat] = seat.invitations
    assert "081234567890" in (at_the_seat.header("From") or "")
    assert (at_the_seat.header("X-Call"), at_the_seat.header("X-Incident")) == (str(call), str(row["incident"]))
    assert (row["seat"], row["call_taker"]) == ("seat-01", "sari")
    assert (await room.incidents())[0]["handled_by"] == "sari"
    assert await told(room.pool, call) == ["Wished", "Placed", "Reached"]
    assert await room.spool_is_empty()


async def test_a_caller_who_hangs_up_ends_the_call_at_the_seat_too(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    async with seated(room, ledger) as seat:
        await wishes(ledger, call)
        await room.becomes("reached")
        await phone.do(sip.HANG_UP)

        async def ended() -> bool:
            return seat.said_goodbye == 1

        assert await eventually(ended)
    assert await room.spool_is_empty()
    assert await told(room.pool, call) == ["Wished", "Placed", "Reached"]


async def test_a_seat_that_gives_up_while_it_rings_outside_has_not_reached_the_caller(
    tmp_path: Path, room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    await phone.sipp.kill()
    async with (
        sip.Desk(tmp_path / "slow", answer_after_s=60, port=phone.sipp.port) as slow,
        seated(room, ledger) as seat,
    ):
        await wishes(ledger, call)
        await slow.invited()
        await seat.hang_up()
        [row] = await room.becomes("unreachable")
        assert row["cause"] == "given_up"
        # It can be wished again, and then it is another call.
        await wishes(ledger, call)

        async def rings_again() -> bool:
            return len({m.header("Call-ID") for m in slow.invitations}) == 2

        assert await eventually(rings_again)
        await seat.hang_up()
        await room.becomes("unreachable")
    assert await told(room.pool, call) == ["Wished", "Placed", "Failed"] * 2


async def test_a_network_that_cannot_reach_the_caller_says_why(
    tmp_path: Path, room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    await phone.sipp.kill()
    async with seated(room, ledger):
        for refusal, why in (("486 Busy Here", "busy"), ("404 Not Found", "not_reached")):
            network = sip.Sipp(tmp_path / refusal[:3], sip.refuses(refusal), port=phone.sipp.port)
            await network.start()
            try:
                await wishes(ledger, call)
                [row] = await room.becomes("unreachable")
            finally:
                await network.kill()
            assert row["cause"] == why


async def test_without_a_telephone_at_the_seat_nobody_is_rung(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    await sits_down(ledger, "sari")
    await wishes(ledger, call)
    [row] = await room.becomes("unreachable")
    assert row["cause"] == "seat_away"
    await wishes(ledger, call, by="budi")  # a dispatcher, without a seat; no seat is ready
    await asyncio.wait_for(_told_times(room.pool, call, "Failed", 2), 8)
    assert (await room.calls())[0]["cause"] == "no_seat"
    assert phone.invitations == []


async def _told_times(pool: Pool, call: UUID, what: str, times: int) -> None:
    while (await told(pool, call)).count(what) < times:
        await asyncio.sleep(0.05)


async def test_a_wish_is_carried_out_when_our_daemon_is_back_and_only_once(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    async with seated(room, ledger) as seat:
        await agi.kill()
        await wishes(ledger, call)
        await agi.start()
        await phone.invited()
        # Killed in mid call: what came of it waits in the spool.
        await agi.kill()
        await agi.start()
        await room.becomes("reached")
        assert len(seat.invitations) == 1
    assert len({m.header("Call-ID") for m in phone.invitations}) == 1
    assert await told(room.pool, call) == ["Wished", "Placed", "Reached"]


async def test_a_wish_that_waited_too_long_is_given_back_to_the_desk(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk
) -> None:
    call = await abandons(room)
    await agi.kill()
    await wishes(ledger, call, at=datetime.now(UTC) - timedelta(minutes=10))
    await agi.start()
    [row] = await room.becomes("unreachable")
    assert (row["cause"], phone.invitations) == ("too_late", [])


async def test_a_call_back_that_dies_with_asterisk_does_not_stay_open(
    room: Room, agi: Agi, ledger: Ledger, phone: sip.Desk, asterisk: Asterisk
) -> None:
    call = await abandons(room)
    async with seated(room, ledger, picks_up=False) as seat:
        await wishes(ledger, call)

        async def rings() -> bool:
            return len(seat.invitations) == 1

        assert await eventually(rings)
        assert asterisk.process is not None
        asterisk.process.kill()
        await asterisk.process.wait()
        await asterisk.start()
        [row] = await room.becomes("unreachable", within_s=15)
    assert (row["cause"], phone.invitations) == ("interrupted", [])


async def test_a_line_without_a_way_out_says_so(tmp_path: Path, dsn: str, pool: Pool, ledger: Ledger) -> None:
    exchange = pbx.exchange(tmp_path)
    async with (
        sip.Desk(tmp_path) as desk,
        pbx.running(exchange) as asterisk,
        pbx.agi(exchange, dsn, log=tmp_path / "agi.log") as agi,
    ):
        await agi.says("manager is open")
        room = Room(tmp_path, exchange, asterisk, desk, pool)
        call = await abandons(room)
        await wishes(ledger, call)
        [row] = await room.becomes("unreachable")
    assert row["cause"] == "no_trunk"


async def test_nobody_outside_finds_the_way_in_or_out(room: Room, agi: Agi, phone: sip.Desk) -> None:
    """What comes in on the trunk, even from where we dial to, is a call to 112 or nothing, whatever it names."""
    for dialled, said in (("s", "180"), ("081234567890", "180"), ("siaga-ring-back", "180"), ("h", "484")):
        async with room.call(dialled=dialled) as caller:
            await caller.sipp.first(f"SIP/2.0 {said}")
    assert phone.invitations == []
    dialplan = (room.exchange.folder / "etc" / "extensions.conf").read_text()
    assert dialplan.count("siaga-ring-back") == 1  # its own name; nothing leads to it
