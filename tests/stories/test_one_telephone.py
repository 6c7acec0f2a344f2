"""One person, one telephone: a console never says that it rings when it does not, and nobody ends a call unasked."""

from playwright.async_api import expect

from tests.support.people import CallTaker, Town

ELSEWHERE = "Telepon dipakai di tempat lain"


async def test_a_console_whose_telephone_is_elsewhere_says_so_and_takes_it_back(town: Town) -> None:
    centre = town.centre
    async with town.desk("sari") as first:
        # The same person at another machine: it takes the telephone by being opened.
        async with town.somebody("sari") as other:
            second = CallTaker(other.page, centre, "sari")
            await expect(second.the("phone-state")).to_have_attribute("data-state", "registered")
            await first.is_told_that_the_telephone_is("taken", ELSEWHERE)
            await first.is_pictured("telephone-elsewhere")

            # Signing out here does not get up for there.
            await first.the("take-seat").click()
            await expect(first.the("phone-state")).to_have_attribute("data-state", "registered")
            await second.is_told_that_the_telephone_is("taken", ELSEWHERE)
            await second.leaves()
        await expect(first.the("availability")).to_have_attribute("data-state", "ready")

        # A second tab is another telephone, too.
        tab = CallTaker(await first.page.context.new_page(), centre, "sari")
        await tab.page.goto("/call")
        await expect(tab.the("phone-state")).to_have_attribute("data-state", "registered")
        await first.is_told_that_the_telephone_is("taken", ELSEWHERE)
        await first.keys.press("Alt+r")
        await tab.is_told_that_the_telephone_is("taken", ELSEWHERE)
        await tab.page.close()

        # Somebody gets up for this person.
        await first.do("DELETE", "/session/phone")
        await first.is_told_that_the_telephone_is("freed", "Meja dilepas")
        await first.takes_a_seat()
        async with centre.caller(centre.new_number()) as caller:
            await first.is_rung()
            await first.answers()
            await caller.answered()
            # Taken away in mid call: the conversation goes on, and cannot be ended by sitting down again.
            await first.do("POST", "/session/phone")
            await first.is_told_that_the_telephone_is("taken", ELSEWHERE)
            await expect(first.the("take-seat")).to_be_disabled()
            await first.keys.press("Alt+r")
            await first.hears_and_is_heard()
            await first.hangs_up()
            await caller.is_hung_up_on()
            await first.takes_a_seat()


async def test_signing_out_in_mid_call_is_asked_and_a_reload_gives_the_caller_back(town: Town) -> None:
    centre = town.centre
    async with town.desk("sari") as desk, centre.caller(centre.new_number()) as caller:
        incident = await desk.is_rung()
        await desk.answers()
        await caller.answered()
        await desk.page.locator("header").get_by_role("button", name="Keluar").click()
        question = desk.page.locator("dialog[open]")
        await expect(question).to_contain_text("Masih ada penelepon di telepon. Keluar memutus panggilan.")
        await desk.is_pictured("sign-out-in-mid-call")
        # Enter stays.
        await desk.keys.press("Enter")
        await expect(question).to_have_count(0)
        await desk.hears_and_is_heard()

        # The page is loaded again: the caller is silent for ten seconds, then rings here again, with the same incident.
        await desk.page.reload()
        assert await desk.is_rung(within_s=40) == incident
        await desk.answers()
        await desk.hears_and_is_heard()
        await desk.page.locator("header").get_by_role("button", name="Keluar").click()
        await question.get_by_role("button", name="Keluar").click()
        await desk.page.wait_for_url("**/")
        await caller.is_hung_up_on()
        await desk.sign_in()
