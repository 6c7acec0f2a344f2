"""Everything a handler may use, wired once in ``__main__``."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from aiohttp import web

from callcenter.ledger import Answer, Book, Ledger
from callcenter.store import Pool
from dispatch.sending import Patience
from geo.area import Areas
from geo.gazetteer import Gazetteer
from geo.geocoder import Geocoder
from web.openapi import Ask
from web.session import Doors, is_https

if TYPE_CHECKING:
    from web.live import Live
    from web.meters import Meters


@dataclass(frozen=True, slots=True)
class City:
    """What the city pack says of the city, as the pages need it."""

    code: str
    name: str
    centre: tuple[float, float]
    bounds: tuple[float, float, float, float]
    """West, south, east, north."""
    areas: Areas
    gazetteer: Gazetteer
    outlines: Mapping[str, bytes]
    """GeoJSON by name: kota, kecamatan, kelurahan, neighbours."""
    zone: tzinfo
    country: str
    """Two letters, ISO 3166."""
    report_prefix: str
    languages: tuple[str, ...] = ("id", "en")
    tiles_url: str | None = None
    geocoder: Geocoder | None = None
    """The map service, if there is one: it only suggests."""

    def local(self, at: datetime) -> datetime:
        """The city's own time."""
        return at.astimezone(self.zone)


_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Doorplate:
    """Under which names and ports browsers find our other doors."""

    public_host: str | None = None
    push_port: int = 8113
    sip_ws_port: int = 8088

    def host(self, request: web.Request) -> str:
        """The host name the browser knows us by."""
        return self.public_host or request.url.host or "localhost"

    def is_ours(self, origin: str, request: web.Request) -> bool:
        """Whether a page of this origin is one of our pages, as the browser or the proxy before us names us."""
        parts = urlsplit(origin)
        return parts.netloc == request.host or (self.public_host is not None and parts.hostname == self.public_host)

    def peer(self, request: web.Request) -> str:
        """The address that asks: the last one our own proxy saw, when we are behind one."""
        if self.public_host is not None and request.remote in _THIS_MACHINE:
            # The last entry is the proxy's own word; those before it are the stranger's.
            return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or "proxy"
        return request.remote or ""

    def push_url(self, request: web.Request) -> str:
        """The responders' socket."""
        return f"{_socket(request)}://{_bracketed(self.host(request))}:{self.push_port}/unit"

    def sip_url(self, request: web.Request) -> str:
        """Asterisk's socket for telephones in the page."""
        return f"{_socket(request)}://{_bracketed(self.host(request))}:{self.sip_ws_port}/ws"

    def live_url(self, request: web.Request) -> str:
        """The consoles' socket."""
        return f"{_socket(request)}://{request.host}/api/v1/live"

    def page_url(self, request: web.Request) -> str:
        """Where our pages begin."""
        return f"{'https' if is_https(request) else 'http'}://{request.host}"


def _socket(request: web.Request) -> str:
    return "wss" if is_https(request) else "ws"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Desk:
    """The desk: the record, the doors, the city, and the time."""

    ledger: Ledger
    doors: Doors
    live: "Live"
    meters: "Meters"
    city: City
    secret: bytes
    doorplate: Doorplate = Doorplate()
    patience: Patience = field(default_factory=Patience)
    seats: tuple[str, ...] = ()
    now: Callable[[], datetime] = field(default=_now)

    @property
    def pool(self) -> Pool:
        return self.ledger.pool

    async def do(self, ask: Ask[Any], work: Callable[[Book], Awaitable[Answer]]) -> Answer:
        """Carry a wish out in one transaction; with an idempotency key, once, however often it is sent."""
        by = ask.who.login
        if ask.key is not None:
            return await self.ledger.once(ask.key, ask.fingerprint, by=by, work=work)
        async with self.ledger.book(by=by) as book:
            return await work(book)

    async def looked(self, ask: Ask[Any], subject: UUID | None = None, detail: str = "") -> None:
        """Write down that somebody looked at a caller's data, before they are shown it."""
        await self.pool.execute(
            "INSERT INTO access_log (account, action, subject, detail) VALUES ($1, $2, $3, $4)",
            ask.who.login,
            ask.action,
            subject,
            detail,
        )


DESK: Final = web.AppKey("desk", Desk)
