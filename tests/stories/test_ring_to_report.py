"""No emergency, but somebody's work: a report with a number, an officer who does it, and a citizen who can look."""

import re

from playwright.async_api import expect

from tests.support import sip
from tests.support.browser import PHONE
from tests.support.people import Town

KUNCIRAN = (-6.2206, 106.6712)  # in the kecamatan of Pinang, whose Trantib looks after burning waste


async def test_a_call_becomes_a_report_that_the_citizen_can_follow_to_its_end(town: Town) -> None:
    centre = town.centre
    number = centre.new_number()
    async with town.desk("sari") as desk, centre.caller(number, location=sip.circle(*KUNCIRAN, 60)) as caller:
        await desk.is_rung()
        await desk.answers()
        await desk.keys.press("Alt+a")
        await desk.keys.type("Lahan kosong di Jl. KH Mas Mansyur")
        await desk.keys.press("Alt+c")
        await desk.keys.type("Pak Rahmat Hidayat")
        await desk.keys.press("Alt+n")
        await desk.keys.type("Sampah dibakar tiap sore, asap masuk rumah")
        await desk.has_saved()
        ticket, link = await desk.makes_a_report("Pembakaran sampah")
        await desk.hangs_up()
        await caller.is_hung_up_on()
    assert re.fullmatch(r"TLR-\d{4}-\d{6}", ticket)

    # The agency of that kecamatan has it; nobody chose it by hand.
    async with town.officer("trantib-pinang") as officer:
        await officer.opens(ticket)
        await expect(officer.the("report-detail")).to_contain_text("Kunciran")
        for nobodys_business in ("Rahmat", number[-6:]):
            await expect(officer.page.locator("body")).not_to_contain_text(nobodys_business)
        await officer.takes_it()
        await officer.notes("Petugas menuju lokasi sore ini")
        await officer.resolves("Pembakar ditegur, api dipadamkan")
    async with town.officer("dlh") as another:
        await expect(another.page.locator(f"[data-testid=report][data-number='{ticket}']")).to_have_count(0)

    # The citizen, on a telephone, with nothing but the link; it does not stay in the address bar.
    async with town.passer_by(size=PHONE) as citizen:
        await citizen.page.goto(link)
        await expect(citizen.the("track-status")).to_have_attribute("data-status", "selesai")
        steps = citizen.the("track-steps")
        await expect(steps.locator("time")).not_to_have_count(0)
        for words in ("Petugas menuju lokasi sore ini", "Pembakar ditegur, api dipadamkan"):
            await expect(steps).to_contain_text(words)
        for nobodys_business in ("Rahmat", number[-6:], "Mas Mansyur", "trantib-pinang"):
            await expect(citizen.page.locator("body")).not_to_contain_text(nobodys_business)
        assert "token" not in citizen.page.url

        # Who guesses is told nothing.
        await citizen.page.goto("/track")
        await citizen.page.fill("#number", ticket)
        await citizen.page.fill("#token", "AAAAAAAAAAAA")
        await citizen.page.press("#token", "Enter")
        await expect(citizen.page.locator("[role=alert].bad")).to_be_visible()
        await expect(citizen.the("track-status")).to_have_count(0)

    verdict, words = await centre.audit()
    assert verdict == 0, words
