"""Asking a map service what a typed address means — only ever to suggest, never to overwrite.

The one module of this folder that touches the network. The service is optional, slow on bad days and wrong on
others: it gets two seconds, is left alone for a while after failing, and its idea of the kelurahan is replaced by ours.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

import structlog
from geopy.adapters import AioHTTPAdapter
from geopy.exc import GeopyError
from geopy.geocoders import Nominatim

from geo.address import normalise
from geo.area import Areas
from geo.place import LONGEST_TEXT, Place

log = structlog.get_logger()

LIMIT_S: Final = 2.0
FAILURES_ALLOWED: Final = 3
REST_S: Final = 30.0
MOST: Final = 5
SHORTEST_QUERY: Final = 4


class Geocoder(Protocol):
    """Where an address may be, as suggestions a person picks from; an empty list is a normal answer."""

    async def suggest(self, typed: str) -> list[Place]: ...


class NoGeocoder:
    """No map service is set; the gazetteer and the pin on the map remain."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    async def suggest(self, typed: str) -> list[Place]:
        del typed
        return []


class Breaker:
    """After some failures in a row, do not ask again for a while."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._rests_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._clock() < self._rests_until

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_ALLOWED:
            self._rests_until = self._clock() + REST_S


class NominatimGeocoder:
    """geopy's Nominatim on our event loop. Use as an async context manager: it owns connections."""

    def __init__(
        self, url: str, areas: Areas, *, country: str, limit_s: float = LIMIT_S, breaker: Breaker | None = None
    ) -> None:
        scheme, domain = _address_of(url)
        self._service = Nominatim(
            user_agent="siaga112",
            scheme=scheme,
            domain=domain,
            timeout=limit_s,
            adapter_factory=AioHTTPAdapter,
        )
        self._areas = areas
        self._country = country.lower()
        self._limit_s = limit_s
        self._breaker = breaker or Breaker()
        self._bounds = _bounds(areas)

    async def __aenter__(self) -> Self:
        await self._service.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._service.__aexit__(kind, error, trace)

    async def suggest(self, typed: str) -> list[Place]:
        """At most five places inside the map of the city and its neighbours; none when the service is not well."""
        query = normalise(typed)
        if len(query) < SHORTEST_QUERY or self._breaker.is_open:
            return []
        try:
            async with asyncio.timeout(self._limit_s):
                answer: object = await self._service.geocode(
                    query,
                    exactly_one=False,
                    limit=MOST,
                    country_codes=self._country,
                    viewbox=self._bounds,
                    bounded=True,
                    language="id",
                )
            self._breaker.succeeded()
        except (GeopyError, TimeoutError, OSError, ValueError, TypeError, LookupError) as trouble:
            # the last three are geopy stumbling over an answer of another shape than Nominatim's
            self._breaker.failed()
            log.warning("the geocoder gave no answer", trouble=type(trouble).__name__, resting=self._breaker.is_open)
            return []
        return [place for one in (answer if isinstance(answer, list) else []) for place in self._place(one)]

    def _place(self, found: object) -> list[Place]:
        """One answer as a place with our own kelurahan; one that is off our map is none."""
        lat, lon = getattr(found, "latitude", None), getattr(found, "longitude", None)
        if not (isinstance(lat, float) and isinstance(lon, float)):
            return []
        place = Place(lat, lon, method="geocoder", text=str(getattr(found, "address", ""))[:LONGEST_TEXT])
        where = self._areas.at(lat, lon)
        return [self._areas.settle(place)] if where.in_city or where.neighbour else []


def geocoder(url: str | None, areas: Areas, *, country: str) -> NoGeocoder | NominatimGeocoder:
    return NominatimGeocoder(url, areas, country=country) if url else NoGeocoder()


def _address_of(url: str) -> tuple[str, str]:
    """Scheme and domain as geopy wants them; a path stays with the domain."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError(f"the geocoder's address is a URL such as http://127.0.0.1:8088, not {url!r}")
    return parts.scheme, f"{parts.netloc}{parts.path.rstrip('/')}"


def _bounds(areas: Areas) -> list[tuple[float, float]]:
    """The south-west and north-east corner of everything on our map."""
    return [
        (min(area.south for area in areas), min(area.west for area in areas)),
        (max(area.north for area in areas), max(area.east for area in areas)),
    ]
