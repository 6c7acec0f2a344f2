"""The scribe and the spool, with a real PostgreSQL: one call and one incident, whatever comes first or twice."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from agi.heard import Answered, Census, Gone, Held, Resumed
from agi.intake import rang
from agi.note import read_rings
from agi.scribe import TRIES, Scribe
from agi.where import nowhere
from callcenter import desk
from callcenter.ledger import Ledger
from callcenter.store import AWAY

NOW = datetime(2026, 11, 24, 9, 12, 18, tzinfo=UTC)
RING = "v=1 uniqueid={} at=1795511538.580 ani=0812 trunk=demo dialled=112 geo=Og== end=1\n"
END = "v=1 uniqueid={} at=1795511541.305 answered={} seat={} cause=16 end=1\n"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def scribe(spool: Path) -> Scribe:
    return Scribe(spool, place_of=nowhere)


def put(spool: Path, name: str, text: str, *, age_s: float = 60) -> Path:
    path = spool / name
    path.write_text(text, encoding="utf-8")
    then = datetime.now(UTC).timestamp() - age_s
    os.utime(path, (then, then))
    return path


async def calls(ledger: Ledger) -> list[tuple[str, str, bool]]:
    rows = await ledger.pool.fetch("SELECT uniqueid, status, spooled FROM call ORDER BY uniqueid")
    return [(row["uniqueid"], row["status"], row["spooled"]) for row in rows]


async def incidents(ledger: Ledger) -> int:
    return int(await ledger.pool.fetchval("SELECT count(*) FROM incident"))


async def test_a_spooled_call_becomes_one_incident_and_its_file_goes(
    scribe: Scribe, spool: Path, ledger: Ledger
) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"))
    for _ in range(3):
        await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", True)]
    assert await incidents(ledger) == 1
    assert list(spool.iterdir()) == []


async def test_a_file_that_comes_back_changes_nothing(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    # The commit was done and the machine died before the file was removed.
    for _ in range(2):
        put(spool, "siaga-1.ring", RING.format("siaga-1"))
        put(spool, "siaga-1.end", END.format("siaga-1", "1795511539", "desk-01"))
        await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ended", True)]
    assert await incidents(ledger) == 1


async def test_a_call_that_fastagi_is_taking_now_is_left_alone(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=0)
    await scribe.sweep(ledger)
    assert await calls(ledger) == []


async def test_a_clock_put_back_holds_up_no_call(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=-3600)
    await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", True)]


async def test_an_end_without_an_answer_is_an_abandoned_call(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=0)
    put(spool, "siaga-1.end", END.format("siaga-1", "", ""), age_s=0)
    await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "abandoned", True)]


@pytest.mark.parametrize("text", ["", "v=1 uniqueid=siaga-1 at=1795511541.305 ans", END.format("siaga-1", "", "")])
async def test_a_spoilt_end_still_ends_a_conversation(scribe: Scribe, spool: Path, ledger: Ledger, text: str) -> None:
    # The disk of the spool was full.
    put(spool, "siaga-1.ring", RING.format("siaga-1"))
    scribe.tell(Answered("siaga-1", "desk-01", NOW))
    await scribe.write_what_was_told(ledger)
    put(spool, "siaga-1.end", text)
    await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ended", True)]


async def test_an_end_of_an_unknown_call_is_put_away(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-9.end", END.format("siaga-9", "", ""))
    await scribe.sweep(ledger)
    assert (await calls(ledger), list(spool.iterdir())) == ([], [])


@pytest.mark.parametrize("text", ["", "v=1 uniqueid=siaga-1 at=179", "\0\xff garbage", "end=1 end=1"])
async def test_a_spoilt_file_still_says_that_somebody_called(
    scribe: Scribe, spool: Path, ledger: Ledger, text: str
) -> None:
    put(spool, "siaga-1.ring", text)
    await scribe.sweep(ledger)
    assert len(await calls(ledger)) == 1
    assert await incidents(ledger) == 1


async def test_one_bad_file_is_put_aside_and_the_rest_go_on(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-0.ring", RING.format("siaga-0\x00"))  # PostgreSQL keeps no such character
    put(spool, "siaga-1.ring", RING.format("siaga-1"))
    for _ in range(TRIES):
        await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", True)]
    assert [path.name for path in spool.iterdir()] == ["siaga-0.ring.bad"]


async def test_no_call_is_put_aside_while_postgresql_refuses_to_write(
    scribe: Scribe, spool: Path, ledger: Ledger
) -> None:
    # A full disk and a read-only server come back; until then every file has to wait for it.
    put(spool, "siaga-1.ring", RING.format("siaga-1"))
    await ledger.pool.execute("SET default_transaction_read_only = on")
    try:
        for _ in range(TRIES):
            with pytest.raises(AWAY):
                await scribe.sweep(ledger)
    finally:
        await ledger.pool.execute("SET default_transaction_read_only = off")
    await scribe.sweep(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", True)]
    assert list(spool.iterdir()) == []


@pytest.mark.parametrize(
    "trouble",
    [
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute INSERT in a read-only transaction"),
        asyncpg.IdleInTransactionSessionTimeoutError("terminating connection"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_what_passes_by_itself_is_no_fault_of_a_call(trouble: Exception) -> None:
    assert isinstance(trouble, AWAY)


async def test_news_finds_its_call_in_the_spool_first(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=0)
    scribe.tell(Answered("siaga-1", "desk-01", NOW))
    scribe.tell(Held("siaga-1", NOW))
    scribe.tell(Resumed("siaga-1", NOW))
    await scribe.write_what_was_told(ledger)
    assert await calls(ledger) == [("siaga-1", "talking", True)]


@pytest.mark.parametrize(("text", "number"), [("", "0812"), (RING.format("siaga-1").replace("0812", "0813"), "0813")])
async def test_the_number_is_kept_though_the_spool_was_full(
    scribe: Scribe, spool: Path, ledger: Ledger, text: str, number: str
) -> None:
    # PostgreSQL was full too, so the call waits in our memory. A whole file knows at least as much: it may be all
    # there is when the caller hung up before we could ask.
    rings = read_rings(RING.format("siaga-1"), uniqueid="siaga-1", at=NOW)
    put(spool, "siaga-1.ring", text)
    scribe.tell(rang(rings, nowhere))
    await scribe.write_what_was_told(ledger)
    assert await ledger.pool.fetchval("SELECT ani FROM call") == number
    assert list(spool.iterdir()) == []


async def test_a_call_taken_twice_at_once_is_one_call(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    rings = read_rings(RING.format("siaga-1"), uniqueid="siaga-1", at=NOW)
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=0)
    taken = await desk.take_call(ledger, rang(rings, nowhere))
    scribe.tell(rang(rings, nowhere))
    scribe.tell(Gone("siaga-1", NOW))
    await scribe.write_what_was_told(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", False)]
    assert await ledger.pool.fetchval("SELECT id FROM incident") == taken.incident


async def test_a_call_that_asterisk_lost_is_ended(scribe: Scribe, ledger: Ledger) -> None:
    for uniqueid in ("siaga-1", "siaga-2"):
        rings = read_rings(RING.format(uniqueid), uniqueid=uniqueid, at=NOW)
        await desk.take_call(ledger, rang(rings, nowhere))
    after = rings.at + timedelta(seconds=10)
    scribe.tell(Census(frozenset({"siaga-2"}), after))
    await scribe.write_what_was_told(ledger)
    assert await calls(ledger) == [("siaga-1", "ended", False), ("siaga-2", "ringing", False)]


async def test_a_call_that_rang_after_the_census_is_not_lost(scribe: Scribe, ledger: Ledger) -> None:
    rings = read_rings(RING.format("siaga-1"), uniqueid="siaga-1", at=NOW)
    await desk.take_call(ledger, rang(rings, nowhere))
    scribe.tell(Census(frozenset(), rings.at - timedelta(seconds=1)))
    await scribe.write_what_was_told(ledger)
    assert await calls(ledger) == [("siaga-1", "ringing", False)]


async def test_bad_news_does_not_hold_up_good_news(scribe: Scribe, spool: Path, ledger: Ledger) -> None:
    put(spool, "siaga-1.ring", RING.format("siaga-1"), age_s=0)
    scribe.tell(Answered("nul\0", "desk-01", NOW))
    scribe.tell(Answered("siaga-1", "desk-01", NOW))
    await scribe.write_what_was_told(ledger)
    assert await calls(ledger) == [("siaga-1", "talking", True)]
