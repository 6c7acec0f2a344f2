"""Sending units, on a real PostgreSQL: what the record says afterwards."""

import asyncio

import pytest

from callcenter import desk
from callcenter.ids import new_id
from callcenter.ledger import Answer, Book
from callcenter.refused import Refused
from dispatch import roster, sending
from dispatch.recommend import Reason
from dispatch.sending import Verb, unit_id_of
from tests.dispatch.room import CREWS, Room, eventually, later
from tests.support.builders import NOON, call_from, story


async def test_one_key_describes_triages_and_offers_together(room: Room) -> None:
    taken = await call_from(room.ledger)
    async with room.ledger.book(by="sari") as book:
        sent = await sending.send(
            book,
            taken.incident,
            [unit_id_of("PMK-01"), unit_id_of("AMB-01")],
            changes={"type": "fire_house", "priority": 1, "address": "Jl. Veteran 3"},
            now=NOON,
        )
    assert await room.missions(taken.incident) == ["AMB-01 offered", "PMK-01 offered"]
    assert await story(room.ledger, "incident", taken.incident) == [
        "IncidentOpened",
        "IncidentDescribed",
        "IncidentTriaged",
    ]
    written = await room.pool.fetch("SELECT DISTINCT txid FROM log WHERE at = $1 AND by = 'sari'", NOON)
    assert len(written) == 1
    timers = await room.pool.fetch("SELECT kind, subject FROM timer ORDER BY due_at, kind, subject")
    assert {row["subject"] for row in timers} == set(sent.missions)
    assert [row["kind"] for row in timers] == ["offer-realert", "offer-realert", "offer-expire", "offer-expire"]


async def test_nobody_is_sent_before_it_is_known_what_it_is_and_how_bad(room: Room) -> None:
    untyped = (await call_from(room.ledger)).incident
    unjudged = await room.incident(priority=None)
    for incident, code in ((untyped, "incident.no_type"), (unjudged, "incident.no_priority")):
        with pytest.raises(Refused) as refused:
            await room.send(incident, "AMB-01")
        assert refused.value.code == code
        assert await room.missions(incident) == []


async def test_a_refused_sending_leaves_no_trace(room: Room) -> None:
    first, second = await room.incident(), await room.incident()
    await room.send(first, "AMB-01", by="budi")
    with pytest.raises(Refused, match=r"AMB-01 is busy with incident \d+, sent by budi; choose another"):
        await room.send(second, "AMB-02", "AMB-01", by="ratna")
    assert await room.missions(second) == []
    assert await room.status(second) == ("open", None)
    assert await room.pool.fetchval("SELECT count(*) FROM timer") == 2


async def test_a_unit_is_not_sent_twice_to_the_same_incident(room: Room) -> None:
    incident = await room.incident()
    await room.send(incident, "AMB-01")
    with pytest.raises(Refused, match="already on this incident"):
        await room.send(incident, "AMB-01")


async def test_a_second_unit_joins_without_triaging_again(room: Room) -> None:
    incident = await room.incident()
    await room.send(incident, "AMB-01")
    await room.send(incident, "AMB-02")
    assert (await story(room.ledger, "incident", incident)).count("IncidentTriaged") == 1
    assert await room.missions(incident) == ["AMB-01 offered", "AMB-02 offered"]


async def test_what_does_not_exist_is_not_sent_and_nowhere_to_send(room: Room) -> None:
    incident = await room.incident()
    async with room.ledger.book(by="budi") as book:
        for units in ([], [new_id()], [new_id() for _ in range(51)]):
            with pytest.raises(Refused):
                await sending.send(book, incident, units, now=NOON)
    with pytest.raises(Refused, match="no such incident"):
        await room.send(new_id(), "AMB-01")


