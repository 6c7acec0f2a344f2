"""The way to PostgreSQL: a pool whose waits all end, and JSON both ways."""

from __future__ import annotations

import json
from typing import TypeAlias

import asyncpg

# asyncpg's classes are generic over the record class; one alias keeps that out of every signature.
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"

# What PostgreSQL being away looks like, which passes by itself: a connection refused or cut, an answer that did not
# come, and a server that is full, read-only, or not yet migrated. It is nobody's fault who asks: ask again.
AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # asyncpg 0.32, 2026-11: what a connection says that was cut between two messages.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.UndefinedTableError,
)


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


async def _speak_json(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.set_type_codec("jsonb", encoder=_dumps, decoder=json.loads, schema="pg_catalog")


async def _leave_as_it_is(_: asyncpg.Connection[asyncpg.Record]) -> None:
    """We set nothing for a session, so giving a connection back needs no round trip to clear it."""


async def open_pool(dsn: str, *, size: int = 10, least: int = 1, answer_s: float = 5.0, name: str = "siaga112") -> Pool:
    """A pool of at most ``size`` connections; no statement waits longer than ``answer_s``.

    Raises what is in ``AWAY`` when the server cannot be reached now. With ``least=0`` it is
    not asked before there is need, so it may be away.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=least,
        max_size=size,
        timeout=answer_s,
        command_timeout=answer_s,
        max_inactive_connection_lifetime=300,
        init=_speak_json,
        reset=_leave_as_it_is,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "synchronous_commit": "on",
            # Also on a server of the operator's own: who hangs in a transaction must not hold up everybody's push.
            "idle_in_transaction_session_timeout": "30s",
        },
    )
