"""The people of the stories, as far as a browser shows them: what they see, and what they press."""

import contextlib
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Self

from playwright.async_api import Error, Locator, Page, expect

from tests.support.browser import DESK, PHONE, PICTURES, Chromium, until
from tests.support.database import PASSWORD
from tests.support.whole import Centre

# Kept in git, so made anew only when somebody asks: SIAGA_README_PICTURES=1 make stories
IN_THE_README: Final = {"console-1366-light": "console.png", "crew-on-a-mission": "unit.png"}

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

# Notes in the page, on the page's own clock, when a key was pressed and when an element came to be seen.
_STOPWATCH: Final = """
window.stopwatch = {};
addEventListener('keydown', (event) => { window.stopwatch[event.code] = Date.now(); }, true);
new MutationObserver(() => {
  const offer = document.querySelector('[data-testid=offer] [data-testid=accept]');
  const mission = offer?.closest('[data-mission]')?.dataset.mission;
  if (mission) window.stopwatch[mission] ??= Date.now();
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a telephone in a page has sent and heard so far."""

    heard: int
    heard_energy: float
    sent: int
    sent_energy: float
    lost: int
    dtls: str
    codec: str


class Person:
    """Somebody with a page of ours."""

    def __init__(self, page: Page, centre: Centre, login: str) -> None:
        self.page = page
        self.centre = centre
        self.login = login

    @property
    def keys(self) -> "Keys":
        return Keys(self.page)

    def the(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    async def sign_in(self) -> Self:
        """By the door, as anybody does: name, password, Enter."""
        await self.page.goto("/")
        await self.page.fill("#login", self.login)
        await self.page.fill("#password", PASSWORD)
        await self.page.press("#password", "Enter")
        await self.page.wait_for_url(lambda url: not url.endswith("/"))
        return self

    async def is_pictured(self, name: str) -> None:
        """Keep a picture of this person's screen, when all its map is drawn."""
        if await self.the("map").count():
            await expect(self.the("map").first).to_have_attribute("data-ready", "true")
        PICTURES.mkdir(exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{name}.png", caret="initial")
        if name in IN_THE_README and "SIAGA_README_PICTURES" in os.environ:
            shutil.copy(PICTURES / f"{name}.png", PICTURES / IN_THE_README[name])

    async def get(self, path: str) -> Mapping[str, Json]:
        """What our interface tells this person; their window's own session asks."""
        answer = await self.page.request.get(f"{self.centre.address}/api/v1{path}")
        assert answer.ok, f"{path}: {answer.status} {await answer.text()}"
        said: Mapping[str, Json] = json.loads(await answer.body())
        return said

    async def do(self, method: str, path: str, said: Json = None) -> Mapping[str, Json]:
        """What this person's window would send, for the parts of a story that are not about their screen."""
        csrf = str((await self.get("/session"))["csrf"])
        body = None if said is None else json.dumps(said).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        answer = await self.page.request.fetch(
            f"{self.centre.address}/api/v1{path}", method=method, headers={"X-CSRF-Token": csrf, **kind}, data=body
        )
        assert answer.ok, f"{method} {path}: {answer.status} {await answer.text()}"
        done: Mapping[str, Json] = json.loads(await answer.body() or b"{}")
        return done

    async def opens_an_incident(self, type_: str, address: str, at: tuple[float, float]) -> str:
        """Nobody rang: somebody came to the door, or another centre told it."""
        told: Json = {"type": type_, "priority": 2, "address": address}
        place: Json = {"lat": at[0], "lon": at[1], "method": "pin", "text": address}
        made = await self.do("POST", "/incidents", {"changes": told, "place": place})
        incident = made["incident"]
        assert isinstance(incident, dict)
        return str(incident["id"])

    async def describes(self, incident: str, **changes: str) -> None:
        await self.do("PATCH", f"/incidents/{incident}", {"changes": dict(changes)})

    async def sends(self, incident: str, *call_signs: str) -> None:
        units = await self.centre.look_up("SELECT id FROM unit WHERE call_sign = ANY($1)", list(call_signs))
        await self.do("POST", f"/incidents/{incident}/send", {"units": [str(row["id"]) for row in units]})

    async def knows_where(self, crew: "Crew", place: tuple[float, float]) -> bool:
        """Whether the newest known position of the crew is this."""
        units = (await self.get("/units"))["units"]
        assert isinstance(units, list)
        return any(
            (unit["call_sign"], unit["lat"], unit["lon"]) == (crew.login.upper(), *place)
            for unit in units
            if isinstance(unit, dict)
        )

    async def history(self, incident: str) -> list[str]:
        """The timeline of an incident: who did what, in order."""
        events = (await self.get(f"/incidents/{incident}/timeline"))["events"]
        assert isinstance(events, list)
        return [f"{event['by']} {event['type']}" for event in events if isinstance(event, dict)]

    async def stopwatch(self, mark: str) -> int:
        """When a key was pressed, or an offer was seen, in milliseconds since 1970."""
        at = await self.page.evaluate("(mark) => window.stopwatch[mark]", mark)
        assert isinstance(at, int), f"{mark} was never seen"
        return at


class Keys:
    """A keyboard."""

    def __init__(self, page: Page) -> None:
        self._keyboard = page.keyboard

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self._keyboard.press(key)

    async def type(self, text: str) -> None:
        await self._keyboard.type(text)


class CallTaker(Person):
    """At a desk with a telephone in the page. Every deed is a key."""

    async def takes_a_seat(self) -> Self:
        await expect(self.the("connection")).to_contain_text("●")
        await self.keys.press("Alt+r")
        await expect(self.the("phone-state")).to_have_attribute("data-state", "registered", timeout=15_000)
        await expect(self.the("availability")).to_have_attribute("data-state", "ready")
        return self

    @property
    def call(self) -> Locator:
        return self.the("incoming-call")

    @property
    def form(self) -> Locator:
        return self.the("incident-form")

    async def is_rung(self, *, within_s: float = 15) -> str:
        """Until the telephone rings; which incident it says it is, empty when nobody knows."""
        await expect(self.call).to_have_attribute("data-state", "ringing", timeout=within_s * 1000)
        return await self.call.get_attribute("data-incident") or ""

    async def answers(self) -> None:
        await self.keys.press("F2")
        await expect(self.call).to_have_attribute("data-state", "talking", timeout=10_000)

    async def holds(self) -> None:
        await self.keys.press("F8")
        await expect(self.call).to_have_attribute("data-state", "held")

    async def resumes(self) -> None:
        await self.keys.press("F8")
        await expect(self.call).to_have_attribute("data-state", "talking")

    async def hangs_up(self) -> None:
        await self.keys.press("F4")
        await expect(self.call).to_have_count(0)

    async def stats(self) -> Stats:
        said = await self.page.evaluate("() => window.siagaPhone.stats()")
        inbound, outbound = said["inbound"], said["outbound"]
        return Stats(
            heard=inbound["packets"],
            heard_energy=inbound["totalAudioEnergy"],
            lost=inbound["lost"],
            sent=outbound["packets"],
            sent_energy=outbound["totalAudioEnergy"],
            dtls=said["dtls"] or "",
            codec=said["codec"] or "",
        )

    async def hears_and_is_heard(self, *, packets: int = 50) -> None:
        """Sound goes both ways from now on: packets with energy in them, in and out."""
        before = await self.stats()

        async def so() -> bool:
            now = await self.stats()
            return (
                now.heard > before.heard + packets
                and now.sent > before.sent + packets
                and now.heard_energy > before.heard_energy
                and now.sent_energy > before.sent_energy
            )

        await until(so, f"sound goes both ways ({before} …)")

    async def has_saved(self) -> None:
        await expect(self.the("save-state")).to_have_attribute("data-state", "saved")

    def suggestion(self, call_sign: str) -> Locator:
        return self.page.locator(f"[data-testid=unit-suggestion][data-unit='{call_sign}']")

    async def is_advised(self, *call_signs: str) -> None:
        """Some of the units that should go; they are ticked."""
        for call_sign in call_signs:
            await expect(self.suggestion(call_sign).locator("input")).to_be_checked()

    async def chosen_units(self) -> list[str]:
        boxes = self.page.locator("[data-testid=unit-suggestion]:has(input:checked)")
        signs = await boxes.evaluate_all("(lines) => lines.map((line) => line.dataset.unit)")
        return [str(sign) for sign in signs]

    def lost_call(self, number: str) -> Locator:
        """The line of a caller who left before anybody answered."""
        return self.page.locator(".lost").filter(has_text=f"{number[:4]}-{number[4:8]}-{number[8:]}")

    async def ends_it_as(self, key: str) -> None:
        """One key says what it was; Enter leaves the note empty."""
        await expect(self.the("send")).to_be_enabled()
        await self.keys.press(key)
        await expect(self.page.locator("dialog[open] #end-note")).to_be_focused()
        await self.keys.press("Enter")
        await expect(self.page.locator("dialog[open]")).to_have_count(0)

    async def takes_it_back(self) -> None:
        await expect(self.the("send")).to_be_disabled()
        await self.keys.press("Alt+z")
        await expect(self.the("send")).to_be_enabled()

    async def makes_a_report(self, category: str) -> tuple[str, str]:
        """Its number, and the link for the citizen."""
        await self.keys.press("Alt+l")
        choice = self.page.locator("#category")
        await expect(choice).to_be_focused()
        await self.keys.type(category)
        await self.keys.press("Control+Enter")
        number = await self.the("report-number").inner_text()
        link = await self.the("tracking-url").get_attribute("href")
        assert link
        await self.keys.press("Escape")
        await expect(self.page.locator("dialog[open]")).to_have_count(0)
        return number, link

    async def takes_the_record_that_came_late(self) -> None:
        """The sheet that was filled without a record finds it, and what was typed goes there."""
        found = self.page.locator(".middle .notice button.main")
        await expect(found).to_be_visible(timeout=30_000)
        await found.click()
        await expect(self.form).to_have_attribute("data-incident", re.compile("."))

    async def is_told_that_it_is_behind(self) -> None:
        """The strip on top says so, and so does the sheet that is being filled."""
        await expect(self.the("connection")).to_contain_text("▲")

    async def is_up_to_date(self) -> None:
        await expect(self.the("connection")).to_contain_text("●", timeout=30_000)

    async def is_told_that_the_telephone_is(self, state: str, words: str) -> None:
        """Nothing rings here, and the telephone says why."""
        await expect(self.the("phone-state")).to_have_attribute("data-state", state)
        await expect(self.the("phone-state")).to_contain_text(words)
        await expect(self.the("availability")).to_have_count(0)

    async def leaves(self) -> None:
        """Sign out; the seat is free again."""
        await self.page.locator("header").get_by_role("button", name="Keluar").click()
        await self.page.wait_for_url("**/")


class Crew(Person):
    """In a vehicle, with a page the size of a telephone."""

    async def comes_on_duty(self) -> Self:
        await expect(self.the("connection")).to_have_attribute("data-state", "live", timeout=15_000)
        duty = self.the("duty")
        await expect(duty).to_be_visible()
        if await duty.get_attribute("data-state") != "available":
            await self.the("on_duty").click()
        await expect(duty).to_have_attribute("data-state", "available")
        return self

    @property
    def offer(self) -> Locator:
        return self.the("offer")

    async def is_asked(self, *, within_s: float = 10) -> str:
        """Until an offer covers the screen; which mission it is."""
        await expect(self.the("accept")).to_be_visible(timeout=within_s * 1000)
        mission = await self.offer.get_attribute("data-mission")
        assert mission
        return mission

    async def accepts(self) -> None:
        await self.the("accept").click()
        await self.stands_at("accepted")

    async def goes(self) -> None:
        await self.the("en_route").click()
        await self.stands_at("en_route")

    async def drives_to(self, place: tuple[float, float]) -> None:
        """The device finds itself there."""
        await self.page.context.set_geolocation({"latitude": place[0], "longitude": place[1], "accuracy": 9})

    async def arrives(self) -> None:
        await self.the("on_scene").click()
        await self.stands_at("on_scene")

    async def clears(self, outcome: str, note: str = "") -> None:
        await self.the("cleared").click()
        await self.page.check(f"input[name=outcome][value={outcome}]")
        if note:
            await self.page.fill("#note", note)
        await self.page.locator("dialog[open] button[type=submit]").click()
        await expect(self.the("duty")).to_have_attribute("data-state", "available")

    async def stands_at(self, status: str) -> None:
        await expect(self.the("mission-card")).to_have_attribute("data-status", status)

    async def is_cut_off(self) -> None:
        """The page has noticed that nothing arrives any more."""
        await expect(self.the("connection")).to_have_attribute("data-state", "off", timeout=30_000)

    async def is_back(self) -> None:
        await expect(self.the("connection")).to_have_attribute("data-state", "live", timeout=30_000)

    async def has_unsent(self, count: int) -> None:
        await expect(self.the("outbox")).to_contain_text(str(count))

    async def has_nothing_unsent(self) -> None:
        await expect(self.the("outbox")).to_have_count(0, timeout=20_000)


class Dispatcher(Person):
    """At the board, where everything open is seen at once."""

    def line(self, incident: str) -> Locator:
        return self.page.locator(f"[data-testid=board-incident][data-incident='{incident}']")

    async def opens(self, incident: str) -> None:
        await self.line(incident).click()
        await expect(self.the("detail")).to_have_attribute("data-incident", incident)

    def suggestion(self, call_sign: str) -> Locator:
        return self.page.locator(f"[data-testid=unit-suggestion][data-unit='{call_sign}'] input")

    async def chooses_only(self, call_sign: str) -> None:
        """Whatever was suggested, this one."""
        await expect(self.suggestion(call_sign)).to_be_visible()
        for box in await self.page.locator("[data-testid=unit-suggestion] input:checked").all():
            await box.uncheck()
        await self.suggestion(call_sign).check()

    def mission(self, call_sign: str) -> Locator:
        """The newest way of this unit to the incident that is open."""
        return self.the("detail").locator("[data-testid=mission]").filter(has_text=call_sign).last

    async def sees(self, call_sign: str, status: str, *, within_s: float = 15) -> None:
        await expect(self.mission(call_sign)).to_have_attribute("data-status", status, timeout=within_s * 1000)

    async def asked_now(self) -> list[str]:
        """The units that have an offer now, at the incident that is open."""
        offered = self.the("detail").locator("[data-testid=mission][data-status=offered]")
        await expect(offered.first).to_be_visible()
        signs = await offered.locator(".strong").all_inner_texts()
        return [sign.strip() for sign in signs]

    async def withdraws(self, call_sign: str, reason: str) -> None:
        mission = self.the("detail").locator("li").filter(has=self.page.locator("[data-testid=mission]"))
        await mission.filter(has_text=call_sign).last.get_by_role("button", name="Tarik").click()
        await expect(self.page.locator("#board-reason")).to_be_focused()
        await self.keys.type(reason)
        await self.keys.press("Control+Enter")
        await self.sees(call_sign, "withdrawn")

    async def asks_again(self, call_sign: str) -> None:
        mission = self.the("detail").locator("li").filter(has=self.page.locator("[data-testid=mission]"))
        await mission.filter(has_text=call_sign).last.get_by_role("button", name="Minta lagi").click()
        await self.sees(call_sign, "offered")


class Officer(Person):
    """Of an agency, with the reports that are its work."""

    async def opens(self, number: str) -> None:
        await self.page.locator(f"[data-testid=report][data-number='{number}']").click()
        await expect(self.the("report-detail")).to_contain_text(number)

    async def takes_it(self) -> None:
        await self.keys.press("Alt+t")
        await self.stands_at("in_progress")

    async def notes(self, words: str) -> None:
        await self.keys.press("Alt+c")
        await self._says(words)
        await expect(self.the("report-detail")).to_contain_text(words)

    async def resolves(self, words: str) -> None:
        await self.keys.press("Alt+r")
        await self._says(words)
        await self.stands_at("resolved")

    async def stands_at(self, status: str) -> None:
        await expect(self.the("report-detail")).to_have_attribute("data-status", status)

    async def _says(self, words: str) -> None:
        await expect(self.page.locator("#words")).to_be_focused()
        await self.keys.type(words)
        await self.keys.press("Control+Enter")
        await expect(self.page.locator("dialog[open]")).to_have_count(0)


@dataclass(frozen=True, slots=True)
class Town:
    """The control room and the browser: where people come from."""

    centre: Centre
    chromium: Chromium

    @asynccontextmanager
    async def desk(self, login: str = "sari", *, dark: bool = False) -> AsyncIterator[CallTaker]:
        """A call-taker, signed in, on a seat, ready; signs out at the end."""
        async with self.chromium.window(login, size=DESK, dark=dark, base_url=self.centre.address) as window:
            await window.page.add_init_script(_STOPWATCH)
            desk = CallTaker(window.page, self.centre, login)
            try:
                await desk.sign_in()
                await desk.takes_a_seat()
                yield desk
            except BaseException:
                with contextlib.suppress(Error, AssertionError):
                    await desk.do("DELETE", "/session/phone")
                raise
            await desk.leaves()

    @asynccontextmanager
    async def crew(
        self, call_sign: str, *, at: tuple[float, float], proxy: str | None = None, dark: bool = False
    ) -> AsyncIterator[Crew]:
        """A unit's crew, signed in and on duty."""
        login = call_sign.lower()
        async with self.chromium.window(
            login, size=PHONE, at=at, proxy=proxy, dark=dark, touch=True, base_url=self.centre.address
        ) as window:
            await window.page.add_init_script(_STOPWATCH)
            crew = Crew(window.page, self.centre, login)
            await crew.sign_in()
            await crew.comes_on_duty()
            yield crew

    @asynccontextmanager
    async def board(self, login: str = "budi", *, dark: bool = False) -> AsyncIterator[Dispatcher]:
        """A dispatcher, signed in, with an up-to-date board."""
        async with self.chromium.window(login, size=DESK, dark=dark, base_url=self.centre.address) as window:
            dispatcher = Dispatcher(window.page, self.centre, login)
            await dispatcher.sign_in()
            await expect(dispatcher.the("connection")).to_contain_text("●")
            yield dispatcher

    @asynccontextmanager
    async def officer(self, agency: str, *, dark: bool = False) -> AsyncIterator[Officer]:
        """An agency's officer, signed in."""
        async with self.chromium.window(agency, size=DESK, dark=dark, base_url=self.centre.address) as window:
            officer = Officer(window.page, self.centre, agency)
            await officer.sign_in()
            await expect(officer.the("connection")).to_contain_text("●")
            yield officer

    @asynccontextmanager
    async def passer_by(self, *, size: tuple[int, int] = DESK, dark: bool = False) -> AsyncIterator[Person]:
        """Somebody without an account."""
        async with self.chromium.window("passer-by", size=size, dark=dark, base_url=self.centre.address) as window:
            yield Person(window.page, self.centre, "")

    @asynccontextmanager
    async def somebody(self, login: str, *, size: tuple[int, int] = DESK, dark: bool = False) -> AsyncIterator[Person]:
        """Anybody else with an account."""
        async with self.chromium.window(login, size=size, dark=dark, base_url=self.centre.address) as window:
            yield await Person(window.page, self.centre, login).sign_in()
