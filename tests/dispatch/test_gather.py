"""Many small things done at once: none twice for no reason, none for ever, none in front of the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from dispatch.gather import Gatherer
from tests.dispatch.room import eventually


class Writer:
    """Writes batches down; fails as often as it is told to."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.batches: list[list[int]] = []

    async def __call__(self, batch: list[int]) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.batches.append(batch)

    @property
    def done(self) -> list[int]:
        return [thing for batch in self.batches for thing in batch]


@asynccontextmanager
async def running(gatherer: Gatherer[int]) -> AsyncIterator[None]:
    task = asyncio.create_task(gatherer.run())
    yield
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def has_done(writer: Writer, things: list[int]) -> None:
    async def all_done() -> bool:
        return writer.done == things

    await eventually(all_done)


async def test_what_comes_together_is_done_together_in_order() -> None:
    writer = Writer()
    gatherer = Gatherer("things", writer, wait_s=0.01, most=10)
    async with running(gatherer):
        for thing in range(25):
            assert gatherer.put(thing)
        await has_done(writer, list(range(25)))
    assert [len(batch) for batch in writer.batches] == [10, 10, 5]


async def test_an_outage_is_waited_out_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatch.gather._RETRY_S", 0.01)
    writer = Writer(OSError(), TimeoutError(), OSError())
    gatherer = Gatherer("things", writer, wait_s=0.0)
    async with running(gatherer):
        gatherer.put(1)
        gatherer.put(2)
        await has_done(writer, [1, 2])


async def test_a_batch_that_cannot_be_done_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer(ValueError("poison"))
    gatherer = Gatherer("things", writer, wait_s=0.0)
    async with running(gatherer):
        gatherer.put(1)

        async def dropped() -> bool:
            return "things were dropped" in caplog.text

        await eventually(dropped)
        gatherer.put(2)
        await has_done(writer, [2])


async def test_there_is_an_end_to_the_room() -> None:
    gatherer = Gatherer("things", Writer(), wait_s=0.0, room=2)
    assert [gatherer.put(thing) for thing in range(3)] == [True, True, False]
    assert len(gatherer) == 2


async def test_what_is_left_is_done_at_the_end() -> None:
    writer = Writer()
    gatherer = Gatherer("things", writer, wait_s=0.0, most=2)
    for thing in range(3):
        gatherer.put(thing)
    await gatherer.finish()
    assert writer.batches == [[0, 1], [2]]
