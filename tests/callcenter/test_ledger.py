import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from callcenter import desk, incident
from callcenter.bell import Bell
from callcenter.call import CALLS
from callcenter.event import JSON
from callcenter.ids import new_id
from callcenter.incident import INCIDENTS, Outcome
from callcenter.ledger import Answer, Book, Ledger
from callcenter.refused import Refused
from callcenter.report import REPORTS
from callcenter.seat import SEATS
from callcenter.store import Connection, Pool
from callcenter.subject import Subject
from dispatch.mission import MISSIONS
from dispatch.unit import UNITS
from tests.support.builders import NOON, call_from, described, rang, story


class OnePool:
    """A pool of the one connection that is watched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def acquire(self, **_: float) -> AsyncIterator[Connection]:
        yield self._connection


@pytest.mark.parametrize("subject", [CALLS, INCIDENTS, REPORTS, SEATS, UNITS, MISSIONS], ids=lambda s: s.kind)
async def test_the_columns_of_a_table_are_the_fields_of_its_state(subject: Subject[object], pool: Pool) -> None:
    rows = await pool.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema = 'public'",
        subject.kind,
    )
    given_by_the_database = {"id", "version"} | ({"number"} if subject.numbered else set())
    assert {row["column_name"] for row in rows} - given_by_the_database == set(subject.columns)


async def test_the_log_refuses_to_be_changed(ledger: Ledger) -> None:
    await call_from(ledger)
    for statement in ("UPDATE log SET by = 'x'", "DELETE FROM log", "TRUNCATE log"):
        with pytest.raises(asyncpg.RestrictViolationError, match="insert-only"):
            await ledger.pool.execute(statement)


async def test_a_call_is_recorded_in_one_round_trip(pool: Pool, bell: Bell) -> None:
    asked: list[str] = []

    def note(query: asyncpg.connection.LoggedQuery) -> None:
        asked.append(query.query.split()[0])

    async with pool.acquire() as connection:
        connection.add_query_logger(note)
        await desk.take_call(Ledger(OnePool(connection), bell), rang())  # type: ignore[arg-type]  # acquires, no more
    assert asked == ["WITH"]


async def test_the_same_call_twice_is_one_incident(ledger: Ledger) -> None:
    one = rang()
    results = await asyncio.gather(*[desk.take_call(ledger, one) for _ in range(10)])
    assert len(set(results)) == 1
    assert await ledger.pool.fetchval("SELECT count(*) FROM incident") == 1


async def test_an_error_inside_a_book_leaves_no_trace(ledger: Ledger) -> None:
    taken = await call_from(ledger)

    async def fail_half_way() -> None:
        async with ledger.book(by="sari") as book:
            await desk.describe(book, taken.incident, {"notes": "api"}, now=NOON)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_half_way()
    assert await story(ledger, "incident", taken.incident) == ["IncidentOpened"]


async def test_a_book_sees_its_own_changes(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.describe(book, taken.incident, {"notes": "api"}, now=NOON)
        seen = await book.lock(INCIDENTS, taken.incident)
        await desk.describe(book, taken.incident, {"notes": "api besar"}, now=NOON)
    assert seen.notes == "api"
    assert await story(ledger, "incident", taken.incident) == ["IncidentOpened"] + ["IncidentDescribed"] * 2


async def test_an_unknown_thing_is_refused(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="no such incident"):
        await ledger.change(INCIDENTS, new_id(), lambda state: incident.describe(state, {}, now=NOON), by="sari")


async def test_text_that_cannot_be_kept_is_refused_in_words(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    with pytest.raises(Refused, match="cannot be kept"):
        await described(ledger, taken.incident, notes="a\x00b")


async def close_as_prank(book: Book, id_: UUID) -> Answer:
    await desk.close(book, id_, Outcome.PRANK, note=None, now=NOON)
    answer: dict[str, JSON] = {"closed": str(id_)}
    return answer


async def test_a_key_has_one_effect_and_always_the_first_answer(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    wishes = [
        ledger.once("k", "close", by="sari", work=lambda book: close_as_prank(book, taken.incident)) for _ in range(20)
    ]
    answers = await asyncio.gather(*wishes)
    assert answers == [{"closed": str(taken.incident)}] * 20
    assert (await story(ledger, "incident", taken.incident)).count("IncidentClosed") == 1


async def test_a_key_with_other_content_is_an_error(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    await ledger.once("k", "close", by="sari", work=lambda book: close_as_prank(book, taken.incident))
    with pytest.raises(Refused) as refusal:
        await ledger.once("k", "cancel", by="sari", work=lambda book: close_as_prank(book, taken.incident))
    assert refusal.value.code == "key.reused"


async def test_keys_of_two_people_do_not_meet(ledger: Ledger) -> None:
    one, other = await call_from(ledger), await call_from(ledger)
    await ledger.once("k", "close", by="sari", work=lambda book: close_as_prank(book, one.incident))
    answer = await ledger.once("k", "close", by="dewi", work=lambda book: close_as_prank(book, other.incident))
    assert answer == {"closed": str(other.incident)}


async def test_two_writers_of_one_incident_wait_for_each_other(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    await asyncio.gather(*[described(ledger, taken.incident, notes=f"kata {n}") for n in range(30)])
    versions = await ledger.pool.fetch("SELECT version FROM log WHERE subject = $1 ORDER BY version", taken.incident)
    assert [row["version"] for row in versions] == list(range(1, 32))
