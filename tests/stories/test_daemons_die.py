"""Our own programs die in mid-call. The telephone rings all the same, and afterwards nothing is missing or double."""

from playwright.async_api import expect

from tests.support import sip
from tests.support.browser import until
from tests.support.people import Town

KARAWACI = (-6.1862, 106.6139)


async def test_with_agi_dispatch_and_web_dead_the_next_call_rings_and_is_one_incident(town: Town) -> None:
    centre = town.centre
    talking, ringing, missed = (centre.new_number() for _ in range(3))
    async with town.desk("sari") as desk:
        async with centre.caller(talking) as first:
            await desk.is_rung()
            await desk.answers()
            await first.answered()

            # All three die. Who talks, talks on; the screen says that it is behind.
            await centre.daemons_die()
            await desk.hears_and_is_heard()
            await desk.is_told_that_it_is_behind()
            await desk.hangs_up()

        # Somebody rings, and is answered: number and sound need nothing of ours.
        async with centre.caller(ringing, location=sip.circle(*KARAWACI, 80)) as second:
            assert await desk.is_rung() == ""
            await expect(desk.the("caller-number")).to_contain_text(ringing[-4:])
            await desk.answers()
            await second.answered()
            await desk.hears_and_is_heard()
            await desk.keys.press("Alt+a")
            await desk.keys.type("Jl. Imam Bonjol, dekat jembatan")
            await expect(desk.the("save-state")).to_have_attribute("data-state", "kept")

            # Another waits meanwhile, and gives up: nobody of ours saw that call at all.
            async with centre.caller(missed) as third:
                await third.rings()
                await third.hang_up()

            # Everything returns. The sheet finds its record, and what was typed goes there.
            await centre.daemons_return()
            await desk.is_up_to_date()
            await desk.takes_the_record_that_came_late()
            await desk.has_saved()
            await expect(desk.page.locator("#address")).to_have_value("Jl. Imam Bonjol, dekat jembatan")
            await desk.hangs_up()

    async def is_told() -> bool:
        rows = await centre.look_up(
            "SELECT c.ani, c.status, c.spooled, i.address FROM call c JOIN incident i ON i.id = c.incident "
            "WHERE c.ani LIKE ANY($1) ORDER BY c.rang_at",
            [f"%{number.removeprefix('0')}" for number in (talking, ringing, missed)],
        )
        return [(row["status"], row["spooled"], row["address"]) for row in rows] == [
            ("ended", False, ""),
            ("ended", True, "Jl. Imam Bonjol, dekat jembatan"),
            ("abandoned", True, ""),
        ]

    await until(is_told, "each call is one call and one incident, the missed one too")
    verdict, words = await centre.audit()
    assert verdict == 0, words
