import asyncio
from uuid import UUID

from callcenter import desk
from callcenter.ids import new_id
from callcenter.ledger import Book, Ledger
from callcenter.store import Pool
from callcenter.timers import GIVE_UP_AFTER, sweep
from tests.support.builders import NOON, call_from, story


async def set_timer(ledger: Ledger, kind: str, subject: UUID, after_s: float = 0) -> None:
    async with ledger.book(by="test") as book:
        book.timer(kind, subject, after_s=after_s)


async def test_a_deadline_goes_off_once_however_many_sweep(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    await set_timer(ledger, "tell", taken.incident)

    async def tell(book: Book, id_: UUID) -> None:
        await desk.cancel(book, id_, "diam", now=NOON)

    done = await asyncio.gather(*[sweep(ledger, {"tell": tell}, by="rule") for _ in range(8)])
    assert sum(done) == 1
    assert await story(ledger, "incident", taken.incident) == ["IncidentOpened", "IncidentCancelled"]


async def test_what_is_not_due_waits(ledger: Ledger) -> None:
    seen: list[UUID] = []

    async def see(_: Book, id_: UUID) -> None:
        seen.append(id_)

    await set_timer(ledger, "see", new_id(), after_s=3600)
    assert await sweep(ledger, {"see": see}, by="rule") == 0
    assert seen == []


async def test_a_deadline_that_fails_is_put_off_and_holds_nobody_up(ledger: Ledger, pool: Pool) -> None:
    seen: list[str] = []

    async def bad(_: Book, __: UUID) -> None:
        seen.append("bad")
        raise RuntimeError

    async def good(_: Book, __: UUID) -> None:
        seen.append("good")

    await set_timer(ledger, "bad", new_id())
    await set_timer(ledger, "good", new_id())
    assert await sweep(ledger, {"bad": bad, "good": good}, by="rule") == 2
    for _ in range(GIVE_UP_AFTER + 2):
        await pool.execute("UPDATE timer SET due_at = now()")
        await sweep(ledger, {"bad": bad, "good": good}, by="rule")
    assert seen.count("good") == 1
    assert seen.count("bad") == GIVE_UP_AFTER
    assert await pool.fetchval("SELECT count(*) FROM timer") == 1
