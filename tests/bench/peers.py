"""The bare servers that the push is measured beside: aiohttp's and websockets', with nothing behind them.

Devices connect to /unit. Who connects to /control says how many frames each device gets; in the end it is told how
many acknowledgements came, when it asked for them.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from aiohttp import WSMsgType, web
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

FRAME_BYTES = 1024


def frame(seq: int) -> str:
    """A push of 1 KiB."""
    bare = json.dumps({"type": "event", "seq": seq, "pad": ""}, separators=(",", ":"))
    return bare[:-2] + "x" * (FRAME_BYTES - len(bare)) + '"}'


class Acks:
    """Counts what devices acknowledge."""

    def __init__(self) -> None:
        self.wanted = 0
        self.came = 0
        self.all = asyncio.Event()

    def want(self, count: int) -> None:
        self.wanted, self.came = count, 0
        self.all.clear()

    def hear(self, said: str) -> None:
        if json.loads(said)["type"] == "ack":
            self.came += 1
            if self.came == self.wanted:
                self.all.set()


async def with_aiohttp(say_port: Callable[[int], None]) -> None:
    devices: set[web.WebSocketResponse] = set()
    acks = Acks()

    async def unit(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        devices.add(ws)
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT:
                    acks.hear(message.data)
        finally:
            devices.discard(ws)
        return ws

    async def control(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False)
        await ws.prepare(request)
        async for message in ws:
            wish = json.loads(message.data)
            acks.want(len(devices) * wish["frames"])
            for seq in range(wish["frames"]):
                text = frame(seq)
                for device in list(devices):
                    await device.send_str(text)
            if wish["acks"]:
                await acks.all.wait()
            await ws.send_str(str(acks.came))
        return ws

    app = web.Application()
    app.router.add_get("/unit", unit)
    app.router.add_get("/control", control)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = _listen()
    await web.SockSite(runner, listening).start()
    say_port(listening.getsockname()[1])
    await asyncio.Event().wait()


async def with_websockets(say_port: Callable[[int], None]) -> None:
    devices: set[ServerConnection] = set()
    acks = Acks()

    async def meet(ws: ServerConnection) -> None:
        assert ws.request is not None
        if ws.request.path == "/control":
            await control(ws)
            return
        devices.add(ws)
        with suppress(ConnectionClosed):
            async for said in ws:
                acks.hear(str(said))
        devices.discard(ws)

    async def control(ws: ServerConnection) -> None:
        async for said in ws:
            wish = json.loads(said)
            acks.want(len(devices) * wish["frames"])
            for seq in range(wish["frames"]):
                broadcast(devices, frame(seq))
                await asyncio.sleep(0)
            if wish["acks"]:
                await acks.all.wait()
            await ws.send(str(acks.came))

    async with serve(meet, sock=_listen(), compression=None, ping_interval=None) as server:
        say_port(next(iter(server.sockets)).getsockname()[1])
        await asyncio.Event().wait()


def _listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


def _say_port(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run({"aiohttp": with_aiohttp, "websockets": with_websockets}[sys.argv[1]](_say_port))
