"""A map service may be slow, wrong or away: the call-taker's typed address and patience stay untouched."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from geo.area import Areas
from geo.geocoder import FAILURES_ALLOWED, REST_S, Breaker, Geocoder, NoGeocoder, NominatimGeocoder, geocoder

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

CIPONDOH_INDAH = {"lat": "-6.18002", "lon": "106.688067", "display_name": "Jalan KH Hasyim Ashari, Tangerang"}
BANDUNG = {"lat": "-6.9147", "lon": "107.6098", "display_name": "Bandung"}
OFF_THE_EARTH = {"lat": "961.8", "lon": "106.6", "display_name": "Nowhere"}
SERPONG = {"lat": "-6.28", "lon": "106.69", "display_name": "Serpong"}


class Maps:
    """A map service on a real socket that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.answer: Answer = lambda _: self.json([CIPONDOH_INDAH])
        self.url = ""

    async def json(self, places: object) -> web.Response:
        return web.json_response(places)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        return await self.answer(request)


@pytest.fixture
async def maps() -> AsyncIterator[Maps]:
    made = Maps()
    app = web.Application()
    app.router.add_get("/maps/search", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}/maps/"
    yield made
    await runner.cleanup()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_an_address_becomes_suggestions_with_our_own_kelurahan(maps: Maps, areas: Areas) -> None:
    async with NominatimGeocoder(maps.url, areas, country="ID") as service:
        (place,) = await service.suggest("jl. kh hasyim ashari no12")
    assert (place.method, place.kelurahan, place.text) == ("geocoder", "36.71.05.1003", CIPONDOH_INDAH["display_name"])
    asked = maps.asked[0]
    assert asked["q"] == "Jalan KH Hasyim Ashari No. 12"
    assert (asked["bounded"], asked["countrycodes"]) == ("1", "id")


async def test_a_place_across_the_edge_is_suggested_and_one_far_away_is_not(maps: Maps, areas: Areas) -> None:
    maps.answer = lambda _: maps.json([BANDUNG, SERPONG])
    async with NominatimGeocoder(maps.url, areas, country="ID") as service:
        assert [place.text for place in await service.suggest("serpong")] == ["Serpong"]


async def test_no_answer_is_no_suggestion(maps: Maps, areas: Areas) -> None:
    maps.answer = lambda _: maps.json([])
    async with NominatimGeocoder(maps.url, areas, country="ID") as service:
        assert await service.suggest("nowhere at all") == []


async def test_too_little_to_go_by_is_not_asked(maps: Maps, areas: Areas) -> None:
    async with NominatimGeocoder(maps.url, areas, country="ID") as service:
        for typed in ("", "-/,", "a b", "no"):
            assert await service.suggest(typed) == []
    assert maps.asked == []


async def test_a_slow_service_costs_its_limit_and_no_more(maps: Maps, areas: Areas) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    maps.answer = never
    async with NominatimGeocoder(maps.url, areas, country="ID", limit_s=0.15) as service:
        start = time.monotonic()
        assert await service.suggest("jalan raya") == []
        assert time.monotonic() - start < 1


@pytest.mark.filterwarnings("ignore:Latitude normalization")  # geopy's word for "off the earth"
@pytest.mark.parametrize("kind", ["500", "429", "garbage", "wrong shape", "off the earth"])
async def test_a_service_that_fails_is_left_alone_for_a_while(maps: Maps, areas: Areas, kind: str) -> None:
    async def fail(_: web.Request) -> web.Response:
        match kind:
            case "garbage":
                return web.Response(text="<html>", content_type="application/json")
            case "wrong shape":
                return web.json_response([{"lat": "north"}])
            case "off the earth":
                return web.json_response([OFF_THE_EARTH])
            case status:
                return web.Response(status=int(status))

    clock = Clock()
    maps.answer = fail
    async with NominatimGeocoder(maps.url, areas, country="ID", breaker=Breaker(clock=clock)) as service:
        for _ in range(FAILURES_ALLOWED + 4):
            assert await service.suggest("jalan raya") == []
        assert len(maps.asked) == FAILURES_ALLOWED
        clock.now += REST_S
        maps.answer = lambda _: maps.json([CIPONDOH_INDAH])
        assert len(await service.suggest("jalan raya")) == 1
        maps.answer = fail
        assert await service.suggest("jalan raya") == []
        assert len(maps.asked) == FAILURES_ALLOWED + 2


async def test_a_service_that_is_away_is_no_trouble(areas: Areas) -> None:
    async with NominatimGeocoder("http://127.0.0.1:9", areas, country="ID") as service:
        assert await service.suggest("jalan raya") == []


async def test_without_an_address_there_is_no_geocoder(areas: Areas) -> None:
    none: Geocoder = geocoder(None, areas, country="ID")
    assert isinstance(none, NoGeocoder)
    assert await none.suggest("jalan raya") == []
    async with NominatimGeocoder("https://maps.example.org", areas, country="ID") as some:
        assert isinstance(some, NominatimGeocoder)
    with pytest.raises(ValueError, match="is a URL such as"):
        geocoder("maps.example.org", areas, country="ID")
