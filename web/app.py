"""The desk's HTTP server put together: routes, pages, and what happens around each request."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web
from pydantic_core import to_json

from callcenter import desk as room
from callcenter.store import AWAY
from web import api, asyncapi, headers, health, meters, pages, problem
from web.api.board import follow_live
from web.desk import DESK, Desk
from web.openapi import API, ROUTES, Route, document

__all__ = ["build"]

log = logging.getLogger(__name__)

BODY_BYTES: Final = 64 * 1024

# As aiohttp names it.
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build(desk: Desk, *, static: Path = pages.STATIC) -> web.Application:
    """The application, ready to be served."""
    app = web.Application(client_max_size=BODY_BYTES, middlewares=[_around])
    app[DESK] = desk
    for one in ROUTES:
        app.router.add_route(one.method, API + one.path, partial(_serve, one), name=one.name)
    openapi, live = _documents()
    app.router.add_get(f"{API}/openapi.json", partial(_give, openapi), name="openapi")
    app.router.add_get(f"{API}/asyncapi.json", partial(_give, live), name="asyncapi")
    app.router.add_get(f"{API}/live", _live, name="live")
    app.router.add_get("/health/live", partial(_give, b'{"live":true}'), name="health-live")
    app.router.add_get("/health/ready", _ready, name="health-ready")
    app.router.add_get("/metrics", _metrics, name="metrics")
    pages.install(app, static)
    return app


@cache
def _documents() -> tuple[bytes, bytes]:
    """Both descriptions of ourselves. They follow from the code alone, and take a quarter of a second to make."""
    version = metadata.version("siaga112")
    return to_json(document(ROUTES, version=version)), to_json(asyncapi.document(version=version))


async def _serve(one: Route, request: web.Request) -> web.StreamResponse:
    return await one.serve(request.app[DESK], request)


async def _give(body: bytes, request: web.Request) -> web.Response:
    del request
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-cache"})


async def _live(request: web.Request) -> web.StreamResponse:
    return await follow_live(request.app[DESK], request)


async def _ready(request: web.Request) -> web.Response:
    return health.response(await health.ready(request.app[DESK]))


async def _metrics(request: web.Request) -> web.Response:
    desk = request.app[DESK]
    page = await desk.meters.page(desk.pool, desk.live, AWAY)
    return web.Response(body=page, headers={"Content-Type": meters.MEDIA_TYPE, "Cache-Control": "no-store"})


@web.middleware
async def _around(request: web.Request, handler: Handle) -> web.StreamResponse:
    """A name for each request, an answer to each error, headers on each answer, and a count of all."""
    desk = request.app[DESK]
    request_id = secrets.token_hex(8)
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(request=request_id):
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes an answer, ours are logged whole
            response = problem.from_error(error, request, request_id)
        seconds = time.monotonic() - began
        name = request.match_info.route.name or "none"
        if not response.prepared:
            response.headers["X-Request-Id"] = request_id
            headers.put(response, request, desk.doorplate, desk.city.tiles_url)
            desk.meters.answered(request.method, name, response.status, seconds)
        if response.status >= 400 or request.method != "GET":
            # The path holds ids, never a number or a name; the query may hold what was searched for, so it stays out.
            fields = {"method": request.method, "path": request.path, "status": response.status}
            log.info("answered", extra={**fields, "ms": round(seconds * 1000, 1)})
    return response


@asynccontextmanager
async def serving(desk: Desk, *, host: str, port: int, static: Path = pages.STATIC) -> AsyncIterator[int]:
    """Serve until the block ends; gives the port, which is useful when 0 was asked for."""
    runner = web.AppRunner(build(desk, static=static), access_log=None, shutdown_timeout=0.5, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = runner.addresses[0][1]
        yield bound
    finally:
        await runner.cleanup()


async def tend(desk: Desk, *, every_s: float = 30.0) -> None:
    """Keep the house: have the seats there, forget what is over, free the seats of people whose session has ended."""
    while True:
        wait_s = every_s
        try:
            await room.install_seats(desk.ledger, desk.seats, now=desk.now())
            await desk.doors.tidy()
            await api.session.free_left_seats(desk)
        except AWAY as error:
            log.warning("housekeeping waits for PostgreSQL", extra={"error": type(error).__name__})
            wait_s = min(every_s, 1.0)
        await asyncio.sleep(wait_s)
