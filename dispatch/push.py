"""The push: events to the responders' devices, and their words into the record.

One follower reads the log for everybody. What a batch of events says is looked
up once, written once for each unit it concerns, and put on the lines without
waiting for anyone. What devices say goes to the ledger (their words) or to
batches (that they have an event, where they are).
"""

import asyncio
import http
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import assert_never
from uuid import UUID

from prometheus_client import generate_latest
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from callcenter.follow import Entry, Follower, head
from callcenter.ledger import Answer, Book, Ledger
from callcenter.refused import Refused
from callcenter.store import AWAY
from dispatch import frames, sending, views
from dispatch.door import HELLO_S, Door, TurnedAway
from dispatch.frames import Ack, Do, Hello, MissionView, Position, UnitView, Unreadable
from dispatch.keep import Deliveries, Fix, Positions, Presence
from dispatch.line import BAD_FRAME, BAD_TICKET, CLOSE_S, Figures, Line, Lines, hang_up
from dispatch.route import concerning, route
from dispatch.sending import DUTY, Telling

log = logging.getLogger(__name__)

PATH = "/unit"

# A crew's screen says that it is late after 5 s without a word.
BEAT_S = 2.0
FRESH_S = 3.0
CHECK_S = 2.0
PING_S = 10.0
RETRY_S = 0.25
# What the kernel may hold for a line beside our own buffer: without a bound it grows to megabytes.
KERNEL_BYTES = 64 * 1024
# Data that was sent and not confirmed for this long means that the line is dead.
UNCONFIRMED_MS = 15_000
MOST_BAD_FRAMES = 10
# How many words of crews are worked on at once; the others wait their turn, but not for ever.
HANDS = 8
HANDS_S = 8.0
# Lines that get a beat before others have their turn.
BEAT_CHUNK = 500


def utc_now() -> datetime:
    """The time, for those who are not told another."""
    return datetime.now(UTC)


