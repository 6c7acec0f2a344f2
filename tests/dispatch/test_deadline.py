"""Deadlines of offers: kept by rows, over restarts and outages, once."""

import asyncio
import random
from contextlib import suppress

import pytest

from callcenter.bell import Bell
from callcenter.ledger import Ledger
from callcenter.store import open_pool
from callcenter.timers import sweep
from dispatch import deadline
from dispatch.sending import Patience
from tests.dispatch.room import Room, eventually, later
from tests.support.builders import NOON, story

NOW = Patience(realert_s=0, expire_s=0)


async def test_a_silent_unit_is_alerted_again_then_loses_the_offer_and_the_next_is_proposed(room: Room) -> None:
    incident = await room.incident()
    (mission,) = await room.send(incident, "AMB-01", patience=NOW)
    await sweep(room.ledger, deadline.handlers(lambda: later(60)), by="rule")
    assert await story(room.ledger, "mission", mission) == ["MissionOffered", "OfferRealerted", "MissionExpired"]
    assert (await story(room.ledger, "incident", incident))[-1] == "UnitProposed"
    assert await room.proposed(incident) not in {None, "AMB-01"}
    assert await room.pool.fetchval("SELECT count(*) FROM timer") == 0


async def test_a_unit_that_answered_is_left_alone(room: Room) -> None:
    incident = await room.incident()
    (mission,) = await room.send(incident, "AMB-01", patience=NOW)
    await room.tell(mission, "accept")
    await sweep(room.ledger, deadline.handlers(lambda: later(60)), by="rule")
    assert await story(room.ledger, "mission", mission) == ["MissionOffered", "MissionAccepted"]
    assert await room.proposed(incident) is None


async def test_nothing_goes_off_before_it_is_due(room: Room) -> None:
    (mission,) = await room.send(await room.incident(), "AMB-01", patience=Patience(3600, 7200))
    assert await sweep(room.ledger, deadline.handlers(lambda: NOON), by="rule") == 0
    assert await story(room.ledger, "mission", mission) == ["MissionOffered"]


async def test_an_answer_and_an_expiry_in_the_same_moment_leave_one_truth(room: Room) -> None:
    for _ in range(10):
        incident = await room.incident()
        (mission,) = await room.send(incident, "AMB-01", patience=NOW)
        await asyncio.gather(
            sweep(room.ledger, deadline.handlers(lambda: later(60)), by="rule"),
            room.tell(mission, "accept", at=later(60)),
            return_exceptions=True,
        )
        told = await story(room.ledger, "mission", mission)
        assert ("MissionAccepted" in told) != ("MissionExpired" in told)
        if "MissionAccepted" in told:
            await room.tell(mission, "cleared", at=later(70))


async def test_what_was_given_up_gets_another_chance_when_we_start_anew(room: Room) -> None:
    incident = await room.incident()
    (mission,) = await room.send(incident, "AMB-01", patience=NOW)
    await room.pool.execute("UPDATE timer SET attempts = 5")
    assert await sweep(room.ledger, deadline.handlers(lambda: later(60)), by="rule") == 0
    watching = asyncio.create_task(deadline.watch(room.ledger, lambda: later(60)))

    async def is_over() -> bool:
        return "MissionExpired" in await story(room.ledger, "mission", mission)

    await eventually(is_over)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


@pytest.mark.parametrize("seed", range(24))
async def test_a_deadline_goes_off_once_though_the_sweeper_is_killed_again_and_again(
    room: Room, dsn: str, seed: int
) -> None:
    chance = random.Random(seed)
    missions = []
    for call_sign in ("AMB-01", "AMB-02", "AMB-03"):
        missions += await room.send(await room.incident(), call_sign, patience=NOW)

    async def one_life() -> None:
        pool = await open_pool(dsn, size=2)
        try:
            async with asyncio.timeout(chance.uniform(0.0, 0.15)):
                await deadline.watch(Ledger(pool, Bell()), lambda: later(60), every_s=0.001)
        except TimeoutError:
            pass
        finally:
            # As a kill does it: connections are cut, transactions are left to PostgreSQL.
            pool.terminate()

    async def until_nothing_is_due() -> bool:
        await asyncio.gather(one_life(), one_life())
        due: bool = await room.pool.fetchval("SELECT count(*) = 0 FROM timer")
        return due

    await eventually(until_nothing_is_due, within_s=20)
    for mission in missions:
        assert await story(room.ledger, "mission", mission) in (
            ["MissionOffered", "OfferRealerted", "MissionExpired"],
            ["MissionOffered", "MissionExpired"],  # both were due at once, and the second was claimed first
        )


async def test_the_watch_goes_on_when_postgresql_cuts_it_off(room: Room, dsn: str) -> None:
    pool = await open_pool(dsn, size=2)
    watching = asyncio.create_task(deadline.watch(Ledger(pool, Bell()), lambda: later(60), every_s=0.01))
    try:
        await room.kill_connections()
        (mission,) = await room.send(await room.incident(), "AMB-01", patience=NOW)

        async def expired() -> bool:
            return "MissionExpired" in await story(room.ledger, "mission", mission)

        await eventually(expired)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        pool.terminate()
