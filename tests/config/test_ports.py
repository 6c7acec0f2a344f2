"""Who is on a port."""

import os
import socket

import pytest

from config.ports import Kind, Wanted, owner, trouble_with, wanted
from config.settings import load


def taken(kind: Kind) -> socket.socket:
    found = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    found.bind(("127.0.0.1", 0))
    if kind == "tcp":
        found.listen()
    return found


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_a_taken_port_is_told_with_the_name_of_who_has_it(kind: Kind) -> None:
    with taken(kind) as holder:
        port = holder.getsockname()[1]
        trouble = trouble_with(Wanted("http_port", "127.0.0.1", port, kind))
    assert trouble is not None
    assert trouble.startswith(f"{kind} port {port} is in use by ")
    assert f"(process {os.getpid()})" in trouble


def test_a_free_port_is_no_trouble() -> None:
    with taken("tcp") as holder:
        port = holder.getsockname()[1]
    assert trouble_with(Wanted("http_port", "127.0.0.1", port, "tcp")) is None
    assert owner(port, "tcp") is None


def test_a_host_that_is_not_ours_is_told() -> None:
    trouble = trouble_with(Wanted("http_port", "192.0.2.1", 8112, "tcp"))
    assert trouble == "cannot listen on 192.0.2.1: Cannot assign requested address"


def test_every_port_of_the_settings_is_looked_at() -> None:
    settings = load(state="/nonexistent")
    assert {port.setting for port in wanted(settings)} == set(settings.ports)
