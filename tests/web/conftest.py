"""A desk with the real city on a real record, and people who sit at it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer

from callcenter import desk as room
from callcenter.bell import Bell
from callcenter.ledger import Ledger
from callcenter.store import Pool
from config import citypack
from config.settings import Settings
from dispatch import sending
from dispatch.unit import Equipment
from tests.web.browser import Browser
from web.__main__ import city, now
from web.app import build
from web.desk import City, Desk
from web.live import Live
from web.meters import Meters
from web.session import Doors

SECRET = b"k" * 32


@cache
def tangerang() -> City:
    return city(Settings())


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' accounts have cheap hashes; making each strong at its first sign-in would take most of the time."""
    monkeypatch.setattr("web.session.is_outdated", lambda _: False)


@pytest.fixture
async def desk(pool: Pool, bell: Bell, ledger: Ledger) -> Desk:
    doors = Doors(pool)
    seats = tuple(room.seat_names(3))
    await room.install_seats(ledger, seats, now=now())
    return Desk(
        ledger=ledger,
        doors=doors,
        live=Live(pool, bell, doors, now=now),
        meters=Meters(),
        city=tangerang(),
        secret=SECRET,
        seats=seats,
        now=now,
    )


@pytest.fixture
async def units(ledger: Ledger) -> None:
    """The city's units are registered."""
    equipment = [
        Equipment(one.call_sign, one.kind, one.agency, one.capabilities, one.lat, one.lon)
        for one in citypack.read("tangerang").units
    ]
    await sending.register(ledger, equipment, now=now())


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """Pages as the front end's build would leave them."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    for name in ("index", "call", "board", "unit", "agency", "track", "figures"):
        (folder / f"{name}.html").write_text(f"<!doctype html><title>{name}</title>")
    (folder / "assets" / "call-Abcd1234.js").write_text("export const a = 1;\n" * 100)
    (folder / "favicon.svg").write_text("<svg/>")
    return folder


@pytest.fixture
async def server(desk: Desk, static: Path) -> AsyncIterator[BaseTestServer]:
    app: web.Application = build(desk, static=static)
    async with TestServer(app) as running:
        yield running


Visit = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def visit(server: BaseTestServer) -> AsyncIterator[Visit]:
    """Open a browser; with a login, signed in."""
    opened: list[Browser] = []

    async def open_browser(login: str | None = None) -> Browser:
        browser = Browser(server)
        opened.append(browser)
        if login is not None:
            await browser.sign_in(login)
        return browser

    yield open_browser
    for browser in opened:
        await browser.close()
