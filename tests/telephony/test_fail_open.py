"""The promise: a caller reaches a person within 3 s of normal, whatever of ours is dead, hung or mad."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callcenter.store import AWAY, open_pool
from config.pbx import Exchange, die_with_parent
from config.postgres import Server
from tests.support import pbx, sip
from tests.support.broken import BROKEN
from tests.support.database import fill
from tests.support.pbx import Agi, eventually
from tests.support.rooms import Room

PROMISE_S = 3.0

delays: dict[str, float] = {}


async def answer_delay(folder: Path, exchange: Exchange, number: str = "0811") -> float:
    """How long one caller waits for a person; the desk phone itself takes 0.2 s."""
    async with sip.call(folder, exchange.sip_port, number=number) as caller:
        return await caller.answered(within_s=20)


def hold_the_promise(what: str, delay_s: float, normal_s: float) -> None:
    delays[what] = delay_s
    print(f"\n{what}: answered after {delay_s:.2f} s; normal is {normal_s:.2f} s")  # noqa: T201 -- a promise shows its figures
    assert delay_s - normal_s <= PROMISE_S, delays


@pytest.fixture
async def normal_s(room: Room, agi: Agi) -> float:
    """What the same call takes when all is well, on this machine, in this minute."""
    delay_s = await answer_delay(room.folder, room.exchange, "0800")
    await room.becomes("ended")
    return delay_s


@pytest.mark.parametrize("how", BROKEN)
async def test_a_broken_fastagi_server_holds_nobody_up(
    tmp_path: Path, desk: sip.Desk, how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with BROKEN[how]() as port:
        exchange = pbx.exchange(tmp_path, agi_port=port, phones=(desk.uri,))
        async with pbx.running(exchange):
            delay_s = await answer_delay(tmp_path, exchange)
        with capfd.disabled():
            # Normal without any server is the dialplan alone and the phone's 0.2 s.
            hold_the_promise(f"a FastAGI server that {how}", delay_s, 0.2)
        [ring] = exchange.spool.glob("*.ring")
        assert "ani=0811 " in ring.read_text()


async def test_with_agi_killed_the_phone_rings_and_the_call_is_found_later(
    room: Room, agi: Agi, normal_s: float, capfd: pytest.CaptureFixture[str]
) -> None:
    await agi.kill()
    delay_s = await answer_delay(room.folder, room.exchange)
    with capfd.disabled():
        hold_the_promise("agi killed", delay_s, normal_s)
    assert [row["ani"] for row in await room.calls()] == ["0800"]
    await agi.start()
    calls = await room.becomes("ended", "ended")
    assert (calls[1]["ani"], calls[1]["spooled"], calls[1]["seat"]) == ("0811", True, "desk-01")
    assert len(await room.incidents()) == 2
    assert await room.spool_is_empty()


async def test_with_agi_stopped_the_phone_rings_and_the_call_is_found_later(
    room: Room, agi: Agi, normal_s: float, capfd: pytest.CaptureFixture[str]
) -> None:
    agi.signal(signal.SIGSTOP)
    delay_s = await answer_delay(room.folder, room.exchange)
    with capfd.disabled():
        hold_the_promise("agi stopped", delay_s, normal_s)
    agi.signal(signal.SIGCONT)
    calls = await room.becomes("ended", "ended")
    assert calls[1]["ani"] == "0811"
    assert len(await room.incidents()) == 2


async def test_neither_dispatch_nor_web_is_needed_to_answer(
    room: Room, agi: Agi, normal_s: float, capfd: pytest.CaptureFixture[str]
) -> None:
    # Neither runs in this test, which is the most dead they can be.
    with capfd.disabled():
        hold_the_promise("dispatch and web absent", await answer_delay(room.folder, room.exchange), normal_s)
    await room.becomes("ended", "ended")


@contextlib.asynccontextmanager
async def frozen(program: str, folder: Path, dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of the other two daemons, ready for its work and then stopped in the midst of it."""
    ports = {"web": sip.free_port(), "dispatch": sip.free_port()}
    log = folder / f"{program}.log"
    env = {
        "SIAGA_DSN": dsn,
        "SIAGA_STATE": str(folder),
        "SIAGA_HTTP_PORT": str(ports["web"]),
        "SIAGA_PUSH_PORT": str(ports["dispatch"]),
    }
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", program, env={**os.environ, **env}, stderr=said, preexec_fn=die_with_parent
        )
    try:

        async def is_at_work() -> bool:
            return pbx.is_listening(ports[program])

        assert await eventually(is_at_work, within_s=20), log.read_text()
        process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("program", ["web", "dispatch"])
async def test_with_web_or_dispatch_stopped_the_phone_rings_and_the_call_is_recorded_at_once(
    room: Room, agi: Agi, normal_s: float, dsn: str, program: str
) -> None:
    async with frozen(program, room.folder, dsn) as process:
        async with room.call("0811") as caller:
            hold_the_promise(f"{program} stopped", await caller.answered(within_s=20), normal_s)
            # Nothing of it waits for the one that hangs.
            await room.becomes("ended", "talking")
        await room.becomes("ended", "ended")
        process.send_signal(signal.SIGCONT)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_call_that_came_and_went_while_all_were_dead_becomes_one_incident(room: Room, agi: Agi) -> None:
    await agi.kill()
    async with room.call("0822", location=sip.circle(-6.17, 106.63, 50)) as caller:
        await caller.rings()
        await caller.hang_up()
    await agi.start()
    [call] = await room.becomes("abandoned")
    [incident] = await room.incidents()
    assert (call["ani"], call["spooled"], incident["place"]["method"]) == ("0822", True, "pidf-lo")


