"""The FastAGI server: many calls, bad calls, and bounds."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest

from agi.intake import Dialogue, take
from agi.server import Server
from agi.where import nowhere
from callcenter.call import Rang, Taken
from callcenter.ids import CallId, IncidentId
from tests.support.broken import BROKEN  # the other side's breakages are named alike

TAKEN = Taken(CallId(UUID(int=1)), IncidentId(UUID(int=2)))
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ENV = b"agi_network: yes\nagi_uniqueid: siaga-2\nagi_arg_1: siaga-1\n\n"
RING = b"200 result=1 (v=1 uniqueid=siaga-1 at=1795511538.580 ani=0812 trunk=demo dialled=112 geo=Og== end=1)\n"


def begin(env: dict[str, str]) -> Dialogue:
    return take(env, now=NOW, place_of=nowhere)


@dataclass
class Record:
    """A fake record: what was written down, what was left for later, and how long it takes."""

    taken: list[Rang] = field(default_factory=list)
    missed: list[Rang] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def take(self, rang: Rang) -> Taken | None:
        if not self.gate.wait(5):
            return None
        self.taken.append(rang)
        return TAKEN


@contextmanager
def serving(record: Record, *, at_once: int = 8, deadline_s: float = 1.0) -> Iterator[Server]:
    server = Server(
        "127.0.0.1",
        0,
        begin=begin,  # type: ignore[arg-type]  # a dict is a mapping
        record=record.take,
        missed=record.missed.append,
        at_once=at_once,
        deadline_s=deadline_s,
    )
    server.start()
    try:
        yield server
    finally:
        record.gate.set()
        server.close()


@contextmanager
def line(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection:
        yield connection


def read_until(connection: socket.socket, words: bytes) -> bytes:
    said = b""
    while words not in said:
        chunk = connection.recv(4096)
        if not chunk:
            break
        said += chunk
    return said


def soon(claim: list[Rang]) -> bool:
    until = time.monotonic() + 3
    while not claim and time.monotonic() < until:
        time.sleep(0.005)
    return bool(claim)


def test_a_call_is_written_down_and_told_its_incident() -> None:
    record = Record()
    record.gate.set()
    with serving(record) as server, line(server) as asterisk:
        asterisk.sendall(ENV)
        assert read_until(asterisk, b"\n") == b'GET VARIABLE "RING"\n'
        asterisk.sendall(RING)
        assert read_until(asterisk, b"\n") == f'SET VARIABLE "INCIDENT" "{UUID(int=2)}"\n'.encode()
        asterisk.sendall(b"200 result=1\n")
        assert read_until(asterisk, b"\n") == f'SET VARIABLE "CALL" "{UUID(int=1)}"\n'.encode()
        asterisk.sendall(b"200 result=1\n")
        assert asterisk.recv(1) == b""
    [rang] = record.taken
    assert (rang.uniqueid, rang.ani) == ("siaga-1", "0812")


def test_who_hangs_up_before_the_first_answer_is_left_for_later() -> None:
    record = Record()
    with serving(record) as server:
        with line(server) as asterisk:
            asterisk.sendall(ENV)
            read_until(asterisk, b"\n")
        assert soon(record.missed)
    assert record.missed[0].uniqueid == "siaga-1"


def test_who_hangs_up_while_it_is_written_down_is_written_down() -> None:
    record = Record()
    with serving(record) as server:
        with line(server) as asterisk:
            asterisk.sendall(ENV)
            read_until(asterisk, b"\n")
            asterisk.sendall(RING)
        record.gate.set()
        assert soon(record.taken)


@pytest.mark.parametrize("garbage", [b"\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 100, b"x" * 200_000])
def test_what_is_no_agi_disturbs_nobody(garbage: bytes) -> None:
    record = Record()
    record.gate.set()
    with serving(record, at_once=2, deadline_s=0.5) as server:
        with line(server) as stranger:
            try:
                stranger.sendall(garbage)
                stranger.shutdown(socket.SHUT_WR)
                while stranger.recv(4096):
                    pass
            except OSError:
                pass  # it was shown the door
        test_line = socket.create_connection(("127.0.0.1", server.port), timeout=3)
        with test_line as asterisk:
            asterisk.sendall(ENV)
            read_until(asterisk, b"\n")
            asterisk.sendall(RING)
            assert b"INCIDENT" in read_until(asterisk, b"\n")


def test_a_silent_line_is_let_go_at_its_deadline() -> None:
    record = Record()
    with serving(record, deadline_s=0.3) as server, line(server) as asterisk:
        began = time.monotonic()
        assert asterisk.recv(1) == b""
        assert time.monotonic() - began < 1


def test_more_calls_than_can_be_served_go_on_without_us_at_once() -> None:
    record = Record()
    with serving(record, at_once=2) as server, line(server) as one, line(server) as two:
        for asterisk in (one, two):
            asterisk.sendall(ENV)
            read_until(asterisk, b"\n")
        with line(server) as three:
            began = time.monotonic()
            assert three.recv(1) == b""
            assert time.monotonic() - began < 0.5


def test_forty_calls_at_once_are_forty_records() -> None:
    record = Record()
    record.gate.set()

    def ring(number: int) -> None:
        with line(server) as asterisk:
            asterisk.sendall(ENV)
            read_until(asterisk, b"\n")
            asterisk.sendall(RING.replace(b"siaga-1 ", f"siaga-{number} ".encode()))
            read_until(asterisk, b"\n")

    with serving(record, at_once=64) as server:
        threads = [threading.Thread(target=ring, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {rang.uniqueid for rang in record.taken} == {f"siaga-{number}" for number in range(40)}


def test_every_breakage_of_a_server_has_a_test_with_a_real_call() -> None:
    assert len(BROKEN) == 8
