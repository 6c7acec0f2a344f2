"""AGI over a real socket, with everything that can be wrong with it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from asterisk.agi import AGIException, AGIHangup, AGIInvalidCommand

from agi.wire import Garbage, Session, Wire

ENV = b"agi_network: yes\nagi_uniqueid: siaga-1\nagi_arg_1: siaga-1\n\n"


@contextmanager
def asterisk_says(*, within_s: float = 1.0, first: bytes = ENV) -> Iterator[tuple[Wire, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(first)
        yield Wire(ours, within_s=within_s), theirs


def heard(line: socket.socket) -> str:
    line.settimeout(1)
    with suppress(TimeoutError):
        return line.recv(65536).decode()
    return ""


def test_a_variable_is_asked_for_and_given() -> None:
    with asterisk_says() as (wire, theirs):
        session = Session(wire)
        assert session.env["agi_uniqueid"] == "siaga-1"
        theirs.sendall(b"200 result=1 (v=1 ani=0812 (x) end=1)\n200 result=0\n200 result=1\n")
        assert session.get_variable("RING") == "v=1 ani=0812 (x) end=1"
        assert session.get_variable("NOTHING") == ""
        session.set_variable("INCIDENT", "1")
        assert heard(theirs) == 'GET VARIABLE "RING"\nGET VARIABLE "NOTHING"\nSET VARIABLE "INCIDENT" "1"\n'


def test_a_quote_does_not_end_a_word() -> None:
    with asterisk_says() as (wire, theirs):
        session = Session(wire)
        theirs.sendall(b"200 result=1\n")
        session.set_variable("NAME", 'Budi" "x\\')
        assert heard(theirs) == 'SET VARIABLE "NAME" "Budi\\" \\"x\\\\"\n'


@pytest.mark.parametrize("evil", ["a\nHANGUP", "a\rHANGUP", "a\0b"])
def test_a_line_end_inside_a_word_is_refused(evil: str) -> None:
    with asterisk_says() as (wire, theirs):
        session = Session(wire)
        with pytest.raises(ValueError, match="second command"):
            session.set_variable("NAME", evil)
        assert heard(theirs) == ""


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HANGUP\n", AGIHangup),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", AGIHangup),
        (b"200 result=-1\n", AGIHangup),
        (b"510 Invalid or unknown command\n", AGIInvalidCommand),
        (b"520-Invalid command syntax.  Proper usage follows:\n", Garbage),
        (b"HTTP/1.1 200 OK\n", Garbage),
        (b"\xff\xfe\x00\n", Garbage),
        (b"\n", Garbage),
        (b"x" * 100_000, Garbage),
    ],
)
def test_a_bad_answer_has_a_name(answer: bytes, error: type[AGIException]) -> None:
    with asterisk_says() as (wire, theirs):
        session = Session(wire)
        threading.Thread(target=theirs.sendall, args=(answer,), daemon=True).start()
        with pytest.raises(error):
            session.get_variable("RING")


def test_a_hangup_line_may_come_before_the_answer() -> None:
    with asterisk_says() as (wire, theirs):
        session = Session(wire)
        theirs.sendall(b"HANGUP\n200 result=1 (late)\n")
        with pytest.raises(AGIHangup):
            session.get_variable("RING")


@pytest.mark.parametrize("said", [b"", b"agi_network: yes\n", b"agi_network: yes\nagi_un"])
def test_the_end_of_file_is_a_hang_up(said: bytes) -> None:
    with asterisk_says(first=said) as (wire, theirs):
        theirs.close()
        with pytest.raises(AGIHangup):
            Session(wire)


def test_an_environment_without_end_is_garbage() -> None:
    with asterisk_says(first=b"a: b\n" * 500) as (wire, _), pytest.raises(Garbage):
        Session(wire)


def test_silence_ends_at_the_deadline() -> None:
    with asterisk_says(within_s=0.2) as (wire, _):
        session = Session(wire)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            session.get_variable("RING")
        assert time.monotonic() - began < 1


def test_one_byte_at_a_time_ends_at_the_deadline_too() -> None:
    with asterisk_says(within_s=0.3) as (wire, theirs):
        session = Session(wire)
        over = threading.Event()

        def drip() -> None:
            while not over.wait(0.02):
                with suppress(OSError):
                    theirs.send(b"2")

        dripping = threading.Thread(target=drip)
        dripping.start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            session.get_variable("RING")
        assert time.monotonic() - began < 1
        over.set()
        dripping.join()
