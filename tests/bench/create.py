"""How many calls become incidents in a second, beside PostgreSQL's own pgbench with one equivalent statement."""

import asyncio
import itertools
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from callcenter.call import Rang
from callcenter.desk import take_call
from callcenter.ids import new_id
from callcenter.ledger import Ledger
from geo.place import Place
from tests.bench import ground
from tests.bench.result import Result, median, percentile, say

CALLERS = 8
ROUNDS = 3
ROUND_S = 3.0
TARGET, NEXT_TARGET = 0.40, 0.6
TARGET_P99 = 3.0

PLACE = Place(
    -6.1701, 106.6403, radius_m=50, confidence=90, method="pidf-lo", kelurahan="36.71.01.1001", kecamatan="36.71.01"
)
PLACE_JSON = (
    '{"lat":-6.1701,"lon":106.6403,"radius_m":50,"confidence":90,"method":"pidf-lo","text":"",'
    '"kelurahan":"36.71.01.1001","kecamatan":"36.71.01"}'
)

_WRITE = """
    , born AS (
        INSERT INTO incident (id, version, status, opened_at, source, caller_number, place)
        SELECT incident, 1, 'open', now(), '112', ani, place FROM told)
    , rang AS (
        INSERT INTO call (id, version, status, uniqueid, ani, trunk, dialled, place, incident, rang_at)
        SELECT call, 1, 'ringing', uniqueid, ani, 'demo', '112', place, incident, now() FROM told)
    INSERT INTO log (at, kind, subject, version, type, data, by, incident)
    SELECT now(), 'incident', incident, 1, 'IncidentOpened',
           jsonb_build_object('source', '112', 'caller_number', ani, 'place', place), 'agi', incident FROM told
    UNION ALL
    SELECT now(), 'call', call, 1, 'CallRang',
           jsonb_build_object('uniqueid', uniqueid, 'ani', ani, 'trunk', 'demo', 'dialled', '112', 'place', place,
                              'incident', incident, 'spooled', false), 'agi', incident FROM told
"""
BARE = (
    "WITH told AS MATERIALIZED (SELECT $1::uuid AS incident, $2::uuid AS call, $3::text AS uniqueid, $4::text AS ani,"
    " $5::text::jsonb AS place)" + _WRITE
)
PGBENCH = (
    "WITH told AS MATERIALIZED (SELECT uuidv7() AS incident, uuidv7() AS call, gen_random_uuid()::text AS uniqueid,"
    f" '081234567890'::text AS ani, '{PLACE_JSON}'::jsonb AS place)" + _WRITE
)

_uniqueids = itertools.count(1)


def rings() -> Rang:
    """A call as ``agi`` hears of it, with a place in it."""
    return Rang(f"bench.{next(_uniqueids)}", "081234567890", "demo", "112", datetime.now(UTC), PLACE)


@dataclass(slots=True)
class Ran:
    """What one way of writing reached, round by round."""

    tps: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)

    @property
    def p99_ms(self) -> float:
        return percentile(self.took_ms, 0.99)

    async def round(self, callers: list[Callable[[], Awaitable[object]]], for_s: float) -> None:
        """All callers at once, each as fast as it is answered."""
        began = time.perf_counter()
        before = len(self.took_ms)

        async def call(write: Callable[[], Awaitable[object]]) -> None:
            while (start := time.perf_counter()) < began + for_s:
                await write()
                self.took_ms.append((time.perf_counter() - start) * 1000)

        await asyncio.gather(*map(call, callers))
        self.tps.append((len(self.took_ms) - before) / (time.perf_counter() - began))


async def pgbench(dsn: str, script: Path, *, for_s: float) -> float:
    """Transactions a second of pgbench with the same number of connections."""
    address = urlsplit(dsn)
    process = await asyncio.create_subprocess_exec(
        *("pgbench", "-n", "-M", "prepared", "-c", str(CALLERS), "-T", str(max(1, round(for_s))), "-f", str(script)),
        *("-h", parse_qs(address.query)["host"][0], "-U", unquote(address.username or ""), unquote(address.path[1:])),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    found = re.search(rb"tps = ([\d.]+) \(without", output)
    assert found is not None, errors.decode()
    return float(found[1])


def bare(connection: "asyncpg.Connection[asyncpg.Record]") -> Callable[[], Awaitable[object]]:
    """The same rows by one statement, without any code of ours."""

    async def write() -> object:
        return await connection.execute(
            BARE, new_id(), new_id(), f"bare.{next(_uniqueids)}", "081234567890", PLACE_JSON
        )

    return write


def ours(ledger: Ledger) -> Callable[[], Awaitable[object]]:
    return lambda: take_call(ledger, rings())


async def run(*, rounds: int = ROUNDS, round_s: float = ROUND_S) -> list[Result]:
    async with ground.city() as (dsn, folder), ground.writer(dsn, size=CALLERS) as ledger:
        script = folder / "create.sql"
        script.write_text(" ".join(PGBENCH.split()) + ";\n")
        script.chmod(0o644)
        kept = [await asyncpg.connect(dsn) for _ in range(CALLERS)]
        product, plain, peer = Ran(), Ran(), Ran()
        has_pgbench = shutil.which("pgbench") is not None
        try:
            for number in range(rounds):
                if has_pgbench:
                    peer.tps.append(await pgbench(dsn, script, for_s=round_s))
                await plain.round([bare(connection) for connection in kept], round_s)
                await product.round([ours(ledger)] * CALLERS, round_s)
                say(
                    f"create {number + 1}/{rounds}: ours {product.tps[-1]:.0f}/s, asyncpg {plain.tps[-1]:.0f}/s"
                    + (f", pgbench {peer.tps[-1]:.0f}/s" if has_pgbench else ", no pgbench on this machine")
                )
        finally:
            for connection in kept:
                await connection.close()
    yardstick = peer if has_pgbench else plain
    return [
        Result(
            bench=f"create an incident, {CALLERS} callers",
            value=median(product.tps),
            unit="incidents/s",
            yardstick="pgbench, one CTE statement" if has_pgbench else "asyncpg, one CTE statement (no pgbench here)",
            yardstick_value=median(yardstick.tps),
            better="high",
            target=TARGET,
            extra={"next_target": NEXT_TARGET, "asyncpg_cte": round(median(plain.tps), 1)},
        ),
        Result(
            bench=f"create an incident, {CALLERS} callers, p99",
            value=product.p99_ms,
            unit="ms",
            yardstick="asyncpg, one CTE statement",
            yardstick_value=plain.p99_ms,
            better="low",
            target=TARGET_P99,
            extra={"p50": round(median(product.took_ms), 2), "yardstick_p50": round(median(plain.took_ms), 2)},
        ),
    ]
