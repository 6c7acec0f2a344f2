"""The sign on the door: while we hear Asterisk, PostgreSQL shows a connection that says so. ``web`` looks for it."""

import asyncio
import logging
from typing import Final, Protocol

import asyncpg

from callcenter.store import AWAY

log = logging.getLogger(__name__)

SIGN: Final = "siaga112 asterisk"
LOOK_S: Final = 0.25
CONNECT_S: Final = 5.0


class Line(Protocol):
    """What can be up or down."""

    @property
    def is_up(self) -> bool: ...


async def show(line: Line, dsn: str) -> None:
    """For ever. The kernel takes the sign down when we die, so it can be wrong only while we hang."""
    while True:
        if line.is_up:
            await _hold(line, dsn)
        await asyncio.sleep(LOOK_S)


async def _hold(line: Line, dsn: str) -> None:
    """Until the line is down, or PostgreSQL has gone."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_S, server_settings={"application_name": SIGN})
    except (*AWAY, asyncpg.PostgresError) as error:
        log.warning("nobody can be told that Asterisk is heard", extra={"error": type(error).__name__})
        return
    try:
        while line.is_up and not connection.is_closed():
            await asyncio.sleep(LOOK_S)
    finally:
        connection.terminate()
