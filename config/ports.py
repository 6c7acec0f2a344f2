"""Who is on a port: whether we may have it, and the name of whoever has it."""

import errno
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from config.settings import Settings

Kind = Literal["tcp", "udp"]
LISTENING: Final = {"tcp": "0A", "udp": "07"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A port we need, and the setting that moves it."""

    setting: str
    host: str
    port: int
    kind: Kind


def wanted(settings: Settings) -> list[Wanted]:
    """Every port that ``siaga112 run`` will listen on, but for the range of the voices."""
    return [
        Wanted("http_port", settings.host, settings.http_port, "tcp"),
        Wanted("push_port", settings.host, settings.push_port, "tcp"),
        Wanted("sip_port", settings.sip_host or settings.host, settings.sip_port, "udp"),
        Wanted("sip_port", settings.sip_host or settings.host, settings.sip_port, "tcp"),
        Wanted("sip_ws_port", settings.host, settings.sip_ws_port, "tcp"),
        Wanted("agi_port", "127.0.0.1", settings.agi_port, "tcp"),
        Wanted("ami_port", "127.0.0.1", settings.ami_port, "tcp"),
    ]


def trouble_with(port: Wanted) -> str | None:
    """Why we cannot have it, in words; None when we can."""
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if port.kind == "tcp" else socket.SOCK_DGRAM) as probe:
        if port.kind == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((port.host, port.port))
        except OSError as refused:
            if refused.errno == errno.EADDRINUSE:
                return f"{port.kind} port {port.port} is in use by {owner(port.port, port.kind) or 'another program'}"
            if refused.errno in {errno.EACCES, errno.EPERM}:
                return f"{port.kind} port {port.port} needs root"
            return f"cannot listen on {port.host}: {refused.strerror}"
    return None


def owner(port: int, kind: Kind) -> str | None:
    """The program that listens there, as ``name (process 123)``; None when it is not ours to know."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(port, kind)}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            if any(str(link.readlink()) in inodes for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:
            continue  # gone meanwhile, or another account's
    return None


def _inodes(port: int, kind: Kind) -> set[str]:
    found: set[str] = set()
    for table in (Path("/proc/net") / kind, Path("/proc/net") / f"{kind}6"):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            columns = line.split()
            if int(columns[1].rpartition(":")[2], 16) == port and columns[3] == LISTENING[kind]:
                found.add(columns[9])
    return found
