"""A mobile network with tunnels in it: bytes go through, or vanish without a word while the line seems to stand."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Tunnel:
    """A SOCKS5 relay for one browser. Inside the tunnel nothing arrives, and nobody is told."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"socks5://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def enter(self) -> None:
        """No network from now on."""
        self._open.clear()

    def leave(self) -> None:
        """The network is back: what stood is gone by now, new connections are as good as ever."""
        for task in self._tasks:
            task.cancel()
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._open.wait()
            there, back = await self._connect(reader, writer)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._pour(reader, back))
                    both.create_task(self._pour(there, writer))
            except* OSError:
                pass
            finally:
                back.close()
        self._tasks.discard(task)
        writer.close()

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        await reader.readexactly(length)  # every host is this machine
        (port,) = struct.unpack(">H", await reader.readexactly(2))
        there = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        return there

    async def _pour(self, source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._open.wait()
            into.write(data)
            await into.drain()
        into.close()


@asynccontextmanager
async def tunnel() -> AsyncIterator[Tunnel]:
    """A network for as long as the block lasts."""
    made = Tunnel()
    made._server = await asyncio.start_server(made._serve, "127.0.0.1", 0)
    try:
        yield made
    finally:
        made._server.close()
        for task in list(made._tasks):
            task.cancel()
        await asyncio.gather(*made._tasks, return_exceptions=True)
