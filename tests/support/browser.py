"""A headless Chromium with a make-believe microphone, and windows in it that tell what went wrong in them."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    ProxySettings,
    async_playwright,
    expect,
)

CHROMIUM: Final = os.environ.get("SIAGA_TEST_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
PICTURES: Final = Path(__file__).parents[1] / "stories" / "pictures"
DESK: Final = (1366, 768)
PHONE: Final = (390, 844)
SEEN_WITHIN_MS: Final = 15_000  # a claim is true at once or this late; two cores may be shared by a crowd

needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="no Chromium: apt-get install chromium")

# A sound nobody has to make, a microphone nobody has to allow, and no calls home.
_OPTIONS: Final = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
)

# What a page cannot help: a socket or an answer that does not come because the test took the server away.
_EXPECTED: Final = re.compile(r"net::ERR_|WebSocket connection to|Failed to load resource|WebGL|GPU stall|swiftshader")


@dataclass(slots=True)
class Window:
    """One page of one person, and what went wrong in it."""

    page: Page
    name: str
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.troubles.append(f"{self.name}: {error}"))
        self.page.on("console", lambda message: self._heard(message))  # noqa: PLW0108 - playwright marks methods it is given

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _EXPECTED.search(message.text):
            self.troubles.append(f"{self.name}: {message.text}")


@dataclass(frozen=True, slots=True)
class Chromium:
    """One browser for all stories; each person has windows of their own in it."""

    browser: Browser
    failures: Path

    @asynccontextmanager
    async def window(
        self,
        name: str,
        *,
        size: tuple[int, int] = DESK,
        at: tuple[float, float] | None = None,
        proxy: str | None = None,
        dark: bool = False,
        touch: bool = False,
        base_url: str = "",
    ) -> AsyncIterator[Window]:
        """A fresh window. When its block fails, a picture and a trace of it are kept."""
        context = await self.browser.new_context(
            base_url=base_url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            locale="id-ID",
            timezone_id="Asia/Jakarta",
            permissions=["microphone", *(["geolocation"] if at else [])],
            geolocation={"latitude": at[0], "longitude": at[1], "accuracy": 12} if at else None,
            proxy=ProxySettings(server=proxy) if proxy else None,
        )
        context.set_default_timeout(SEEN_WITHIN_MS)
        await context.tracing.start(snapshots=True)
        window = Window(await context.new_page(), name)
        try:
            yield window
        except BaseException:
            await self._keep(context, window)
            raise
        else:
            await context.tracing.stop()
        finally:
            await context.close()
        assert not window.troubles, window.troubles

    async def _keep(self, context: BrowserContext, window: Window) -> None:
        self.failures.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.timeout(10):
                await window.page.screenshot(path=self.failures / f"{window.name}.png")
                await context.tracing.stop(path=self.failures / f"{window.name}.zip")
        except (Error, TimeoutError) as trouble:
            (self.failures / f"{window.name}.txt").write_text(f"no picture of the failure: {trouble}\n")
        if window.troubles:
            (self.failures / f"{window.name}.console.txt").write_text("\n".join(window.troubles))


@asynccontextmanager
async def chromium(failures: Path) -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        expect.set_options(timeout=SEEN_WITHIN_MS)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(_OPTIONS))
        try:
            yield Chromium(browser, failures)
        finally:
            await browser.close()


async def until(claim: Callable[[], Awaitable[bool]], words: str, *, within_s: float = 15) -> None:
    """Wait until something is so that no page element can tell."""
    try:
        async with asyncio.timeout(within_s):
            while not await claim():
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:g} s: {words}") from None
