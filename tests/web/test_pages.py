"""The pages, what surrounds every answer, and how well we are."""

import asyncio
import gzip
from pathlib import Path

from aiohttp.test_utils import TestServer

from callcenter.ledger import Ledger
from callcenter.store import open_pool
from tests.web.browser import Browser
from tests.web.conftest import Visit
from tests.web.scene import NUMBER, call
from web.app import build
from web.desk import Desk


async def test_each_page_has_an_address(visit: Visit) -> None:
    stranger = await visit()
    for name in ("index", "call", "board", "unit", "agency", "track", "figures"):
        page = await stranger.get("/" if name == "index" else f"/{name}", root="")
        assert (page.status, page.content_type) == (200, "text/html"), name
        assert f"<title>{name}</title>" in page.text
        assert page.headers["Cache-Control"] == "no-cache"


async def test_a_page_runs_only_our_own_files_and_is_framed_by_nobody(visit: Visit) -> None:
    page = await (await visit()).get("/call", root="")
    csp = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in csp
    assert "script-src 'self';" in csp
    assert "style-src 'self';" in csp
    assert "unsafe" not in csp
    assert "frame-ancestors 'none'" in csp
    assert "ws://127.0.0.1:8113" in csp
    assert "ws://127.0.0.1:8088" in csp
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "microphone=(self)" in page.headers["Permissions-Policy"]
    assert "camera=()" in page.headers["Permissions-Policy"]


async def test_every_answer_carries_the_headers_also_a_refusal(visit: Visit) -> None:
    for path in ("/api/v1/board", "/nowhere", "/api/v1/config", "/health/live", "/metrics"):
        answer = await (await visit()).get(path, root="")
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert answer.headers["X-Request-Id"], path


async def test_behind_tls_browsers_are_told_to_stay_there(visit: Visit) -> None:
    stranger = await visit()
    plain = await stranger.get("/", root="")
    assert "Strict-Transport-Security" not in plain.headers
    secure = await stranger.get("/", root="", headers={"X-Forwarded-Proto": "https"})
    assert "max-age" in secure.headers["Strict-Transport-Security"]
    assert "wss://127.0.0.1:8113" in secure.headers["Content-Security-Policy"]


async def test_a_file_whose_name_holds_its_hash_is_kept_for_ever(visit: Visit) -> None:
    stranger = await visit()
    asset = await stranger.get("/assets/call-Abcd1234.js", root="")
    assert "immutable" in asset.headers["Cache-Control"]
    assert "javascript" in asset.content_type
    assert (await stranger.get("/favicon.svg", root="")).headers["Cache-Control"] == "no-cache"


async def test_a_file_that_was_pressed_at_build_time_is_sent_pressed(visit: Visit, static: Path) -> None:
    file = static / "assets" / "call-Abcd1234.js"
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))
    asset = await (await visit()).get("/assets/call-Abcd1234.js", root="", headers={"Accept-Encoding": "gzip"})
    assert asset.headers["Content-Encoding"] == "gzip"
    assert asset.text.startswith("export")


async def test_nothing_outside_the_folder_is_handed_out(visit: Visit) -> None:
    stranger = await visit()
    for path in ("../pyproject.toml", "..%2f..%2fetc/passwd", "assets/", "assets/%00", ".env", "assets/x.js.gz"):
        assert (await stranger.get(f"/{path}", root="")).status in {400, 404}, path


async def test_without_built_pages_it_says_so_and_the_interface_works(desk: Desk, tmp_path: Path) -> None:
    async with TestServer(build(desk, static=tmp_path)) as server:
        browser = Browser(server)
        page = await browser.get("/call", root="")
        assert page.status == 503
        assert "not built" in page.text
        assert (await browser.get("/config")).status == 200
        await browser.close()


