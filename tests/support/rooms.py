"""What a telephony test says and asks: ring, and what became of it in the record."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from callcenter.store import Pool
from config.pbx import Asterisk, Exchange
from tests.support import sip
from tests.support.pbx import eventually


@dataclass(frozen=True, slots=True)
class Room:
    """A private Asterisk with a desk phone, and the record."""

    folder: Path
    exchange: Exchange
    asterisk: Asterisk
    desk: sip.Desk
    pool: Pool

    def call(
        self, number: str = "081234567890", *, dialled: str = "112", name: str = "", location: str | None = None
    ) -> AbstractAsyncContextManager[sip.Caller]:
        return sip.call(
            self.folder, self.exchange.sip_port, number=number, dialled=dialled, name=name, location=location
        )

    async def calls(self) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM call ORDER BY rang_at")

    async def incidents(self) -> list[asyncpg.Record]:
        return await self.pool.fetch("SELECT * FROM incident ORDER BY opened_at")

    async def becomes(self, *statuses: str, within_s: float = 8) -> list[asyncpg.Record]:
        """Wait until the calls have these statuses, in order of ringing."""

        async def so() -> bool:
            return [row["status"] for row in await self.calls()] == list(statuses)

        assert await eventually(so, within_s=within_s), [dict(row) for row in await self.calls()]
        return await self.calls()

    @property
    def spooled(self) -> list[str]:
        return sorted(path.suffix for path in self.exchange.spool.iterdir())

    async def spool_is_empty(self) -> bool:
        async def so() -> bool:
            return not self.spooled

        return await eventually(so)
