"""Places real 112 calls into the running control room, so that a newcomer sees the consoles move.

SIPp is the telephone: it sends the INVITE a mobile network would send, with the place of the caller in it, and
speaks. What it says is made here: by espeak-ng in Indonesian when the machine has it, else two alternating tones.
"""

import array
import asyncio
import math
import os
import shutil
import sys
import tempfile
import wave
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Final

from config import citypack
from config.cityshape import Landmark
from config.settings import Settings

RATE_HZ: Final = 8000
PACKAGES: Final = {"sipp": "sip-tester", "espeak-ng": "espeak-ng"}


class DemoError(Exception):
    """The demonstration cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Story:
    """Somebody's reason to call, and how well their network knows where they are."""

    number: str
    words: str
    radius_m: float | None  # None: no place in the call at all


STORIES: Final = (
    Story("081298765401", "Tolong, ada kebakaran di {place}. Apinya besar, ada orang di dalam.", 30.0),
    Story("081298765402", "Ada tabrakan motor di dekat {place}. Dua orang luka, satu tidak sadar.", 120.0),
    Story("085711223344", "Ibu saya sesak napas. Kami di {place}. Tolong kirim ambulans.", 15.0),
    Story("02155401234", "Selamat malam, saya mau lapor. Lampu jalan di {place} mati sejak kemarin.", None),
    Story("081298765401", "Apinya sudah merambat ke rumah sebelah, di {place}. Cepat, tolong.", 30.0),
    Story("087788990011", "Ada ular besar masuk rumah saya, di {place}.", 400.0),
)

SCENARIO: Final = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="somebody who rings 112">
  <send retrans="500"><![CDATA[
INVITE sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:112@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{number}@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{headers}Content-Type: {content_type}
Content-Length: [len]

{body}]]></send>
  <recv response="100" optional="true" timeout="{patience_ms}" ontimeout="cancel"/>
  <recv response="180" optional="true" timeout="{patience_ms}" ontimeout="cancel"/>
  <recv response="183" optional="true" timeout="{patience_ms}" ontimeout="cancel"/>
  <recv response="503" optional="true" next="refused"/>
  <recv response="404" optional="true" next="refused"/>
  <recv response="401" optional="true" next="refused"/>
  <recv response="200" rrs="true" timeout="{patience_ms}" ontimeout="cancel">
    <action><ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/></action>
  </recv>
  <send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To:[$to]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
  <nop><action><exec rtp_stream="voice.ulaw,-1,0"/></action></nop>
  <recv request="BYE" timeout="{talk_ms}" ontimeout="bye"/>
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
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To:[$to]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" next="done"/>
  <label id="cancel"/>
  <send retrans="500"><![CDATA[
CANCEL sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:112@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

]]></send>
  <recv response="200" optional="true"/>
  <recv response="487"/>
  <label id="refused"/>
  <send><![CDATA[
ACK sip:112@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-i-[pid]-[call_number]
From: <sip:{number}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Content-Length: 0

]]></send>
  <label id="done"/>
</scenario>
"""

SDP: Final = """v=0
o=caller 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=ptime:20
"""

PIDF: Final = """<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model"
 xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" xmlns:gs="http://www.opengis.net/pidflo/1.0"
 xmlns:gml="http://www.opengis.net/gml" entity="pres:caller@example.net">
 <dm:device id="phone"><gp:geopriv><gp:location-info>
  <gs:Circle srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>{lat:.6f} {lon:.6f}</gml:pos>
   <gs:radius uom="urn:ogc:def:uom:EPSG::9001">{radius_m:.0f}</gs:radius></gs:Circle>
 </gp:location-info><gp:usage-rules/><gp:method>A-GNSS</gp:method></gp:geopriv></dm:device>
</presence>
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """One call to place: who, where, what is said."""

    story: Story
    place: Landmark

    @property
    def words(self) -> str:
        """What the caller says."""
        return self.story.words.format(place=self.place.name)

    def invite(self, *, patience_s: float, talk_s: float) -> str:
        """The scenario SIPp plays."""
        headers, kind, body = "", "application/sdp", SDP
        if self.story.radius_m is not None:
            pidf = PIDF.format(lat=self.place.lat, lon=self.place.lon, radius_m=self.story.radius_m)
            headers, kind = "Geolocation: <cid:loc@caller>\n", 'multipart/mixed;boundary="part"'
            body = (
                f"--part\nContent-Type: application/sdp\n\n{SDP}\n"
                f"--part\nContent-Type: application/pidf+xml\nContent-ID: <loc@caller>\n\n{pidf}\n--part--\n"
            )
        return SCENARIO.format(
            number=self.story.number,
            headers=headers,
            content_type=kind,
            body=body,
            patience_ms=int(patience_s * 1000),
            talk_ms=int(talk_s * 1000),
        )


