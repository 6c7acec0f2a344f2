"""Every screen, as people meet it: readable, reachable, and open to those who cannot see it; by day and by night."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.support import sip
from tests.support.browser import DESK, PHONE
from tests.support.eyes import Eyes
from tests.support.people import Person, Town

LIGHTS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
KITCHEN = (-6.2302, 106.7228)
LARANGAN = (-6.2329, 106.7256)  # beside the station of AMB-06


@asynccontextmanager
async def at_the_door(town: Town) -> AsyncIterator[Person]:
    async with town.passer_by() as person:
        await person.page.goto("/")
        await expect(person.page.locator("#login")).to_be_focused()
        yield person


@asynccontextmanager
async def a_call_taker_in_a_call(town: Town) -> AsyncIterator[Person]:
    centre = town.centre
    number = centre.new_number()
    async with town.desk("sari") as desk:
        async with centre.caller(number) as before:
            await desk.is_rung()
            await before.hang_up()
            await expect(desk.call).to_have_count(0)
        async with centre.caller(number, location=sip.circle(*KITCHEN, 250)):
            await desk.is_rung()
            await desk.answers()
            await desk.keys.type("Jl. Haji Mencong 20, rumah pagar hijau")
            await desk.keys.press("Alt+t")
            await desk.keys.type("fire_house")
            await desk.keys.press("ArrowDown", "Enter", "Alt+c")
            await desk.keys.type("Ibu Siti")
            await desk.keys.press("Alt+n")
            await desk.keys.type("Api dari dapur, satu anak masih di dalam")
            await desk.keys.press("Tab")
            await desk.keys.type("Tabung gas di dapur")
            await desk.has_saved()
            await desk.is_advised("TANGKI-02")
            yield desk
            await desk.ends_it_as("Alt+u")
            await desk.hangs_up()


@asynccontextmanager
async def a_dispatcher_with_a_busy_board(town: Town) -> AsyncIterator[Person]:
    async with town.board("budi") as board, town.somebody("ratna") as supervisor:
        for type_, address in (("fire_house", "Jl. Haji Mencong 20"), ("medical", "Jl. Ciledug Raya 7")):
            incident = await supervisor.opens_an_incident(type_, address, LARANGAN)
            await supervisor.sends(incident, "PMK-04" if type_ == "fire_house" else "AMB-05")
        await board.opens(incident)
        await expect(board.mission("AMB-05")).to_be_visible()
        yield board


@asynccontextmanager
async def a_leader_with_figures(town: Town) -> AsyncIterator[Person]:
    async with town.somebody("walikota") as leader:
        await leader.page.wait_for_load_state("networkidle")
        yield leader


@asynccontextmanager
async def an_officer_with_a_report(town: Town) -> AsyncIterator[Person]:
    async with town.somebody("ratna") as supervisor:
        incident = await supervisor.opens_an_incident("tree_down", "Jl. Inpres 4", LARANGAN)
        made = await supervisor.do("POST", f"/incidents/{incident}/report", {"category": "garbage"})
    async with town.officer("dlh") as officer:
        await officer.opens(str(made["number"]))
        await officer.takes_it()
        yield officer


@asynccontextmanager
async def a_citizen_who_looks(town: Town) -> AsyncIterator[Person]:
    async with town.somebody("ratna") as supervisor:
        incident = await supervisor.opens_an_incident("tree_down", "Jl. Inpres 9", LARANGAN)
        made = await supervisor.do("POST", f"/incidents/{incident}/report", {"category": "streetlight"})
    async with town.passer_by(size=PHONE) as citizen:
        await citizen.page.goto(str(made["tracking_url"]))
        await expect(citizen.the("track-status")).to_be_visible()
        yield citizen


@asynccontextmanager
async def a_crew_that_is_asked(town: Town) -> AsyncIterator[Person]:
    async with town.crew("AMB-06", at=LARANGAN) as crew, town.somebody("ratna") as supervisor:
        incident = await supervisor.opens_an_incident("medical", "Jl. Haji Mencong 20", LARANGAN)
        await supervisor.describes(incident, hazards="Anjing galak", notes="Lansia jatuh di kamar mandi")
        await supervisor.sends(incident, "AMB-06")
        await crew.is_asked()
        yield crew
        await crew.the("accept").click()
        await crew.goes()
        await crew.arrives()
        await crew.clears("handled")
        await crew.has_nothing_unsent()


@asynccontextmanager
async def a_crew_on_its_way(town: Town) -> AsyncIterator[Person]:
    async with town.crew("AMB-04", at=LARANGAN) as crew, town.somebody("ratna") as supervisor:
        incident = await supervisor.opens_an_incident("medical", "Jl. Raden Saleh 3", LARANGAN)
        await supervisor.sends(incident, "AMB-04")
        await crew.is_asked()
        await crew.accepts()
        await crew.goes()
        yield crew
        await crew.arrives()
        await crew.clears("handled")
        await crew.has_nothing_unsent()


Scene = Callable[[Town], AbstractAsyncContextManager[Person]]


@pytest.mark.parametrize(
    ("name", "scene", "sizes"),
    [
        pytest.param("sign-in", at_the_door, (DESK, PHONE), id="sign-in"),
        pytest.param("console", a_call_taker_in_a_call, (DESK,), id="call"),
        pytest.param("board", a_dispatcher_with_a_busy_board, (DESK,), id="board"),
        pytest.param("figures", a_leader_with_figures, (DESK, PHONE), id="figures"),
        pytest.param("agency", an_officer_with_a_report, (DESK, PHONE), id="agency"),
        pytest.param("track", a_citizen_who_looks, (DESK, PHONE), id="track"),
        pytest.param("unit-offer", a_crew_that_is_asked, (PHONE,), id="offer"),
        pytest.param("unit-mission", a_crew_on_its_way, (PHONE,), id="mission"),
    ],
)
async def test_a_screen_can_be_read_and_reached_by_everybody(
    town: Town, name: str, scene: Scene, sizes: tuple[tuple[int, int], ...]
) -> None:
    async with scene(town) as person:
        page = person.page
        wrong = []
        for width, height in sizes:
            await page.set_viewport_size({"width": width, "height": height})
            for light in LIGHTS:
                await page.emulate_media(color_scheme=light, reduced_motion="reduce")
                await person.is_pictured(f"{name}-{width}-{light}")
                eyes = Eyes(page)
                found = [*await eyes.barriers(), *await eyes.out_of_reach(), *await eyes.hard_to_read()]
                wrong += [f"{width}x{height} {light}: {words}" for words in found]
        assert not wrong, "\n".join(wrong)
