"""Callers and desk phones made of SIPp, with voices of our own so that what was heard can be counted."""

import asyncio
import contextlib
import hashlib
import math
import re
import shutil
import signal
import socket
import struct
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

LOCAL = "127.0.0.1"
FRAME_S = 0.02
FRAME_BYTES = 160

needs_sipp = pytest.mark.skipif(
    shutil.which("sipp") is None, reason="SIPp is not installed: apt-get install sip-tester"
)


def free_port() -> int:
    """A port that nobody has, neither for TCP nor for UDP, in this moment."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((LOCAL, 0))
            port: int = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind((LOCAL, port))
                return port
    raise OSError("no free port")


# -- voices ------------------------------------------------------------------------------------------------------------


def ulaw(sample: int) -> int:
    """One 16-bit sample as G.711 µ-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 0x84
    exponent = max(0, magnitude.bit_length() - 8)
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def loudness(payload: bytes) -> float:
    """The mean amplitude of µ-law sound; silence is nearly 0, a voice thousands."""
    if not payload:
        return 0.0
    total = 0
    for byte in payload:
        code = ~byte & 0xFF
        total += ((code & 0x0F) * 8 + 0x84 << (code >> 4 & 7)) - 0x84
    return total / len(payload)


def tone(hz: float = 440.0, *, seconds: float = 1.0, amplitude: int = 8000) -> bytes:
    count = int(8000 * seconds)
    return bytes(ulaw(int(amplitude * math.sin(2 * math.pi * hz * n / 8000))) for n in range(count))


