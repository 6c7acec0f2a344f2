"""Ringing back: whom, by which line, and that no wish stays open; with a real PostgreSQL and a fake manager."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from agi import callback
from agi.callback import Callbacks, SeatNow, Why, Wish, open_wishes, originate, seat_for, way_out
from agi.link import Address, Link
from agi.manager import Fields
from agi.scribe import Scribe
from agi.where import nowhere
from callcenter import desk
from callcenter.ids import new_id
from callcenter.ledger import Ledger
from tests.support.builders import call_from
from tests.support.manager import FakeManager, fake_manager
from tests.support.pbx import eventually

NOW = datetime(2026, 11, 24, 9, 12, 18, tzinfo=UTC)
WISH = Wish(new_id(), 3, new_id(), "081234567890", "demo", "sari", NOW, None)
SEATS = [SeatNow("seat-01", "dewi", is_ready=True), SeatNow("seat-02", "sari", is_ready=False)]


@pytest.mark.parametrize(
    ("ani", "trunk", "outbound", "way"),
    [
        ("081234567890", "demo", ["telkom", "demo"], "demo"),
        ("081234567890", "old", ["telkom", "demo"], "telkom"),
        ("081234567890", "demo", [], Why.NO_TRUNK),
        (None, "demo", ["demo"], Why.NO_NUMBER),
        ("0812#1", "demo", ["demo"], Why.NO_NUMBER),
        ("1", "demo", ["demo"], Why.NO_NUMBER),
    ],
)
def test_the_way_out_is_the_one_the_call_came_in_by(ani: str | None, trunk: str, outbound: list[str], way: str) -> None:
    assert way_out(replace(WISH, ani=ani, trunk=trunk), outbound) == way


@pytest.mark.parametrize(
    ("by", "first", "second", "seat"),
    [
        ("sari", "Not in use", "Not in use", "seat-02"),
        ("sari", "Not in use", "Unavailable", Why.SEAT_AWAY),
        ("sari", "Not in use", "In use", Why.SEAT_BUSY),
        ("budi", "Not in use", "Not in use", "seat-01"),
        ("budi", "Ringing", "Not in use", Why.NO_SEAT),
    ],
)
def test_the_wishers_own_seat_rings_and_for_one_without_a_seat_a_ready_one(
    by: str, first: str, second: str, seat: str
) -> None:
    assert seat_for(replace(WISH, by=by), SEATS, {"seat-01": first, "seat-02": second}) == seat


def test_asterisk_is_told_the_wishs_name_and_who_will_be_talked_to() -> None:
    said = originate(WISH, "seat-02", "demo")
    assert (said["ChannelId"], said["ActionID"]) == (WISH.name, WISH.name)
    assert (said["Channel"], said["CallerID"]) == ("PJSIP/seat-02", "<081234567890>")
    assert f"PJSIP_HEADER(add,X-Incident)={WISH.incident}" in said["Variable"]


@pytest.fixture
async def manager() -> AsyncIterator[FakeManager]:
    async with fake_manager() as made:
        made.lists["PJSIPShowEndpoints"] = [{"ObjectName": "seat-01", "DeviceState": "Not in use"}]
        made.lists["CoreShowChannels"] = []
        yield made


@pytest.fixture
async def callbacks(manager: FakeManager, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Callbacks]:
    async with asyncio.TaskGroup() as tasks:
        heard: list[Callbacks] = []

        def hear(event: Fields) -> None:
            heard[0].hear(event)

        link = Link(Address(manager.port, "secret"), heard=hear)
        opened = asyncio.Event()
        made = Callbacks(link, spool=tmp_path, outbound=["demo"])
        heard.append(made)

        async def note() -> None:
            opened.set()

        owned = [tasks.create_task(link.run(note))]
        async with asyncio.timeout(5):
            await opened.wait()
        owned.append(tasks.create_task(made.run(ledger)))
        yield made
        for task in owned:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*owned)


async def wished(ledger: Ledger, *, ani: str | None = "081234567890", ago_s: float = 0) -> UUID:
    """Somebody left, and sari, who sits at a seat, wants them rung back."""
    now = datetime.now(UTC)
    await desk.install_seats(ledger, ["seat-01"], now=now)
    async with ledger.book(by="sari") as book:
        await desk.take_seat(book, "sari", seats=["seat-01"], now=now)
    taken = await call_from(ledger, ani=ani)
    uniqueid = await ledger.pool.fetchval("SELECT uniqueid FROM call WHERE id = $1", taken.call)
    await desk.call_abandoned(ledger, uniqueid, at=now)
    async with ledger.book(by="sari") as book:
        await desk.call_back(book, taken.call, now=now - timedelta(seconds=ago_s))
    return taken.call


async def becomes(ledger: Ledger, status: str, cause: str | None) -> bool:
    async def so() -> bool:
        row = await ledger.pool.fetchrow("SELECT status, cause FROM call")
        return row is not None and (row["status"], row["cause"]) == (status, cause)

    return await eventually(so)


async def test_a_seat_that_does_not_pick_up_gives_the_wish_back(
    manager: FakeManager, callbacks: Callbacks, ledger: Ledger
) -> None:
    await wished(ledger)
    [wish] = await open_wishes(ledger.pool)
    assert wish.by == "sari"
    callbacks.look()

    async def told() -> bool:
        return len(manager.said("Originate")) == 1

    assert await eventually(told)
    manager.say(Event="OriginateResponse", ActionID=wish.name, Response="Failure", Reason="3")
    assert await becomes(ledger, "unreachable", "seat_silent")


async def test_a_call_back_that_leaves_no_trace_does_not_stay_open(
    manager: FakeManager, callbacks: Callbacks, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "STARTS_S", 0.2)
    await wished(ledger)
    callbacks.look()
    assert await becomes(ledger, "unreachable", "interrupted")
    assert len(manager.said("Originate")) == 1


async def test_a_call_back_that_asterisk_still_has_is_left_alone(
    manager: FakeManager, callbacks: Callbacks, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callback, "STARTS_S", 0.0)
    monkeypatch.setattr(callback, "LOOK_S", 0.05)
    await wished(ledger)
    [wish] = await open_wishes(ledger.pool)
    manager.lists["CoreShowChannels"] = [{"Uniqueid": wish.name}]
    callbacks.look()

    async def looked_thrice() -> bool:
        return len(manager.said("CoreShowChannels")) >= 3

    assert await eventually(looked_thrice)
    assert await ledger.pool.fetchval("SELECT status FROM call") == "callback"
    assert len(manager.said("Originate")) == 1


async def test_without_asterisk_a_wish_waits_and_then_is_given_back(ledger: Ledger, tmp_path: Path) -> None:
    link = Link(Address(1, "secret"), heard=lambda _: None)  # nobody is there
    await wished(ledger, ago_s=callback.WAITS_S - 1.5)
    running = asyncio.create_task(Callbacks(link, spool=tmp_path, outbound=["demo"]).run(ledger))
    try:
        assert await becomes(ledger, "unreachable", "too_late")
    finally:
        running.cancel()


@pytest.mark.parametrize(
    ("dial", "status", "cause"),
    [
        ("ANSWER", "reached", None),
        ("BUSY", "unreachable", "busy"),
        ("NOANSWER", "unreachable", "no_answer"),
        ("CANCEL", "unreachable", "given_up"),
        ("CHANUNAVAIL", "unreachable", "not_reached"),
        ("", "unreachable", "given_up"),
    ],
)
async def test_the_spool_says_what_came_of_it_also_twice(
    ledger: Ledger, tmp_path: Path, dial: str, status: str, cause: str | None
) -> None:
    await wished(ledger)
    [wish] = await open_wishes(ledger.pool)
    await desk.callback_placed(ledger, wish.call, wish=wish.number, seat_name="seat-01", at=NOW)
    scribe = Scribe(tmp_path, place_of=nowhere)
    for _ in range(2):
        (tmp_path / f"{wish.name}.back").write_text(f"v=1 at=1795511541.305 dial={dial} end=1\n")
        await scribe.sweep(ledger)
    row = await ledger.pool.fetchrow("SELECT status, cause, seat, call_taker FROM call")
    assert row is not None
    assert (row["status"], row["cause"]) == (status, cause)
    assert (row["seat"], row["call_taker"]) == (("seat-01", "sari") if status == "reached" else (None, None))
    assert list(tmp_path.iterdir()) == []


async def test_a_result_with_a_name_of_nobodys_is_put_aside(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "back-nobody-1.back").write_text("v=1 dial=ANSWER end=1\n")
    scribe = Scribe(tmp_path, place_of=nowhere)
    for _ in range(6):
        await scribe.sweep(ledger)
    assert [path.name for path in tmp_path.iterdir()] == ["back-nobody-1.back.bad"]
