"""A room with units, in the words of a dispatcher: incidents to send to, units to send, devices to hear them with."""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from websockets.exceptions import ConnectionClosed

from callcenter import desk
from callcenter.ids import IncidentId, MissionId
from callcenter.incident import Changes
from callcenter.ledger import Answer, Book, Ledger
from callcenter.store import Pool
from config import citypack
from dispatch import sending
from dispatch.client import Device, device
from dispatch.mission import Mission
from dispatch.push import Push
from dispatch.sending import Patience, Telling, Verb, unit_id_of
from dispatch.unit import Equipment
from tests.support.builders import NOON, call_from

PATIENCE = Patience()
CREWS = [
    Equipment(one.call_sign, one.kind, one.agency, one.capabilities, one.lat, one.lon)
    for one in citypack.read("tangerang").units
]


def later(seconds: float) -> datetime:
    """So long after noon."""
    return NOON + timedelta(seconds=seconds)


async def eventually(claim: Callable[[], Awaitable[object]], within_s: float = 15.0) -> None:
    """Poll until a claim holds; the last try says why it does not."""
    deadline = asyncio.get_running_loop().time() + within_s
    while asyncio.get_running_loop().time() < deadline:
        if await claim():
            return
        await asyncio.sleep(0.02)
    assert await claim()


@dataclass(slots=True)
class Room:
    """What a test says."""

    ledger: Ledger

    @property
    def pool(self) -> Pool:
        return self.ledger.pool

    async def incident(self, kind: str = "medical", **details: str | int | None) -> IncidentId:
        """A call, described well enough to send somebody."""
        taken = await call_from(self.ledger)
        written: Changes = {"type": kind, "priority": 1, "address": "Jl. Daan Mogot 12", **details}
        async with self.ledger.book(by="sari") as book:
            await desk.describe(book, taken.incident, written, now=NOON)
        return taken.incident

    async def send(
        self, incident: UUID, *call_signs: str, by: str = "budi", patience: Patience = PATIENCE, at: datetime = NOON
    ) -> list[MissionId]:
        async with self.ledger.book(by=by) as book:
            units = [unit_id_of(call_sign) for call_sign in call_signs]
            sent = await sending.send(book, incident, units, patience=patience, now=at)
        return list(sent.missions)

    async def tell(
        self,
        mission: UUID,
        *verbs: str,
        at: datetime = NOON,
        outcome: str | None = "handled",
        reason: str = "ban kempes",
    ) -> Mission:
        """The crew says these things, one after the other."""
        state: Mission | None = None
        for verb in verbs:
            async with self.ledger.book(by="amb-01") as book:
                telling = Telling(Verb(verb), at=at, outcome=outcome, reason=reason)
                state = await sending.hear(book, mission, telling, now=at)
        assert state is not None
        return state

    async def once(self, key: str, work: Callable[[Book], Awaitable[Answer]], by: str = "budi") -> Answer:
        return await self.ledger.once(key, "same", by=by, work=work)

    async def missions(self, incident: UUID) -> list[str]:
        """The missions of an incident, in words."""
        rows = await self.pool.fetch(
            "SELECT call_sign, status FROM mission_now WHERE incident = $1 ORDER BY offered_at, call_sign", incident
        )
        return [f"{row['call_sign']} {row['status']}" for row in rows]

    async def status(self, incident: UUID) -> tuple[str, str | None]:
        row = await self.pool.fetchrow("SELECT status, outcome FROM incident WHERE id = $1", incident)
        assert row is not None
        return row["status"], row["outcome"]

    async def proposed(self, incident: UUID) -> str | None:
        """The call sign of the unit that is proposed to the dispatcher."""
        call_sign: str | None = await self.pool.fetchval(
            "SELECT u.call_sign FROM incident i JOIN unit u ON u.id = i.proposed_unit WHERE i.id = $1", incident
        )
        return call_sign

    async def sign_in(self, login: str) -> bytes:
        """A session, as the desk's sign-in makes it."""
        hash_ = hashlib.sha256(secrets.token_bytes(32)).digest()
        await self.pool.execute(
            """INSERT INTO session (hash, account, csrf, expires_at)
               VALUES ($1, $2, 'csrf', now() + interval '1 hour')""",
            hash_,
            login,
        )
        return hash_

    async def ticket(self, login: str, *, session: bytes | None = None, lasts_s: float = 30) -> str:
        """A one-time ticket, as the desk hands it out."""
        word = secrets.token_urlsafe(32)
        await self.pool.execute(
            """INSERT INTO ticket (hash, account, session, purpose, expires_at)
               VALUES ($1, $2, $3, 'push', now() + make_interval(secs => $4))""",
            hashlib.sha256(word.encode()).digest(),
            login,
            session or await self.sign_in(login),
            lasts_s,
        )
        return word

    async def kill_connections(self) -> None:
        """PostgreSQL drops everybody, as it does when it is restarted."""
        await self.pool.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )


async def routing(push: Push) -> None:
    """Wait until the server follows the log, so that devices are let in."""

    async def follows() -> bool:
        return push._lines.routed is not None

    await eventually(follows)


async def closed_by(work: Coroutine[None, None, None]) -> int | None:
    """Let ``work`` go on until its line is closed; gives the close code."""
    try:
        async with asyncio.timeout(10):
            await work
    except ConnectionClosed as closed:
        return None if closed.rcvd is None else closed.rcvd.code
    raise AssertionError("the line was not closed")


async def reading(one: Device) -> None:
    """Read for ever."""
    while True:
        await one.read()


@dataclass(slots=True)
class Air:
    """The push server and devices that connect to it."""

    room: Room
    push: Push
    port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/unit"

    async def device(
        self, login: str, *, cursor: str | None = None, session: bytes | None = None, acks: bool = True
    ) -> AbstractAsyncContextManager[Device]:
        return device(self.url, await self.room.ticket(login, session=session), cursor=cursor, acks=acks)