class Voice(asyncio.DatagramProtocol):
    """A mouth and an ear at one RTP port: speaks a tone without end, counts and weighs what comes back."""

    def __init__(self, sound: bytes | None = None) -> None:
        self.sound = tone() if sound is None else sound
        self.sent = 0
        self.heard = 0
        self.loudest = 0.0
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._speaking: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, sound: bytes | None = None) -> "Voice":
        loop = asyncio.get_running_loop()
        transport, voice = await loop.create_datagram_endpoint(lambda: cls(sound), local_addr=(LOCAL, 0))
        voice._transport = transport
        voice.port = transport.get_extra_info("sockname")[1]
        return voice

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == 0:
            self.heard += 1
            self.loudest = max(self.loudest, loudness(data[12:]))

    def speak_to(self, host: str, port: int) -> None:
        if self._speaking is None:
            self._speaking = asyncio.create_task(self._speak(host, port))

    async def _speak(self, host: str, port: int) -> None:
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        start, frames = loop.time(), len(self.sound) // FRAME_BYTES
        while True:
            n = self.sent
            frame = self.sound[n % frames * FRAME_BYTES :][:FRAME_BYTES]
            head = struct.pack(">BBHII", 0x80, 0, n & 0xFFFF, n * FRAME_BYTES & 0xFFFFFFFF, 0x51A6A112)
            self._transport.sendto(head + frame, (host, port))
            self.sent += 1
            await asyncio.sleep(max(0.0, start + self.sent * FRAME_S - loop.time()))

    def close(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
        if self._transport is not None:
            self._transport.close()


# -- what SIPp saw -----------------------------------------------------------------------------------------------------

_MESSAGE = re.compile(
    r"^-{20,} (?P<at>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\.\d+)\n"
    r"\w+ message (?P<way>sent|received) [^\n]*\n\n(?P<text>.*?)(?=^-{20,} \d{4}-|\Z)",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message as SIPp sent or received it."""

    at: datetime
    sent: bool
    text: str

    @property
    def first_line(self) -> str:
        return self.text.split("\n", 1)[0].strip()

    def header(self, name: str) -> str | None:
        found = re.search(rf"^{re.escape(name)}:\s*(.*?)\s*$", self.text, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else None


def read_messages(trace: Path) -> list[Message]:
    if not trace.exists():
        return []
    text = trace.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    return [
        Message(datetime.fromisoformat(m["at"]).astimezone(UTC), m["way"] == "sent", m["text"])
        for m in _MESSAGE.finditer(text)
    ]


@dataclass(slots=True)
class Sipp:
    """One SIPp process with a scenario, and the messages it has seen."""

    folder: Path
    scenario: str
    port: int = field(default_factory=free_port)
    host: str = LOCAL
    process: asyncio.subprocess.Process | None = None

    async def start(self, *options: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "scenario.xml").write_text(self.scenario, encoding="utf-8")
        self.process = await asyncio.create_subprocess_exec(
            *("sipp", "-sf", "scenario.xml", "-i", self.host, "-p", str(self.port), "-nostdin"),
            *("-trace_msg", "-message_file", "messages", "-trace_err", "-error_file", "errors"),
            *("-cid_str", "%u-%p-" + uuid.uuid4().hex, "-recv_timeout", "120000", *options),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    @property
    def messages(self) -> list[Message]:
        return read_messages(self.folder / "messages")

    async def first(self, pattern: str, *, within_s: float = 10, sent: bool = False) -> Message:
        """The first message whose first line begins with ``pattern``; waits for it."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for message in self.messages:
                        if message.sent is sent and re.match(pattern, message.first_line):
                            return message
                    await asyncio.sleep(0.02)
        except TimeoutError:
            seen = [("> " if m.sent else "< ") + m.first_line for m in self.messages]
            errors = self.folder / "errors"
            said = errors.read_text(errors="replace")[-2000:] if errors.exists() else ""
            raise AssertionError(f"no {pattern!r} within {within_s} s; seen: {seen} {said}") from None

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def ended(self, *, within_s: float = 10) -> int:
        assert self.process is not None
        async with asyncio.timeout(within_s):
            return await self.process.wait()

    async def kill(self) -> None:
        if self.process is not None and self.is_running:
            self.process.send_signal(signal.SIGKILL)
            await self.process.wait()


# -- scenarios ---------------------------------------------------------------------------------------------------------
# A test talks to a running SIPp by sending it a request it would never get from Asterisk, in the call's own name.

HANG_UP, HOLD, RESUME = "INFO", "REFER", "SUBSCRIBE"

_CALLER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a caller">
  <send retrans="500"><![CDATA[
INVITE sip:{dialled}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: {name}<sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:{dialled}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{number}@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{headers}Content-Type: {content_type}
Content-Length: [len]

{body}]]></send>
  <label id="wait"/>
  <recv response="100" optional="true" next="wait"/>
  <recv response="180" optional="true" next="wait"/>
  <recv response="183" optional="true" next="wait"/>
  <recv request="INFO" optional="true" next="cancel"/>
{refusals}
  <recv response="200" rrs="true">
    <action><ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/></action>
  </recv>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-a-[pid]-[call_number]
From: {name}<sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To:[$to]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv request="INFO" optional="true" next="bye"/>
  <recv request="BYE"/>
  <send next="done"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <label id="bye"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-b-[pid]-[call_number]
From: {name}<sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To:[$to]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" next="done"/>
  <label id="cancel"/>
  <send retrans="500"><![CDATA[
CANCEL sip:{dialled}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: {name}<sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:{dialled}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

]]></send>
  <label id="cancelled"/>
  <recv response="200" optional="true" next="cancelled"/>
  <recv response="487"/>
  <label id="refused"/>
  <send><![CDATA[
ACK sip:{dialled}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: {name}<sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
  <label id="done"/>
</scenario>
"""

_DESK = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a desk phone">
  <recv request="INVITE" rrs="true">
    <action>
      <ereg regexp=".*" search_in="hdr" header="From:" assign_to="them"/>
      <ereg regexp=".*" search_in="hdr" header="To:" assign_to="me"/>
    </action>
  </recv>
  <send><![CDATA[
SIP/2.0 180 Ringing
[last_Via:]
[last_From:]
[last_To:];tag=[pid]d[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Length: 0

]]></send>
  <recv request="CANCEL" timeout="{answer_after_ms}" ontimeout="answer"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <send next="acked" retrans="500"><![CDATA[
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
To:[$me];tag=[pid]d[call_number]
[last_Call-ID:]
CSeq: [cseq] INVITE
Content-Length: 0

]]></send>
  <label id="answer"/>
  <send retrans="500"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]d[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:desk@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=desk 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
]]></send>
  <recv request="ACK"/>
  <label id="talk"/>
  <recv request="REFER" optional="true" next="hold"/>
  <recv request="SUBSCRIBE" optional="true" next="resume"/>
  <recv request="INFO" optional="true" next="bye"/>
  <recv request="BYE"/>
  <send next="done"><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
{hold}
{resume}
  <label id="bye"/>
  <send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-b-[pid]-[call_number]
From:[$me];tag=[pid]d[call_number]
To:[$them]
Call-ID: [call_id]
CSeq: 90 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" next="done"/>
  <label id="acked"/>
  <recv request="ACK"/>
  <label id="done"/>
</scenario>
"""

_REFUSES = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a network that says no">
  <recv request="INVITE"/>
  <send retrans="500"><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]n[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
  <recv request="ACK"/>
</scenario>
"""

_REINVITE = """
  <label id="{label}"/>
  <send retrans="500"><![CDATA[
INVITE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-{label}-[pid]-[call_number]
From:[$me];tag=[pid]d[call_number]
To:[$them]
Call-ID: [call_id]
CSeq: {cseq} INVITE
Contact: <sip:desk@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=desk 1 {cseq} IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
]]></send>
  <recv response="100" optional="true"/>
  <recv response="200"/>
  <send next="talk"><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-{label}a-[pid]-[call_number]
From:[$me];tag=[pid]d[call_number]
To:[$them]
Call-ID: [call_id]
CSeq: {cseq} ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""

_REGISTER = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="a phone that signs in">
  <send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-1-[pid]
From: <sip:{user}@[remote_ip]>;tag=[pid]
To: <sip:{user}@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port]>
Max-Forwards: 70
Expires: 60
Content-Length: 0

]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-2-[pid]
From: <sip:{user}@[remote_ip]>;tag=[pid]
To: <sip:{user}@[remote_ip]>
Call-ID: [call_id]
CSeq: 2 REGISTER
Contact: <sip:{user}@[local_ip]:[local_port]>
[authentication username={user} password={password}]
Max-Forwards: 70
Expires: 60
Content-Length: 0

]]></send>
  <recv response="401" optional="true" next="end"/>
  <recv response="200"/>
  <label id="end"/>
