"""Are we well? ``live`` asks only this process; ``ready`` names each part that is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from pydantic_core import to_json
from typing_extensions import TypedDict

from callcenter.store import AWAY
from callcenter.timers import GIVE_UP_AFTER
from web.desk import Desk

ANSWER_S: Final = 2.0


class Part(TypedDict):
    """One part of the whole, and what to do when it is not well."""

    ok: bool
    detail: str


class Health(TypedDict):
    """All parts."""

    ready: bool
    parts: dict[str, Part]


WELL: Final = Part(ok=True, detail="")


async def ready(desk: Desk) -> Health:
    """What works and what does not, within two seconds."""
    asked = {
        "postgresql": _postgresql,
        "schema": _schema,
        "city": _city,
        "live": _live,
        "agi": _agi,
        "asterisk": _asterisk,
        "dispatch": _dispatch,
    }
    answers = await asyncio.gather(*(_within(desk, ask) for ask in asked.values()))
    parts = dict(zip(asked, answers, strict=True))
    return Health(ready=all(part["ok"] for part in parts.values()), parts=parts)


async def _within(desk: Desk, ask: Callable[[Desk], Awaitable[Part]]) -> Part:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await ask(desk)
    except AWAY as error:
        return Part(ok=False, detail=f"PostgreSQL does not answer ({type(error).__name__}); see its log")


async def _postgresql(desk: Desk) -> Part:
    if await desk.pool.fetchval("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"):
        return Part(ok=False, detail="PostgreSQL refuses to write; calls still ring, and are kept in the spool")
    return WELL


async def _schema(desk: Desk) -> Part:
    if await desk.pool.fetchval("SELECT to_regclass('incident_now') IS NOT NULL"):
        return WELL
    return Part(ok=False, detail="the tables are not there; run `siaga112 migrate`")


async def _city(desk: Desk) -> Part:
    there = await desk.pool.fetchval("SELECT to_regclass('agency') IS NOT NULL")
    if there and await desk.pool.fetchval("SELECT EXISTS (SELECT FROM agency) AND EXISTS (SELECT FROM incident_type)"):
        return WELL
    return Part(ok=False, detail="the city pack is not loaded; run `siaga112 migrate`")


async def _live(desk: Desk) -> Part:
    return WELL if desk.live.is_fresh else Part(ok=False, detail="the live feed does not read the log; see web's log")


async def _agi(desk: Desk) -> Part:
    if await _is_connected(desk, "agi"):
        return WELL
    return Part(ok=False, detail="agi is not connected to PostgreSQL; calls still ring, and become incidents later")


async def _asterisk(desk: Desk) -> Part:
    """Asterisk is heard by agi, which says so by a connection of that name."""
    if await _is_connected(desk, "asterisk"):
        return WELL
    if not await _is_connected(desk, "agi"):
        return Part(ok=False, detail="nobody can say: agi is not connected to PostgreSQL; is Asterisk running?")
    return Part(ok=False, detail="agi does not hear Asterisk; 112 may not ring, see Asterisk's log and agi's")


async def _is_connected(desk: Desk, program: str) -> bool:
    """Each daemon keeps a connection under its name, wherever it runs; the kernel closes it when the daemon dies."""
    found: bool = await desk.pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)",
        f"siaga112 {program}",
    )
    return found


async def _dispatch(desk: Desk) -> Part:
    """Deadlines that nobody looks at mean that dispatch is down or hung."""
    if not await _is_connected(desk, "dispatch"):
        return Part(ok=False, detail="dispatch is not connected to PostgreSQL; units are not asked, see its log")
    there = await desk.pool.fetchval("SELECT to_regclass('timer') IS NOT NULL")
    if not there:
        return Part(ok=False, detail="the tables are not there; run `siaga112 migrate`")
    overdue = await desk.pool.fetchval(
        "SELECT count(*) FROM timer WHERE due_at < now() - interval '10 seconds' AND attempts = 0"
    )
    if overdue:
        return Part(ok=False, detail=f"{overdue} deadlines are overdue; dispatch is down or hung, see its log")
    given_up = await desk.pool.fetchval(_GIVEN_UP, GIVE_UP_AFTER)
    if given_up:
        return Part(ok=False, detail=f"{given_up} deadlines failed and were given up; see dispatch's log")
    return WELL


# What became of the offer otherwise needs its deadline no more.
_GIVEN_UP: Final = """
    SELECT count(*) FROM timer t WHERE attempts >= $1
    AND NOT EXISTS (SELECT FROM mission m WHERE m.id = t.subject AND m.status <> 'offered')
"""


def response(health: Health) -> web.Response:
    """200 when all is well, 503 otherwise."""
    return web.Response(
        body=to_json(health),
        status=200 if health["ready"] else 503,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
