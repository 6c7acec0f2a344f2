"""``python -m agi`` is the telephone's daemon; ``python -m agi script`` is the same for one call, run by Asterisk."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Final

from agi.link import Address
from agi.telephone import Telephone, Wiring
from agi.where import Where
from config import citypack
from config.log import log_to_stderr
from config.settings import Settings, SettingsError, load
from geo.area import Areas

LAST_WORDS_S: Final = 2.5


async def serve(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C."""
    wiring = Wiring(
        dsn=settings.database,
        spool=settings.spool,
        ami=Address(settings.ami_port, settings.ami_secret()),
        agi_port=settings.agi_port,
        outbound=tuple(trunk.name for trunk in settings.trunks if trunk.outbound),
    )
    telephone = asyncio.create_task(Telephone(wiring, place_of=city_map(settings).of).run())
    loop = asyncio.get_running_loop()

    def end() -> None:
        telephone.cancel()
        # Nothing that is worth keeping is kept in memory: what hangs is left behind.
        loop.call_later(LAST_WORDS_S, os._exit, 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    with contextlib.suppress(asyncio.CancelledError):
        await telephone


def city_map(settings: Settings) -> Where:
    """The city's areas and what each trunk serves."""
    areas = Areas.load(citypack.read(settings.city).areas_folder)
    return Where.made(areas, {trunk.name: trunk.area for trunk in settings.trunks})


def main(arguments: list[str]) -> None:
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(f"agi: {error}")
    log_to_stderr("agi", settings.log_format)
    if arguments == ["script"]:
        from agi.script import take_one_call  # noqa: PLC0415 -- not the daemon's

        take_one_call(settings.database, settings.spool, place_of=city_map(settings).of)
    else:
        asyncio.run(serve(settings))


if __name__ == "__main__":
    main(sys.argv[1:])
