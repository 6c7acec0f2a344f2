"""A caller left before anybody answered: the desk rings back with one button, and is told when that fails."""

from pathlib import Path
from uuid import UUID

from playwright.async_api import expect

from tests.support import sip
from tests.support.browser import until
from tests.support.people import CallTaker, Town


async def test_a_caller_who_left_is_rung_back_with_one_button(town: Town, tmp_path: Path) -> None:
    centre = town.centre
    number = centre.new_number()
    async with town.desk("sari") as desk:
        async with centre.caller(number) as caller:
            incident = await desk.is_rung()
            await caller.hang_up()
        lost = desk.lost_call(number)
        # Nobody is at home: the telephone network has nothing behind it.
        refusing = sip.Sipp(tmp_path / "nobody", sip.refuses("486 Busy Here"), port=centre.outside_port)
        await refusing.start()
        try:
            await it_rings_at_the_desk(desk, number)
            await desk.keys.press("F2")  # and at once it is over again
            await expect(lost.locator(".why")).to_contain_text("sibuk", timeout=15_000)
            await desk.is_pictured("ring-back")
        finally:
            await refusing.kill()
        async with sip.Desk(tmp_path, port=centre.outside_port) as phone:
            assert await it_rings_at_the_desk(desk, number) == incident
            await desk.answers()
            await phone.invited()
            await desk.hears_and_is_heard()
            await until_it_is(town, incident, "reached")
            await expect(lost).to_have_count(0)
            await desk.hangs_up()
        (row,) = await centre.look_up("SELECT seat, call_taker FROM call WHERE incident = $1", UUID(incident))
        assert row["call_taker"] == "sari"


async def it_rings_at_the_desk(desk: CallTaker, number: str) -> str:
    """The button, and then one's own telephone; for which incident it rings."""
    await desk.lost_call(number).locator(".back").click()
    return await desk.is_rung()


async def until_it_is(town: Town, incident: str, status: str) -> None:
    async def so() -> bool:
        (row,) = await town.centre.look_up("SELECT status FROM call WHERE incident = $1", UUID(incident))
        return bool(row["status"] == status)

    await until(so, f"the caller is {status}")
