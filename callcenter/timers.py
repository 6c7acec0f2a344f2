"""Deadlines as rows: they are due by the database's clock, survive a restart and go off once."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeAlias
from uuid import UUID

from callcenter.ledger import Book, Ledger

log = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[Book, UUID], Awaitable[None]]

# A deadline whose handler fails this often is left alone; the log tells people, and so does /health/ready.
GIVE_UP_AFTER = 5


async def sweep(ledger: Ledger, handlers: Mapping[str, Handler], *, by: str, limit: int = 100) -> int:
    """Handle what is due, each deadline in a transaction of its own. Returns how many went off.

    Two sweepers never meet: a row is claimed with SKIP LOCKED and deleted in
    the transaction that does the work, so both happen or neither.
    """
    done = 0
    while done < limit and await _sweep_one(ledger, handlers, by=by):
        done += 1
    return done


async def give_another_chance(ledger: Ledger, kinds: Collection[str]) -> None:
    """Try again what was left alone: this program may be the one in which the fault is repaired."""
    await ledger.pool.execute(
        "UPDATE timer SET attempts = 0 WHERE kind = ANY($1) AND attempts >= $2", list(kinds), GIVE_UP_AFTER
    )


async def _sweep_one(ledger: Ledger, handlers: Mapping[str, Handler], *, by: str) -> bool:
    timer: int | None = None
    try:
        async with ledger.book(by=by) as book:
            connection = await book.connection()
            row = await connection.fetchrow(
                """DELETE FROM timer WHERE id = (
                       SELECT id FROM timer
                       WHERE due_at <= now() AND kind = ANY($1) AND attempts < $2
                       ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
                   RETURNING id, kind, subject""",
                list(handlers),
                GIVE_UP_AFTER,
            )
            if row is None:
                return False
            timer = row["id"]
            await handlers[row["kind"]](book, row["subject"])
    except Exception:
        # One bad deadline must not hold up the others: count the try, put it off, go on.
        if timer is None:
            raise
        log.exception("a deadline failed", extra={"timer": timer})
        await ledger.pool.execute(
            "UPDATE timer SET attempts = attempts + 1, due_at = now() + interval '5 seconds' WHERE id = $1", timer
        )
    return True
