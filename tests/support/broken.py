"""FastAGI servers as nobody wants them: each breaks in its own way, and the caller must not feel it."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Final

from tests.support.sip import LOCAL, free_port

Breakage = Callable[[socket.socket, threading.Event], None]


def closes_at_once(line: socket.socket, _: threading.Event) -> None:
    line.close()


def talks_rubbish(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n\r\n\x00\xff\xfe" + b"rubbish " * 64 + b"\n" * 8)
    over.wait(10)


def hangs(_: socket.socket, over: threading.Event) -> None:
    over.wait(60)


def drips(line: socket.socket, over: threading.Event) -> None:
    """One byte a second: always alive, never done."""
    for byte in b'GET VARIABLE "RING"\n' * 10:
        with contextlib.suppress(OSError):
            line.sendall(bytes([byte]))
        if over.wait(1):
            return


def closes_half_way(line: socket.socket, _: threading.Event) -> None:
    line.recv(65536)
    line.sendall(b'GET VARIABLE "RI')
    line.close()


def stops_after_a_question(line: socket.socket, over: threading.Event) -> None:
    line.sendall(b'GET VARIABLE "RING"\n')
    over.wait(60)


@contextlib.contextmanager
def serving(breakage: Breakage) -> Iterator[int]:
    """The port of a server that treats every call like this."""
    over = threading.Event()
    with socket.create_server((LOCAL, 0), backlog=16) as server:
        server.settimeout(0.1)

        def serve() -> None:
            lines: list[socket.socket] = []
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    line, _ = server.accept()
                    lines.append(line)
                    threading.Thread(target=breakage, args=(line, over), daemon=True).start()
            for line in lines:
                line.close()

        serving_thread = threading.Thread(target=serve)
        serving_thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            serving_thread.join()


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """Nobody listens."""
    yield free_port()


@contextlib.contextmanager
def never_accepting() -> Iterator[int]:
    """Somebody listens and never accepts, and the line of those who wait is full."""
    with contextlib.ExitStack() as held:
        server = held.enter_context(socket.socket())
        server.bind((LOCAL, 0))
        server.listen(0)
        port: int = server.getsockname()[1]
        for _ in range(8):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((LOCAL, port))
        yield port


BROKEN: Final[dict[str, Callable[[], contextlib.AbstractContextManager[int]]]] = {
    "refuses the connection": refusing,
    "never accepts": never_accepting,
    "closes at once": lambda: serving(closes_at_once),
    "talks rubbish": lambda: serving(talks_rubbish),
    "accepts and hangs": lambda: serving(hangs),
    "says one byte a second": lambda: serving(drips),
    "closes half way": lambda: serving(closes_half_way),
    "asks and stops": lambda: serving(stops_after_a_question),
}
