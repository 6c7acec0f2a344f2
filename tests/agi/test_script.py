"""The plain AGI form: a program on stdio, one a call."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from callcenter.store import Pool

ENV = "agi_request: siaga-agi\nagi_uniqueid: siaga-1\nagi_arg_1: siaga-1\nagi_callerid: 0812\n\n"
RING = "200 result=1 (v=1 uniqueid=siaga-1 at=1795511538.580 ani=0812 trunk=demo dialled=112 geo=Og== end=1)\n"


async def run(state: Path, dsn: str, said: str) -> tuple[str, int | None]:
    """What the program answers to all that Asterisk says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agi", "script"),
        env={**os.environ, "SIAGA_STATE": str(state), "SIAGA_DSN": dsn, "SIAGA_CONFIG": "/nonexistent"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(20):
        answer, _ = await process.communicate(said.encode())
    return answer.decode(), process.returncode


async def test_one_call_is_written_down_and_told_its_incident(tmp_path: Path, dsn: str, pool: Pool) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/siaga-1.ring").write_text("v=1 end=1\n")
    answer, code = await run(tmp_path, dsn, ENV + RING + "200 result=1\n" * 2)
    row = await pool.fetchrow("SELECT * FROM call")
    assert row is not None
    assert (row["uniqueid"], row["ani"], code) == ("siaga-1", "0812", 0)
    assert answer.splitlines()[0] == 'GET VARIABLE "RING"'
    assert f'SET VARIABLE "INCIDENT" "{row["incident"]}"' in answer
    assert not (tmp_path / "spool/siaga-1.ring").exists()


@pytest.mark.parametrize("said", ["", ENV, ENV + RING[:30], ENV + "HANGUP\n", "garbage\n\n" * 3])
async def test_a_hang_up_or_garbage_ends_it_quietly(tmp_path: Path, dsn: str, said: str) -> None:
    _, code = await run(tmp_path, dsn, said)
    assert code == 0


async def test_without_postgresql_the_call_goes_on(tmp_path: Path) -> None:
    answer, code = await run(tmp_path, "postgresql:///x?host=/nonexistent", ENV + RING)
    assert (answer, code) == ('GET VARIABLE "RING"\n', 0)
