"""Deadlines of an offer: a silent unit is asked once more, then somebody else is proposed.

They are rows (``callcenter.timers``), so they survive a restart and go off once.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from callcenter.ledger import Book, Ledger
from callcenter.store import AWAY
from callcenter.timers import Handler, give_another_chance, sweep
from dispatch import sending

log = logging.getLogger(__name__)

# How long after it is due a deadline may go off, at most, while nothing is wrong.
EVERY_S = 0.5


def handlers(clock: Callable[[], datetime]) -> Mapping[str, Handler]:
    """What to do when a deadline of an offer is due."""

    async def realert(book: Book, mission_id: UUID) -> None:
        await sending.realert(book, mission_id, now=clock())

    async def expire(book: Book, mission_id: UUID) -> None:
        await sending.expire(book, mission_id, now=clock())

    return {sending.REALERT: realert, sending.EXPIRE: expire}


async def watch(ledger: Ledger, clock: Callable[[], datetime], *, every_s: float = EVERY_S) -> None:
    """Let deadlines go off when they are due, until cancelled. While PostgreSQL is away they wait with it."""
    what = handlers(clock)
    is_new = True
    while True:
        try:
            if is_new:
                await give_another_chance(ledger, what)
                is_new = False
            await sweep(ledger, what, by="rule")
        except AWAY as error:
            log.warning("deadlines wait for PostgreSQL", extra={"error": type(error).__name__})
        except Exception:
            # The edge of this loop: whatever is wrong with one look, there must be a next one.
            log.exception("deadlines could not be looked at")
        await asyncio.sleep(every_s)
