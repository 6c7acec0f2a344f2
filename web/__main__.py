"""``python -m web``: the daemon that people's screens talk to."""

import asyncio
import logging
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from callcenter.bell import Bell
from callcenter.desk import seat_names
from callcenter.ledger import Ledger
from callcenter.store import open_pool
from config import citypack
from config.log import log_to_stderr
from config.settings import Settings, SettingsError, load
from dispatch.sending import Patience
from geo.area import Areas
from geo.gazetteer import Gazetteer, Name
from geo.geocoder import geocoder
from web.app import serving, tend
from web.desk import City, Desk, Doorplate
from web.live import Live
from web.meters import Meters
from web.session import Doors

log = logging.getLogger("web")

POOL: Final = 12
STOP_S: Final = 1.5


def city(settings: Settings) -> City:
    """The city of the settings, as the pages need it."""
    pack = citypack.read(settings.city)
    areas = Areas.load(pack.areas_folder)
    landmarks = (
        Name(
            one.name,
            one.kind,
            one.lat,
            one.lon,
            radius_m=one.radius_m,
            kelurahan=one.kelurahan,
            aliases=one.aliases,
        )
        for one in pack.landmarks
    )
    bounds = pack.city.bounds
    return City(
        code=pack.city.code,
        name=pack.city.name,
        centre=(pack.city.centre.lat, pack.city.centre.lon),
        bounds=(bounds.west, bounds.south, bounds.east, bounds.north),
        areas=areas,
        gazetteer=Gazetteer.of(areas, landmarks),
        outlines={path.stem: path.read_bytes() for path in sorted(pack.areas_folder.glob("*.geojson"))},
        zone=pack.city.timezone,
        country=pack.city.country,
        report_prefix=pack.city.report_prefix,
        languages=pack.city.languages,
        tiles_url=settings.tiles_url,
    )


def now() -> datetime:
    """The time, as everything here counts it."""
    return datetime.now(UTC)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Everything this daemon does, until asked to stop; it answers also while PostgreSQL is away."""
    pool = await open_pool(settings.database, size=POOL, least=0, name="siaga112 web")
    bell = Bell()
    ledger = Ledger(pool, bell)
    doors = Doors(pool)
    live = Live(pool, bell, doors, now=now)
    desk = Desk(
        ledger=ledger,
        doors=doors,
        live=live,
        meters=Meters(),
        city=city(settings),
        secret=settings.secret_key(),
        doorplate=Doorplate(settings.public_host, settings.push_port, settings.sip_ws_port),
        patience=Patience(settings.offer_realert_s, settings.offer_expire_s),
        seats=tuple(seat_names(settings.seats)),
        now=now,
    )
    maps = geocoder(settings.geocoder_url, desk.city.areas, country=desk.city.country)
    if settings.geocoder_url:
        desk = replace(desk, city=replace(desk.city, geocoder=maps))
    async with maps, asyncio.TaskGroup() as tasks:
        owned = [tasks.create_task(work) for work in (bell.tend(pool), live.run(), tend(desk))]
        async with serving(desk, host=settings.host, port=settings.http_port) as port:
            log.info("ready", extra={"port": port})
            await stop.wait()
            log.info("stopping")
            live.farewell()
        for task in owned:
            task.cancel()
    pool.terminate()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving_all = asyncio.create_task(serve(settings, stop))
    asked = asyncio.create_task(stop.wait())
    await asyncio.wait({serving_all, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not serving_all.done():
        await asyncio.wait({serving_all}, timeout=STOP_S)
    if not serving_all.done():
        # PostgreSQL does not answer: what was acknowledged is committed, so we may go.
        serving_all.cancel()
        await asyncio.wait({serving_all})
    elif (error := serving_all.exception()) is not None:
        raise error


def main() -> None:
    """Where ``python -m web`` enters."""
    try:
        settings = load()
        log_to_stderr("web", settings.log_format)
        asyncio.run(run(settings))
    except (SettingsError, citypack.CityPackError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