</scenario>
"""

_REFUSALS = "\n".join(
    f'  <recv response="{code}" optional="true" next="refused"/>'
    for code in (400, 401, 403, 404, 480, 486, 488, 500, 503)
)


def sdp(port: int) -> str:
    return (
        f"v=0\r\no=caller 1 1 IN IP4 {LOCAL}\r\ns=-\r\nc=IN IP4 {LOCAL}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\n"
    )


def pidf(shape: str) -> str:
    """A PIDF-LO body around a GML shape, as a mobile network sends it."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"'
        ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gml="http://www.opengis.net/gml"'
        ' xmlns:gs="http://www.opengis.net/pidflo/1.0" entity="pres:caller@example.net">\r\n'
        ' <dm:device id="phone"><gp:geopriv><gp:location-info>\r\n'
        f"{shape}\r\n"
        " </gp:location-info><gp:usage-rules/><gp:method>A-GNSS</gp:method></gp:geopriv></dm:device>\r\n"
        "</presence>\r\n"
    )


def point(lat: float, lon: float) -> str:
    return pidf(f'<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>{lat} {lon}</gml:pos></gml:Point>')


def circle(lat: float, lon: float, radius_m: float) -> str:
    return pidf(
        f'<gs:Circle srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>{lat} {lon}</gml:pos>'
        f'<gs:radius uom="urn:ogc:def:uom:EPSG::9001">{radius_m}</gs:radius></gs:Circle>'
    )


LOCATION_FILE = "location"


def with_location(media_port: int) -> tuple[str, str, str]:
    """Headers, content type and body of an INVITE that brings its location along (RFC 6442)."""
    location = f"[file name={LOCATION_FILE}]"  # SIPp would read a bracket of the location's own as one of its keywords
    parts = (
        ("application/sdp", "", sdp(media_port)),
        ("application/pidf+xml", "Content-ID: <loc@caller>\r\n", location),
    )
    body = "".join(f"--part\r\nContent-Type: {kind}\r\n{extra}\r\n{text}\r\n" for kind, extra, text in parts)
    headers = "Geolocation: <cid:loc@caller>\r\nGeolocation-Routing: yes\r\n"
    return headers, 'multipart/mixed;boundary="part"', body + "--part--\r\n"


