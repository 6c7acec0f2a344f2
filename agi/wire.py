"""pyst2's AGI over a socket, with what it lacks: an end to every wait, quoting, and hang-ups that are hang-ups."""

import re
import socket
import time
from typing import Final, Protocol

from asterisk.agi import AGI, AGIError, AGIHangup, AGIInvalidCommand

LONGEST_LINE: Final = 64 * 1024
MOST_LINES: Final = 200
RESULT: Final = re.compile(r"200 result=(-?\d*)(?:\s+\((.*)\))?.*", re.DOTALL)


class Garbage(AGIError):  # type: ignore[misc]  # pyst2 has no types
    """What came over the wire is not AGI."""


class Wire:
    """A socket as the files that pyst2 wants. All waiting together ends at the deadline, however slow it drips."""

    def __init__(self, connection: socket.socket, *, within_s: float) -> None:
        self._connection = connection
        self._until = time.monotonic() + within_s
        self._buffer = bytearray()

    @property
    def left_s(self) -> float:
        return self._until - time.monotonic()

    def readline(self) -> str:
        """The next line; raises ``AGIHangup`` at the end of file and ``TimeoutError`` at the deadline."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LONGEST_LINE:
                raise Garbage("a line without end")
            self._wait()
            chunk = self._connection.recv(4096)
            if not chunk:
                raise AGIHangup("Asterisk closed the line")
            self._buffer += chunk
        line = self._buffer[: end + 1].decode("utf-8", "replace")
        del self._buffer[: end + 1]
        return line

    def write(self, text: str) -> None:
        self._wait()
        try:
            self._connection.sendall(text.encode("utf-8", "replace"))
        except (BrokenPipeError, ConnectionResetError) as error:
            raise AGIHangup("Asterisk closed the line") from error

    def flush(self) -> None:
        """Everything was sent already."""

    def _wait(self) -> None:
        left_s = self.left_s
        if left_s <= 0:
            raise TimeoutError("the call has waited long enough")
        self._connection.settimeout(left_s)


class Files(Protocol):
    """What pyst2 needs of a line to Asterisk. The end of file raises ``AGIHangup``."""

    def readline(self) -> str:
        """The next line."""

    def write(self, text: str) -> None:
        """Say it."""

    def flush(self) -> None:
        """Really say it."""


class _Nowhere:
    """pyst2 tells everything to stderr; callers' numbers do not belong there."""

    def write(self, text: str) -> None:
        """Forget it."""


class Session(AGI):  # type: ignore[misc]  # pyst2 has no types
    """One FastAGI session.

    pyst2 0.5.1, 2026-11: ``AGI()`` sets a signal handler, which only the main thread may; ``_quote`` escapes nothing,
    so that a quote in a value would end the word; the end of file is a ``ValueError``; ``HANGUP`` is not known.
    """

    def __init__(self, files: Files) -> None:
        self.stdin = self.stdout = files
        self.stderr = _Nowhere()
        self._got_sighup = False
        self.env: dict[str, str] = {}
        self._get_agi_env()

    def _get_agi_env(self) -> None:
        for _ in range(MOST_LINES):
            line = self.stdin.readline().strip()
            if not line:
                return
            key, _colon, value = line.partition(":")
            self.env[key.strip()] = value.strip()
        raise Garbage("an environment without end")

    def _quote(self, string: object) -> str:
        text = str(string)
        if any(forbidden in text for forbidden in "\r\n\0"):
            raise ValueError("a line end inside a word would be a second command")
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'

    def get_result(self, stdin: object = None) -> dict[str, tuple[str, str]]:
        """The answer to a command, as pyst2's own methods expect it."""
        del stdin
        line = self.stdin.readline().strip("\r\n")
        if line.strip() == "HANGUP" or line.startswith("511"):
            raise AGIHangup("the caller hung up")
        if line.startswith("510"):
            raise AGIInvalidCommand(line)
        found = RESULT.fullmatch(line)
        if found is None:
            raise Garbage(f"not an answer: {line[:80]!r}")
        if found[1] == "-1":
            raise AGIHangup("the caller hung up")
        return {"result": (found[1], found[2] or "")}
