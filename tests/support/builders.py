"""Short ways to arrange what a test needs, in the words of the room."""

import itertools
from datetime import UTC, datetime
from uuid import UUID

from callcenter import desk
from callcenter.call import Rang, Taken
from callcenter.incident import Changes
from callcenter.ledger import Ledger
from geo.place import Place

NOON = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
TOWN_HALL = Place(-6.1701, 106.6403, radius_m=50, method="pin", kelurahan="36.71.01.1001", kecamatan="36.71.01")

_numbers = itertools.count(1)


def rang(*, ani: str | None = "081234567890", place: Place | None = TOWN_HALL, at: datetime = NOON) -> Rang:
    """A call as Asterisk tells of it; each has an id of its own."""
    return Rang(f"1795500000.{next(_numbers)}", ani, "demo", "112", at, place)


async def call_from(ledger: Ledger, ani: str | None = "081234567890", *, place: Place | None = TOWN_HALL) -> Taken:
    """A call that came in and rings."""
    return await desk.take_call(ledger, rang(ani=ani, place=place))


async def described(ledger: Ledger, incident: UUID, by: str = "sari", **changes: str | int | None) -> None:
    """The call-taker writes down what is known."""
    wished: Changes = dict(changes)
    async with ledger.book(by=by) as book:
        await desk.describe(book, incident, wished, now=NOON)


async def story(ledger: Ledger, kind: str, subject: UUID) -> list[str]:
    """The events of one subject by name, in order."""
    rows = await ledger.pool.fetch(
        "SELECT type FROM log WHERE kind = $1 AND subject = $2 ORDER BY version", kind, subject
    )
    return [row["type"] for row in rows]
