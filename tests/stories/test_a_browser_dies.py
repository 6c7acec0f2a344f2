"""The page of a call-taker dies in mid call: the caller is not cut off, but goes to the head of the line."""

from uuid import UUID

from tests.support.browser import until
from tests.support.people import Town


async def test_a_caller_whose_call_taker_vanished_is_answered_by_another(town: Town) -> None:
    centre = town.centre
    async with town.desk("sari") as first, centre.caller(centre.new_number()) as caller:
        incident = await first.is_rung()
        await first.answers()
        await caller.answered()
        await first.hears_and_is_heard()
        async with town.desk("dewi") as second:
            window = first.page.context
            await first.page.close()
            # Ten seconds without a sound, and the room rings again, with the same incident.
            assert await second.is_rung(within_s=40) == incident
            await second.answers()
            await second.hears_and_is_heard()

            async def is_theirs() -> bool:
                (call,) = await centre.look_up(
                    "SELECT status, call_taker FROM call WHERE incident = $1", UUID(incident)
                )
                return (call["status"], call["call_taker"]) == ("talking", "dewi")

            await until(is_theirs, "the record says who has the caller now")
            await second.hangs_up()
            await caller.is_hung_up_on()
            first.page = await window.new_page()
            await first.page.goto("/call")
