"""Thousands of devices in one process, as light as can be, so that what is measured is the server.

Lines of JSON come in and go out: ``connect`` opens devices, ``expect`` waits until frames have come and tells when.
"""

import asyncio
import json
import re
import struct
import sys
import time
from typing import Any

PUSHED = b'"type":"event"'
WELCOMED = b'"type":"welcome"'
_SEQ = re.compile(rb'"seq":(\d+)')
AT_ONCE = 200


class Crowd:
    """All devices, and what is counted for the one ``expect`` that runs."""

    def __init__(self) -> None:
        self.acks = False
        self.wanted = 0
        self.times: list[float] = []
        self.bytes = 0
        self.all = asyncio.Event()
        self.devices: list[Device] = []
        self.lost = 0

    def count(self, size: int) -> None:
        self.bytes += size
        self.times.append(time.monotonic())
        if len(self.times) == self.wanted:
            self.all.set()


class Device(asyncio.Protocol):
    """One websocket, by hand: no mask worth the name, no fragments, pings answered."""

    def __init__(self, crowd: Crowd, hello: str | None) -> None:
        self.crowd = crowd
        self.hello = hello
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self._rest = b""
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(
            b"GET /unit HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost += 1
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("the line was closed before the device was welcome"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        at = 0
        if not self._is_open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            if b" 101 " not in data[:20]:
                self.ready.set_exception(ConnectionError(data[:80].decode()))
                return
            self._is_open = True
            at = end + 4
            if self.hello is None:
                self.ready.set_result(None)
            else:
                self.say(1, self.hello.encode())
        size = len(data)
        while size - at >= 2:
            length, start = data[at + 1] & 0x7F, at + 2
            if length == 126:
                if size - at < 4:
                    break
                length, start = struct.unpack_from("!H", data, at + 2)[0], at + 4
            elif length == 127:
                if size - at < 10:
                    break
                length, start = struct.unpack_from("!Q", data, at + 2)[0], at + 10
            if size - start < length:
                break
            self._hear(data[at] & 0x0F, data[start : start + length])
            at = start + length
        self._rest = data[at:]

    def _hear(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.say(10, payload)
        elif opcode == 1 and PUSHED in payload[:24]:
            if self.crowd.acks and (seq := _SEQ.search(payload)) is not None:
                self.say(1, b'{"type":"ack","seq":' + seq[1] + b"}")
            self.crowd.count(len(payload))
        elif opcode == 1 and WELCOMED in payload[:24] and not self.ready.done():
            self.ready.set_result(None)

    def say(self, opcode: int, payload: bytes) -> None:
        assert self.transport is not None
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length)
        self.transport.write(bytes([0x80 | opcode]) + size + b"\0\0\0\0" + payload)  # masked with nothing


async def _connect_one(crowd: Crowd, port: int, hello: str | None) -> Device:
    _, device = await asyncio.get_running_loop().create_connection(lambda: Device(crowd, hello), "127.0.0.1", port)
    await device.ready
    return device


async def connect(crowd: Crowd, port: int, hellos: list[str | None]) -> dict[str, Any]:
    began = time.monotonic()
    for start in range(0, len(hellos), AT_ONCE):
        crowd.devices += await asyncio.gather(
            *(_connect_one(crowd, port, hello) for hello in hellos[start : start + AT_ONCE])
        )
    return {"connected": len(crowd.devices), "took_s": time.monotonic() - began}


async def expect(crowd: Crowd, frames: int, *, acks: bool, within_s: float) -> dict[str, Any]:
    crowd.acks, crowd.wanted = acks, frames
    crowd.bytes = 0
    crowd.times.clear()
    crowd.all.clear()
    _say({"listening": True})
    try:
        async with asyncio.timeout(within_s):
            await crowd.all.wait()
    except TimeoutError:
        return {"came": len(crowd.times), "lost": crowd.lost}
    return {"came": frames, "lost": crowd.lost, "bytes": crowd.bytes, "times": crowd.times}


async def leave(crowd: Crowd) -> dict[str, Any]:
    for device in crowd.devices:
        assert device.transport is not None
        device.transport.abort()
    crowd.devices.clear()
    await asyncio.sleep(0)
    crowd.lost = 0
    return {"left": True}


async def main() -> None:
    crowd = Crowd()
    while line := await asyncio.to_thread(sys.stdin.readline):
        match json.loads(line):
            case {"do": "connect", "port": port, "hellos": hellos}:
                _say(await connect(crowd, port, hellos))
            case {"do": "expect", "frames": frames, "acks": acks, "within_s": within_s}:
                _say(await expect(crowd, frames, acks=acks, within_s=within_s))
            case {"do": "leave"}:
                _say(await leave(crowd))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