async def test_many_missed_calls_become_one_incident_each_however_often_agi_dies(room: Room, agi: Agi) -> None:
    await agi.kill()
    for n in range(6):
        async with room.call(f"0830{n}") as caller:
            await caller.rings()
            await caller.hang_up()
    for _ in range(3):
        await agi.start()
        await asyncio.sleep(0)  # no mercy: it dies as soon as it listens
        await agi.kill()
    await agi.start()
    await room.becomes(*["abandoned"] * 6)
    assert await room.spool_is_empty()
    assert sorted(row["caller_number"] for row in await room.incidents()) == [f"0830{n}" for n in range(6)]


# -- PostgreSQL --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A PostgreSQL of this test's own, to be ill-treated."""
    made = Server(tmp_path / "pg", durable=False)
    await made.start()
    await fill(made.dsn())
    yield made
    for pid in processes_of(made):
        os.kill(pid, signal.SIGCONT)
    await made.stop()


def processes_of(server: Server) -> list[int]:
    """The postmaster and its children."""
    postmaster = server.pid
    assert postmaster is not None
    found = [postmaster]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        if int(fields[1]) == postmaster:
            found.append(int(folder.name))
    return found


async def recorded(server: Server, *numbers: str) -> bool:
    """Whether exactly these have called, each with one incident."""
    try:
        pool = await open_pool(server.dsn(), size=1)
    except AWAY:
        return False
    try:
        calls = await pool.fetch("SELECT ani FROM call ORDER BY ani")
        incidents = await pool.fetch("SELECT caller_number FROM incident ORDER BY caller_number")
        return sorted(numbers) == [row["ani"] for row in calls] == [row["caller_number"] for row in incidents]
    finally:
        pool.terminate()


async def test_with_postgresql_stopped_the_phone_rings_and_the_call_is_found_later(
    tmp_path: Path, exchange: Exchange, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    async with pbx.running(exchange), pbx.agi(exchange, server.dsn(), log=tmp_path / "agi.log") as agi:
        await agi.says("manager is open")
        normal_s = await answer_delay(tmp_path, exchange, "0800")
        for pid in processes_of(server):
            os.kill(pid, signal.SIGSTOP)
        first_s = await answer_delay(tmp_path, exchange, "0811")
        more = [await answer_delay(tmp_path, exchange, f"0812{n}") for n in range(3)]
        with capfd.disabled():
            for what, delay_s in (("PostgreSQL stopped", first_s), ("PostgreSQL stopped, later calls", max(more))):
                hold_the_promise(what, delay_s, normal_s)
        for pid in processes_of(server):
            os.kill(pid, signal.SIGCONT)
        numbers = ("0800", "0811", "08120", "08121", "08122")
        assert await eventually(lambda: recorded(server, *numbers), within_s=20), agi.log.read_text()
        assert await eventually(lambda: _empty(exchange.spool), within_s=10), list(exchange.spool.iterdir())


async def test_with_postgresql_killed_the_phone_rings_and_the_call_is_found_later(
    tmp_path: Path, exchange: Exchange, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    async with pbx.running(exchange), pbx.agi(exchange, server.dsn(), log=tmp_path / "agi.log") as agi:
        await agi.says("manager is open")
        normal_s = await answer_delay(tmp_path, exchange, "0800")
        for pid in reversed(processes_of(server)):
            with contextlib.suppress(ProcessLookupError):  # a worker that ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        await server.wait()
        delay_s = await answer_delay(tmp_path, exchange, "0811")
        with capfd.disabled():
            hold_the_promise("PostgreSQL killed", delay_s, normal_s)
        await server.start()
        assert await eventually(lambda: recorded(server, "0800", "0811"), within_s=20), agi.log.read_text()
        async with sip.call(tmp_path, exchange.sip_port, number="0833") as caller:
            await caller.answered()
        assert await eventually(lambda: recorded(server, "0800", "0811", "0833")), agi.log.read_text()


async def test_agi_ends_within_three_seconds_whatever_hangs(tmp_path: Path, exchange: Exchange, server: Server) -> None:
    async with pbx.running(exchange), pbx.agi(exchange, server.dsn(), log=tmp_path / "agi.log") as agi:
        await agi.says("manager is open")
        for pid in processes_of(server):
            os.kill(pid, signal.SIGSTOP)
        await answer_delay(tmp_path, exchange)
        began = time.monotonic()
        assert await agi.stop() == 0
        assert time.monotonic() - began < PROMISE_S


async def test_agi_starts_without_postgresql_and_lets_calls_through(
    tmp_path: Path, exchange: Exchange, server: Server, capfd: pytest.CaptureFixture[str]
) -> None:
    await server.stop()
    async with pbx.running(exchange), pbx.agi(exchange, server.dsn(), log=tmp_path / "agi.log") as agi:
        with capfd.disabled():
            hold_the_promise("PostgreSQL never there", await answer_delay(tmp_path, exchange, "0811"), 0.2)
        await server.start()
        assert await eventually(lambda: recorded(server, "0811"), within_s=20), agi.log.read_text()


async def _empty(spool: Path) -> bool:
    return not list(spool.iterdir())
