"""How many calls a second come to the queue with our programs asked and answering, beside Asterisk left alone.

The same callers ring until they hear ringing, which they do when they are in the queue, and hang up. The yardstick is
the same dialplan without the lines that ask us: it still writes each call to the spool.
"""

import asyncio
import contextlib
import csv
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import config.pbx
from callcenter.store import Pool
from config.pbx import Exchange
from tests.bench import ground
from tests.bench.result import Result, median, percentile, say
from tests.support import pbx
from tests.support.sip import LOCAL, free_port, sdp

ROUNDS = 3
CALLS = 200
AT_ONCE = 16
TARGET = 0.95
TARGET_ADDED_MS = 50.0
WITHIN_S = 60

# From asking beside the call to having looked long enough for the answer.
_ASKING = re.compile(r"^ same => n,Originate\(.*?\?look\)\n", re.MULTILINE | re.DOTALL)

_CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller who hangs up at the first ringing">
  <send retrans="500" start_rtd="1"><![CDATA[
INVITE sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:0812[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:112@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:0812[call_number]@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

{body}]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" rtd="1"/>
  <send retrans="500"><![CDATA[
CANCEL sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:0812[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:112@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

]]></send>
  <label id="cancelled"/>
  <recv response="180" optional="true" next="cancelled"/>
  <recv response="200" optional="true" next="cancelled"/>
  <recv response="487"/>
  <send><![CDATA[
ACK sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:0812[call_number]@[local_ip]:[local_port]>;tag=[pid]c[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
</scenario>
"""


@dataclass(slots=True)
class Taken:
    """What one Asterisk did with its calls."""

    per_s: list[float] = field(default_factory=list)
    to_ringing_ms: list[float] = field(default_factory=list)
    rang: int = 0
    failed: int = 0


async def ring(folder: Path, exchange: Exchange, taken: Taken, *, calls: int, rate: float, at_once: int) -> None:
    """So many calls, at most so many a second and at once; the time of each until it rang."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        here = Path(name)
        (here / "caller.xml").write_text(_CALLER.replace("{body}", sdp(free_port()).replace("\r\n", "\n")))
        began = asyncio.get_running_loop().time()
        sipp = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", "caller.xml", "-i", LOCAL, "-p", str(free_port()), "-nostdin"),
            *("-m", str(calls), "-l", str(at_once), "-r", f"{rate:.0f}", "-timeout", f"{WITHIN_S}s"),
            *("-recv_timeout", "8000", "-trace_rtt", "-rtt_freq", "1", f"{LOCAL}:{exchange.sip_port}"),
            cwd=here,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(WITHIN_S + 5):
                code = await sipp.wait()
        finally:
            if sipp.returncode is None:
                sipp.kill()
                await sipp.wait()
        took_s = asyncio.get_running_loop().time() - began
        with next(here.glob("*_rtt.csv")).open() as file:
            next(file)  # names: when, how long in ms, which of several clocks
            times_ms = [float(row[1]) for row in csv.reader(file, delimiter=";")]
    taken.per_s.append(len(times_ms) / took_s)
    taken.to_ringing_ms += times_ms
    taken.rang += len(times_ms)
    taken.failed += calls - len(times_ms) if code in {0, 1} else calls


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Templates whose dialplan asks nobody."""
    copy = folder / "templates"
    shutil.copytree(config.pbx.TEMPLATES, copy)
    dialplan = copy / "extensions.conf"
    text, cut = _ASKING.subn("", dialplan.read_text(encoding="utf-8"))
    assert cut == 1, "the dialplan asks in another way now: look at _ASKING"
    dialplan.write_text(text, encoding="utf-8")
    with patch.object(config.pbx, "TEMPLATES", copy):
        yield


@contextlib.asynccontextmanager
async def _exchanges(dsn: str, folder: Path) -> AsyncIterator[tuple[Exchange, Exchange]]:
    """An Asterisk with our daemon beside it, and one alone."""
    asked = pbx.exchange(folder / "asked")
    alone = pbx.exchange(folder / "alone")
    async with contextlib.AsyncExitStack() as stack:
        with _alone(folder):
            await stack.enter_async_context(pbx.running(alone))
        await stack.enter_async_context(pbx.running(asked))
        daemon = await stack.enter_async_context(pbx.agi(asked, dsn, log=folder / "agi.log"))
        await daemon.says("manager is open")
        yield asked, alone


async def _kept(pool: Pool, calls: int) -> tuple[int, int]:
    """How many calls are in the record within a few seconds, and how many of them came by FastAGI in time."""
    async with asyncio.timeout(30):
        while (count := await pool.fetchval("SELECT count(*) FROM call")) < calls:
            await asyncio.sleep(0.1)
    in_time: int = await pool.fetchval("SELECT count(*) FROM call WHERE NOT spooled")
    return count, in_time


async def run(*, rounds: int = ROUNDS, calls: int = CALLS) -> list[Result]:
    if shutil.which("sipp") is None:
        say("intake is left out: SIPp is not installed (apt-get install sip-tester)")
        return []
    async with ground.city() as (dsn, folder), ground.reader(dsn) as pool, _exchanges(dsn, folder) as (asked, alone):
        for exchange in (alone, asked):  # the first calls load what is loaded once
            await ring(folder, exchange, Taken(), calls=5, rate=10, at_once=5)
        ours, theirs, ours_half, theirs_half = Taken(), Taken(), Taken(), Taken()
        for number in range(rounds):
            await ring(folder, alone, theirs, calls=calls, rate=1000, at_once=AT_ONCE)
            await ring(folder, asked, ours, calls=calls, rate=1000, at_once=AT_ONCE)
            half = max(1.0, ours.per_s[-1] / 2)
            await ring(folder, alone, theirs_half, calls=calls, rate=half, at_once=calls)
            await ring(folder, asked, ours_half, calls=calls, rate=half, at_once=calls)
            say(
                f"intake {number + 1}/{rounds}: ours {ours.per_s[-1]:.0f} calls/s, alone {theirs.per_s[-1]:.0f}/s; at"
                f" {half:.0f}/s ringing after {median(ours_half.to_ringing_ms):.0f} ms,"
                f" alone {median(theirs_half.to_ringing_ms):.0f} ms"
            )
        kept, in_time = await _kept(pool, ours.rang + ours_half.rang)
    failed: dict[str, float | str] = {
        "failed": ours.failed + ours_half.failed,
        "yardstick_failed": theirs.failed + theirs_half.failed,
        "recorded": kept,
        "recorded_before_ringing": in_time,
    }
    added_ms = percentile(ours_half.to_ringing_ms, 0.99) - percentile(theirs_half.to_ringing_ms, 0.99)
    return [
        Result(
            bench=f"calls to the queue by way of FastAGI and the record, {AT_ONCE} at once",
            value=median(ours.per_s),
            unit="calls/s",
            yardstick="Asterisk alone",
            yardstick_value=median(theirs.per_s),
            better="high",
            target=TARGET,
            extra={
                "p50_ms": round(median(ours.to_ringing_ms), 1),
                "yardstick_p50_ms": round(median(theirs.to_ringing_ms), 1),
                **failed,
            },
        ),
        Result(
            bench="what FastAGI and the record add until a caller hears ringing, half load, p99",
            value=added_ms,
            unit="ms",
            yardstick="our promise",
            yardstick_value=TARGET_ADDED_MS,
            better="low",
            target=1.0,
            extra={
                "p50_ms": round(median(ours_half.to_ringing_ms) - median(theirs_half.to_ringing_ms), 1),
                "alone_p99_ms": round(percentile(theirs_half.to_ringing_ms, 0.99), 1),
                "calls_per_s": round(median(ours_half.per_s), 1),
            },
        ),
    ]
