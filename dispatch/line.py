"""The lines to the devices: one websocket each, never waited for, and given up when it does not keep up."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from websockets.asyncio.server import ServerConnection, broadcast

from dispatch.frames import Told
from dispatch.keep import Presence
from dispatch.views import Holder

log = logging.getLogger(__name__)

# Close codes: what a device should do next follows from them.
TRY_LATER = 1013  # we cannot read the record now: come back soon
BAD_TICKET = 4401  # get a new ticket; sign in again if there is none
NOT_A_UNIT = 4403  # this account drives no unit
SLOW = 4408  # come back with the cursor
START_ANEW = 4409  # come back without a cursor
BAD_FRAME = 4413  # the device is broken

CLOSE_S = 2.0
# A line that holds more than this, or has not drained for that long, is given up.
MOST_UNSENT_BYTES = 256 * 1024
MOST_UNSENT_S = 5.0
MOST_UNACKED = 2000
MOST_WAITING = 2000
# A device may say this much at once (it acknowledges all that it missed), and this much for long.
BURST_FRAMES = 3000.0
FRAMES_A_SECOND = 50.0


class Figures:
    """What is counted, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.lines = Gauge("siaga_push_lines", "Devices connected", registry=self.registry)
        self.events = Counter("siaga_push_events", "Events put on lines", registry=self.registry)
        self.closed = Counter("siaga_push_closed", "Lines closed by us", ["code"], registry=self.registry)
        self.refused = Counter("siaga_push_refused", "Frames refused", ["code"], registry=self.registry)
        self.acks = Counter("siaga_push_acks", "Events acknowledged", registry=self.registry)
        self.delay = Histogram(
            "siaga_push_delay_seconds",
            "From an event to its being on the lines",
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
            registry=self.registry,
        )


class Line:
    """One device of one unit."""

    __slots__ = (
        "_heard_at",
        "_may_say",
        "_unacked",
        "_waiting",
        "account",
        "bad_frames",
        "overrun",
        "session",
        "unit",
        "unsent_since",
        "ws",
    )

    def __init__(self, ws: ServerConnection, holder: Holder, unit: UUID) -> None:
        self.ws = ws
        self.account = holder.account
        self.session = holder.session
        self.unit = unit
        self.bad_frames = 0
        # Since when, on the monotonic clock, something has been waiting to be taken by the device.
        self.unsent_since: float | None = None
        # What is routed here before the device is told what it missed; None once it is told.
        self._waiting: list[tuple[int, bytes]] | None = []
        self.overrun = False
        self._unacked: deque[int] = deque(maxlen=MOST_UNACKED)
        self._may_say = BURST_FRAMES
        self._heard_at = time.monotonic()

    @property
    def is_open(self) -> bool:
        """Whether the device has been welcomed and told what it missed."""
        return self._waiting is None

    def tell(self, seq: int, frame: bytes) -> None:
        """Put an event on the line, or where it waits for its turn."""
        if self._waiting is None:
            self._unacked.append(seq)
            self.write(frame)
        elif len(self._waiting) < MOST_WAITING:
            self._waiting.append((seq, frame))
        else:
            self.overrun = True

    def let_flow(self) -> list[tuple[int, bytes]]:
        """From now on events go out at once; gives those that waited."""
        waited, self._waiting = self._waiting or [], None
        return waited

    def write(self, frame: bytes) -> None:
        """Put a frame on the line without waiting; on one that is closing it goes nowhere."""
        broadcast((self.ws,), frame, text=True)

    @property
    def unsent_bytes(self) -> int:
        """What the device has not taken yet."""
        return self.ws.transport.get_write_buffer_size()

    def acked(self, seq: int) -> bool:
        """Whether ``seq`` is an event that went over this line and was not acknowledged before."""
        with suppress(ValueError):
            self._unacked.remove(seq)
            return True
        return False

    def says_too_much(self) -> bool:
        """Count one frame; True when the device floods us."""
        now = time.monotonic()
        self._may_say = min(BURST_FRAMES, self._may_say + (now - self._heard_at) * FRAMES_A_SECOND) - 1
        self._heard_at = now
        return self._may_say < 0


class Lines:
    """All lines, by unit."""

    def __init__(self, presence: Presence, figures: Figures) -> None:
        self._presence = presence
        self._figures = figures
        self._of: dict[UUID, list[Line]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        # Everything in the log up to here has been put on the lines; None until the log could be read.
        self.routed: str | None = None

    def __contains__(self, unit: object) -> bool:
        return unit in self._of

    def __iter__(self) -> Iterator[Line]:
        return (line for lines in list(self._of.values()) for line in list(lines))

    def __bool__(self) -> bool:
        return bool(self._of)

    def add(self, line: Line) -> None:
        """A device came; events for its unit wait on its line until it is told what it missed."""
        lines = self._of.setdefault(line.unit, [])
        lines.append(line)
        self._figures.lines.inc()
        if len(lines) == 1:
            self._presence.put(line.unit, online=True)

    def drop(self, line: Line) -> bool:
        """A device went. False when it had gone already."""
        lines = self._of.get(line.unit, [])
        if line not in lines:
            return False
        lines.remove(line)
        self._figures.lines.dec()
        if not lines:
            del self._of[line.unit]
            self._presence.put(line.unit, online=False)
        return True

    def tell(self, unit: UUID, told: Told) -> None:
        """Put an event on the lines of a unit: written once, whatever the number of its devices."""
        frame = told.model_dump_json().encode()
        for line in list(self._of.get(unit, ())):
            line.tell(told.seq, frame)
            self._figures.events.inc()
            if line.unsent_bytes > MOST_UNSENT_BYTES:
                self.give_up(line, SLOW, "too slow; come back with your cursor")

    def give_up(self, line: Line, code: int, reason: str) -> None:
        """Close a line that may not be reading, without waiting for it."""
        if self.drop(line):
            self._figures.closed.labels(str(code)).inc()
            log.info("a line was closed", extra={"unit": str(line.unit), "code": code, "reason": reason})
            task = asyncio.create_task(hang_up(line.ws, code, reason))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def give_up_the_slow(self, now: float) -> None:
        """Close the lines that have held something for too long; to be called about once a second."""
        for line in self:
            if line.unsent_bytes == 0:
                line.unsent_since = None
            elif line.unsent_since is None:
                line.unsent_since = now
            elif now - line.unsent_since > MOST_UNSENT_S:
                self.give_up(line, SLOW, "too slow; come back with your cursor")


async def hang_up(ws: ServerConnection, code: int, reason: str) -> None:
    """Say goodbye if the other side listens, and cut the line if it does not."""
    try:
        async with asyncio.timeout(CLOSE_S):
            await ws.close(code, reason)
    except TimeoutError:
        # `close` waits for room in the buffer, which a device that does not read never makes.
        ws.transport.abort()
