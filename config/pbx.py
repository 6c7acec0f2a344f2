"""Asterisk, which answers 112: found or fetched, told what to do, started and stopped.

Everything it reads and writes lies in one folder of ours, so it runs beside any other Asterisk, as root or not.
"""

import asyncio
import ctypes
import math
import os
import re
import shutil
import signal
import string
import struct
import subprocess
import tempfile
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from config.debian import LOADED_LATER, NoAsterisk, fetch, loader_of

Say = Callable[[str], None]

TEMPLATES: Final = Path(__file__).parent / "asterisk"
REALM: Final = "siaga112"  # a seat's password digest is MD5(seat:REALM:password)
OLDEST: Final = 20
GUARD_S: Final = 2  # what a hung FastAGI server may cost a caller
DESK_PENALTY: Final = 10
BACK_S: Final = 45  # how long an abandoned caller's phone rings when we ring back
LONGEST_SOCKET: Final = 107
MODULES: Final[tuple[str, ...]] = (
    *("res_timing_timerfd", "res_sorcery_config", "res_sorcery_memory", "res_sorcery_astdb", "res_pjproject"),
    *("res_crypto", "res_srtp", "res_rtp_asterisk", "res_http_websocket", "res_pjsip", "res_pjsip_session"),
    *("res_pjsip_sdp_rtp", "res_pjsip_caller_id", "res_pjsip_endpoint_identifier_ip"),
    *("res_pjsip_endpoint_identifier_user", "res_pjsip_authenticator_digest", "res_pjsip_pubsub"),
    *("res_pjsip_registrar", "res_pjsip_nat", "res_pjsip_dtmf_info", "res_pjsip_header_funcs", "res_pjsip_acl"),
    *("res_pjsip_rfc3326", "res_pjsip_transport_websocket", "res_pjsip_path", "res_pjsip_dlg_options"),
    *("res_pjsip_diversion", "res_geolocation", "res_pjsip_geolocation", "chan_pjsip"),
    *("bridge_simple", "bridge_softmix", "bridge_native_rtp", "bridge_holding", "bridge_builtin_features"),
    *("codec_ulaw", "codec_alaw", "codec_a_mu", "codec_g722", "codec_gsm", "codec_resample"),
    *("codec_opus_open_source", "res_format_attr_opus", "format_pcm", "format_wav", "format_gsm", "format_sln"),
    *("func_env", "func_strings", "func_base64", "func_channel", "func_callerid", "func_timeout", "func_global"),
    *("app_stack", "app_originate", "app_echo", "app_playback", "app_dial", "res_musiconhold", "app_queue"),
    *("res_speech", "res_agi"),  # res_agi asks for a symbol of res_speech
    *("res_cdrel_custom", "cel_custom", "res_security_log", "pbx_config"),
)
# What another Asterisk may lack, and can do without: codecs, and res_cdrel_custom that came with 22.
MAY_BE_ABSENT: Final = frozenset(
    {"codec_opus_open_source", "res_format_attr_opus", "codec_g722", "codec_gsm", "res_cdrel_custom"}
)


class PbxError(Exception):
    """Asterisk would not do what we need; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Pbx:
    """An Asterisk on this machine: how to start it, and where it keeps its own things."""

    command: tuple[str, ...]
    modules: Path
    data: Path
    version: str


@dataclass(frozen=True, slots=True)
class Trunk:
    """A line from the telephone network: who may send calls on it, which area it serves, and whom we call back by."""

    name: str
    match: tuple[str, ...]
    area: str = ""
    outbound: str = ""  # host or host:port; empty means that nobody can be rung back by it


DEMO_TRUNK: Final = Trunk("demo", ("127.0.0.1",))


@dataclass(frozen=True, slots=True)
class Exchange:
    """What this Asterisk is to be: its folder, its ports, its lines and its seats."""

    folder: Path
    spool: Path
    ami_secret: str
    name: str = "siaga"
    host: str = "127.0.0.1"
    sip_host: str | None = None  # where trunks and desk phones reach us, when that is not where browsers do
    public_host: str | None = None
    sip_port: int = 5060
    ws_port: int = 8088
    agi_host: str = "127.0.0.1"
    agi_port: int = 4573
    ami_bind: str = "127.0.0.1"
    ami_permit: tuple[str, ...] = ("127.0.0.1/32",)
    ami_port: int = 5038
    rtp_start: int = 20000
    rtp_end: int = 20499
    trunks: tuple[Trunk, ...] = (DEMO_TRUNK,)
    seats: int = 8
    fallback_phones: tuple[str, ...] = ()


class _Conf(string.Template):
    """``@{name}`` is ours; ``${NAME}`` and every other ``@`` stay Asterisk's."""

    # typeshed knows it compiled, `string` compiles it
    pattern = r"@(?:\{(?P<braced>[a-z_]+)\}|(?P<named>(?!))|(?P<escaped>(?!))|(?P<invalid>(?!)))"  # type: ignore[assignment]


