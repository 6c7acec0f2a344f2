"""How fast pushes reach many devices and come back acknowledged, beside bare servers with nothing behind them.

Ours is the whole path: an event is committed, the daemon follows the log, looks up what to say, and says it. The same
crowd of light clients, in a process of its own for each server, listens to each.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import asyncpg

from callcenter.ledger import Ledger
from callcenter.store import Pool
from config import citypack
from dispatch import sending
from dispatch.sending import unit_id_of
from dispatch.unit import UNITS, Equipment, UnitOutOfService
from tests.bench import ground
from tests.bench.create import CALLERS, Ran
from tests.bench.ground import Process
from tests.bench.peers import FRAME_BYTES
from tests.bench.result import Result, median, percentile, say
from tests.support.sip import free_port

ROUNDS = 3
FAN_OUT = ((1000, 10), (5000, 4))  # devices, events a round
UNITS_ACKED, EVENTS_ACKED = 1000, 3
PACED_S = 2.0
WITHIN_S = 60
TARGET, NEXT_TARGET = 0.8, 1.0
TARGET_ACKED = 0.5
TARGET_MEMORY, MOST_MEMORY_KIB = 2.0, 40
PROMISE_MS = 20.0
# What a frame of ours holds beside the reason that is told, so that all frames are of one size.
BESIDE_BYTES = 298

ALL = "SEMUA-01"


class Pushes(Protocol):
    """A server that can be made to push."""

    process: Process
    port: int

    async def push(self, frames: int, *, acks: bool) -> None:
        """Let each device have so many frames; with ``acks``, return when all have been acknowledged."""


@dataclass(slots=True)
class Peer:
    """A bare server."""

    process: Process
    port: int
    control: aiohttp.ClientWebSocketResponse

    async def push(self, frames: int, *, acks: bool) -> None:
        await self.control.send_str(json.dumps({"frames": frames, "acks": acks}))
        if acks:
            assert await self.control.receive_str(timeout=WITHIN_S)
        else:
            await self.control.receive_str(timeout=WITHIN_S)


@dataclass(slots=True)
class Ours:
    """Our daemon, pushed by what happens in the record."""

    process: Process
    port: int
    ledger: Ledger
    call_signs: Sequence[str] = (ALL,)

    async def push(self, frames: int, *, acks: bool) -> None:
        before = await self._acked() if acks else 0
        reason = "x" * (FRAME_BYTES - BESIDE_BYTES)
        async with self.ledger.book(by="bench") as book:
            ids = [unit_id_of(call_sign) for call_sign in self.call_signs]
            for id_, unit in await book.lock_where(UNITS, "id = ANY($1)", ids):
                now = datetime.now(UTC)
                book.record(UNITS, id_, unit, [UnitOutOfService(at=now, reason=reason) for _ in range(frames)])
        while acks and await self._acked() < before + frames * len(ids):
            await asyncio.sleep(0.005)

    async def _acked(self) -> int:
        count: int = await self.ledger.pool.fetchval(
            "SELECT count(*) FROM delivery d JOIN log l ON l.seq = d.seq AND l.by = 'bench'"
        )
        return count


@contextlib.asynccontextmanager
async def peer(name: str) -> AsyncIterator[Peer]:
    async with ground.program("tests.bench.peers", name) as process, aiohttp.ClientSession() as http:
        port = int(await ground.hear(process))
        async with http.ws_connect(f"http://127.0.0.1:{port}/control") as control:
            yield Peer(process, port, control)


@contextlib.asynccontextmanager
async def ours(dsn: str, folder: Path, ledger: Ledger) -> AsyncIterator[Ours]:
    port = free_port()
    env = {
        "SIAGA_DSN": dsn,
        "SIAGA_STATE": str(folder),
        "SIAGA_PUSH_PORT": str(port),
        "SIAGA_CONFIG": str(folder / "none.toml"),
    }
    log = folder / "dispatch.log"
    async with ground.program("dispatch", env=env, log=log) as process, aiohttp.ClientSession() as http:
        async with asyncio.timeout(20):
            while not await _is_ready(http, port):
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield Ours(process, port, ledger)


async def _is_ready(http: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with http.get(f"http://127.0.0.1:{port}/health/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@dataclass(frozen=True, slots=True)
class Heard:
    """When it began, when each frame came, and their size."""

    began: float
    times: list[float]
    frame_bytes: float


@dataclass(slots=True)
class Crowd:
    """Devices in a process of their own."""

    process: Process

    async def _ask(self, **what: object) -> dict[str, Any]:
        await ground.tell(self.process, json.dumps(what))
        answer: dict[str, Any] = json.loads(await ground.hear(self.process, within_s=WITHIN_S + 10))
        return answer

    async def connect(self, port: int, hellos: Sequence[str | None]) -> None:
        answer = await self._ask(do="connect", port=port, hellos=hellos)
        assert answer["connected"] == len(hellos), answer

    async def hears(self, frames: int, *, acks: bool, of: Callable[[], Awaitable[None]]) -> Heard:
        """What came of ``of``, and when."""
        await self._ask(do="expect", frames=frames, acks=acks, within_s=WITHIN_S)
        began = time.monotonic()
        await of()
        answer = json.loads(await ground.hear(self.process, within_s=WITHIN_S + 10))
        assert answer["came"] == frames, f"{answer['came']} of {frames} frames came, {answer['lost']} lines lost"
        return Heard(began, answer["times"], answer["bytes"] / frames)


@contextlib.asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    async with ground.program("tests.bench.crowd") as process:
        yield Crowd(process)


async def crews(ledger: Ledger, call_signs: Sequence[str]) -> None:
    """Units, and an account with a sitting for each."""
    model = citypack.read("tangerang").units[0]
    equipment = [
        Equipment(call_sign, model.kind, model.agency, model.capabilities, model.lat, model.lon)
        for call_sign in call_signs
    ]
    await sending.register(ledger, equipment, now=datetime.now(UTC))
    await ledger.pool.execute(
        """WITH crews AS (
               INSERT INTO account (login, name, role, unit, password_hash)
               SELECT lower(call_sign), call_sign, 'unit', call_sign, '' FROM unnest($1::text[]) AS call_sign
               RETURNING login)
           INSERT INTO session (hash, account, csrf, expires_at)
           SELECT sha256(login::bytea), login, '', now() + interval '1 hour' FROM crews""",
        call_signs,
    )


async def hellos(pool: Pool, call_signs: Sequence[str]) -> list[str]:
    """The first words of a device for each call sign, with a ticket that is good for once."""
    tickets = [secrets.token_urlsafe(24) for _ in call_signs]
    await pool.execute(
        """INSERT INTO ticket (hash, account, session, purpose, expires_at)
           SELECT hash, lower(call_sign), sha256(lower(call_sign)::bytea), 'push', now() + interval '1 hour'
           FROM unnest($1::bytea[], $2::text[]) AS t(hash, call_sign)""",
        [hashlib.sha256(ticket.encode()).digest() for ticket in tickets],
        call_signs,
    )
    return [json.dumps({"type": "hello", "ticket": ticket, "client": "bench"}) for ticket in tickets]


@dataclass(slots=True)
class Reached:
    """What one server reached, round by round."""

    per_s: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)
    idle_kib: float = 0.0
    frame_bytes: float = 0.0

    @property
    def p99_ms(self) -> float:
        return percentile(self.took_ms, 0.99)

    async def round(self, server: Pushes, listeners: Crowd, devices: int, frames: int, *, acks: bool) -> None:
        ended = 0.0

        async def go() -> None:
            nonlocal ended
            await server.push(frames, acks=acks)
            ended = time.monotonic()

        heard = await listeners.hears(devices * frames, acks=acks, of=go)
        self.per_s.append(devices * frames / ((ended if acks else max(heard.times)) - heard.began))
        self.took_ms += [(at - heard.began) * 1000 for at in heard.times]
        self.frame_bytes = heard.frame_bytes


Servers = dict[str, tuple[Pushes, Crowd]]


@contextlib.asynccontextmanager
async def _everybody(dsn: str, folder: Path, ledger: Ledger) -> AsyncIterator[tuple[Servers, Ours]]:
    async with contextlib.AsyncExitStack() as stack:
        mine = await stack.enter_async_context(ours(dsn, folder, ledger))
        servers: Servers = {
            "aiohttp": (await stack.enter_async_context(peer("aiohttp")), await stack.enter_async_context(crowd())),
            "websockets": (
                await stack.enter_async_context(peer("websockets")),
                await stack.enter_async_context(crowd()),
            ),
            "ours": (mine, await stack.enter_async_context(crowd())),
        }
        yield servers, mine


async def _connect(servers: Servers, pool: Pool, call_signs: Sequence[str]) -> dict[str, Reached]:
    reached = {name: Reached() for name in servers}
    for name, (server, listeners) in servers.items():
        before = ground.resident_kib(server.process)
        is_ours = isinstance(server, Ours)
        await listeners.connect(server.port, await hellos(pool, call_signs) if is_ours else [None] * len(call_signs))
        await asyncio.sleep(1)  # what a connection needs for a moment only is given back
        grown_kib = ground.resident_kib(server.process) - before
        reached[name].idle_kib = max(1, grown_kib) / len(call_signs)
    return reached


async def _fan_out(dsn: str, folder: Path, ledger: Ledger, *, devices: int, frames: int, rounds: int) -> list[Result]:
    async with _everybody(dsn, folder, ledger) as (servers, _):
        reached = await _connect(servers, ledger.pool, [ALL] * devices)
        for number in range(rounds):
            for name, (server, listeners) in servers.items():
                await reached[name].round(server, listeners, devices, frames, acks=False)
            say(
                f"push to {devices} {number + 1}/{rounds}: "
                + ", ".join(f"{name} {one.per_s[-1]:.0f}/s" for name, one in reached.items())
            )
    best = max(("aiohttp", "websockets"), key=lambda name: median(reached[name].per_s))
    return [
        Result(
            bench=f"push of {FRAME_BYTES} bytes to {devices} sockets, from the commit",
            value=median(reached["ours"].per_s),
            unit="frames/s",
            yardstick=f"bare {best}",
            yardstick_value=median(reached[best].per_s),
            better="high",
            target=TARGET,
            extra={
                "next_target": NEXT_TARGET,
                "frame_bytes": round(reached["ours"].frame_bytes),
                "p99_ms": round(reached["ours"].p99_ms, 1),
                "yardstick_p99_ms": round(reached[best].p99_ms, 1),
                **{f"{name}_per_s": round(median(reached[name].per_s), 1) for name in ("aiohttp", "websockets")},
            },
        )
    ]


async def _acked(dsn: str, folder: Path, ledger: Ledger, *, units: int, rounds: int, paced_s: float) -> list[Result]:
    call_signs = [f"UJI-{number:04}" for number in range(units)]
    await crews(ledger, call_signs)
    kept = Ran()
    async with _everybody(dsn, folder, ledger) as (servers, mine):
        mine.call_signs = call_signs
        reached = await _connect(servers, ledger.pool, call_signs)
        for number in range(rounds):
            for name, (server, listeners) in servers.items():
                await reached[name].round(server, listeners, units, EVENTS_ACKED, acks=True)
            await _kept_connections(dsn, kept, for_s=min(1.0, paced_s))
            say(
                f"acked push to {units} {number + 1}/{rounds}: "
                + ", ".join(f"{name} {one.per_s[-1]:.0f}/s" for name, one in reached.items())
                + f", asyncpg {kept.tps[-1]:.0f}/s"
            )
        paced_ms = await _paced(mine, servers["ours"][1], rate=median(reached["ours"].per_s) / 10, for_s=paced_s)
    yardsticks = {"bare aiohttp": median(reached["aiohttp"].per_s), "asyncpg, a row a commit": median(kept.tps)}
    smaller = min(yardsticks, key=lambda name: yardsticks[name])
    return [
        Result(
            bench=f"pushes of their own to {units} units, acknowledged and both committed",
            value=median(reached["ours"].per_s),
            unit="acked/s",
            yardstick=smaller,
            yardstick_value=yardsticks[smaller],
            better="high",
            target=TARGET_ACKED,
            extra={name: round(per_s, 1) for name, per_s in yardsticks.items()},
        ),
        Result(
            bench="from an event to its committed acknowledgement at a tenth of that, p99",
            value=percentile(paced_ms, 0.99),
            unit="ms",
            yardstick="our promise",
            yardstick_value=PROMISE_MS,
            better="low",
            target=1.0,
            extra={"p50": round(median(paced_ms), 2), "events": len(paced_ms)},
        ),
        Result(
            bench=f"memory of an idle connection of a unit, of {units}",
            value=reached["ours"].idle_kib,
            unit="KiB",
            yardstick="bare aiohttp",
            yardstick_value=reached["aiohttp"].idle_kib,
            better="low",
            target=TARGET_MEMORY,
            extra={"most": MOST_MEMORY_KIB, "websockets": round(reached["websockets"].idle_kib, 1)},
        ),
    ]


async def _kept_connections(dsn: str, ran: Ran, *, for_s: float) -> None:
    """What PostgreSQL takes when each acknowledgement is a commit of its own."""
    seqs = itertools.count(10**12 + len(ran.took_ms))
    unit = unit_id_of(ALL)
    connections = [await asyncpg.connect(dsn) for _ in range(CALLERS)]

    def acks(connection: "asyncpg.Connection[asyncpg.Record]") -> Callable[[], Awaitable[object]]:
        return lambda: connection.execute("INSERT INTO delivery (unit, seq) VALUES ($1, $2)", unit, next(seqs))

    await ran.round([acks(connection) for connection in connections], for_s)
    for connection in connections:
        await connection.close()


async def _paced(mine: Ours, listeners: Crowd, *, rate: float, for_s: float) -> list[float]:
    """Single events, each its own commit, at an even pace: how long until the acknowledgement of each is kept."""
    count = max(1, int(rate * for_s))
    since: int = await mine.ledger.pool.fetchval("SELECT max(seq) FROM log")
    call_signs = itertools.cycle(mine.call_signs)

    async def one() -> None:
        async with mine.ledger.book(by="paced") as book:
            id_ = unit_id_of(next(call_signs))
            unit = await book.lock(UNITS, id_)
            book.record(UNITS, id_, unit, [UnitOutOfService(at=datetime.now(UTC), reason="ban kempes")])

    async def go() -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(count):
                await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
                tasks.create_task(one())

    await listeners.hears(count, acks=True, of=go)
    async with asyncio.timeout(WITHIN_S):
        while True:
            rows = await mine.ledger.pool.fetch(
                """SELECT extract(epoch FROM d.acked_at - l.at)::float8 * 1000 AS ms
                   FROM log l JOIN delivery d ON d.seq = l.seq WHERE l.seq > $1 AND l.by = 'paced'""",
                since,
            )
            if len(rows) == count:
                return [row["ms"] for row in rows]
            await asyncio.sleep(0.05)


async def run(
    *,
    fan_out: Sequence[tuple[int, int]] = FAN_OUT,
    units: int = UNITS_ACKED,
    rounds: int = ROUNDS,
    paced_s: float = PACED_S,
) -> list[Result]:
    async with ground.city() as (dsn, folder), ground.writer(dsn, size=CALLERS) as ledger:
        await crews(ledger, [ALL])
        results: list[Result] = []
        for devices, frames in fan_out:
            results += await _fan_out(dsn, folder, ledger, devices=devices, frames=frames, rounds=rounds)
        return [*results, *await _acked(dsn, folder, ledger, units=units, rounds=rounds, paced_s=paced_s)]