async def _nudge(sipp: Sipp, method: str, call_id: str) -> None:
    """Send SIPp one of the requests above in the name of its call."""
    lines = (
        f"{method} sip:test@{LOCAL}:{sipp.port} SIP/2.0",
        f"Via: SIP/2.0/UDP {LOCAL}:9;branch=z9hG4bK{uuid.uuid4().hex}",
        f"From: <sip:test@{LOCAL}>;tag=test",
        f"To: <sip:test@{LOCAL}>",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        "Content-Length: 0",
    )
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), (LOCAL, sipp.port))
    await asyncio.sleep(0)


# -- people ------------------------------------------------------------------------------------------------------------


class Caller:
    """Somebody who rings 112."""

    def __init__(self, sipp: Sipp, voice: Voice) -> None:
        self.sipp = sipp
        self.voice = voice

    async def rings(self, *, within_s: float = 10) -> float:
        """Seconds until the caller heard ringing."""
        return await self._after(r"SIP/2.0 180", within_s)

    async def answered(self, *, within_s: float = 15) -> float:
        """Seconds until somebody picked up; from then on the caller speaks."""
        delay_s = await self._after(r"SIP/2.0 200", within_s)
        text = (await self.sipp.first(r"SIP/2.0 200")).text
        where = re.search(r"^c=IN IP4 (\S+)", text, re.MULTILINE), re.search(r"^m=audio (\d+)", text, re.MULTILINE)
        assert where[0] is not None
        assert where[1] is not None
        self.voice.speak_to(where[0][1], int(where[1][1]))
        return delay_s

    async def hang_up(self) -> None:
        """Hang up, or give up while it rings."""
        await _nudge(self.sipp, HANG_UP, await self._call_id())
        assert await self.sipp.ended() == 0

    async def leave(self) -> None:
        """Hang up, if nobody has."""
        if self.sipp.is_running:
            await _nudge(self.sipp, HANG_UP, await self._call_id())
            await self.sipp.ended(within_s=1)

    async def is_hung_up_on(self, *, within_s: float = 10) -> None:
        assert await self.sipp.ended(within_s=within_s) == 0

    async def _call_id(self) -> str:
        call_id = (await self.sipp.first("INVITE", sent=True)).header("Call-ID")
        assert call_id is not None
        return call_id

    async def _after(self, pattern: str, within_s: float) -> float:
        invited = await self.sipp.first("INVITE", sent=True)
        came = await self.sipp.first(pattern, within_s=within_s)
        return (came.at - invited.at).total_seconds()


def caller_scenario(*, number: str, dialled: str, media_port: int, name: str = "", has_location: bool = False) -> str:
    """What SIPp does as a caller."""
    headers, kind, body = "", "application/sdp", sdp(media_port)
    if has_location:
        headers, kind, body = with_location(media_port)
    return _CALLER.format(
        dialled=dialled,
        number=number,
        name=f"{name} " if name else "",
        headers=headers.replace("\r\n", "\n"),
        content_type=kind,
        body=body.replace("\r\n", "\n"),
        refusals=_REFUSALS,
    )


def refuses(status: str) -> str:
    """What SIPp does as a network that cannot reach whom we dial."""
    return _REFUSES.format(status=status)


@contextlib.asynccontextmanager
async def call(
    folder: Path,
    sip_port: int,
    *,
    number: str = "081234567890",
    dialled: str = "112",
    name: str = "",
    location: str | None = None,
    transport: str = "u1",
) -> AsyncIterator[Caller]:
    """Ring ``dialled``. Who leaves the block takes the caller off the line, hung up or not."""
    voice = await Voice.open()
    scenario = caller_scenario(
        number=number, dialled=dialled, media_port=voice.port, name=name, has_location=location is not None
    )
    sipp = Sipp(folder / f"caller-{uuid.uuid4().hex[:8]}", scenario)
    if location is not None:
        sipp.folder.mkdir(parents=True)
        (sipp.folder / LOCATION_FILE).write_text(location, encoding="utf-8", newline="")
    await sipp.start("-m", "1", "-s", dialled, "-t", transport, f"{LOCAL}:{sip_port}")
    caller = Caller(sipp, voice)
    try:
        yield caller
    finally:
        with contextlib.suppress(AssertionError, TimeoutError):
            await caller.leave()
        voice.close()
        await sipp.kill()


