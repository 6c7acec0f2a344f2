"""Things that have happened before a test begins."""

import itertools
from datetime import UTC, datetime
from uuid import UUID

from callcenter import desk as room
from callcenter.call import Rang
from callcenter.ledger import Ledger
from geo.place import Place
from tests.web.browser import Browser

ALUN_ALUN = Place(-6.1716, 106.6404, radius_m=35, method="pidf-lo", kelurahan="36.71.01.1001", kecamatan="36.71.01")
NUMBER = "+6281234567890"

_calls = itertools.count(1)


async def call(ledger: Ledger, number: str | None = NUMBER, place: Place | None = ALUN_ALUN) -> UUID:
    """Somebody rings 112. Returns the incident."""
    rang = Rang(f"test-{next(_calls)}", number, "demo", "112", datetime.now(UTC), place)
    return (await room.take_call(ledger, rang)).incident


async def hang_up(ledger: Ledger) -> None:
    """Every call that is going on ends."""
    for row in await ledger.pool.fetch("SELECT uniqueid FROM call WHERE ended_at IS NULL"):
        await room.call_ended(ledger, row["uniqueid"], cause="caller", at=datetime.now(UTC))


async def fire(sari: Browser, incident: UUID) -> None:
    """The call-taker learns that it is a fire."""
    changes = {"type": await a_type(sari), "priority": 1, "address": "Jl. Daan Mogot 112, belakang pasar"}
    (await sari.patch(f"/incidents/{incident}", {"changes": changes})).ok()


async def a_type(person: Browser) -> str:
    types = (await person.get("/config")).ok()["types"]
    return next(str(one["code"]) for one in types if "fire" in one["code"] or one["group"] == "fire")


async def a_category(person: Browser, agency: str = "dlh") -> str:
    categories = (await person.get("/config")).ok()["categories"]
    return next(str(one["code"]) for one in categories if one["agency"] == agency)


async def free_units(person: Browser) -> list[dict[str, str]]:
    return [one for one in (await person.get("/units")).ok()["units"] if not one["busy"]]
