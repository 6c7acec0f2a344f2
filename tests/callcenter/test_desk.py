import asyncio
from datetime import timedelta

import pytest

from callcenter import desk, incident, report
from callcenter.call import CALLS, Taken
from callcenter.ids import new_id
from callcenter.incident import INCIDENTS, Outcome
from callcenter.ledger import Ledger
from callcenter.refused import Refused
from callcenter.report import REPORTS
from callcenter.store import Pool
from tests.support.builders import NOON, TOWN_HALL, call_from, described, rang, story

LATER = NOON + timedelta(seconds=9)


async def uniqueid(pool: Pool, taken: Taken) -> str:
    found: str = await pool.fetchval("SELECT uniqueid FROM call WHERE id = $1", taken.call)
    return found


async def status(pool: Pool, kind: str, id_: object) -> str:
    found: str = await pool.fetchval(f'SELECT status FROM "{kind}" WHERE id = $1', id_)
    return found


async def test_a_call_is_an_incident_with_number_place_and_time(ledger: Ledger) -> None:
    taken = await desk.take_call(ledger, rang(ani="0812", place=TOWN_HALL, at=NOON))
    async with ledger.book(by="test") as book:
        opened = await book.lock(INCIDENTS, taken.incident)
    assert (opened.caller_number, opened.place, opened.opened_at, opened.source) == ("0812", TOWN_HALL, NOON, "112")


async def test_who_answers_has_the_incident(ledger: Ledger, pool: Pool) -> None:
    await desk.install_seats(ledger, desk.seat_names(2), now=NOON)
    async with ledger.book(by="sari") as book:
        key = await desk.take_seat(book, "sari", seats=desk.seat_names(2), now=NOON)
    taken = await call_from(ledger)
    await desk.call_answered(ledger, await uniqueid(pool, taken), seat_name=key.seat, at=LATER)
    row = await pool.fetchrow("SELECT call_taker, seat, answered_at FROM call WHERE id = $1", taken.call)
    assert row is not None
    assert tuple(row) == ("sari", "seat-01", LATER)
    assert await pool.fetchval("SELECT handled_by FROM incident WHERE id = $1", taken.incident) == "sari"


