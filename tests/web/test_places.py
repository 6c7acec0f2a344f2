"""The map service's suggestions, after our own names and never in their way; the service is a canned one."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from geo.geocoder import NominatimGeocoder
from tests.web.conftest import Visit
from web.desk import Desk

INDAH = {"lat": "-6.18002", "lon": "106.688067", "display_name": "Jalan KH Hasyim Ashari, Tangerang"}
BANDUNG = {"lat": "-6.9147", "lon": "107.6098", "display_name": "Jalan KH Hasyim Ashari, Bandung"}


class Maps:
    """A map service on a real socket; ``silent`` makes it one that never answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.silent = False

    async def search(self, request: web.Request) -> web.Response:
        self.asked.append(request.query["q"])
        if self.silent:
            await asyncio.sleep(60)
        return web.json_response([INDAH, BANDUNG])


@pytest.fixture
def maps() -> Maps:
    return Maps()


@pytest.fixture
async def desk(desk: Desk, maps: Maps) -> AsyncIterator[Desk]:
    """The desk of a city with a map service."""
    app = web.Application()
    app.router.add_get("/search", maps.search)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with NominatimGeocoder(f"http://{host}:{port}", desk.city.areas, country="ID", limit_s=0.3) as service:
        yield replace(desk, city=replace(desk.city, geocoder=service))
    await runner.cleanup()


async def test_typing_asks_nobody_but_ourselves(visit: Visit, maps: Maps) -> None:
    sari = await visit("sari")
    places = (await sari.get("/places?q=cipondoh+ind&near=-6.17,106.64")).ok()["places"]
    assert {one["source"] for one in places} == {"gazetteer"}
    assert maps.asked == []


async def test_asked_for_more_the_map_service_comes_after_our_own_names(visit: Visit, maps: Maps) -> None:
    sari = await visit("sari")
    ours = (await sari.get("/places?q=cipondoh+ind&near=-6.17,106.64")).ok()["places"]
    places = (await sari.get("/places?q=cipondoh+ind&more=1&near=-6.17,106.64")).ok()["places"]
    assert [one["name"] for one in places[: len(ours)]] == [one["name"] for one in ours]
    [suggested] = places[len(ours) :]  # Bandung is off our map
    assert (suggested["source"], suggested["name"]) == ("geocoder", INDAH["display_name"])
    assert (suggested["kelurahan"], suggested["kecamatan"]) == ("36.71.05.1003", "36.71.05")
    assert suggested["distance_m"] > 0


async def test_a_map_service_that_is_silent_costs_its_bound_and_nothing_else(visit: Visit, maps: Maps) -> None:
    sari = await visit("sari")
    maps.silent = True
    began = time.monotonic()
    patient = asyncio.create_task(sari.get("/places?q=cipondoh+ind&near=-6.17,106.64&more=1"))
    while not maps.asked:
        await asyncio.sleep(0.01)
    quick = (await sari.get("/places?q=cipondoh+ind&near=-6.17,106.64")).ok()["places"]
    assert not patient.done()
    assert (await patient).ok()["places"] == quick
    assert time.monotonic() - began < 5


async def test_the_page_is_told_whether_there_is_a_map_service(visit: Visit) -> None:
    assert (await (await visit(None)).get("/config")).ok()["geocoder"] is True
