"""How soon another process hears of a commit, and what telling it costs those who commit.

The yardstick tells by a NOTIFY in each transaction, which is the soonest there is; or does not tell at all, which is
the cheapest. All three write the same calls and are followed by the same follower in a process of its own.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum

from callcenter.desk import take_call
from callcenter.ledger import Ledger
from tests.bench import ground
from tests.bench.create import CALLERS, Ran, ours, rings
from tests.bench.result import Result, median, percentile, say

ROUNDS = 3
ROUND_S = 2.0
PACE = 200
TARGET_P50 = 1.2
TARGET_FLAT_OUT = 0.8

_NOTIFY = """
    CREATE FUNCTION tell_at_once() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NOTIFY siaga112; RETURN NULL; END $$;
    CREATE TRIGGER each_transaction_tells AFTER INSERT ON log FOR EACH STATEMENT EXECUTE FUNCTION tell_at_once();
"""
_NO_NOTIFY = "DROP FUNCTION tell_at_once CASCADE"


class Signal(StrEnum):
    """How a follower elsewhere learns that there is something to read."""

    BELL = "the bell"
    NOTIFY = "NOTIFY in each transaction"
    NONE = "no signal"


@dataclass(slots=True)
class Heard:
    """What the follower saw of one way of telling."""

    ages_ms: list[float] = field(default_factory=list)
    p50s_ms: list[float] = field(default_factory=list)
    missed: int = 0
    repeated: int = 0


@contextlib.asynccontextmanager
async def _telling(dsn: str, signal: Signal) -> AsyncIterator[Ledger]:
    async with ground.writer(dsn, size=CALLERS, tends=signal is Signal.BELL) as ledger:
        if signal is Signal.NOTIFY:
            await ledger.pool.execute(_NOTIFY)
        try:
            yield ledger
        finally:
            if signal is Signal.NOTIFY:
                await ledger.pool.execute(_NO_NOTIFY)


async def _paced(ledger: Ledger, *, for_s: float) -> int:
    """Commits at an even pace, whatever the answers take; the number of them."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    count = int(PACE * for_s)
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            await asyncio.sleep(max(0.0, began + number / PACE - loop.time()))
            tasks.create_task(take_call(ledger, rings()))
    return count


async def _listen(dsn: str, ledger: Ledger, ran: Ran | None, heard: Heard, *, for_s: float) -> None:
    async with ground.program("tests.bench.consumer", dsn) as consumer:
        await ground.hear(consumer)
        if ran is None:
            written = await _paced(ledger, for_s=for_s)
        else:
            before = len(ran.took_ms)
            await ran.round([ours(ledger)] * CALLERS, for_s)
            written = len(ran.took_ms) - before
        await ground.tell(consumer, "that was all")
        saw = json.loads(await ground.hear(consumer))
    heard.ages_ms += saw["ages_ms"]
    heard.p50s_ms.append(median(saw["ages_ms"]))
    heard.missed += written - saw["seen"]
    heard.repeated += saw["told"] - saw["seen"]


async def run(*, rounds: int = ROUNDS, round_s: float = ROUND_S) -> list[Result]:
    paced = {signal: Heard() for signal in (Signal.BELL, Signal.NOTIFY)}
    flat_out = {signal: Heard() for signal in Signal}
    ran = {signal: Ran() for signal in Signal}
    async with ground.city() as (dsn, _):
        for number in range(rounds):
            for signal in Signal:
                async with _telling(dsn, signal) as ledger:
                    if signal in paced:
                        await _listen(dsn, ledger, None, paced[signal], for_s=round_s)
                    await _listen(dsn, ledger, ran[signal], flat_out[signal], for_s=round_s)
                soon = f", {paced[signal].p50s_ms[-1]:.1f} ms old at {PACE}/s" if signal in paced else ""
                say(f"follow {number + 1}/{rounds}: {signal}: {ran[signal].tps[-1]:.0f} commits/s{soon}")
    every = [*paced.values(), *flat_out.values()]
    lost: dict[str, float | str] = {
        "missed": sum(one.missed for one in every),
        "repeated": sum(one.repeated for one in every),
    }
    return [
        Result(
            bench=f"a commit reaches a follower in another process, {PACE}/s, p50 from the start of the command",
            value=median(paced[Signal.BELL].p50s_ms),
            unit="ms",
            yardstick=Signal.NOTIFY,
            yardstick_value=median(paced[Signal.NOTIFY].p50s_ms),
            better="low",
            target=TARGET_P50,
            extra={
                "p99": percentile(paced[Signal.BELL].ages_ms, 0.99),
                "yardstick_p99": percentile(paced[Signal.NOTIFY].ages_ms, 0.99),
                **lost,
            },
        ),
        Result(
            bench=f"commits while a follower listens, {CALLERS} callers",
            value=median(ran[Signal.BELL].tps),
            unit="commits/s",
            yardstick=Signal.NONE,
            yardstick_value=median(ran[Signal.NONE].tps),
            better="high",
            target=TARGET_FLAT_OUT,
            extra={"notify_in_each": round(median(ran[Signal.NOTIFY].tps), 1), **lost},
        ),
    ]
