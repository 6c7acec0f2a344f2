"""Many small things done at once: gathered for a moment, then handed over together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from callcenter.store import AWAY

log = logging.getLogger(__name__)

T = TypeVar("T")

_RETRY_S = 0.25


class Gatherer(Generic[T]):
    """Takes things one by one and does them in batches, so that a thousand of them cost one statement.

    There is room for ``room`` things; beyond that the newest are turned away, which ``put`` says.
    While PostgreSQL is away the batch is kept and tried again, so doing it twice must be doing it once.
    """

    def __init__(
        self,
        name: str,
        do: Callable[[list[T]], Awaitable[None]],
        *,
        wait_s: float,
        most: int = 500,
        room: int = 50_000,
    ) -> None:
        self._name = name
        self._do = do
        self._wait_s = wait_s
        self._most = most
        self._room = room
        self._things: list[T] = []
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._things)

    def put(self, thing: T) -> bool:
        """Have it done soon. False when there is no room."""
        if len(self._things) >= self._room:
            return False
        self._things.append(thing)
        self._some.set()
        return True

    async def run(self) -> None:
        """Do what is put, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._wait_s)
            while self._things:
                batch, self._things = self._things[: self._most], self._things[self._most :]
                await self._insist(batch)
            self._some.clear()

    async def finish(self) -> None:
        """Do what is left, once, at the end."""
        while self._things:
            batch, self._things = self._things[: self._most], self._things[self._most :]
            await self._do(batch)

    async def _insist(self, batch: list[T]) -> None:
        while True:
            try:
                await self._do(batch)
            except AWAY as error:
                log.warning("%s wait for PostgreSQL", self._name, extra={"error": type(error).__name__})
                await asyncio.sleep(_RETRY_S)
            except Exception:
                # One batch that cannot be done must not stop those after it; what was in it is only traces.
                log.exception("%s were dropped", self._name, extra={"count": len(batch)})
                return
            else:
                return