# -- an Asterisk on this machine ---------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Where a fetched Asterisk is kept between runs; shared by every state folder of this account."""
    chosen = os.environ.get("SIAGA_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "siaga112"


async def provide(cache: Path, say: Say) -> Pbx:
    """An Asterisk: the machine's own when it is new enough, else a fetched one, fetched once."""
    return await asyncio.to_thread(find_or_fetch, cache, say)


def find_or_fetch(cache: Path, say: Say) -> Pbx:
    return installed() or fetched(cache, say)


def installed() -> Pbx | None:
    """The machine's own Asterisk, when it is 20 or newer and has all we need."""
    program = shutil.which("asterisk", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        return None
    version = _version((program,))
    folders = [
        *Path("/usr/lib").glob("*/asterisk/modules"),
        *(Path(folder) for folder in ("/usr/lib/asterisk/modules", "/usr/local/lib/asterisk/modules")),
        *(Path(folder) for folder in ("/usr/lib64/asterisk/modules", "/usr/local/lib64/asterisk/modules")),
    ]
    modules = next((folder for folder in folders if (folder / "chan_pjsip.so").exists()), None)
    if modules is None or _major(version) < OLDEST or set(_absent(modules)) - MAY_BE_ABSENT:
        return None
    data = next(
        (d for d in (Path("/usr/share/asterisk"), Path("/var/lib/asterisk")) if (d / "documentation").exists()), None
    )
    return None if data is None else Pbx((program,), modules, data, version)


def fetched(cache: Path, say: Say) -> Pbx:
    """Debian's Asterisk in a private folder. The folder's name says what is in it, so an old one is never misused."""
    wanted = sha256(" ".join((*MODULES, *LOADED_LATER)).encode()).hexdigest()[:8]
    root = cache / f"asterisk-{wanted}"
    if not root.exists():
        say("this machine has no Asterisk 20 or newer; fetching Debian's into a private folder, once")
        fetch(root, MODULES, say)
    loader, libraries = loader_of(root)
    command = (str(loader), "--library-path", str(libraries), str(root / "usr/sbin/asterisk"))
    return Pbx(command, libraries / "asterisk/modules", root / "usr/share/asterisk", _version(command))


def _version(command: tuple[str, ...]) -> str:
    try:
        said = subprocess.run([*command, "-V"], check=True, capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise NoAsterisk(f"{command[-1]} does not start: {error}") from error
    return said.removeprefix("Asterisk").strip()


def _major(version: str) -> int:
    found = re.match(r"(?:certified/)?(\d+)", version)
    return int(found[1]) if found else 0


def _absent(modules: Path) -> list[str]:
    return [name for name in MODULES if not (modules / f"{name}.so").exists()]


# -- its configuration -------------------------------------------------------------------------------------------------


def seat_names(seats: int) -> list[str]:
    return [f"seat-{number:02}" for number in range(1, seats + 1)]


def desk_names(phones: int) -> list[str]:
    return [f"desk-{number:02}" for number in range(1, phones + 1)]


def render(exchange: Exchange, pbx: Pbx) -> Path:
    """Write the whole configuration; returns ``asterisk.conf``. What was learnt at run time (AstDB) is left alone."""
    _refuse_oddities(exchange)
    folder = exchange.folder.absolute()
    etc = folder / "etc"
    run = _run_folder(folder)
    for needed in ("etc", "lib", "db", "keys/keys", "spool", "log", "log/cel-custom", "cache", "agi-bin", "moh"):
        (folder / needed).mkdir(parents=True, exist_ok=True, mode=0o700)
    for private in (run, exchange.spool.absolute()):
        private.mkdir(parents=True, exist_ok=True, mode=0o700)
    values = _values(exchange, pbx) | {"folder": str(folder), "etc": str(etc), "run": str(run)}
    for template in sorted(TEMPLATES.glob("*.conf")):
        text = _Conf(template.read_text(encoding="utf-8")).substitute(values)
        _write_private(etc / template.name, text)
    _hold_tone(folder / "moh" / "hold.wav")
    return etc / "asterisk.conf"


def _values(exchange: Exchange, pbx: Pbx) -> dict[str, str]:
    absent = set(_absent(pbx.modules))
    seats, desks = seat_names(exchange.seats), desk_names(len(exchange.fallback_phones))
    return {
        "modules": str(pbx.modules),
        "data": str(pbx.data),
        "name": exchange.name,
        "realm": REALM,
        "host": exchange.host,
        "sip_host": exchange.sip_host or exchange.host,
        "sip_port": str(exchange.sip_port),
        "ws_port": str(exchange.ws_port),
        "agi_host": exchange.agi_host,
        "agi_port": str(exchange.agi_port),
        "ami_bind": exchange.ami_bind,
        "ami_port": str(exchange.ami_port),
        "ami_secret": exchange.ami_secret,
        "ami_permits": _lines(f"permit = {net.with_netmask}" for net in map(ip_network, exchange.ami_permit)),
        "rtp_start": str(exchange.rtp_start),
        "rtp_end": str(exchange.rtp_end),
        "spool": str(exchange.spool.absolute()),
        "guard_s": str(GUARD_S),
        "looks": str(GUARD_S * 50),
        "back_s": str(BACK_S),
        "desk_penalty": str(DESK_PENALTY),
        "external": _external(exchange.public_host),
        "loads": _lines(f"load = {name}.so" for name in MODULES if name not in absent),
        "trunks": _lines(map(_trunk, exchange.trunks)),
        "seats": _lines(map(_seat, seats)),
        "desks": _lines(map(_desk, desks, exchange.fallback_phones)),
        "members": _lines(
            [
                *(f"member => PJSIP/{seat},0,{seat}" for seat in seats),
                *(f"member => PJSIP/{desk},{DESK_PENALTY},{desk}" for desk in desks),
            ]
        ),
    }


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _trunk(trunk: Trunk) -> str:
    matches = _lines(f"match = {match}" for match in trunk.match)
    out = f"""

[out-{trunk.name}](out)
aors = out-{trunk.name}

[out-{trunk.name}]
type = aor
contact = sip:{trunk.outbound}"""
    return f"""
[trunk-{trunk.name}](trunk)
set_var = TRUNK={trunk.name}

[trunk-{trunk.name}-addresses]
type = identify
endpoint = trunk-{trunk.name}
{matches}{out if trunk.outbound else ""}"""


def _seat(seat: str) -> str:
    return f"""
[{seat}](seat)
auth = {seat}
aors = {seat}

[{seat}](place)"""


def _desk(desk: str, uri: str) -> str:
    return f"""
[{desk}](desk)
aors = {desk}

[{desk}]
type = aor
contact = {uri}"""


def _external(public_host: str | None) -> str:
    if public_host is None:
        return ""
    return _lines(
        [
            f"external_media_address = {public_host}",
            f"external_signaling_address = {public_host}",
            *(f"local_net = {net}" for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")),
        ]
    )


def _refuse_oddities(exchange: Exchange) -> None:
    """A configuration file has no quoting, so what could end a line or start a section is refused."""
    for what, value, allowed in (
        ("the folder", str(exchange.folder.absolute()), r"[\w/.+@-]+"),
        ("the spool", str(exchange.spool.absolute()), r"[\w/.+@-]+"),
        ("the AMI secret", exchange.ami_secret, r"[\w-]{16,}"),
        ("the name", exchange.name, r"[a-z0-9]+"),
        ("the host", exchange.host, r"[\w.:-]+"),
        ("the SIP host", exchange.sip_host or exchange.host, r"[\w.:-]+"),
        *(("a trunk's name", trunk.name, r"[\w-]+") for trunk in exchange.trunks),
        *(("a trunk's address", match, r"[\w.:/-]+") for trunk in exchange.trunks for match in trunk.match),
        *(("a trunk's way out", t.outbound, r"[\w.:\[\]-]+") for t in exchange.trunks if t.outbound),
        *(("a desk phone", uri, r"sips?:[\w.+@:;=~-]+") for uri in exchange.fallback_phones),
        *([("the public host", exchange.public_host, r"[\w.:-]+")] if exchange.public_host else []),
    ):
        if not re.fullmatch(allowed, value, re.ASCII):
            shown = "(not shown)" if "secret" in what else repr(value)
            raise PbxError(f"{what} cannot be written into Asterisk's configuration: {shown}")


def _run_folder(folder: Path) -> Path:
    """Where the control socket lies. A socket's path has a short limit that a deep state folder can break."""
    run = folder / "run"
    if len(str(run / "asterisk.ctl")) <= LONGEST_SOCKET:
        return run
    return Path(tempfile.gettempdir()) / f"siaga112-{sha256(str(folder).encode()).hexdigest()[:12]}"


def _write_private(path: Path, text: str) -> None:
    """Only our own account may read what holds a secret, from the file's first moment."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _hold_tone(path: Path, *, rate_hz: int = 8000) -> None:
    """Two soft notes, then quiet: a caller on hold hears that the line lives. Made here, so nobody's copyright."""
    if path.exists():
        return
    samples: list[int] = []
    for note_hz, length_s in ((440.0, 0.25), (554.4, 0.35), (0.0, 4.4)):
        count = int(length_s * rate_hz)
        for n in range(count):
            fade = min(1.0, n / 200, (count - n) / 400)
            samples.append(int(3000 * fade * math.sin(2 * math.pi * note_hz * n / rate_hz)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


# -- its process -------------------------------------------------------------------------------------------------------


class Asterisk:
    """One Asterisk process: started, known to be ready, stopped. It never outlives the program that started it."""

    def __init__(self, exchange: Exchange, pbx: Pbx) -> None:
        self.exchange = exchange
        self.pbx = pbx
        self.process: asyncio.subprocess.Process | None = None
        self._output: Path = exchange.folder.absolute() / "log" / "console"

    async def start(self) -> None:
        """Render, start, and wait until it takes calls."""
        conf = await asyncio.to_thread(render, self.exchange, self.pbx)
        with self._output.open("ab") as console:
            self.process = await asyncio.create_subprocess_exec(
                *self.pbx.command,
                *("-C", str(conf), "-f", "-n"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.exchange.folder), "LC_ALL": "C.UTF-8"},
                start_new_session=True,  # a terminal's Ctrl-C is the launcher's to hear, not Asterisk's
                preexec_fn=die_with_parent,
            )
        await self.ready()

    async def ready(self, *, within_s: float = 20) -> None:
        """Wait until every module is loaded and the phone lines are open."""
        try:
            async with asyncio.timeout(within_s):
                while not await self._is_booted():
                    if self.process is None or self.process.returncode is not None:
                        raise PbxError(f"Asterisk ended while starting: {self._last_words()}")
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise PbxError(f"Asterisk was not ready after {within_s:g} s: {self._last_words()}") from None

    async def stop(self) -> None:
        """End it now; calls in progress are cut."""
        process, self.process = self.process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def wait(self) -> int:
        """Until it ends by itself; returns its exit code."""
        if self.process is None:
            return 0
        return await self.process.wait()

    async def _is_booted(self) -> bool:
        host = "127.0.0.1" if self.exchange.ami_bind in {"0.0.0.0", "127.0.0.1"} else self.exchange.ami_bind  # noqa: S104 -- compared, not bound
        login = f"Action: Login\r\nUsername: siaga\r\nSecret: {self.exchange.ami_secret}\r\n\r\n"
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(host, self.exchange.ami_port)
                try:
                    writer.write(login.encode())
                    said = await reader.readuntil(b"Event: FullyBooted")
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return False
        return b"Authentication accepted" in said

    def _last_words(self) -> str:
        words: list[str] = []
        for name in ("console", "messages"):
            file = self.exchange.folder.absolute() / "log" / name
            if file.exists():
                words += [line for line in file.read_text(encoding="utf-8", errors="replace").splitlines() if line][-3:]
        return " / ".join(words) or f"nothing was said; see {self._output.parent}"


_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """In the child, before it becomes Asterisk: end when the launcher ends, however that happens."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
