"""What is asked of the containers: that they ring, that they write it down, and that the door is locked."""

import asyncio
import os
import signal
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from playwright.async_api import async_playwright, expect

from tests.docker.podman import Podman
from tests.support import sip
from tests.support.browser import _OPTIONS, CHROMIUM, DESK, Chromium
from tests.support.people import CallTaker

NAME: Final = "siaga.example"
LASTING: Final = ("asterisk", "postgres", "agi", "dispatch", "web", "door")
ROOT_CERTIFICATE: Final = "/var/lib/caddy/caddy/pki/authorities/local/root.crt"


class OneMachine(AbstractResolver):
    """Our name server: there is one machine."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        del family
        return [ResolveResult(hostname=host, host=self._address, port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Room:
    """The containers, seen from outside."""

    podman: Podman
    folder: Path
    address: str
    desk_port: int

    @asynccontextmanager
    async def browser_session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Somebody who trusts the door's certificate, and nothing else."""
        trusted = ssl.create_default_context(
            cadata=self.podman("exec", self.podman.container("door"), "cat", ROOT_CERTIFICATE)
        )
        connector = aiohttp.TCPConnector(resolver=OneMachine(self.address), ssl=trusted)
        async with aiohttp.ClientSession(f"https://{NAME}", connector=connector) as session:
            yield session

    @asynccontextmanager
    async def caller(self, number: str) -> AsyncIterator[sip.Caller]:
        """Somebody on the trunk who dials 112."""
        voice = await sip.Voice.open()
        scenario = sip.caller_scenario(number=number, dialled="112", media_port=voice.port)
        with tempfile.TemporaryDirectory() as folder:
            sipp = sip.Sipp(Path(folder), scenario)
            await sipp.start("-m", "1", "-s", "112", f"{self.address}:5060")
            caller = sip.Caller(sipp, voice)
            try:
                yield caller
                await caller.leave()
            finally:
                voice.close()
                await sipp.kill()

    def gives(self, login: str, role: str) -> list[str]:
        """The operator's command for an account; the password is typed into it."""
        return ["siaga112", "account", login, "--role", role, "--password-file", "/dev/stdin"]

    async def ready(self, session: aiohttp.ClientSession) -> str:
        async with session.get("/health/ready") as answer:
            said = await answer.text()
            assert answer.status == 200, said
            return said

    async def sign_in(self, session: aiohttp.ClientSession, login: str, password: str) -> int:
        async with session.post("/api/v1/session", json={"login": login, "password": password}) as answer:
            return answer.status

    async def each_has_an_incident(self, calls: int) -> str:
        """Until so many calls are in the record, ended, each with an incident, as the database itself tells it."""
        asked = ["psql", "--host=/run/postgresql", "--username=postgres", "--no-align", "--tuples-only", "siaga112"]
        async with asyncio.timeout(15):
            while True:
                said = self.podman(
                    *("exec", self.podman.container("postgres"), *asked),
                    "--command=SELECT count(*), count(DISTINCT incident), string_agg(DISTINCT status, ' ') FROM call",
                ).strip()
                if said == f"{calls}|{calls}|ended":
                    return said
                await asyncio.sleep(0.2)


async def a_call_rings_with_asterisk_alone(room: Room) -> None:
    async with sip.Desk(room.folder / "phones", port=room.desk_port) as desk, room.caller("0215541234") as caller:
        await desk.invited(within_s=20)
        await caller.answered()
        async with asyncio.timeout(10):
            while caller.voice.heard < 50:
                await asyncio.sleep(0.05)
        assert caller.voice.loudest > 1000, "the desk phone's echo is silent"
        await caller.hang_up()


async def a_call_rings_the_desk(room: Room, number: str) -> None:
    async with sip.Desk(room.folder / "phones", port=room.desk_port) as desk, room.caller(number) as caller:
        invitation = await desk.invited(within_s=20)
        assert invitation.header("X-Incident"), "it rang without its incident"
        await caller.answered()
        await caller.hang_up()


def everything_is_sealed(room: Room) -> None:
    """Nobody is root, no program can be changed, and whoever may look at a container's settings learns no secret."""
    words = [(room.folder / "secrets" / name).read_text() for name in ("admin.password", "ami.secret")]
    for service in LASTING:
        container = room.podman.container(service)
        assert room.podman("exec", container, "id", "-un").strip() != "root", service
        assert room.podman("inspect", "--format={{.HostConfig.ReadonlyRootfs}}", container).strip() == "true", service
        settings = room.podman("inspect", container)
        assert not any(word in settings for word in words), f"{service} shows a secret"


def what_dies_comes_back(room: Room, service: str) -> None:
    def process() -> int:
        asked = ("inspect", "--format={{.State.Pid}}", room.podman.container(service))
        return int(room.podman(*asked))

    before = process()
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while process() in {0, before}:
        assert time.monotonic() < deadline, f"{service} was not started again"
        time.sleep(0.1)
    room.podman.healthy(service)


async def the_door_is_locked(room: Room, session: aiohttp.ClientSession) -> None:
    password = (room.folder / "secrets/admin.password").read_text().strip()
    assert await room.sign_in(session, "sari", "siaga-112-demo") == 401
    assert await room.sign_in(session, "admin", password) == 200
    cookie = next(iter(session.cookie_jar))
    assert cookie["secure"], "the session's cookie may travel in the clear"
    async with session.get("/metrics") as answer:
        assert answer.status == 404, "anybody may read our figures"


async def a_call_is_answered(room: Room) -> str:
    """By a call-taker in a browser, over TLS, at the seat."""
    options = [*_OPTIONS, f"--host-resolver-rules=MAP {NAME} {room.address}", "--ignore-certificate-errors"]
    async with async_playwright() as playwright:
        expect.set_options(timeout=15_000)
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        windows = Chromium(browser, room.folder / "failed")
        try:
            async with windows.window("sari", size=DESK, base_url=f"https://{NAME}") as window:
                # of its centre a call-taker needs only the address that the window has already
                desk = CallTaker(window.page, None, "sari")  # type: ignore[arg-type]
                await desk.sign_in()
                await desk.takes_a_seat()
                async with room.caller("081298765432") as caller:
                    incident = await desk.is_rung()
                    assert incident, "it rang without its incident"
                    await desk.answers()
                    await caller.answered()
                    await desk.hears_and_is_heard()
                    said = await desk.stats()
                    await desk.hangs_up()
                await desk.leaves()
                return f"incident {incident}, {said}"
        finally:
            await browser.close()
