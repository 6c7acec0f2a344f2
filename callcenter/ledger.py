"""The ledger that never forgets: the only writer of rows and log, both in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar, cast
from uuid import UUID

import asyncpg

from callcenter.bell import Bell
from callcenter.event import JSON, Event, to_data
from callcenter.refused import Refused, unknown
from callcenter.store import Connection, Pool
from callcenter.subject import Subject

S = TypeVar("S")
Answer = Mapping[str, JSON]

# Waiting longer than this for a free connection means that PostgreSQL is away.
_ACQUIRE_S = 3.0
_TRIES = 3


@dataclass(slots=True)
class Book:
    """One transaction, open. What is recorded is written together when the block ends.

    Nothing may await the network inside but the methods of the book. Lock in
    the order incident, then missions, then units, so that nobody waits in a circle.
    """

    by: str
    _connection: Connection
    _transaction: asyncpg.transaction.Transaction | None = None
    _versions: dict[UUID, int] = field(default_factory=dict)
    _born: dict[str, dict[UUID, dict[str, object]]] = field(default_factory=dict)
    _changed: dict[str, dict[UUID, dict[str, object]]] = field(default_factory=dict)
    _subjects: dict[str, Subject[Any]] = field(default_factory=dict)
    _log: list[dict[str, object]] = field(default_factory=list)
    _timers: list[dict[str, object]] = field(default_factory=list)
    _kept: list[dict[str, object]] = field(default_factory=list)
    numbers: dict[UUID, int] = field(default_factory=dict)

    async def connection(self) -> Connection:
        """The open transaction itself, for a read or a statement that no subject covers.

        What was recorded so far is written first, so that a read sees it.
        """
        if self._transaction is None:
            self._transaction = self._connection.transaction()
            await self._transaction.start()
        await self.write()
        return self._connection

    async def lock(self, subject: Subject[S], id_: UUID) -> S:
        """The state now, which nobody else can change until this block ends."""
        connection = await self.connection()
        row = await connection.fetchrow(_select_for_update(subject.kind), id_)
        if row is None:
            raise unknown(subject.kind)
        self._versions[id_] = row["version"]
        return subject.from_row(row)

    async def lock_where(self, subject: Subject[S], condition: str, *args: object) -> list[tuple[UUID, S]]:
        """All that meet ``condition`` (SQL text of ours, never input), locked in the order of their ids."""
        connection = await self.connection()
        # The condition is a literal at each caller; values go in as $1, $2 …
        rows = await connection.fetch(
            f'SELECT * FROM "{subject.kind}" WHERE {condition} ORDER BY id FOR UPDATE',  # noqa: S608
            *args,
        )
        self._versions.update({row["id"]: row["version"] for row in rows})
        return [(row["id"], subject.from_row(row)) for row in rows]

    def record(self, subject: Subject[S], id_: UUID, state: S | None, events: Sequence[Event]) -> S:
        """Let ``events`` happen to ``state`` (None: to something new) and return what it becomes."""
        for event in events:
            state = subject.evolve(state, event)
            version = self._versions.get(id_, 0) + 1
            self._versions[id_] = version
            incident, unit = subject.threads(id_, state)
            self._log.append(
                {
                    "at": event.at.isoformat(),
                    "kind": subject.kind,
                    "subject": str(id_),
                    "version": version,
                    "type": type(event).__name__,
                    "data": to_data(event),
                    "incident": str(incident) if incident else None,
                    "unit": str(unit) if unit else None,
                }
            )
            if version == 1:
                self._born.setdefault(subject.kind, {})[id_] = {}
        if state is None:
            raise unknown(subject.kind)
        if events:
            self._subjects[subject.kind] = subject
            row = {**subject.to_json(state), "id": str(id_), "version": self._versions[id_]}
            home = self._born if id_ in self._born.get(subject.kind, {}) else self._changed
            home.setdefault(subject.kind, {})[id_] = row
        return state

    def timer(self, kind: str, subject: UUID, *, after_s: float) -> None:
        """Something to look at later; due by the database's clock, and it survives us."""
        self._timers.append({"kind": kind, "subject": str(subject), "after_s": after_s})

    def keep(self, key: str, fingerprint: str, answer: Answer) -> None:
        """Keep the answer to ``key`` in this same transaction."""
        self._kept.append({"key": key, "fingerprint": fingerprint, "answer": answer})

    async def write(self) -> None:
        """Everything recorded and not written yet, in one statement."""
        if not (self._log or self._timers or self._kept):
            return
        born, changed = tuple(sorted(self._born)), tuple(sorted(self._changed))
        columns = tuple((kind, self._subjects[kind].columns) for kind in {*born, *changed})
        numbered = next((kind for kind in born if self._subjects[kind].numbered), None)
        beside = [rows for rows in (self._timers, self._kept) if rows]
        rows = await self._connection.fetch(
            _statement(
                born,
                changed,
                tuple(sorted(columns)),
                numbered,
                has_timers=bool(self._timers),
                has_kept=bool(self._kept),
            ),
            self._log,
            self.by,
            *beside,
            *[list(self._born[kind].values()) for kind in born],
            *[list(self._changed[kind].values()) for kind in changed],
        )
        self.numbers.update({row["id"]: row["number"] for row in rows})
        for written in (self._born, self._changed, self._log, self._timers, self._kept):
            written.clear()


@cache
def _select_for_update(kind: str) -> str:
    return f'SELECT * FROM "{kind}" WHERE id = $1 FOR UPDATE'  # noqa: S608 - kind is a name of ours


