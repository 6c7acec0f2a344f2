"""The plain AGI form, for a host without the daemon: Asterisk starts this program for each call and speaks on stdio.

It costs about half a second a call for the start of Python; FastAGI is the path. The spool is the same, so a call that
cannot be written down here is written down by the daemon when there is one.
"""

import asyncio
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from asterisk.agi import AGIException, AGIHangup

from agi.converse import converse
from agi.intake import PlaceOf, take
from agi.scribe import remove_rings
from agi.wire import Session
from callcenter import desk
from callcenter.bell import Bell
from callcenter.call import Rang, Taken
from callcenter.ledger import Ledger
from callcenter.store import open_pool

log = logging.getLogger(__name__)

COMMIT_S: Final = 1.0


class Stdio:
    """What Asterisk says and hears, where the end of file is a hang-up."""

    def readline(self) -> str:
        line = sys.stdin.readline()
        if not line:
            raise AGIHangup("Asterisk closed the line")
        return line

    def write(self, text: str) -> None:
        sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


def take_one_call(dsn: str, spool: Path, *, place_of: PlaceOf) -> None:
    """Hold the dialogue for one call and write it down."""

    def record(rang: Rang) -> Taken | None:
        try:
            taken = asyncio.run(_take(dsn, rang))
        except Exception:
            # Whatever it is, the caller goes on, and the spool has the call.
            log.exception("a call could not be written down in time", extra={"call": rang.uniqueid})
            return None
        remove_rings(spool, rang.uniqueid)
        return taken

    try:
        converse(
            Session(Stdio()),
            lambda env: take(env, now=datetime.now(UTC), place_of=place_of),
            record=record,
            missed=lambda rang: log.info("a caller hung up at once", extra={"call": rang.uniqueid}),
        )
    except AGIException as error:
        log.info("a dialogue ended early", extra={"error": repr(error)})


async def _take(dsn: str, rang: Rang) -> Taken:
    async with asyncio.timeout(COMMIT_S):
        pool = await open_pool(dsn, size=1, answer_s=COMMIT_S, name="siaga112 agi script")
        try:
            return await desk.take_call(Ledger(pool, Bell()), rang)
        finally:
            pool.terminate()