def callers(landmarks: Sequence[Landmark], calls: int) -> list[Caller]:
    """Stories at named places all over the city; the first and the fifth are the same fire at the same place."""
    step = max(1, len(landmarks) // len(STORIES))
    spread = [landmarks[n * step % len(landmarks)] for n in range(len(STORIES))]
    spread[4] = spread[0]
    return [Caller(story, place) for story, place in islice(cycle(zip(STORIES, spread, strict=True)), calls)]


async def place_calls(settings: Settings, *, calls: int, every_s: float, patience_s: float, talk_s: float) -> None:
    """Place them one after the other, each on its own line, and tell what becomes of each."""
    _require_a_trunk_from_here(settings)
    await _require_an_answering_system(settings)
    await _get_programs()
    print(f"{calls} callers will ring 112. To answer, sign in as a call-taker and set yourself ready:")
    print(f"  http://{settings.browser_host}:{settings.http_port}/", flush=True)
    landmarks = citypack.read(settings.city).landmarks
    if not landmarks:
        raise DemoError(f"the city pack {settings.city} names no landmarks to call from")
    with tempfile.TemporaryDirectory(prefix="siaga112-demo-") as folder:
        async with AsyncExitStack() as stack:
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for number, caller in enumerate(callers(landmarks, calls), start=1):
                work = Path(folder) / str(number)
                work.mkdir()
                scenario = caller.invite(patience_s=patience_s, talk_s=talk_s)
                (work / "call.xml").write_text(scenario, encoding="utf-8")
                group.create_task(_call(settings, caller, work, number))
                if number < calls:
                    await asyncio.sleep(every_s)


async def _call(settings: Settings, caller: Caller, work: Path, number: int) -> None:
    (work / "voice.ulaw").write_bytes(await _voice(caller.words, work))
    exactness = "no place" if caller.story.radius_m is None else f"place ± {caller.story.radius_m:.0f} m"
    print(f"call {number}: {caller.story.number} ({exactness}): {caller.words}", flush=True)
    low = 26000 + number % 50 * 8
    process = await asyncio.create_subprocess_exec(
        *("sipp", "-sf", "call.xml", "-m", "1", "-nostdin", "-i", "127.0.0.1", "-cid_str", "%u-%p-demo@%s"),
        *("-mp", str(low), f"{_sip_host(settings)}:{settings.sip_port}"),
        cwd=work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        print(f"call {number}: did not go through: {said.decode(errors='replace').strip()[-300:]}", flush=True)
    else:
        print(f"call {number}: over", flush=True)


def _sip_host(settings: Settings) -> str:
    host = settings.sip_host or settings.host
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 — compared, not bound


def _require_a_trunk_from_here(settings: Settings) -> None:
    here = ip_address("127.0.0.1")
    if not any(here in ip_network(network) for trunk in settings.trunks for network in trunk.match):
        raise DemoError(
            "no trunk takes calls from this machine; add 127.0.0.1 to a trunk's match for the demonstration"
        )


async def _require_an_answering_system(settings: Settings) -> None:
    try:
        _, writer = await asyncio.open_connection(_sip_host(settings), settings.sip_port)
    except OSError as silent:
        raise DemoError(f"nobody answers at SIP port {settings.sip_port}; start the system first: make run") from silent
    writer.close()


async def _get_programs() -> None:
    """Install what the callers need, when we may; the voice is optional, the telephone is not."""
    missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing for the demonstration: {' '.join(missing)}", flush=True)
        if not await _apt("install", "--yes", "--no-install-recommends", *missing):
            await _apt("update")
            await _apt("install", "--yes", "--no-install-recommends", *missing)
    if shutil.which("sipp") is None:
        raise DemoError("the callers need SIPp: apt-get install sip-tester")


async def _apt(*arguments: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *("apt-get", "--quiet=2", *arguments),
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait() == 0


async def _voice(words: str, work: Path) -> bytes:
    """The words as G.711 µ-law, with a pause at the end since they are said again and again."""
    speaker = shutil.which("espeak-ng")
    if speaker is None:
        return encode(warble(4.0))
    spoken = work / "voice.wav"
    process = await asyncio.create_subprocess_exec(
        *(speaker, "-v", "id", "-s", "150", "-w", str(spoken), words),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await process.wait() != 0:
        return encode(warble(4.0))
    return encode(read_wave(spoken)) + encode([0] * RATE_HZ * 2)


def read_wave(path: Path) -> list[int]:
    """16-bit mono samples at 8 kHz, each the mean of those it stands for."""
    with wave.open(str(path), "rb") as file:
        rate_hz, samples = file.getframerate(), array.array("h", file.readframes(file.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    count = len(samples) * RATE_HZ // rate_hz
    edges = [n * rate_hz // RATE_HZ for n in range(count + 1)]
    return [sum(samples[low:high]) // max(1, high - low) for low, high in pairwise(edges)]


def warble(length_s: float) -> Iterator[int]:
    """Two tones in turn, which nobody takes for a line fault."""
    for n in range(int(length_s * RATE_HZ)):
        hz = 500 if n // (RATE_HZ // 2) % 2 else 650
        yield int(7000 * math.sin(2 * math.pi * hz * n / RATE_HZ))


def encode(samples: Iterator[int] | Sequence[int]) -> bytes:
    """G.711 µ-law."""
    return bytes(map(_ulaw, samples))


def _ulaw(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), 32635) + 0x84
    exponent = max(0, size.bit_length() - 8)
    return ~(sign | exponent << 4 | size >> exponent + 3 & 0x0F) & 0xFF