async def test_outlines_are_public_and_known_by_their_tag(visit: Visit) -> None:
    stranger = await visit()
    for name, least in (("kecamatan", 13), ("kelurahan", 104), ("kota", 1), ("neighbours", 1)):
        answer = await stranger.get(f"/areas/{name}.geojson")
        assert len(answer.ok()["features"]) >= least
        again = await stranger.get(f"/areas/{name}.geojson", headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304
    assert (await stranger.get("/areas/atlantis.geojson")).code == "unknown"


async def test_the_city_is_described_to_everybody(visit: Visit) -> None:
    config = (await (await visit()).get("/config")).ok()
    assert config["city"]["name"].endswith("Tangerang")
    west, south, east, north = config["bounds"]
    assert west < config["centre"]["lon"] < east
    assert south < config["centre"]["lat"] < north
    assert {"code", "name", "name_en", "priority", "capabilities", "group", "hazards"} == set(config["types"][0])
    assert "prank" in config["outcomes"]
    assert config["push_url"] == "ws://127.0.0.1:8113/unit"


async def test_places_are_found_by_what_is_typed(visit: Visit) -> None:
    sari = await visit("sari")
    places = (await sari.get("/places?q=cipondoh+ind&near=-6.17,106.64")).ok()["places"]
    assert places[0]["name"] == "Cipondoh Indah"
    assert places[0]["distance_m"] > 0
    at = (await sari.get("/places/at?lat=-6.1716&lon=106.6404")).ok()
    assert at["inside"] is True
    assert at["kecamatan"]["code"] == "36.71.01"
    outside = (await sari.get("/places/at?lat=-6.9&lon=107.6")).ok()
    assert (outside["inside"], outside["kelurahan"]) == (False, None)
    for query in ("q=", "q=x&near=here", "q=x&limit=51"):
        assert (await sari.get(f"/places?{query}")).code == "request.shape"


async def test_we_are_alive_whatever_else_is(visit: Visit) -> None:
    assert (await (await visit()).get("/health/live", root="")).ok() == {"live": True}


async def test_what_is_not_ready_is_named(visit: Visit, desk: Desk) -> None:
    answer = await (await visit()).get("/health/ready", root="")
    assert answer.status == 503
    assert answer.json["parts"]["postgresql"]["ok"] is True
    assert answer.json["parts"]["live"]["ok"] is False
    assert "live feed" in answer.json["parts"]["live"]["detail"]
    assert "agi is not connected" in answer.json["parts"]["agi"]["detail"]
    assert "is Asterisk running" in answer.json["parts"]["asterisk"]["detail"]
    assert "dispatch is not connected" in answer.json["parts"]["dispatch"]["detail"]


async def test_a_postgresql_that_refuses_to_write_is_not_ready(visit: Visit, desk: Desk) -> None:
    stranger = await visit()
    name = await desk.pool.fetchval("SELECT current_database()")
    await desk.pool.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    await desk.pool.expire_connections()
    answer = await stranger.get("/health/ready", root="")
    assert answer.status == 503
    assert "refuses to write" in answer.json["parts"]["postgresql"]["detail"]


async def test_all_parts_together_are_ready_and_one_that_hangs_or_goes_is_named(
    visit: Visit, desk: Desk, dsn: str
) -> None:
    stranger = await visit()
    agi, sign, dispatch = [
        await open_pool(dsn, size=1, name=f"siaga112 {name}") for name in ("agi", "asterisk", "dispatch")
    ]
    living = asyncio.create_task(desk.live.run())
    while not desk.live.is_fresh:
        await asyncio.sleep(0.01)
    ready = await stranger.get("/health/ready", root="")
    assert (ready.status, ready.json["ready"]) == (200, True), ready.text
    await desk.pool.execute(
        "INSERT INTO timer (kind, subject, due_at) VALUES ('x', gen_random_uuid(), now() - interval '1 minute')"
    )
    late = await stranger.get("/health/ready", root="")
    assert (late.status, "overdue" in late.json["parts"]["dispatch"]["detail"]) == (503, True)
    await desk.pool.execute("UPDATE timer SET attempts = 5")
    given_up = await stranger.get("/health/ready", root="")
    assert "1 deadlines failed and were given up" in given_up.json["parts"]["dispatch"]["detail"]
    assert 'siaga_things{kind="timer",status="given_up"} 1.0' in (await stranger.get("/metrics", root="")).text
    sign.terminate()
    deaf = (await stranger.get("/health/ready", root="")).json["parts"]["asterisk"]
    assert (deaf["ok"], "agi does not hear Asterisk" in deaf["detail"]) == (False, True)
    living.cancel()
    for pool in (agi, dispatch):
        pool.terminate()


async def test_prometheus_is_told_how_much_is_going_on_and_nothing_personal(visit: Visit, ledger: Ledger) -> None:
    await call(ledger)
    stranger = await visit()
    await stranger.get("/board")
    page = await stranger.get("/metrics", root="")
    assert 'siaga_things{kind="incident",status="open"} 1.0' in page.text
    assert 'siaga_things{kind="call",status="ringing"} 1.0' in page.text
    assert 'siaga_http_answers_total{method="GET",route="read_board",status="401"} 1.0' in page.text
    assert "siaga_record_up 1.0" in page.text
    assert NUMBER not in page.text


async def test_figures_are_counted_from_the_record(visit: Visit, ledger: Ledger) -> None:
    sari, ratna = await visit("sari"), await visit("ratna")
    one = await call(ledger)
    await call(ledger, "+62855")
    (await sari.post(f"/incidents/{one}/close", {"outcome": "prank"})).ok()
    await ledger.pool.execute("UPDATE call SET answered_at = rang_at + interval '12 seconds' WHERE incident = $1", one)
    figures = (await ratna.get("/figures")).ok()
    assert (figures["incidents"]["total"], figures["incidents"]["open"]) == (2, 1)
    assert figures["incidents"]["by_outcome"] == {"prank": 1}
    assert figures["calls"]["by_class"] == {"prank": 1}
    assert figures["calls"]["answered"] == 1
    answer = figures["times"]["answer"]
    assert (answer["count"], answer["median_s"], answer["within_target"], answer["target_s"]) == (1, 12.0, 1.0, 15.0)
    assert figures["times"]["travel"]["median_s"] is None
    assert (await ratna.get("/figures?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z")).code == "request.shape"
    assert (await ratna.get("/figures?since=2020-01-01T00:00:00Z&until=2026-01-01T00:00:00Z")).code == "request.shape"
    assert (await ratna.get("/figures?since=2026-01-01T00:00:00")).code == "request.shape"
