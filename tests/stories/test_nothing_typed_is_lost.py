"""What was typed and cannot go by itself is not thrown away, and is nobody else's."""

import re

from playwright.async_api import expect

from tests.support.people import CallTaker, Town


async def test_what_was_typed_without_a_record_is_found_again_by_who_typed_it_and_by_nobody_else(town: Town) -> None:
    centre = town.centre
    number = centre.new_number()
    async with town.desk("sari") as desk:
        await centre.daemons_die()
        async with centre.caller(number) as caller:
            assert await desk.is_rung() == ""
            await desk.answers()
            await caller.answered()
            await desk.keys.press("Alt+n")
            await desk.keys.type("Pohon menimpa kabel, tiang miring")
            await expect(desk.the("save-state")).to_have_attribute("data-state", "kept")
            await desk.hangs_up()
        await centre.daemons_return()
        await desk.is_up_to_date()

        # The page is loaded again before anybody took the late record: the words are there, with whom they came from.
        await desk.page.reload()
        await desk.is_up_to_date()
        draft = desk.the("draft")
        await expect(draft).to_contain_text("Pohon menimpa kabel, tiang miring")
        await expect(draft).to_contain_text(number[-3:])

        # They go to the incident that is open, beside what stands there.
        sought = "SELECT number, notes FROM incident WHERE caller_number LIKE $1"
        [row] = await centre.look_up(sought, f"%{number.removeprefix('0')}")
        await desk.page.get_by_role("button", name=f"#{row['number']}").click()
        await desk.keys.press("Alt+n")
        await desk.keys.type("Jalan tertutup.")
        await draft.get_by_role("button", name="Ke formulir").click()
        await expect(draft).to_have_count(0)
        await desk.has_saved()
        [row] = await centre.look_up(sought, f"%{number.removeprefix('0')}")
        assert row["notes"] == "Jalan tertutup.\nPohon menimpa kabel, tiang miring"


async def test_what_the_desk_refuses_is_kept_until_it_is_thrown_away(town: Town) -> None:
    async with town.desk("sari") as desk, town.somebody("ratna") as supervisor:
        await desk.keys.press("Alt+b")
        await expect(desk.form).to_have_attribute("data-incident", re.compile("."))
        incident = await desk.form.get_attribute("data-incident")
        await desk.page.route(f"**/incidents/{incident}", lambda route: route.abort())
        await desk.keys.press("Alt+n")
        await desk.keys.type("Penelepon menelepon lagi")
        await expect(desk.the("save-state")).to_have_attribute("data-state", "kept")
        await supervisor.do("POST", f"/incidents/{incident}/close", {"outcome": "handled"})
        await desk.page.unroute_all()
        await desk.page.reload()
        draft = desk.the("draft")
        await expect(draft).to_contain_text("Penelepon menelepon lagi")
        await expect(draft).to_contain_text("Tidak tersimpan")

        # Another person at the same machine is not shown it; its writer finds it again.
        await desk.leaves()
        colleague = await CallTaker(desk.page, desk.centre, "dewi").sign_in()
        await colleague.is_up_to_date()
        await expect(draft).to_have_count(0)
        await colleague.leaves()
        await desk.sign_in()
        await expect(draft).to_have_count(1)
        await draft.get_by_role("button", name="Buang").click()
        await expect(draft).to_have_count(0)