async def test_of_a_hundred_who_want_one_unit_one_gets_it_and_the_others_hear_who(room: Room) -> None:
    incidents = [await room.incident() for _ in range(100)]
    # All connections are open, so that they truly come at once.
    await asyncio.gather(*[room.pool.execute("SELECT pg_sleep(0.1)") for _ in range(10)])
    results = await asyncio.gather(
        *[room.send(incident, "AMB-01", by=f"meja{n}") for n, incident in enumerate(incidents)], return_exceptions=True
    )
    won = [n for n, result in enumerate(results) if isinstance(result, list)]
    lost = [result for result in results if isinstance(result, Refused)]
    assert len(won) == 1
    assert len(lost) == 99, [result for result in results if not isinstance(result, list | Refused)]
    assert all(f"sent by meja{won[0]};" in str(refused) and refused.code == "unit.busy" for refused in lost)
    assert await room.pool.fetchval("SELECT count(*) FROM mission") == 1


async def test_who_comes_second_waits_for_the_first_to_commit_and_is_told_who(room: Room) -> None:
    first, second = await room.incident(), await room.incident()

    async def waits() -> bool:
        return bool(await room.pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    async with room.ledger.book(by="budi") as book:
        await sending.send(book, first, [unit_id_of("AMB-01")], now=NOON)
        second_try = asyncio.create_task(room.send(second, "AMB-01", by="ratna"))
        await eventually(waits)
    with pytest.raises(Refused, match="sent by budi"):
        await second_try


async def test_two_who_send_the_same_two_units_the_other_way_round_do_not_wait_for_each_other(room: Room) -> None:
    pairs = [(("AMB-01", "AMB-02"), await room.incident()), (("AMB-02", "AMB-01"), await room.incident())]
    results = await asyncio.gather(*[room.send(i, *units) for units, i in pairs], return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Refused", "list"]


async def test_the_same_key_sends_once(room: Room) -> None:
    incident = await room.incident()

    async def work(book: Book) -> Answer:
        sent = await sending.send(book, incident, [unit_id_of("AMB-01")], now=NOON)
        return {"missions": [str(mission) for mission in sent.missions]}

    answers = await asyncio.gather(*[room.once("k1", work) for _ in range(8)])
    assert len({str(answer) for answer in answers}) == 1
    assert await room.missions(incident) == ["AMB-01 offered"]


async def test_the_last_mission_cleared_closes_the_incident(room: Room) -> None:
    incident = await room.incident()
    first, second = await room.send(incident, "AMB-01", "POL-01" if _has("POL-01") else "PMK-01")
    await room.tell(first, "accept", "en_route", "on_scene", "cleared", outcome="treated_transported")
    assert await room.status(incident) == ("triaged", None)
    await room.tell(second, "accept", "cleared", outcome="cancelled_before_arrival")
    assert await room.status(incident) == ("closed", "treated_transported")
    assert await room.pool.fetchval("SELECT call_class FROM call WHERE incident = $1", incident) == "emergency"


def _has(call_sign: str) -> bool:
    return any(crew.call_sign == call_sign for crew in CREWS)


async def test_a_prank_found_on_scene_makes_the_call_a_prank(room: Room) -> None:
    incident = await room.incident("fire_house")
    (mission,) = await room.send(incident, "PMK-01")
    await room.tell(mission, "accept", "on_scene", "cleared", outcome="prank")
    assert await room.status(incident) == ("closed", "prank")
    assert await room.pool.fetchval("SELECT call_class FROM call WHERE incident = $1", incident) == "prank"


async def test_a_unit_that_declines_is_followed_by_the_next_best(room: Room) -> None:
    incident = await room.incident()
    best = (await roster.advice(room.pool, incident, now=NOON)).next_best
    assert best is not None
    (mission,) = await room.send(incident, best.call_sign)
    await room.tell(mission, "decline")
    proposed = await room.proposed(incident)
    assert proposed is not None
    assert proposed.startswith("AMB")
    assert proposed != best.call_sign
    assert await room.pool.fetchval("SELECT needs_unit FROM incident_now WHERE id = $1", incident)
    advice = await roster.advice(room.pool, incident, now=NOON)
    (line,) = [line for line in advice.others if line.call_sign == best.call_sign]
    assert line.reasons[0] is Reason.DECLINED


async def test_the_proposal_is_gone_when_somebody_is_sent(room: Room) -> None:
    incident = await room.incident()
    (mission,) = await room.send(incident, "AMB-01")
    await room.tell(mission, "decline")
    proposed = await room.proposed(incident)
    assert proposed is not None
    await room.send(incident, proposed)
    assert await room.proposed(incident) is None


async def test_a_unit_that_was_withdrawn_can_be_sent_again_by_a_new_mission(room: Room) -> None:
    incident = await room.incident()
    (first,) = await room.send(incident, "AMB-01")
    async with room.ledger.book(by="budi") as book:
        await sending.withdraw(book, first, reason="lebih dekat ke kejadian lain", now=NOON)
    assert await room.missions(incident) == ["AMB-01 withdrawn"]
    async with room.ledger.book(by="budi") as book:
        again = await sending.resend(book, first, now=later(5))
    assert again.missions != (first,)
    assert await room.missions(incident) == ["AMB-01 withdrawn", "AMB-01 offered"]
    with pytest.raises(Refused, match="only one that was declined"):
        async with room.ledger.book(by="budi") as book:
            await sending.resend(book, again.missions[0], now=later(6))


async def test_clearing_after_a_reopening_is_what_counts(room: Room) -> None:
    incident = await room.incident()
    (first,) = await room.send(incident, "AMB-01")
    await room.tell(first, "accept", "on_scene", "cleared", at=later(10))
    async with room.ledger.book(by="budi") as book:
        await desk.reopen(book, incident, "masih ada korban", now=later(20))
    (second,) = await room.send(incident, "AMB-01", at=later(30))
    await room.tell(second, "decline", at=later(40))
    assert await room.status(incident) == ("triaged", None)
    assert await room.proposed(incident) is not None


async def test_a_unit_speaks_of_its_own_missions_only(room: Room) -> None:
    (mission,) = await room.send(await room.incident(), "AMB-01")
    async with room.ledger.book(by="amb-02") as book:
        with pytest.raises(Refused, match="no such mission"):
            await sending.hear(book, mission, sending.Telling(Verb.ACCEPT), unit_id=unit_id_of("AMB-02"), now=NOON)
    assert await story(room.ledger, "mission", mission) == ["MissionOffered"]


async def test_an_outcome_is_one_of_the_list(room: Room) -> None:
    (mission,) = await room.send(await room.incident(), "AMB-01")
    for outcome in ("", "beres", None):
        with pytest.raises(Refused, match="choose an outcome"):
            await room.tell(mission, "cleared", outcome=outcome)


async def test_a_busy_unit_does_not_go_home(room: Room) -> None:
    await room.send(await room.incident(), "AMB-01")
    async with room.ledger.book(by="amb-01") as book:
        with pytest.raises(Refused, match="is on a mission"):
            await sending.set_duty(book, unit_id_of("AMB-01"), Verb.OFF_DUTY, now=NOON)


async def test_a_unit_that_is_off_duty_or_broken_is_not_sent(room: Room) -> None:
    incident = await room.incident()
    for verb, words in ((Verb.OFF_DUTY, "off duty"), (Verb.OUT_OF_SERVICE, "mogok")):
        async with room.ledger.book(by="amb-01") as book:
            await sending.set_duty(book, unit_id_of("AMB-01"), verb, reason="mogok", now=NOON)
        with pytest.raises(Refused, match=words):
            await room.send(incident, "AMB-01")


async def test_units_are_registered_once_by_however_many_processes(room: Room) -> None:
    before = await room.pool.fetchval("SELECT count(*) FROM log WHERE kind = 'unit'")
    await asyncio.gather(*[sending.register(room.ledger, CREWS, now=later(n)) for n in range(3)])
    assert await room.pool.fetchval("SELECT count(*) FROM log WHERE kind = 'unit'") == before == len(CREWS)


async def test_two_units_that_clear_at_once_close_the_incident_once(room: Room) -> None:
    for _ in range(10):
        incident = await room.incident()
        missions = await room.send(incident, "AMB-01", "AMB-02", "AMB-03")
        await asyncio.gather(*[room.tell(mission, "cleared") for mission in missions])
        assert await room.status(incident) == ("closed", "handled")
        assert (await story(room.ledger, "incident", incident)).count("IncidentClosed") == 1
