"""What is not kept for ever, and what is."""

from dispatch import house
from tests.dispatch.room import Room


async def test_traces_older_than_thirty_days_go_a_little_at_a_time(room: Room) -> None:
    await room.pool.execute(
        """INSERT INTO position_history (unit, at, lat, lon)
           SELECT id, now() - interval '31 days' + make_interval(days => n), -6.17, 106.64
           FROM unit, generate_series(-4, 3) n WHERE call_sign IN ('AMB-01', 'PMK-01')"""
    )
    assert await house.tidy(room.pool, batch=3) == 2 * 6
    kept = await room.pool.fetch("SELECT count(*) AS many FROM position_history GROUP BY unit")
    assert [row["many"] for row in kept] == [2, 2]
    assert await house.tidy(room.pool) == 0


async def test_of_old_acknowledgements_only_when_an_offer_arrived_is_kept(room: Room) -> None:
    (mission,) = await room.send(await room.incident(), "AMB-01")
    await room.tell(mission, "accept")
    await room.pool.execute(
        """INSERT INTO delivery (unit, seq, acked_at)
           SELECT unit, seq, now() - interval '40 days' FROM log WHERE kind = 'mission' AND subject = $1""",
        mission,
    )
    assert await house.tidy(room.pool) == 1
    assert await room.pool.fetchval("SELECT delivered_at IS NOT NULL FROM mission_now WHERE id = $1", mission)