@cache
def _statement(
    born: tuple[str, ...],
    changed: tuple[str, ...],
    columns: tuple[tuple[str, tuple[str, ...]], ...],
    numbered: str | None,
    *,
    has_timers: bool,
    has_kept: bool,
) -> str:
    """The one statement of a transaction that touches these kinds of rows.

    Its text depends only on the kinds and their columns, which are names of ours,
    so PostgreSQL plans each of the few forms once.
    """
    names = {kind: [f'"{c}"' for c in ("id", "version", *cols)] for kind, cols in columns}
    parts = [
        """logged AS (
            INSERT INTO log (at, kind, subject, version, type, data, by, incident, unit)
            SELECT at, kind, subject, version, type, data, $2, incident, unit
            FROM jsonb_to_recordset($1) AS e(at timestamptz, kind text, subject uuid, version integer,
                 type text, data jsonb, incident uuid, unit uuid)
            RETURNING seq)""",
    ]
    argument = 3
    # A part with nothing to do still costs opening its table, and a birth is measured in hundreds of microseconds.
    if has_timers:
        parts.append(
            f"""timed AS (
            INSERT INTO timer (kind, subject, due_at)
            SELECT kind, subject, now() + make_interval(secs => after_s)
            FROM jsonb_to_recordset(${argument}) AS t(kind text, subject uuid, after_s double precision))"""  # noqa: S608
        )
        argument += 1
    if has_kept:
        parts.append(
            f"""kept AS (
            INSERT INTO idempotency (key, fingerprint, by, answer)
            SELECT key, fingerprint, $2, answer
            FROM jsonb_to_recordset(${argument}) AS k(key text, fingerprint text, answer jsonb))"""  # noqa: S608
        )
        argument += 1
    for kind in born:
        cols = ", ".join(names[kind])
        returning = " RETURNING id, number" if kind == numbered else ""
        parts.append(
            f"""born_{kind} AS (
            INSERT INTO "{kind}" ({cols}) SELECT {cols}
            FROM jsonb_populate_recordset(NULL::"{kind}", ${argument}){returning})"""  # noqa: S608
        )
        argument += 1
    for kind in changed:
        pairs = ", ".join(f"{c} = new.{c}" for c in names[kind] if c != '"id"')
        parts.append(
            f"""changed_{kind} AS (
            UPDATE "{kind}" AS old SET {pairs}
            FROM jsonb_populate_recordset(NULL::"{kind}", ${argument}) AS new WHERE old.id = new.id)"""  # noqa: S608
        )
        argument += 1
    result = f"SELECT id, number FROM born_{numbered}" if numbered else "SELECT WHERE false"  # noqa: S608
    return "WITH " + ",\n".join(parts) + "\n" + result


class Ledger:
    """Where commands are carried out. One a process, shared by all its tasks."""

    def __init__(self, pool: Pool, bell: Bell) -> None:
        self.pool = pool
        self.bell = bell

    @asynccontextmanager
    async def book(self, *, by: str) -> AsyncIterator[Book]:
        """One transaction. Leaving the block commits; an error leaves no trace.

        A birth alone costs one round trip; a change costs four (begin, lock, write, commit).
        """
        async with self.pool.acquire(timeout=_ACQUIRE_S) as connection:
            book = Book(by, connection)
            try:
                yield book
                await book.write()
                if book._transaction is not None:  # noqa: SLF001
                    await book._transaction.commit()  # noqa: SLF001
            except BaseException as error:
                if book._transaction is not None and not connection.is_closed():  # noqa: SLF001
                    # Cancelled in the middle of BEGIN or COMMIT it cannot be rolled back by itself, and saying so
                    # would hide the cancellation; giving the connection back ends what is open (asyncpg's _reset).
                    with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
                        await book._transaction.rollback()  # noqa: SLF001
                if isinstance(error, asyncpg.DataError):
                    message = "the text holds characters that cannot be kept; remove them and send again"
                    raise Refused(message, code="unprintable") from error
                raise
        self.bell.ring()

    async def change(self, subject: Subject[S], id_: UUID, decide: Callable[[S], Sequence[Event]], *, by: str) -> S:
        """Lock, decide, evolve, save, append: one wish about one thing."""
        async with self.book(by=by) as book:
            state = await book.lock(subject, id_)
            return book.record(subject, id_, state, decide(state))

    async def once(self, key: str, fingerprint: str, *, by: str, work: Callable[[Book], Awaitable[Answer]]) -> Answer:
        """Do ``work`` the first time ``key`` is seen; afterwards give the first answer again.

        The same key with another ``fingerprint`` is an error, never a second effect.
        """
        key = f"{by}:{key}"
        tries = _TRIES
        while True:
            tries -= 1
            try:
                async with self.book(by=by) as book:
                    answer = await work(book)
                    book.keep(key, fingerprint, answer)
                return answer
            except asyncpg.DeadlockDetectedError:
                # PostgreSQL ended one of two who waited for each other; it did nothing and may try again.
                if not tries:
                    raise
            except (Refused, asyncpg.UniqueViolationError):
                # Either the first one changed what we meant to change, or it took the key itself.
                kept = await self._kept(key, fingerprint)
                if kept is None:
                    raise
                return kept

    async def _kept(self, key: str, fingerprint: str) -> Answer | None:
        row = await self.pool.fetchrow("SELECT fingerprint, answer FROM idempotency WHERE key = $1", key)
        if row is None:
            return None
        if row["fingerprint"] != fingerprint:
            message = "this key was used for another request; make a new key and send again"
            raise Refused(message, code="key.reused")
        return cast("Answer", row["answer"])
