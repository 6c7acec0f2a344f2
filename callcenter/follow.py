"""Following the log: every event once, in order, none missed, whoever wrote it.

Identity values become visible out of commit order, so ``seq > cursor`` loses
events. Each entry keeps its transaction id, and a follower reads only below
``pg_snapshot_xmin``: every transaction below it has ended, so nothing can
still appear there. The order is (txid, seq).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from callcenter.bell import Bell
from callcenter.event import JSON
from callcenter.refused import Refused
from callcenter.store import AWAY, Pool

log = logging.getLogger(__name__)

POLL_S = 0.25
_RETRY_S = 0.5
_CURSOR = re.compile(r"([0-9]{1,19})-([0-9]{1,18})")
_BIGINT = 2**63


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as the log holds it."""

    seq: int
    txid: int
    at: datetime
    kind: str
    subject: UUID
    version: int
    type: str
    data: dict[str, JSON]
    by: str
    incident: UUID | None
    unit: UUID | None

    @property
    def cursor(self) -> str:
        """Where a follower stands after this entry. Opaque to clients."""
        return f"{self.txid}-{self.seq}"


def parse_cursor(cursor: str) -> tuple[int, int]:
    """The position that a cursor names."""
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[1]) >= _BIGINT:
        raise Refused("this cursor is not one of ours; reconnect without it", code="cursor.unknown")
    return int(match[1]), int(match[2])


async def head(pool: Pool) -> str:
    """A cursor below which everything is visible now, and above which everything is still to come."""
    xmin = await pool.fetchval("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    return f"{int(xmin) - 1}-{2**53}"


_READ = """
    SELECT seq, txid::text AS txid, at, kind, subject, version, type, data, by, incident, unit
    FROM log
    WHERE (txid, seq) > ($1::text::xid8, $2)
      AND txid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY log.txid, log.seq  -- the column; plain `txid` would be the text above, and sort as text
    LIMIT $3
"""


async def read(pool: Pool, cursor: str, *, limit: int = 500) -> list[Entry]:
    """The next entries after ``cursor``, at most ``limit``."""
    txid, seq = parse_cursor(cursor)
    rows = await pool.fetch(_READ, str(txid), seq, limit)
    return [Entry(**{**dict(row), "txid": int(row["txid"])}) for row in rows]


class Follower:
    """The log from a cursor on, in batches, for as long as somebody listens.

    It outlives PostgreSQL's absences: it keeps its cursor and tries again.
    """

    def __init__(self, pool: Pool, bell: Bell, *, cursor: str | None = None) -> None:
        self._pool = pool
        self._bell = bell
        self.cursor = cursor
        # When the log was last read, on the loop's clock: whoever shows it must not look fresh when this is long ago.
        self.read_at = -1e9

    async def __aiter__(self) -> AsyncIterator[list[Entry]]:
        """Batches of at least one entry."""
        with self._bell.ear() as rung:
            while True:
                rung.clear()
                batch = await self._next()
                if batch:
                    yield batch
                    self.cursor = batch[-1].cursor
                    continue
                # Not `wait_for`: in Python 3.11 it loses a cancellation that comes together with the bell.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await rung.wait()

    async def _next(self) -> list[Entry]:
        while True:
            try:
                if self.cursor is None:
                    self.cursor = await head(self._pool)
                entries = await read(self._pool, self.cursor)
                self.read_at = asyncio.get_running_loop().time()
                return entries
            except AWAY as error:
                log.warning("the log cannot be read now", extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_S)


def text(entry: Entry, name: str) -> str:
    """A field of an event that is known to be text."""
    return cast("str", entry.data[name])
