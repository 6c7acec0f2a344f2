"""The line to Asterisk's manager over a real socket: cut, silent, refused, and talked nonsense on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from agi import link as link_module
from agi import manager as manager_module
from agi.link import Address, LineDown, Link
from tests.support.manager import FakeManager, fake_manager
from tests.support.pbx import eventually


@pytest.fixture
async def manager() -> AsyncIterator[FakeManager]:
    async with fake_manager() as made:
        yield made


@dataclass
class Ear:
    """What was heard and how often the line was opened."""

    events: list[dict[str, str]] = field(default_factory=list)
    openings: int = 0

    async def opened(self) -> None:
        self.openings += 1

    async def is_open(self) -> bool:
        return self.openings > 0

    async def is_open_again(self) -> bool:
        return self.openings > 1

    def named(self, name: str) -> list[dict[str, str]]:
        return [event for event in self.events if event.get("Event") == name]


@asynccontextmanager
async def linked(manager: FakeManager, ear: Ear) -> AsyncIterator[Link]:
    link = Link(Address(manager.port, "secret"), heard=lambda event: ear.events.append(dict(event)))
    task = asyncio.create_task(link.run(ear.opened))
    try:
        yield link
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_line_opens_and_brings_events(manager: FakeManager) -> None:
    ear = Ear()
    async with linked(manager, ear):
        assert await eventually(ear.is_open)
        manager.say(Event="Hangup", Uniqueid="siaga-1", Linkedid="siaga-1")

        async def heard() -> bool:
            return bool(ear.named("Hangup"))

        assert await eventually(heard)
    assert manager.said("Login")[0]["Secret"] == "secret"


async def test_an_action_is_answered(manager: FakeManager) -> None:
    ear = Ear()
    async with linked(manager, ear) as link:
        assert await eventually(ear.is_open)
        answer = await link.do("QueuePause", Queue="112", Interface="PJSIP/seat-01", Paused="true")
    assert answer["Response"] == "Success"
    assert manager.said("QueuePause")[0]["Interface"] == "PJSIP/seat-01"


async def test_a_list_comes_whole_and_is_no_news(manager: FakeManager) -> None:
    manager.lists["CoreShowChannels"] = [{"Channel": "a"}, {"Channel": "b"}]
    ear = Ear()
    async with linked(manager, ear) as link:
        assert await eventually(ear.is_open)
        entries = await link.list("CoreShowChannels")
    assert [entry["Channel"] for entry in entries] == ["a", "b"]
    assert ear.named("Entry") == []


async def test_a_cut_line_is_opened_again(manager: FakeManager) -> None:
    ear = Ear()
    async with linked(manager, ear) as link:
        assert await eventually(ear.is_open)
        manager.cut()
        assert await eventually(ear.is_open_again)
        assert (await link.do("Ping"))["Response"] == "Success"


async def test_a_line_that_falls_silent_is_given_up_and_opened_again(
    manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "PING_S", 0.1)
    monkeypatch.setattr(manager_module, "ANSWER_S", 0.2)
    ear = Ear()
    async with linked(manager, ear):
        assert await eventually(ear.is_open)
        manager.silent = True
        await asyncio.sleep(0)

        async def is_noticed() -> bool:
            return len(manager.said("Ping")) > 0

        assert await eventually(is_noticed)
        manager.silent = False
        assert await eventually(ear.is_open_again)


async def test_an_asterisk_that_is_still_starting_is_waited_for(manager: FakeManager) -> None:
    manager.boots = False
    ear = Ear()
    async with linked(manager, ear) as link:

        async def is_in() -> bool:
            return manager.logins == 1

        assert await eventually(is_in)
        with pytest.raises(LineDown):
            await link.do("QueuePause")
        manager.say(Event="FullyBooted")
        assert await eventually(ear.is_open)


async def test_a_refused_account_is_tried_again(manager: FakeManager) -> None:
    manager.refuses = True
    ear = Ear()
    async with linked(manager, ear):

        async def is_refused() -> bool:
            return len(manager.said("Login")) >= 1

        assert await eventually(is_refused)
        manager.refuses = False
        assert await eventually(ear.is_open)


async def test_nonsense_on_the_line_is_no_event(manager: FakeManager) -> None:
    ear = Ear()
    async with linked(manager, ear):
        assert await eventually(ear.is_open)
        manager.say_raw(b"\xff\xfe: nonsense\r\nno colon here\r\n\r\n")
        manager.say(Event="Hangup", Uniqueid="siaga-1", Linkedid="siaga-1")

        async def heard_or_again() -> bool:
            return bool(ear.named("Hangup")) or ear.openings > 1

        assert await eventually(heard_or_again)


async def test_a_line_end_in_a_field_is_refused(manager: FakeManager) -> None:
    ear = Ear()
    async with linked(manager, ear) as link:
        assert await eventually(ear.is_open)
        with pytest.raises(ValueError, match="second field"):
            await link.do("DBPut", Val="x\r\nAction: Originate")
    assert manager.said("DBPut") == []


async def test_without_a_line_an_action_is_refused_at_once() -> None:
    link = Link(Address(1, "secret"), heard=lambda _: None)
    with pytest.raises(LineDown):
        await link.do("Ping")
