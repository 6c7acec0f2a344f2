from collections.abc import AsyncIterator

import pytest

from callcenter.ledger import Ledger
from dispatch import sending
from dispatch.push import Push
from tests.dispatch.room import CREWS, Air, Room, routing
from tests.support.builders import NOON


@pytest.fixture
async def room(ledger: Ledger) -> Room:
    """A room whose units are registered and on duty."""
    await sending.register(ledger, CREWS, now=NOON)
    return Room(ledger)


@pytest.fixture
async def air(room: Room) -> AsyncIterator[Air]:
    """A room whose units have devices to hear it."""
    push = Push(room.ledger, host="127.0.0.1", port=0)
    async with push.open() as port:
        await routing(push)
        yield Air(room, push, port)