class Desk:
    """A desk phone that echoes what it hears: a fallback phone of the room."""

    def __init__(self, folder: Path, *, answer_after_s: float = 0.2, port: int | None = None) -> None:
        again = [_REINVITE.format(label=word, cseq=cseq, direction=way) for word, cseq, way in _HOLDS]
        scenario = _DESK.format(answer_after_ms=int(answer_after_s * 1000), hold=again[0], resume=again[1])
        self.sipp = Sipp(folder / f"desk-{uuid.uuid4().hex[:8]}", scenario, port=port or free_port())

    @property
    def uri(self) -> str:
        return f"sip:desk@{LOCAL}:{self.sipp.port}"

    async def __aenter__(self) -> Self:
        await self.sipp.start("-rtp_echo", "-mp", str(free_port()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.sipp.kill()

    async def invited(self, *, within_s: float = 10) -> Message:
        """The INVITE that made it ring."""
        return await self.sipp.first("INVITE", within_s=within_s)

    @property
    def invitations(self) -> list[Message]:
        return [m for m in self.sipp.messages if not m.sent and m.first_line.startswith("INVITE")]

    async def do(self, what: str) -> None:
        """``HANG_UP``, ``HOLD`` or ``RESUME``, in the newest call."""
        call_id = self.invitations[-1].header("Call-ID")
        assert call_id is not None
        await _nudge(self.sipp, what, call_id)


_HOLDS = (("hold", 80, "sendonly"), ("resume", 81, "sendrecv"))


async def register(folder: Path, sip_port: int, user: str, password: str) -> str:
    """Sign a phone in; the first line of the last answer."""
    sipp = Sipp(folder / f"register-{uuid.uuid4().hex[:8]}", _REGISTER.format(user=user, password=password))
    await sipp.start("-m", "1", "-s", user, f"{LOCAL}:{sip_port}")
    try:
        await sipp.ended()
        return [m.first_line for m in sipp.messages if not m.sent][-1]
    finally:
        await sipp.kill()


class WebPhone:
    """The signalling half of a call-taker's browser: SIP over a websocket, enough to sign in and to pick up.

    It has no voice: Asterisk ends its calls after ``rtp_timeout``.
    """

    def __init__(self, line: ClientConnection, user: str, password: str, *, picks_up: bool = True) -> None:
        self.picks_up = picks_up
        self.invitations: list[Message] = []
        self.said_goodbye = 0
        self._line = line
        self._user = user
        self._password = password
        self._call_id = uuid.uuid4().hex
        self._answers: asyncio.Queue[str] = asyncio.Queue()

    async def register(self) -> str:
        """Sign in; the first line of the last answer."""
        challenge = await self._ask(1, "")
        found = re.search(r'nonce="([^"]+)"', challenge)
        if found is None:
            return challenge.split("\r\n", 1)[0]
        return (await self._ask(2, self._authorization(challenge, found[1]))).split("\r\n", 1)[0]

    async def _ask(self, number: int, more: str) -> str:
        await self._line.send(
            f"REGISTER sip:{LOCAL} SIP/2.0\r\nVia: SIP/2.0/WS browser.invalid;branch=z9hG4bK{uuid.uuid4().hex}\r\n"
            f"From: <sip:{self._user}@{LOCAL}>;tag=1\r\nTo: <sip:{self._user}@{LOCAL}>\r\nCall-ID: {self._call_id}\r\n"
            f"CSeq: {number} REGISTER\r\nMax-Forwards: 70\r\nExpires: 120\r\n{more}"
            f"Contact: <sip:{self._user}@browser.invalid;transport=ws>\r\nContent-Length: 0\r\n\r\n"
        )
        async with asyncio.timeout(5):
            return await self._answers.get()

    async def live(self) -> None:
        """Hear what Asterisk says; a phone that does not answer OPTIONS is taken for dead."""
        async for said in self._line:
            text = said.decode() if isinstance(said, bytes) else said
            if text.startswith("OPTIONS"):
                kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*\r\n", text, re.MULTILINE)
                await self._line.send("SIP/2.0 200 OK\r\n" + "".join(kept) + "Content-Length: 0\r\n\r\n")
            elif text.startswith("INVITE"):
                self.invitations.append(Message(datetime.now(UTC), sent=False, text=text.replace("\r\n", "\n")))
                await self._line.send(_reply("180 Ringing", text))
                if self.picks_up:
                    await self._line.send(_reply("200 OK", text, sdp=_webrtc_answer(text)))
            elif text.startswith(("BYE", "CANCEL")):
                self.said_goodbye += 1
                await self._line.send(_reply("200 OK", text))
                if text.startswith("CANCEL"):
                    again = text.replace("CANCEL", "INVITE")
                    await self._line.send(_reply("487 Request Terminated", again))
            elif text.startswith("SIP/2.0"):
                self._answers.put_nowait(text)

    async def hang_up(self) -> None:
        """End the newest call."""
        invitation = self.invitations[-1]
        they = invitation.header("From")
        await self._line.send(
            f"BYE {(invitation.header('Contact') or '').strip('<>')} SIP/2.0\r\n"
            f"Via: SIP/2.0/WS browser.invalid;branch=z9hG4bK{uuid.uuid4().hex}\r\n"
            f"From: {invitation.header('To')};tag=seat\r\nTo: {they}\r\nCall-ID: {invitation.header('Call-ID')}\r\n"
            "CSeq: 9 BYE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )

    def _authorization(self, challenge: str, nonce: str) -> str:
        realm_found = re.search(r'realm="([^"]+)"', challenge)
        assert realm_found is not None
        realm, uri = realm_found[1], f"sip:{LOCAL}"
        secret = _md5(f"{self._user}:{realm}:{self._password}")
        answer = _md5(f"{secret}:{nonce}:00000001:c:auth:{_md5(f'REGISTER:{uri}')}")
        return (
            f'Authorization: Digest username="{self._user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{answer}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"\r\n'
        )


def _reply(status: str, request: str, *, sdp: str = "") -> str:
    """An answer to a request of Asterisk's; its tag makes it one dialogue."""
    kept = re.findall(r"^(?:Via|From|To|Call-ID|CSeq):.*\r\n", request, re.MULTILINE)
    tagged = [h[:-2] + ";tag=seat\r\n" if h.startswith("To:") and ";tag=" not in h else h for h in kept]
    body = (
        f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}"
        if sdp
        else "Content-Length: 0\r\n\r\n"
    )
    return f"SIP/2.0 {status}\r\n{''.join(tagged)}Contact: <sip:seat@browser.invalid;transport=ws>\r\n{body}"


def _webrtc_answer(offer: str) -> str:
    """What a browser says to an offer, as far as Asterisk looks at it before there is sound."""
    mid = re.search(r"^a=mid:(\S+)", offer, re.MULTILINE)
    name = mid[1] if mid else "0"
    fingerprint = ":".join(["AB"] * 32)
    return (
        f"v=0\r\no=- 1 1 IN IP4 {LOCAL}\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {name}\r\n"
        f"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 {LOCAL}\r\na=rtpmap:0 PCMU/8000\r\na=mid:{name}\r\n"
        f"a=ice-ufrag:seat\r\na=ice-pwd:{'s' * 22}\r\na=candidate:1 1 udp 2130706431 {LOCAL} 9 typ host\r\n"
        f"a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\na=rtcp-mux\r\na=sendrecv\r\n"
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@contextlib.asynccontextmanager
async def web_phone(ws_port: int, user: str, password: str, *, picks_up: bool = True) -> AsyncIterator[WebPhone]:
    async with connect(f"ws://{LOCAL}:{ws_port}/ws", subprotocols=[Subprotocol("sip")], compression=None) as line:
        phone = WebPhone(line, user, password, picks_up=picks_up)
        living = asyncio.create_task(phone.live())
        try:
            yield phone
        finally:
            living.cancel()
