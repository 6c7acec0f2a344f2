"""pyst2's manager, with what it lacks: an end to every wait, and an end that is noticed."""

import contextlib
import queue
import socket
from collections.abc import Callable, Mapping
from typing import Final

from asterisk.manager import Event, Manager, ManagerException, ManagerMsg, ManagerSocketException

ANSWER_S: Final = 5.0
TCP_USER_TIMEOUT_MS: Final = 10_000

Fields = Mapping[str, str]


class Ami(Manager):  # type: ignore[misc]  # pyst2 has no types
    """One connection to Asterisk's manager, used once.

    pyst2 0.5.1, 2026-11: waits for ever for a connection and for an answer; says nothing when the line is cut. An
    event with a ``ChanVariable`` breaks its parser, which is why ``channelvars`` is not set in manager.conf.
    """

    def __init__(self, *, heard: Callable[[Fields], None], cut: Callable[[], None]) -> None:
        super().__init__()
        self._heard = heard
        self._cut = cut
        self._line: socket.socket | None = None

    def connect(self, host: str, port: int = 5038) -> None:
        """Open the line and start pyst2's threads; it ends after a few seconds at most, one way or the other."""
        self._line = socket.create_connection((host, port), timeout=ANSWER_S)
        self._line.settimeout(None)
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)
        self._sock = self._line.makefile(mode="rwb", buffering=0)
        self._connected.set()
        self._running.set()
        self.register_event("*", self._pass_on)
        self.message_thread.start()
        self.event_dispatch_thread.start()
        self._answer()  # the greeting

    def say(self, action: str, fields: Fields, action_id: str) -> dict[str, str]:
        """Send an action and return the headers of the answer."""
        if any(bad in part for pair in fields.items() for part in pair for bad in "\r\n"):
            raise ValueError("a line end inside a field would be a second field")
        # A new dict each time: pyst2's own default is shared between calls, and keeps the first ActionID for ever.
        answer = self.send_action({"Action": action, "ActionID": action_id, **fields})
        return dict(answer.headers)

    def log_in(self, user: str, secret: str) -> None:
        answer = self.say("Login", {"Username": user, "Secret": secret}, "login")
        if answer.get("Response") != "Success":
            raise ManagerException(f"Asterisk refuses the manager account: {answer.get('Message')}")

    def send_action(self, cdict: Mapping[str, object] | None = None, **kwargs: object) -> ManagerMsg:
        """As pyst2's, but it waits for the answer no longer than a few seconds."""
        fields = {**(cdict or {}), **kwargs}
        if not self._connected.is_set():
            raise ManagerSocketException(0, "not connected")
        text = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
        try:
            self._line_or_refuse().sendall(text.encode())
        except OSError as error:
            raise ManagerSocketException(error.errno, str(error)) from error
        self._reswaiting.insert(0, 1)
        try:
            return self._answer()
        finally:
            self._reswaiting.pop(0)

    def hang_up(self) -> None:
        """Close the line, from any thread, without saying goodbye; pyst2's own ``close`` can wait for ever."""
        self._running.clear()
        self._connected.clear()
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
            self._line.close()
        self._message_queue.put(None)
        self._event_queue.put(None)

    def close(self) -> None:
        """pyst2 calls this when the object is forgotten."""
        self.hang_up()

    def message_loop(self) -> None:
        """Runs in a thread; an event that pyst2 cannot read ends this line instead of making it deaf."""
        try:
            super().message_loop()
        finally:
            self._cut()

    def event_dispatch(self) -> None:
        """Runs in a thread until the line is cut, which pyst2 tells nobody."""
        try:
            super().event_dispatch()
        finally:
            self._cut()

    def _pass_on(self, event: Event, _: Manager) -> None:
        self._heard(dict(event.headers))

    def _answer(self) -> ManagerMsg:
        try:
            answer = self._response_queue.get(timeout=ANSWER_S)
        except queue.Empty:
            raise ManagerSocketException(0, "Asterisk does not answer") from None
        if answer is None:
            raise ManagerSocketException(0, "Asterisk closed the line")
        return answer

    def _line_or_refuse(self) -> socket.socket:
        if self._line is None:
            raise ManagerSocketException(0, "not connected")
        return self._line