async def test_news_of_a_call_that_comes_late_or_twice_changes_nothing(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    id_ = await uniqueid(pool, taken)
    await desk.call_abandoned(ledger, id_, at=LATER)
    await desk.call_answered(ledger, id_, seat_name="seat-01", at=LATER)
    await desk.call_ended(ledger, id_, cause="normal", at=LATER)
    await desk.call_held(ledger, "never seen", at=LATER)
    assert await story(ledger, "call", taken.call) == ["CallRang", "CallAbandoned"]


async def test_an_abandoned_caller_can_be_rung_back(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    await desk.call_abandoned(ledger, await uniqueid(pool, taken), at=LATER)
    async with ledger.book(by="sari") as book:
        await desk.call_back(book, taken.call, now=LATER)
    assert await status(pool, "call", taken.call) == "callback"


async def test_a_wish_is_given_to_one_asker_and_only_once(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    await desk.call_abandoned(ledger, await uniqueid(pool, taken), at=LATER)
    async with ledger.book(by="sari") as book:
        await desk.call_back(book, taken.call, now=LATER)
    wish = await version(pool, taken)
    asked = [desk.callback_placed(ledger, taken.call, wish=wish, seat_name="seat-01", at=LATER) for _ in range(5)]
    assert sorted(await asyncio.gather(*asked)) == [False] * 4 + [True]
    assert (await story(ledger, "call", taken.call))[2:] == ["CallbackWished", "CallbackPlaced"]


async def test_late_news_of_one_wish_does_not_end_the_next(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    await desk.call_abandoned(ledger, await uniqueid(pool, taken), at=LATER)
    wishes: list[int] = []
    for _ in range(2):
        async with ledger.book(by="sari") as book:
            await desk.call_back(book, taken.call, now=LATER)
        wishes.append(await version(pool, taken))
        assert await desk.callback_placed(ledger, taken.call, wish=wishes[-1], seat_name="seat-01", at=LATER)
        if len(wishes) == 1:
            await desk.callback_failed(ledger, taken.call, wish=wishes[0], reason="busy", at=LATER)
            assert await pool.fetchval("SELECT cause FROM call") == "busy"
    await desk.callback_reached(ledger, taken.call, wish=wishes[0], at=LATER)
    await desk.callback_failed(ledger, taken.call, wish=wishes[0], reason="no_answer", at=LATER)
    assert await status(pool, "call", taken.call) == "callback"
    await desk.callback_reached(ledger, taken.call, wish=wishes[1], at=LATER)
    row = await pool.fetchrow("SELECT status, seat, cause FROM call")
    assert row is not None
    assert tuple(row) == ("reached", "seat-01", None)


async def version(pool: Pool, taken: Taken) -> int:
    found: int = await pool.fetchval("SELECT version FROM call WHERE id = $1", taken.call)
    return found


async def test_a_caller_reached_and_a_desk_that_closes_do_not_wait_in_a_circle(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger)
    await desk.call_abandoned(ledger, await uniqueid(pool, taken), at=LATER)
    async with ledger.book(by="sari") as book:
        await desk.call_back(book, taken.call, now=LATER)
    wish = await version(pool, taken)
    await desk.callback_placed(ledger, taken.call, wish=wish, seat_name="seat-01", at=LATER)
    async with ledger.book(by="budi") as book:
        await book.lock(INCIDENTS, taken.incident)
        reached = asyncio.create_task(desk.callback_reached(ledger, taken.call, wish=wish, at=LATER))
        while not await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        async with asyncio.timeout(0.5):
            await book.lock(CALLS, taken.call)
    await reached
    assert await status(pool, "call", taken.call) == "reached"


async def test_a_caller_without_a_number_cannot_be_rung_back(ledger: Ledger, pool: Pool) -> None:
    taken = await call_from(ledger, ani=None)
    await desk.call_abandoned(ledger, await uniqueid(pool, taken), at=LATER)
    with pytest.raises(Refused, match="withheld"):
        async with ledger.book(by="sari") as book:
            await desk.call_back(book, taken.call, now=LATER)


@pytest.mark.parametrize(
    ("outcome", "call_class"),
    [
        (Outcome.PRANK, "prank"),
        (Outcome.GHOST, "ghost"),
        (Outcome.INFORMATION, "information"),
        (Outcome.TEST, "test"),
        (Outcome.HANDLED, "emergency"),
    ],
)
async def test_the_outcome_says_what_the_calls_were(
    ledger: Ledger, pool: Pool, outcome: Outcome, call_class: str
) -> None:
    taken = await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.close(book, taken.incident, outcome, note=None, now=LATER)
    assert await pool.fetchval("SELECT call_class FROM call WHERE id = $1", taken.call) == call_class


async def test_a_non_emergency_goes_to_the_agency_of_its_kecamatan_with_a_number(ledger: Ledger, pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO routing (category, area, agency) SELECT code, '36.71.01', 'dlh' FROM category "
        "ON CONFLICT (category, area) DO UPDATE SET agency = 'dlh'"
    )
    category = await pool.fetchval("SELECT code FROM category WHERE agency <> 'dlh' LIMIT 1")
    taken = await call_from(ledger)
    await described(ledger, taken.incident, notes="sampah dibakar", caller_name="Ani")
    async with ledger.book(by="sari") as book:
        ticket = await desk.become_report(
            book, taken.incident, category=category, description=None, prefix="TLR", year=2026, now=LATER
        )
    assert (ticket.number, ticket.agency) == ("TLR-2026-000001", "dlh")
    row = await pool.fetchrow("SELECT status, description, reporter_name FROM report WHERE id = $1", ticket.id)
    assert row is not None
    assert tuple(row) == ("assigned", "sampah dibakar", "Ani")
    assert await status(pool, "incident", taken.incident) == "reported"
    assert await pool.fetchval("SELECT call_class FROM call WHERE id = $1", taken.call) == "non_emergency"


async def test_ticket_numbers_have_no_gaps_and_begin_anew_each_year(ledger: Ledger, pool: Pool) -> None:
    category = await pool.fetchval("SELECT code FROM category LIMIT 1")

    async def one(year: int) -> str:
        taken = await call_from(ledger)
        async with ledger.book(by="sari") as book:
            ticket = await desk.become_report(
                book, taken.incident, category=category, description="", prefix="TLR", year=year, now=LATER
            )
        return ticket.number

    numbers = await asyncio.gather(*[one(2026) for _ in range(12)])
    assert sorted(numbers) == [f"TLR-2026-{n:06d}" for n in range(1, 13)]
    assert await one(2027) == "TLR-2027-000001"


async def test_a_category_that_nobody_knows_is_refused(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    with pytest.raises(Refused, match="no category"):
        async with ledger.book(by="sari") as book:
            await desk.become_report(
                book, taken.incident, category="x", description="", prefix="TLR", year=2026, now=LATER
            )


async def test_a_duplicate_gives_its_calls_and_gets_them_back(ledger: Ledger, pool: Pool) -> None:
    one, other = await call_from(ledger), await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.mark_duplicate(book, other.incident, one.incident, now=LATER)
    assert await pool.fetchval("SELECT incident FROM call WHERE id = $1", other.call) == one.incident
    async with ledger.book(by="sari") as book:
        await desk.reopen(book, other.incident, "lain kejadian", now=LATER)
    assert await pool.fetchval("SELECT incident FROM call WHERE id = $1", other.call) == other.incident
    assert await status(pool, "incident", other.incident) == "open"


async def test_nothing_joins_itself_the_ended_or_the_unknown(ledger: Ledger) -> None:
    one, ended = await call_from(ledger), await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.close(book, ended.incident, Outcome.TEST, note=None, now=LATER)
    for of, sentence in ((one.incident, "itself"), (ended.incident, "not open"), (new_id(), "no such")):
        with pytest.raises(Refused, match=sentence):
            async with ledger.book(by="sari") as book:
                await desk.mark_duplicate(book, one.incident, of, now=LATER)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"priority": 9}, "from 1"),
        ({"priority": "1"}, "from 1"),
        ({"notes": "x" * 8001}, "8000"),
        ({"notes": 7}, "text"),
        ({"status": "closed"}, "no field"),
    ],
)
async def test_what_cannot_be_written_is_refused_in_words(
    ledger: Ledger, changes: incident.Changes, sentence: str
) -> None:
    taken = await call_from(ledger)
    with pytest.raises(Refused, match=sentence):
        async with ledger.book(by="sari") as book:
            await desk.describe(book, taken.incident, changes, now=NOON)


async def test_an_ended_incident_keeps_its_words(ledger: Ledger) -> None:
    taken = await call_from(ledger)
    async with ledger.book(by="sari") as book:
        await desk.close(book, taken.incident, Outcome.TEST, note=None, now=LATER)
    with pytest.raises(Refused, match="reopen it first"):
        await described(ledger, taken.incident, notes="lagi")


async def test_two_call_takers_never_share_a_seat(ledger: Ledger, pool: Pool) -> None:
    names = desk.seat_names(2)
    await asyncio.gather(*[desk.install_seats(ledger, names, now=NOON) for _ in range(5)])

    async def sit(login: str) -> str:
        async with ledger.book(by=login) as book:
            return (await desk.take_seat(book, login, seats=names, now=NOON)).seat

    seats = await asyncio.gather(sit("sari"), sit("dewi"))
    assert sorted(seats) == names
    assert await sit("sari") == seats[0]
    with pytest.raises(Refused, match="all seats are taken"):
        await sit("ratna")
    async with ledger.book(by="dewi") as book:
        await desk.leave_seat(book, "dewi", now=NOON)
    assert await sit("ratna") == seats[1]
    assert await pool.fetchval("SELECT count(*) FROM seat_secret") == 2


async def test_a_seat_password_is_kept_nowhere(ledger: Ledger, pool: Pool) -> None:
    names = desk.seat_names(1)
    await desk.install_seats(ledger, names, now=NOON)
    async with ledger.book(by="sari") as book:
        key = await desk.take_seat(book, "sari", seats=names, now=NOON)
    dump = await pool.fetch("SELECT data::text AS words FROM log UNION ALL SELECT digest FROM seat_secret")
    assert not [row["words"] for row in dump if key.password in row["words"]]


async def test_break_and_ready_are_one_word_each(ledger: Ledger, pool: Pool) -> None:
    names = desk.seat_names(1)
    await desk.install_seats(ledger, names, now=NOON)
    with pytest.raises(Refused, match="no seat"):
        async with ledger.book(by="sari") as book:
            await desk.ready_seat(book, "sari", now=NOON)
    async with ledger.book(by="sari") as book:
        await desk.take_seat(book, "sari", seats=names, now=NOON)
        await desk.ready_seat(book, "sari", now=NOON)
        await desk.pause_seat(book, "sari", "makan", now=NOON)
        await desk.pause_seat(book, "sari", "makan", now=NOON)
    row = await pool.fetchrow("SELECT status, reason FROM seat")
    assert row is not None
    assert tuple(row) == ("paused", "makan")


async def test_an_officer_works_a_report_to_its_end_and_it_can_come_back(ledger: Ledger, pool: Pool) -> None:
    category = await pool.fetchval("SELECT code FROM category WHERE agency = 'dlh' LIMIT 1")
    taken = await call_from(ledger)
    async with ledger.book(by="sari") as book:
        ticket = await desk.become_report(
            book, taken.incident, category=category, description="", prefix="TLR", year=2026, now=LATER
        )
    async with ledger.book(by="dlh") as book:
        await desk.change_report(book, ticket.id, lambda r: report.take(r, "dlh", now=LATER))
        await desk.change_report(book, ticket.id, lambda r: report.progress(r, "berangkat", now=LATER))
        await desk.reroute_report(book, ticket.id, "pupr", "saluran air", now=LATER)
    with pytest.raises(Refused, match="take it first"):
        await ledger.change(REPORTS, ticket.id, lambda r: report.resolve(r, "beres", now=LATER), by="pupr")
    async with ledger.book(by="pupr") as book:
        await desk.change_report(book, ticket.id, lambda r: report.take(r, "pupr", now=LATER))
        await desk.change_report(book, ticket.id, lambda r: report.resolve(r, "beres", now=LATER))
        await desk.change_report(book, ticket.id, lambda r: report.reopen(r, "belum", now=LATER))
    assert await status(pool, "report", ticket.id) == "assigned"
    assert await pool.fetchval("SELECT bounces FROM report WHERE id = $1", ticket.id) == 1


async def test_a_caller_given_to_another_seat_is_theirs_and_waited_until_the_first_answer(
    ledger: Ledger, pool: Pool
) -> None:
    taken = await call_from(ledger)
    id_ = await uniqueid(pool, taken)
    for seat_name, at in (("seat-01", LATER), ("seat-01", LATER), ("seat-02", LATER + timedelta(seconds=20))):
        await desk.call_answered(ledger, id_, seat_name=seat_name, at=at)
    row = await pool.fetchrow("SELECT status, seat, answered_at FROM call WHERE id = $1", taken.call)
    assert row is not None
    assert tuple(row) == ("talking", "seat-02", LATER)
    assert await story(ledger, "call", taken.call) == ["CallRang", "CallAnswered", "CallAnswered"]
