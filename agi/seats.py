"""The seats, as the record says they are, told to Asterisk: who may register, and where calls ring.

The rows say what is true now, so there is nothing to replay: whenever the log speaks of a seat, and whenever the line
to Asterisk is new, every seat is compared with what Asterisk was last told.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agi.link import LineDown, Link
from callcenter.follow import Entry
from callcenter.store import AWAY, Pool

log = logging.getLogger(__name__)

QUEUE: Final = "112"
REALM: Final = "siaga112"  # callcenter.desk.SIP_REALM, config.pbx.REALM
FAMILY: Final = "ps_auths/auth"
RETRY_S: Final = 0.5
LOOK_S: Final = 5.0  # the floor, should the log be read late


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a seat shall be in Asterisk: ``digest`` None means that nobody may register there."""

    digest: str | None
    paused: bool


class Seats:
    """Keeps Asterisk's seats as the record has them."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._told: dict[str, Wanted] = {}
        self._changed = asyncio.Event()

    def forget(self) -> None:
        """Asterisk may be another one now: tell it everything again."""
        self._told.clear()
        self._changed.set()

    def notice(self, batch: Sequence[Entry]) -> None:
        """Look again when the log speaks of a seat."""
        if any(entry.kind == "seat" for entry in batch):
            self._changed.set()

    async def run(self, pool: Pool) -> None:
        """For ever: tell Asterisk what has changed."""
        self._changed.set()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self._tell(await wanted(pool))
            except (LineDown, *AWAY) as error:
                log.info("the seats cannot be told to Asterisk now", extra={"error": str(error)})
                self._changed.set()
                await asyncio.sleep(RETRY_S)

    async def _tell(self, seats: dict[str, Wanted]) -> None:
        for seat, now in sorted(seats.items()):
            before = self._told.get(seat)
            if before is None or before.digest != now.digest:
                await self._tell_password(seat, now.digest)
            if before is None or before.paused != now.paused:
                await self._tell_pause(seat, paused=now.paused)
            self._told[seat] = now

    async def _tell_password(self, seat: str, digest: str | None) -> None:
        if digest is None:
            await self._link.do("DBDel", Family=FAMILY, Key=seat)  # there may be none
        else:
            answer = await self._link.do("DBPut", Family=FAMILY, Key=seat, Val=auth_object(seat, digest))
            _complain(seat, answer)

    async def _tell_pause(self, seat: str, *, paused: bool) -> None:
        word = "true" if paused else "false"
        _complain(seat, await self._link.do("QueuePause", Queue=QUEUE, Interface=f"PJSIP/{seat}", Paused=word))


def _complain(seat: str, answer: Mapping[str, str]) -> None:
    if answer.get("Response") != "Success":
        log.error("Asterisk does not do as told", extra={"seat": seat, "answer": answer.get("Message")})


def auth_object(seat: str, digest: str) -> str:
    """A PJSIP auth object as Asterisk's AstDB keeps it; read at each registration, so it counts at once."""
    return json.dumps({"auth_type": "md5", "username": seat, "realm": REALM, "md5_cred": digest}, separators=(",", ":"))


async def wanted(pool: Pool) -> dict[str, Wanted]:
    rows = await pool.fetch(
        """SELECT seat.name, seat.status, seat_secret.digest
           FROM seat LEFT JOIN seat_secret ON seat_secret.seat = seat.name"""
    )
    return {row["name"]: Wanted(digest=row["digest"], paused=row["status"] != "ready") for row in rows}
