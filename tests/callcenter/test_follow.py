"""The promise that the whole push stands on: nobody who follows the log misses an event."""

import asyncio

import pytest

from callcenter import desk
from callcenter.bell import Bell
from callcenter.follow import Entry, Follower, head, parse_cursor, read
from callcenter.ledger import Ledger
from callcenter.refused import Refused
from callcenter.store import Pool, open_pool
from tests.support.builders import call_from, described, rang


async def follow_until(follower: Follower, seen: list[Entry], enough: int) -> None:
    async for batch in follower:
        seen.extend(batch)
        if len(seen) >= enough:
            return


async def test_twenty_writers_at_once_and_no_event_is_missed(ledger: Ledger, pool: Pool, bell: Bell) -> None:
    before = await head(pool)
    writers, each = 20, 25
    seen: list[Entry] = []
    follower = Follower(pool, bell, cursor=before)

    async def write(writer: int) -> None:
        for n in range(each):
            taken = await desk.take_call(ledger, rang())
            if (writer + n) % 3 == 0:
                # A transaction that holds its number back for a while: the case that loses events.
                async with ledger.book(by="sari") as book:
                    await desk.describe(book, taken.incident, {"notes": f"{n}"}, now=rang().at)
                    await asyncio.sleep(0.002 * (writer % 5))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(
            follow_until(
                follower,
                seen,
                writers * each * 2 + sum(1 for w in range(writers) for n in range(each) if (w + n) % 3 == 0),
            )
        )
        for writer in range(writers):
            group.create_task(write(writer))
    written = await pool.fetch("SELECT seq FROM log WHERE kind IN ('call', 'incident')")
    assert sorted(entry.seq for entry in seen) == sorted(row["seq"] for row in written)
    assert [(e.txid, e.seq) for e in seen] == sorted((e.txid, e.seq) for e in seen)


async def test_an_event_behind_an_open_transaction_waits_for_it(dsn: str, pool: Pool, ledger: Ledger) -> None:
    before = await head(pool)
    first = await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.describe(book, first.incident, {"notes": "mulai"}, now=rang().at)
        connection = await book.connection()
        await connection.fetchval("SELECT pg_current_xact_id()::text")
        await call_from(ledger)
        while_open = await read(pool, before)
    after = await read(pool, before)
    assert [e.type for e in while_open] == ["IncidentOpened", "CallRang"]
    assert [e.type for e in after] == ["IncidentOpened", "CallRang", "IncidentDescribed", "IncidentOpened", "CallRang"]


async def test_a_follower_goes_on_from_its_cursor(ledger: Ledger, pool: Pool) -> None:
    before = await head(pool)
    for _ in range(3):
        await call_from(ledger)
    first = await read(pool, before, limit=2)
    rest = await read(pool, first[-1].cursor)
    assert [e.seq for e in first + rest] == [e.seq for e in await read(pool, before)]


async def test_another_process_is_woken(dsn: str, ledger: Ledger) -> None:
    other_pool = await open_pool(dsn, size=2)
    other_bell = Bell()
    tending = asyncio.create_task(other_bell.tend(other_pool))
    try:
        with other_bell.ear() as rung:
            async with asyncio.timeout(10):
                while not rung.is_set():
                    await call_from(ledger)
                    await asyncio.sleep(0.01)
    finally:
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        other_pool.terminate()


@pytest.mark.parametrize("cursor", ["", "1", "-1-2", "a-b", "1-2-3", "9" * 30 + "-1", "9223372036854775808-1"])
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Refused, match="not one of ours"):
        parse_cursor(cursor)


async def test_describing_twice_the_same_is_one_event(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    before = await head(pool)
    await described(ledger, taken.incident, notes="api")
    await described(ledger, taken.incident, notes="api")
    assert [e.type for e in await read(pool, before)] == ["IncidentDescribed"]
