"""Most calls are none: children, silence, questions, technicians. One key each, and a way back."""

from uuid import UUID

from playwright.async_api import expect

from tests.support.browser import until
from tests.support.people import Town

KEYS = {"information": "Alt+i", "prank": "Alt+g", "ghost": "Alt+h", "test": "Alt+u"}


async def test_a_call_that_is_no_emergency_is_one_key_and_can_be_taken_back(town: Town) -> None:
    centre = town.centre
    async with town.desk("dewi") as desk:
        for outcome, key in KEYS.items():
            number = centre.new_number()
            async with centre.caller(number) as caller:
                incident = await desk.is_rung()
                await desk.answers()
                await expect(desk.form).to_have_attribute("data-incident", incident)
                await desk.ends_it_as(key)
                await until_it_is(town, incident, "closed", outcome)

                await desk.takes_it_back()
                await until_it_is(town, incident, "open", None)

                await desk.ends_it_as(key)
                await until_it_is(town, incident, "closed", outcome)
                await desk.hangs_up()
                await caller.is_hung_up_on()

            (row,) = await centre.look_up("SELECT call_class FROM call WHERE incident = $1", UUID(incident))
            assert row["call_class"] == outcome

            # Whoever took the call may ring back still: only to others the number is half hidden from now on.
            await expect(desk.form).to_contain_text(f"{number[:4]}-{number[4:8]}-{number[8:]}")


async def until_it_is(town: Town, incident: str, status: str, outcome: str | None) -> None:
    async def so() -> bool:
        (row,) = await town.centre.look_up("SELECT status, outcome FROM incident WHERE id = $1", UUID(incident))
        return (row["status"], row["outcome"]) == (status, outcome)

    await until(so, f"the incident is {status} {outcome or ''}")
