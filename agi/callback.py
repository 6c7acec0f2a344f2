"""An abandoned caller is rung back: the seat of whoever wished it first, and when that is picked up, the caller.

The rows say what is wished, so there is nothing to remember: whenever the log speaks of a wish, and every second while
one is open, all open wishes are looked at. A wish is placed once, for the record says so before Asterisk is told. From
then on the truth is Asterisk's: its channel, which has the wish's name, and the file in the spool that says how it
ended (``agi.scribe`` reads it). What has neither has ended without a word, and is a failure too.
"""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from agi.link import LineDown, Link
from agi.manager import Fields
from callcenter import desk
from callcenter.follow import Entry
from callcenter.ledger import Ledger
from callcenter.store import AWAY, Pool

log = logging.getLogger(__name__)

CONTEXT: Final = "siaga-ring-back"
LOOK_S: Final = 1.0
IDLE_S: Final = 5.0  # a wish made in the moment we start may be in nobody's view of the log
WAITS_S: Final = 120.0  # an older wish is not carried out: nobody expects the telephone to ring for it any more
SEAT_RINGS_S: Final = 20
STARTS_S: Final = 3.0  # within this Asterisk has made the channel
LOST_S: Final = 120.0  # without Asterisk for so long, a placed call is over
DIALLABLE: Final = re.compile(r"\+?[0-9]{2,20}")
NOT_IN_USE: Final = "Not in use"  # an endpoint's device state, in Asterisk's words
NOT_THERE: Final = frozenset({"", "Unknown", "Invalid", "Unavailable"})
BUSY: Final = "5"  # a reason of OriginateResponse


class Why(StrEnum):
    """Why a caller could not be rung back; the screen has a sentence for each."""

    NO_TRUNK = "no_trunk"
    NO_NUMBER = "no_number"
    NO_SEAT = "no_seat"
    SEAT_AWAY = "seat_away"
    SEAT_BUSY = "seat_busy"
    SEAT_SILENT = "seat_silent"
    GIVEN_UP = "given_up"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    NOT_REACHED = "not_reached"
    TOO_LATE = "too_late"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants this caller rung back. ``number`` is the version that the wish gave the call."""

    call: UUID
    number: int
    incident: UUID
    ani: str | None
    trunk: str
    by: str
    at: datetime
    placed_at: datetime | None

    @property
    def name(self) -> str:
        """What Asterisk calls the channel, and the scribe's file."""
        return f"back-{self.call}-{self.number}"


@dataclass(frozen=True, slots=True)
class SeatNow:
    """A seat in the record."""

    name: str
    account: str | None
    is_ready: bool


def way_out(wish: Wish, outbound: Sequence[str]) -> str | Why:
    """The trunk to ring back by: the one the call came in by, else the first that can."""
    if not outbound:
        return Why.NO_TRUNK
    if DIALLABLE.fullmatch(wish.ani or "") is None:
        return Why.NO_NUMBER
    return wish.trunk if wish.trunk in outbound else outbound[0]


def seat_for(wish: Wish, seats: Sequence[SeatNow], states: Mapping[str, str]) -> str | Why:
    """Whose telephone rings: the wisher's own, on a break or not; for a wisher without one, a ready and free one."""
    own = next((seat for seat in seats if seat.account == wish.by), None)
    if own is None:
        free = (seat.name for seat in seats if seat.is_ready and states.get(seat.name) == NOT_IN_USE)
        return next(free, Why.NO_SEAT)
    state = states.get(own.name, "")
    if state in NOT_THERE:
        return Why.SEAT_AWAY
    return own.name if state == NOT_IN_USE else Why.SEAT_BUSY


def originate(wish: Wish, seat: str, trunk: str) -> dict[str, str]:
    """What Asterisk is told: ring the seat, which sees whom it will talk to, then go on in our context."""
    variables = {
        "PJSIP_HEADER(add,X-Incident)": str(wish.incident),
        "PJSIP_HEADER(add,X-Call)": str(wish.call),
        "BACK_TO": wish.ani or "",
        "BACK_BY": f"out-{trunk}",
    }
    return {
        "ActionID": wish.name,
        "ChannelId": wish.name,
        "Channel": f"PJSIP/{seat}",
        "Context": CONTEXT,
        "Exten": "s",
        "Priority": "1",
        "CallerID": f"<{wish.ani}>",
        "Timeout": str(SEAT_RINGS_S * 1000),
        "Async": "true",
        "Variable": ",".join(f"{name}={value}" for name, value in variables.items()),
    }


