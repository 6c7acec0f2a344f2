"""A fake of Asterisk's manager: says what a test wants, hears what it is told, and can be cut or fall silent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

GREETING = b"Asterisk Call Manager/11.0.0\r\n"


class FakeManager:
    """Accepts one account, answers every action with success, and lists what it was given."""

    def __init__(self) -> None:
        self.actions: list[dict[str, str]] = []
        self.lists: dict[str, list[dict[str, str]]] = {}
        self.silent = False
        self.boots = True
        self.refuses = False
        self.logins = 0
        self.port = 0
        self._lines: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        writer.write(GREETING)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                text = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = dict(line.split(": ", 1) for line in text.strip().split("\r\n"))
                self.actions.append(action)
                if not self.silent:
                    self._answer(writer, action)
        self._lines.discard(writer)
        writer.close()

    def _answer(self, writer: asyncio.StreamWriter, action: dict[str, str]) -> None:
        action_id = action.get("ActionID", "")
        if action["Action"] == "Login" and self.refuses:
            self.send(writer, {"Response": "Error", "ActionID": action_id, "Message": "Authentication failed"})
            return
        self.send(writer, {"Response": "Success", "ActionID": action_id})
        if action["Action"] == "Login":
            self.logins += 1
            if self.boots:
                self.send(writer, {"Event": "FullyBooted"})
        if action["Action"] in self.lists:
            for entry in self.lists[action["Action"]]:
                self.send(writer, {"Event": "Entry", "ActionID": action_id, **entry})
            self.send(writer, {"Event": "Complete", "EventList": "Complete", "ActionID": action_id})

    @staticmethod
    def send(writer: asyncio.StreamWriter, fields: dict[str, str]) -> None:
        writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")

    def say(self, **fields: str) -> None:
        """An event, to everybody on the line."""
        for writer in self._lines:
            self.send(writer, fields)

    def say_raw(self, said: bytes) -> None:
        for writer in self._lines:
            writer.write(said)

    def cut(self) -> None:
        for writer in list(self._lines):
            writer.transport.abort()

    def said(self, action: str) -> list[dict[str, str]]:
        return [heard for heard in self.actions if heard["Action"] == action]


@asynccontextmanager
async def fake_manager() -> AsyncIterator[FakeManager]:
    manager = FakeManager()
    server = await asyncio.start_server(manager.serve, "127.0.0.1", 0)
    manager.port = server.sockets[0].getsockname()[1]
    try:
        yield manager
    finally:
        manager.cut()
        server.close()
