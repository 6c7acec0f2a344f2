"""Keeping house: the traces of units, and what they acknowledged, are not kept for ever.

The log is, and so is when an offer arrived. What else is over (sessions, tickets, tries, kept answers) is the desk's.
"""

import asyncio
import logging
from typing import Final

import asyncpg

from callcenter.store import AWAY, Pool

log = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
# What one statement removes at most, so that none is long.
BATCH: Final = 5000

_TRACES: Final = """
    DELETE FROM position_history WHERE ctid = ANY(ARRAY(
        SELECT h.ctid FROM unit u CROSS JOIN LATERAL (
            SELECT ctid FROM position_history
            WHERE unit = u.id AND at < now() - interval '30 days' LIMIT $1) h
        LIMIT $1))
"""
_DELIVERIES: Final = """
    DELETE FROM delivery WHERE ctid = ANY(ARRAY(
        SELECT d.ctid FROM delivery d WHERE d.acked_at < now() - interval '30 days'
        AND NOT EXISTS (SELECT FROM log l WHERE l.seq = d.seq AND l.kind = 'mission' AND l.version = 1)
        LIMIT $1))
"""


async def keep(pool: Pool, *, every_s: float = EVERY_S) -> None:
    """Each hour, until cancelled."""
    while True:
        try:
            removed = await tidy(pool)
        except (*AWAY, asyncpg.PostgresError) as error:
            log.warning("housekeeping has to wait", extra={"error": type(error).__name__})
        else:
            log.info("the house is tidy", extra={"removed": removed})
        await asyncio.sleep(every_s)


async def tidy(pool: Pool, *, batch: int = BATCH) -> int:
    """Remove what is old, a little at a time. Returns how much it was."""
    total = 0
    for statement in (_TRACES, _DELIVERIES):
        removed = batch
        while removed == batch:
            removed = int((await pool.execute(statement, batch)).rpartition(" ")[2])
            total += removed
    return total