class Callbacks:
    """Carries wishes out. ``outbound`` are the trunks that take our calls."""

    def __init__(self, link: Link, *, spool: Path, outbound: Sequence[str]) -> None:
        self._link = link
        self._spool = spool
        self._outbound = outbound
        self._changed = asyncio.Event()
        self._unanswered: dict[str, Why] = {}

    def notice(self, batch: Sequence[Entry]) -> None:
        """Look again when the log speaks of a wish."""
        if any(entry.type == "CallbackWished" for entry in batch):
            self.look()

    def look(self) -> None:
        """There may be a new wish."""
        self._changed.set()

    def hear(self, event: Fields) -> None:
        """Asterisk says that a seat did not pick up. Nothing is lost when that is not heard: see ``_settle``."""
        if event.get("Event") == "OriginateResponse" and event.get("Response") == "Failure":
            why = Why.SEAT_BUSY if event.get("Reason") == BUSY else Why.SEAT_SILENT
            self._unanswered[event.get("ActionID", "")] = why
            self._changed.set()

    async def run(self, ledger: Ledger) -> None:
        """For ever: look at each open wish."""
        while True:
            self._changed.clear()
            pending = True
            try:
                wishes = await open_wishes(ledger.pool)
                pending = bool(wishes)
                self._unanswered = {w.name: self._unanswered[w.name] for w in wishes if w.name in self._unanswered}
                for wish in wishes:
                    await self._look_after(ledger, wish)
            except (LineDown, *AWAY) as error:
                log.info("a caller cannot be rung back now", extra={"error": str(error)})
            try:
                async with asyncio.timeout(LOOK_S if pending else IDLE_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _look_after(self, ledger: Ledger, wish: Wish) -> None:
        why = await (self._place(ledger, wish) if wish.placed_at is None else self._settle(wish, wish.placed_at))
        if why is not None:
            log.info("a caller is not rung back", extra={"call": str(wish.call), "why": str(why)})
            await desk.callback_failed(ledger, wish.call, wish=wish.number, reason=why, at=datetime.now(UTC))

    async def _place(self, ledger: Ledger, wish: Wish) -> Why | None:
        """Say in the record that it is placed, then tell Asterisk: so it is told once, or not at all."""
        now = datetime.now(UTC)
        if (now - wish.at).total_seconds() > WAITS_S:
            return Why.TOO_LATE
        trunk = way_out(wish, self._outbound)
        if isinstance(trunk, Why):
            return trunk
        # Not QueueStatus: its answer has "status will follow" in it, and pyst2 then waits for another action's end.
        endpoints = await self._link.list("PJSIPShowEndpoints")
        states = {endpoint.get("ObjectName", ""): endpoint.get("DeviceState", "") for endpoint in endpoints}
        seat = seat_for(wish, await _seats(ledger.pool), states)
        if isinstance(seat, Why):
            return seat
        if not await desk.callback_placed(ledger, wish.call, wish=wish.number, seat_name=seat, at=now):
            return None
        answer = await self._link.do("Originate", **originate(wish, seat, trunk))
        if answer.get("Response") != "Success":
            log.error("Asterisk does not ring a caller back", extra={"answer": answer.get("Message")})
            return Why.INTERRUPTED
        log.info("a caller is rung back", extra={"call": str(wish.call), "seat": seat})
        return None

    async def _settle(self, wish: Wish, placed_at: datetime) -> Why | None:
        """A placed wish that has neither a channel nor a result has ended without a word."""
        if wish.name in self._unanswered:
            return self._unanswered[wish.name]
        age_s = (datetime.now(UTC) - placed_at).total_seconds()
        if age_s < STARTS_S:
            return None
        if not self._link.is_up:
            return Why.INTERRUPTED if age_s > LOST_S else None
        channels = await self._link.list("CoreShowChannels")
        if any(channel.get("Uniqueid") == wish.name for channel in channels):
            return None
        # Asked after the channels: a result is written before its channel goes.
        return None if (self._spool / f"{wish.name}.back").exists() else Why.INTERRUPTED


async def open_wishes(pool: Pool) -> list[Wish]:
    """Every call that waits for being rung back, with its last wish, and whether that is placed."""
    rows = await pool.fetch(
        """SELECT call.id AS call, wished.version AS number, call.incident, call.ani, call.trunk,
                  wished.by, wished.at, placed.at AS placed_at
           FROM call
           JOIN LATERAL (
               SELECT version, by, at FROM log
               WHERE kind = 'call' AND subject = call.id AND type = 'CallbackWished'
               ORDER BY version DESC LIMIT 1) AS wished ON true
           LEFT JOIN LATERAL (
               SELECT at FROM log
               WHERE kind = 'call' AND subject = call.id AND type = 'CallbackPlaced' AND version > wished.version
               ORDER BY version LIMIT 1) AS placed ON true
           WHERE call.status = 'callback' ORDER BY wished.at"""
    )
    return [Wish(**row) for row in rows]


async def _seats(pool: Pool) -> list[SeatNow]:
    rows = await pool.fetch("SELECT name, account, status = 'ready' AS is_ready FROM seat ORDER BY name")
    return [SeatNow(**row) for row in rows]
