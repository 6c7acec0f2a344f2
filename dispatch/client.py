"""A device of a responder in a few lines: for tests, for load, and to show how one is written.

    python -m dispatch.client --web http://localhost:8112 --login amb-01 --password … --answer

Without ``--answer`` it only listens and acknowledges.
"""

import argparse
import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeAlias
from uuid import uuid4

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
Frame: TypeAlias = dict[str, JSON]

WAIT_S: Final = 10.0


@dataclass(slots=True)
class Device:
    """One device. It keeps its cursor, so that the next connection can go on where this one ended."""

    ws: ClientConnection
    welcome: Frame
    cursor: str
    acks: bool = True
    seen: set[int] = field(default_factory=set)
    events: deque[Frame] = field(default_factory=deque)
    answers: dict[str, Frame] = field(default_factory=dict)
    beats: int = 0
    repeats: int = 0

    async def read(self) -> Frame:
        """The next frame, noted and acknowledged."""
        frame: Frame = json.loads(await self.ws.recv())
        match frame:
            case {"type": "event", "seq": int(seq), "cursor": str(cursor)}:
                self.cursor = cursor
                if seq in self.seen:
                    self.repeats += 1
                else:
                    self.seen.add(seq)
                    self.events.append(frame)
                if self.acks:
                    await self.say({"type": "ack", "seq": seq})
            case {"type": "beat", "cursor": str(cursor)}:
                self.cursor = cursor
                self.beats += 1
            case {"type": "ok" | "refused", "re": str(key)}:
                self.answers[key] = frame
        return frame

    async def say(self, frame: Frame) -> None:
        """Put a frame on the line."""
        await self.ws.send(json.dumps(frame))

    async def do(self, verb: str, *, key: str | None = None, **details: JSON) -> Frame:
        """Say something of the mission and wait for the answer; the same key says the same thing again."""
        key = key or uuid4().hex
        self.answers.pop(key, None)
        await self.say({"type": "do", "id": key, "verb": verb, **details})
        async with asyncio.timeout(WAIT_S):
            while key not in self.answers:
                await self.read()
        return self.answers[key]

    async def event(self, name: str | None = None) -> Frame:
        """The next event that was not taken yet; with a name, the next of that name."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self.events:
                    frame = self.events.popleft()
                    if name in {None, frame["event"]}:
                        return frame
                await self.read()

    async def at(self, lat: float, lon: float, *, accuracy_m: float = 8.0, at: datetime | None = None) -> None:
        """Say where the unit is."""
        when = (at or datetime.now(UTC)).isoformat()
        await self.say({"type": "position", "lat": lat, "lon": lon, "accuracy_m": accuracy_m, "at": when})


@asynccontextmanager
async def device(url: str, ticket: str, *, cursor: str | None = None, acks: bool = True) -> AsyncIterator[Device]:
    """A connected device that has been welcomed."""
    # Room for all that can be missed: a client whose queue is full does not even hear the other side say goodbye.
    async with connect(url, compression=None, max_size=2**20, max_queue=1024, close_timeout=2) as ws:
        await ws.send(json.dumps({"type": "hello", "ticket": ticket, "cursor": cursor, "client": "reference/1"}))
        async with asyncio.timeout(WAIT_S):
            welcome: Frame = json.loads(await ws.recv())
        yield Device(ws, welcome, str(welcome["cursor"]), acks=acks)


async def sign_in(web: str, login: str, password: str) -> tuple[str, str]:
    """A ticket and the address it opens, by the desk's HTTP interface."""
    # The cookie must come back though the host is an address and not a name.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        async with http.post(f"{web}/api/v1/session", json={"login": login, "password": password}) as response:
            response.raise_for_status()
            me = await response.json()
        headers = {"X-CSRF-Token": me["csrf"]}
        purpose = {"purpose": "push"}
        async with http.post(f"{web}/api/v1/session/ticket", json=purpose, headers=headers) as response:
            response.raise_for_status()
            given = await response.json()
    return given["ticket"], given["url"]


async def respond(one: Device) -> None:
    """What an eager crew does with an offer, with as little delay as a test likes."""
    while True:
        offer = await _offer(one)
        await one.do("accept", mission=offer)
        await one.do("en_route", mission=offer)
        await one.do("on_scene", mission=offer)
        await one.do("cleared", mission=offer, outcome="handled")


async def _offer(one: Device) -> str:
    while True:
        match await one.event():
            case {"event": "MissionOffered", "mission": {"id": str(mission), "status": "offered"}}:
                return mission


async def _main(arguments: argparse.Namespace) -> None:
    if arguments.login is not None:
        ticket, url = await sign_in(arguments.web, arguments.login, arguments.password)
        url = arguments.url or url
    else:
        ticket, url = arguments.ticket, arguments.url
    async with device(url, ticket, cursor=arguments.cursor) as one:
        _print(one.welcome)
        if arguments.answer:
            await respond(one)
        while True:
            _print(await one.read())


def _print(frame: Frame) -> None:
    sys.stdout.write(json.dumps(frame, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Where ``python -m dispatch.client`` enters."""
    parser = argparse.ArgumentParser(prog="python -m dispatch.client", description="A responder's device.")
    parser.add_argument("--url", help="ws://host:8113/unit; with --login it is asked for")
    parser.add_argument("--ticket", help="a one-time ticket, when not signing in")
    parser.add_argument("--web", default="http://localhost:8112", help="where to sign in")
    parser.add_argument("--login")
    parser.add_argument("--password", default="")
    parser.add_argument("--cursor", help="go on from here")
    parser.add_argument("--answer", action="store_true", help="accept each offer and carry it out")
    arguments = parser.parse_args()
    if arguments.login is None and not (arguments.url and arguments.ticket):
        parser.error("give --login and --password, or --url and --ticket")
    try:
        asyncio.run(_main(arguments))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
