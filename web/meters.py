"""What Prometheus is told: how much is asked of us, how long it takes, and who is connected."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from callcenter.store import Pool
from callcenter.timers import GIVE_UP_AFTER

if TYPE_CHECKING:
    from web.live import Live

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """One set a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._answers = Counter(
            "siaga_http_answers", "Answers given.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "siaga_http_seconds",
            "Time from a request to its answer.",
            ["route"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self._registry,
        )
        self._consoles = Gauge("siaga_consoles", "Consoles on the live feed.", registry=self._registry)
        self._record = Gauge("siaga_record_up", "1 while PostgreSQL answers.", registry=self._registry)
        self._things = Gauge(
            "siaga_things", "Things by kind and status, now.", ["kind", "status"], registry=self._registry
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """An answer was given."""
        self._answers.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    async def page(self, pool: Pool, live: "Live", away: tuple[type[BaseException], ...]) -> bytes:
        """All of it, in the form Prometheus reads. It is answered also while the record is away."""
        self._consoles.set(len(live))
        self._things.clear()
        try:
            self._count(await pool.fetch(_COUNTS, GIVE_UP_AFTER, timeout=2))
        except away:
            self._record.set(0)
        else:
            self._record.set(1)
        return generate_latest(self._registry)

    def _count(self, found: Iterable[asyncpg.Record]) -> None:
        for row in found:
            self._things.labels(row["kind"], row["status"]).set(row["many"])


# What is live, and no more: counting all that ever was would grow with the years.
_COUNTS: Final = """
    SELECT 'incident' AS kind, status, count(*) AS many FROM incident WHERE status IN ('open', 'triaged') GROUP BY 2
    UNION ALL
    SELECT 'call', status, count(*) FROM call WHERE status IN ('ringing', 'talking', 'held', 'abandoned', 'callback')
    GROUP BY 2
    UNION ALL
    SELECT 'mission', mission_status, count(*) FROM unit_now WHERE mission IS NOT NULL GROUP BY 2
    UNION ALL
    SELECT 'unit', status, count(*) FROM unit GROUP BY 2
    UNION ALL
    SELECT 'seat', status, count(*) FROM seat GROUP BY 2
    UNION ALL
    SELECT 'timer', CASE WHEN attempts >= $1 THEN 'given_up'
                         WHEN due_at < now() - interval '5 seconds' THEN 'overdue' ELSE 'waiting' END, count(*)
    FROM timer GROUP BY 2
"""
