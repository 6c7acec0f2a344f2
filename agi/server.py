"""FastAGI: Asterisk's question about each call, answered in a thread each, with a bound on everything.

The dialplan gives us two seconds and goes on without us. So a call costs at most that, whatever goes wrong here, and
when too many come at once the rest are let go at once: they ring, and the spool tells us of them later.
"""

import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from asterisk.agi import AGIException

from agi.converse import Begin, converse
from agi.wire import Session, Wire
from callcenter.call import Rang, Taken

log = logging.getLogger(__name__)

DEADLINE_S: Final = 1.8  # the dialplan's guard is 2 s
AT_ONCE: Final = 32


class Server:
    """Listens for Asterisk. ``record`` writes a call down within its own bound, ``missed`` leaves it for later."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        begin: Begin,
        record: Callable[[Rang], Taken | None],
        missed: Callable[[Rang], None],
        deadline_s: float = DEADLINE_S,
        at_once: int = AT_ONCE,
    ) -> None:
        self._begin = begin
        self._record = record
        self._missed = missed
        self._deadline_s = deadline_s
        self._free = threading.BoundedSemaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="call")
        self._socket = socket.create_server((host, port), backlog=128)
        self._closing = False
        self._listening = threading.Thread(target=self._listen, name="fastagi", daemon=True)

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        self._listening.start()

    def close(self) -> None:
        """Take no more calls; those in hand end by their deadline."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._listening.join()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                if self._closing:
                    return
                # Out of descriptors, most likely. The calls in hand will give some back.
                log.exception("a call could not be taken from the line")
                threading.Event().wait(0.05)
                continue
            if not self._free.acquire(blocking=False):
                log.warning("too many calls at once; one goes on without us")
                connection.close()
                continue
            self._threads.submit(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = Session(Wire(connection, within_s=self._deadline_s))
                converse(session, self._begin, record=self._record, missed=self._missed)
        except (AGIException, OSError) as error:
            # A hang-up, a line cut, or no AGI at all. The call itself goes on, and the spool has it.
            log.info("a dialogue ended early", extra={"error": f"{type(error).__name__}: {error}"})
        except Exception:
            # The edge of this thread: a bug of ours must free the caller like everything else.
            log.exception("a dialogue failed")
        finally:
            self._free.release()
