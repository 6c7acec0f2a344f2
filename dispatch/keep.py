"""What units let us know beside their words: that they have an event, where they are, and that they listen.

None of it is an event of the record. It is written in batches, so that
thousands of devices cost a few statements a second.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from callcenter.store import Pool
from dispatch.gather import Gatherer
from geo.distance import haversine_m

# The trace of a unit keeps a point each time it moved this far, or this long after the last.
TRACE_M = 25.0
TRACE_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Fix:
    """A unit's position, as measured ``at``."""

    unit: UUID
    lat: float
    lon: float
    accuracy_m: float | None
    speed_mps: float | None
    heading: float | None
    at: datetime


class Deliveries:
    """Which event reached which unit."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.gatherer: Gatherer[tuple[UUID, int]] = Gatherer("acknowledgements", self._write, wait_s=0.005, most=2000)

    def put(self, unit: UUID, seq: int) -> None:
        """The unit has this event on its screen."""
        self.gatherer.put((unit, seq))

    async def _write(self, acks: list[tuple[UUID, int]]) -> None:
        await self._pool.execute(
            """INSERT INTO delivery (unit, seq) SELECT * FROM unnest($1::uuid[], $2::bigint[])
               ON CONFLICT DO NOTHING""",
            [unit for unit, _ in acks],
            [seq for _, seq in acks],
        )


class Positions:
    """Where the units are: the last of each in its row, and a thinned trace beside it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._traced: dict[UUID, Fix] = {}
        self.gatherer: Gatherer[Fix] = Gatherer("positions", self._write, wait_s=0.25, most=5000)

    def put(self, fix: Fix) -> bool:
        """The unit is here. False when there is no room, which a device need not be told: it measures again."""
        return self.gatherer.put(fix)

    async def _write(self, fixes: list[Fix]) -> None:
        last = {fix.unit: fix for fix in sorted(fixes, key=lambda fix: fix.at)}
        trace = [fix for fix in last.values() if self._is_news(fix)]
        await self._pool.execute(_UPSERT, *_columns(last.values()))
        if trace:
            await self._pool.execute(_TRACE, *_columns(trace)[:5])
            self._traced.update({fix.unit: fix for fix in trace})

    def _is_news(self, fix: Fix) -> bool:
        before = self._traced.get(fix.unit)
        return (
            before is None
            or fix.at - before.at >= TRACE_EVERY
            or haversine_m(before.lat, before.lon, fix.lat, fix.lon) >= TRACE_M
        )


# A position that was on its way for longer than another never overtakes it.
_UPSERT = """
    INSERT INTO position AS old (unit, lat, lon, accuracy_m, at, speed_mps, heading)
    SELECT * FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::timestamptz[],
                         $6::float8[], $7::float8[])
    ON CONFLICT (unit) DO UPDATE SET
        lat = excluded.lat, lon = excluded.lon, accuracy_m = excluded.accuracy_m, at = excluded.at,
        speed_mps = excluded.speed_mps, heading = excluded.heading, received_at = now()
    WHERE old.at < excluded.at
"""
_TRACE = """
    INSERT INTO position_history (unit, lat, lon, accuracy_m, at)
    SELECT * FROM unnest($1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::timestamptz[])
    ON CONFLICT DO NOTHING
"""


def _columns(fixes: Iterable[Fix]) -> tuple[list[object], ...]:
    rows = [(fix.unit, fix.lat, fix.lon, fix.accuracy_m, fix.at, fix.speed_mps, fix.heading) for fix in fixes]
    return tuple(list(column) for column in zip(*rows, strict=True))


class Presence:
    """Which units have a device that listens."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.gatherer: Gatherer[tuple[UUID, bool]] = Gatherer("presences", self._write, wait_s=0.1, most=5000)

    def put(self, unit: UUID, *, online: bool) -> None:
        """A device of the unit came, or its last one went."""
        self.gatherer.put((unit, online))

    async def nobody(self) -> None:
        """We have just started, or are about to stop: no device listens to us."""
        await self._pool.execute("UPDATE presence SET online = false, since = now() WHERE online")

    async def _write(self, changes: list[tuple[UUID, bool]]) -> None:
        last = dict(changes)
        await self._pool.execute(
            """INSERT INTO presence AS old (unit, online) SELECT * FROM unnest($1::uuid[], $2::boolean[])
               ON CONFLICT (unit) DO UPDATE SET online = excluded.online, since = now()
               WHERE old.online <> excluded.online""",
            list(last),
            list(last.values()),
        )
