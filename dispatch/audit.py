"""The audit: everything that happened adds up to what is shown, or the first place where it does not.

Each kind of thing is walked through in the order of its ids, its log and its
rows side by side, as they stood at one moment. Nothing but the life at hand is
held in memory, however long the log is.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

import asyncpg

from callcenter.call import CALLS
from callcenter.event import Event, from_data
from callcenter.incident import INCIDENTS
from callcenter.report import REPORTS
from callcenter.seat import SEATS
from callcenter.store import Connection
from callcenter.subject import Subject
from dispatch.mission import MISSIONS
from dispatch.unit import UNITS

# Subjects of different states stand in one list; each is asked only for what belongs to its own.
SUBJECTS: Sequence[Subject[Any]] = (CALLS, INCIDENTS, REPORTS, SEATS, UNITS, MISSIONS)
_PREFETCH = 500


@dataclass(frozen=True, slots=True)
class Wrong:
    """Where log and rows part."""

    kind: str
    subject: UUID
    what: str

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.what}"


@dataclass(slots=True)
class Count:
    """How much was looked at."""

    subjects: int = 0
    events: int = 0


async def audit(connection: Connection, count: Count, subjects: Sequence[Subject[Any]] = SUBJECTS) -> Wrong | None:
    """The first thing that is wrong, or None. The connection is used for nothing else meanwhile."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        for subject in subjects:
            wrong = await _audit_kind(connection, subject, count)
            if wrong is not None:
                return wrong
        strange = await connection.fetchrow(
            "SELECT kind, subject FROM log WHERE NOT kind = ANY($1) ORDER BY seq LIMIT 1",
            [subject.kind for subject in subjects],
        )
        return (
            None if strange is None else Wrong(strange["kind"], strange["subject"], "nobody knows this kind of thing")
        )


async def _audit_kind(connection: Connection, subject: Subject[Any], count: Count) -> Wrong | None:
    lives = _lives(connection, subject.kind)
    life = await anext(lives, None)
    # The kind is a name of ours; the order is that of the log.
    async for row in connection.cursor(f'SELECT * FROM "{subject.kind}" ORDER BY id', prefetch=_PREFETCH):  # noqa: S608
        if life is None or row["id"] < life[0]["subject"]:
            return Wrong(subject.kind, row["id"], "is a row without a log")
        if life[0]["subject"] < row["id"]:
            return Wrong(subject.kind, life[0]["subject"], "is in the log without a row")
        what = _difference(subject, life, row)
        if what is not None:
            return Wrong(subject.kind, row["id"], what)
        count.subjects += 1
        count.events += len(life)
        life = await anext(lives, None)
    return None if life is None else Wrong(subject.kind, life[0]["subject"], "is in the log without a row")


async def _lives(connection: Connection, kind: str) -> AsyncIterator[list[asyncpg.Record]]:
    """The events of one thing after the other. The index of the log's constraint has them in this order."""
    life: list[asyncpg.Record] = []
    async for entry in connection.cursor(
        "SELECT subject, version, type, at, data FROM log WHERE kind = $1 ORDER BY kind, subject, version",
        kind,
        prefetch=_PREFETCH,
    ):
        if life and life[0]["subject"] != entry["subject"]:
            yield life
            life = []
        life.append(entry)
    if life:
        yield life


def _difference(subject: Subject[Any], life: Sequence[asyncpg.Record], row: asyncpg.Record) -> str | None:
    """What is wrong with one thing, or None."""
    versions = [entry["version"] for entry in life]
    if versions != list(range(1, len(life) + 1)):
        return f"its events are numbered {versions}"
    if row["version"] != len(life):
        return f"the row is at version {row['version']}, the log at {len(life)}"
    try:
        folded = subject.fold([_event(subject, entry) for entry in life])
        shown = subject.from_row(row)
    except (KeyError, TypeError, ValueError) as error:
        # Whatever was done to the data, the audit says where it is and goes no further.
        return f"cannot be read: {type(error).__name__}: {error}"
    for field in fields(folded):
        by_log, by_row = getattr(folded, field.name), getattr(shown, field.name)
        if by_log != by_row:
            return f"{field.name} is {by_row!r} in the row, {by_log!r} by the log"
    return None


def _event(subject: Subject[Any], entry: asyncpg.Record) -> Event:
    return from_data(subject.event_types[entry["type"]], entry["at"], entry["data"])
