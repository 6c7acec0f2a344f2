"""From the ring to the end: a call, a place, an ambulance, and who did what when."""

from collections.abc import Callable

from playwright.async_api import expect

from tests.support import sip
from tests.support.browser import until
from tests.support.people import Town

MARKET = (-6.1741, 106.6402)
STATION = (-6.17224, 106.6385)  # of AMB-01, 300 m away


async def test_from_the_ring_to_the_end_of_the_mission(  # noqa: PLR0915 - a story is as long as it is
    town: Town, took: Callable[[str, float], None]
) -> None:
    centre = town.centre
    number = centre.new_number()
    async with town.desk("sari") as desk, town.crew("AMB-01", at=STATION) as crew:
        # Somebody tries, and gives up.
        async with centre.caller(number) as hasty:
            await desk.is_rung()
            await hasty.hang_up()
            await expect(desk.call).to_have_count(0)

        # They ring again, and this time their telephone says where they are.
        async with centre.caller(number, location=sip.circle(*MARKET, 35)) as caller:
            incident = await desk.is_rung()

            # All that can be known is on the screen before anybody answers.
            await expect(desk.the("caller-number")).to_contain_text(number[-4:])
            await expect(desk.form).to_have_attribute("data-incident", incident)
            await expect(desk.the("place-line")).to_contain_text("35 m")
            await expect(desk.the("map")).to_have_attribute("data-ready", "true")
            await expect(desk.call.locator(".earlier li")).to_have_count(1)

            # Both hear each other, as counted at both ends.
            await desk.answers()
            took("ring to answer, heard by the caller", await caller.answered())
            await desk.hears_and_is_heard()
            assert caller.voice.heard > 20
            assert caller.voice.loudest > 500
            assert (await desk.stats()).dtls == "connected"

            # On hold, and the record knows; afterwards both hear each other as before.
            await desk.holds()

            async def is_on_hold() -> bool:
                return await status_of(town, incident) == "held"

            await until(is_on_hold, "the record says the call is held")
            await desk.resumes()
            await desk.hears_and_is_heard()

            # The form, by keyboard: the address first, as they say it. A suggestion shows, and changes nothing.
            await desk.keys.press("Alt+a")
            await desk.keys.type("Pasar Anyar pintu timur")
            await desk.keys.press("Alt+t")
            await desk.keys.type("medical")
            await desk.keys.press("ArrowDown", "Enter")
            await desk.keys.press("Alt+n")
            await desk.keys.type("Ibu 60 tahun sesak napas")
            await desk.has_saved()
            await expect(desk.page.locator("#address")).to_have_value("Pasar Anyar pintu timur")
            await expect(desk.page.locator("#priority-1")).to_be_checked()

            # One key sends who was suggested; the crew has all of it at once.
            await expect(desk.suggestion("AMB-01").locator("input")).to_be_checked()
            assert await desk.chosen_units() == ["AMB-01"]
            await desk.keys.press("F9")
            mission = await crew.is_asked()
            offered_s = (await crew.stopwatch(mission) - await desk.stopwatch("F9")) / 1000
            took("one key to the offer on the crew's screen", offered_s)
            assert offered_s < 5
            for words in ("Pasar Anyar pintu timur", "Ibu 60 tahun sesak napas", number[-4:]):
                await expect(crew.offer).to_contain_text(words)
            await crew.is_pictured("crew-asked")

            await crew.accepts()
            await crew.is_pictured("crew-on-a-mission")
            await desk.hangs_up()
            await caller.is_hung_up_on()

            async def is_over() -> bool:
                return await status_of(town, incident) == "ended"

            await until(is_over, "the record says the call is over")

        # They are followed on their way.
        await crew.goes()
        await crew.drives_to(MARKET)
        await until(lambda: desk.knows_where(crew, MARKET), "the desk knows where the crew has got to")
        await crew.arrives()
        await crew.clears("treated_transported", "Dibawa ke RSUD")
        await crew.has_nothing_unsent()

        async def is_closed() -> bool:
            (row,) = await centre.look_up("SELECT status, outcome FROM incident WHERE id = $1", incident)
            return (row["status"], row["outcome"]) == ("closed", "treated_transported")

        await until(is_closed, "the incident is closed by rule, as the crew said it ended")

        history = await desk.history(incident)
        # How often a form saves itself, and whether a crew is alerted again, is a matter of how busy the machine is.
        by_pace = ("IncidentDescribed", "MissionDelivered", "OfferRealerted")
        told = [line for line in history if not line.endswith(by_pace)]
        assert told == [
            "agi IncidentOpened",
            "agi CallRang",
            "agi CallAnswered",
            "agi IncidentTaken",
            "agi CallHeld",
            "agi CallResumed",
            "sari IncidentTriaged",
            "sari MissionOffered",
            "amb-01 MissionAccepted",
            "agi CallEnded",
            "amb-01 UnitEnRoute",
            "amb-01 UnitOnScene",
            "amb-01 MissionCleared",
            "amb-01 CallClassified",
            "amb-01 IncidentClosed",
        ]

    verdict, words = await centre.audit()
    assert verdict == 0, words


async def status_of(town: Town, incident: str) -> str:
    (row,) = await town.centre.look_up("SELECT status FROM call WHERE incident = $1", incident)
    return str(row["status"])