class Push:
    """The server of the lines."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        host: str,
        port: int,
        origins: Sequence[str] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """``origins`` are the pages that may connect (None: any); devices that are no browser send none."""
        self._ledger = ledger
        self._pool = ledger.pool
        self._address = (host, port)
        self._origins: list[Origin | None] | None = None if origins is None else [None, *map(Origin, origins)]
        self._clock = clock
        self.figures = Figures()
        self._deliveries = Deliveries(self._pool)
        self._positions = Positions(self._pool)
        self._presence = Presence(self._pool)
        self._lines = Lines(self._presence, self.figures)
        self._door = Door(self._pool, self._lines, clock)
        self._hands = asyncio.Semaphore(HANDS)
        self._follower = Follower(ledger.pool, ledger.bell)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        """Serve for as long as the block lasts; gives the port."""
        async with asyncio.TaskGroup() as tasks:
            work = (
                self._follow(),
                self._beat(),
                self._check_sessions(),
                self._look_after_the_slow(),
                self._door.gatherer.run(),
                self._deliveries.gatherer.run(),
                self._positions.gatherer.run(),
                self._presence.gatherer.run(),
            )
            owned = [tasks.create_task(one) for one in work]
            server = await self._serve()
            try:
                yield next(iter(server.sockets)).getsockname()[1]
            finally:
                server.close(code=1001, reason="restarting")
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await server.wait_closed()
                for task in owned:
                    task.cancel()
                # What is being written now, that a crew has come, must not be written after we said that all are gone.
                await asyncio.wait(owned, timeout=CLOSE_S)
                await self._put_away()

    async def _serve(self) -> Server:
        listening = socket.create_server(self._address, backlog=1024)
        # Lines inherit both from the socket that listens.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNCONFIRMED_MS)
        return await serve(
            self._meet,
            sock=listening,
            origins=self._origins,
            process_request=self._answer_http,
            compression=None,  # it costs 33 KiB a line, and a mission is one packet anyway
            max_size=frames.MOST_BYTES,
            max_queue=16,
            ping_interval=PING_S,
            ping_timeout=PING_S,
            open_timeout=HELLO_S,
            close_timeout=CLOSE_S,
            server_header=None,
        )

    async def _put_away(self) -> None:
        """Write what is left, if PostgreSQL is there for it."""
        with suppress(*AWAY):
            async with asyncio.timeout(1):
                await self._deliveries.gatherer.finish()
                await self._positions.gatherer.finish()
                await self._presence.nobody()

    def _answer_http(self, connection: ServerConnection, request: Request) -> Response | None:
        """Health and figures on the same port; everything else is for devices."""
        ready = self._lines.routed is not None
        match request.path.partition("?")[0]:
            case "/unit":
                return None
            case "/health/live":
                return connection.respond(http.HTTPStatus.OK, "ok\n")
            case "/health/ready" if ready:
                return connection.respond(http.HTTPStatus.OK, "ok\n")
            case "/health/ready":
                return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "postgresql\n")
            case "/metrics":
                kind = Headers({"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})
                return Response(200, "OK", kind, generate_latest(self.figures.registry))
            case _:
                return connection.respond(http.HTTPStatus.NOT_FOUND, f"devices connect to {PATH}\n")

    # ------------------------------------------------------ from the log to them --

    async def _follow(self) -> None:
        self._follower.cursor = await self._start()
        async for batch in self._follower:
            await self._route(batch)

    async def _start(self) -> str:
        while True:
            try:
                await self._presence.nobody()
                self._lines.routed = await head(self._pool)
            except AWAY as error:
                log.warning("push waits for PostgreSQL", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_S)
            else:
                return self._lines.routed

    async def _route(self, batch: list[Entry]) -> None:
        entries = concerning(batch)
        if entries and self._lines:
            missions, units = await self._look_up(entries)
            for unit, told in route(entries, missions, units, self._lines):
                self._lines.tell(unit, told)
            now = self._clock()
            for entry in entries:
                self.figures.delay.observe(max(0.0, (now - entry.at).total_seconds()))
        self._lines.routed = batch[-1].cursor

    async def _look_up(self, entries: list[Entry]) -> tuple[list[MissionView], dict[UUID, UnitView]]:
        """How the missions and units of a batch stand, in two queries whatever its size."""
        missions = {entry.subject for entry in entries if entry.kind == "mission"}
        incidents = {entry.incident for entry in entries if entry.incident is not None}
        units = {entry.subject for entry in entries if entry.kind == "unit"}
        while True:
            try:
                shown = await views.missions_touched(self._pool, missions, incidents) if incidents else []
                return shown, await views.units(self._pool, units) if units else {}
            except AWAY as error:
                log.warning("routing waits for PostgreSQL", extra={"error": type(error).__name__})
                await asyncio.sleep(RETRY_S)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            # A crew's screen must not look fresh while the log cannot be read.
            if asyncio.get_running_loop().time() - self._follower.read_at > FRESH_S:
                continue
            ready = [line.ws for line in self._lines if line.is_open]
            for start in range(0, len(ready), BEAT_CHUNK):
                # The cursor is read for each chunk, so that it never says less than the lines have.
                if self._lines.routed is not None:
                    beat = frames.Beat(at=self._clock(), cursor=self._lines.routed)
                    broadcast(ready[start : start + BEAT_CHUNK], beat.model_dump_json())
                await asyncio.sleep(0)

    async def _look_after_the_slow(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._lines.give_up_the_slow(time.monotonic())

    async def _check_sessions(self) -> None:
        """Whoever was signed out loses the line within seconds."""
        while True:
            await asyncio.sleep(CHECK_S)
            now = list(self._lines)
            if not now:
                continue
            with suppress(*AWAY):
                valid = await views.still_valid(self._pool, {line.session for line in now})
                for line in now:
                    if line.session not in valid:
                        self._lines.give_up(line, BAD_TICKET, "signed out")

    # ------------------------------------------------------ from them to the record --

    async def _meet(self, ws: ServerConnection) -> None:
        """One device, from hello to goodbye."""
        try:
            line = await self._door.admit(ws)
        except TurnedAway as turned:
            self.figures.closed.labels(str(turned.code)).inc()
            await hang_up(ws, turned.code, turned.reason)
            return
        except ConnectionClosed:
            return
        try:
            async for frame in ws:
                await self._hear(line, frame)
        except ConnectionClosed:
            # However it ended, the device comes back with its cursor.
            pass
        finally:
            self._lines.drop(line)

    async def _hear(self, line: Line, frame: str | bytes) -> None:
        if line.says_too_much():
            self._lines.give_up(line, BAD_FRAME, "too many frames")
            return
        try:
            heard = frames.hear(frame)
        except Unreadable as error:
            self._take_rubbish(line, error)
            return
        match heard:
            case Ack():
                self._take_ack(line, heard)
            case Position():
                self._take_position(line, heard)
            case Do():
                await self._take_word(line, heard)
            case Hello():
                self._take_rubbish(line, Unreadable("hello is said once, at the start"))
            case _:
                assert_never(heard)

    def _take_rubbish(self, line: Line, error: Unreadable) -> None:
        self._refuse(line, error.re, error)
        line.bad_frames += 1
        if line.bad_frames >= MOST_BAD_FRAMES:
            self._lines.give_up(line, BAD_FRAME, "too many frames that cannot be read")

    def _take_ack(self, line: Line, ack: Ack) -> None:
        if line.acked(ack.seq):
            self.figures.acks.inc()
            self._deliveries.put(line.unit, ack.seq)

    def _take_position(self, line: Line, position: Position) -> None:
        fix = Fix(
            unit=line.unit,
            lat=position.lat,
            lon=position.lon,
            accuracy_m=position.accuracy_m,
            speed_mps=position.speed_mps,
            heading=position.heading,
            # A device whose clock is ahead must not keep its next positions out.
            at=min(position.at, self._clock()),
        )
        self._positions.put(fix)

    async def _take_word(self, line: Line, do: Do) -> None:
        try:
            async with asyncio.timeout(HANDS_S), self._hands:
                answer = await self._carry_out(line, do)
        except Refused as refused:
            self._refuse(line, do.id, refused)
        except AWAY:
            message = "the record cannot be reached now; send the same again"
            self._refuse(line, do.id, Refused(message, code="unavailable"))
        except Exception:
            # The edge of one device's words: a bug here must not cost the others their lines.
            log.exception("a word of a crew was not carried out", extra={"unit": str(line.unit), "verb": do.verb})
            self._refuse(
                line, do.id, Refused("something is wrong on our side; tell the dispatcher by radio", code="bug")
            )
        else:
            mission = answer.get("mission")
            ok = frames.Ok(re=do.id, mission=UUID(mission) if isinstance(mission, str) else None)
            line.write(ok.model_dump_json().encode())

    async def _carry_out(self, line: Line, do: Do) -> Answer:
        async def work(book: Book) -> Answer:
            now = self._clock()
            if do.verb in DUTY:
                await sending.set_duty(book, line.unit, do.verb, reason=do.reason, now=now)
                return {}
            mission = do.mission or await sending.live_mission(book, line.unit)
            telling = Telling(do.verb, at=do.at, reason=do.reason, outcome=do.outcome, note=do.note)
            await sending.hear(book, mission, telling, unit_id=line.unit, now=now)
            return {"mission": str(mission)}

        fingerprint = do.model_dump_json(exclude={"id"})
        return await self._ledger.once(do.id, fingerprint, by=line.account, work=work)

    def _refuse(self, line: Line, re: str | None, refused: Refused) -> None:
        self.figures.refused.labels(refused.code).inc()
        line.write(frames.Not(re=re, code=refused.code, message=str(refused)).model_dump_json().encode())
