"""What a screen can ask the desk, a file for each thing asked about. Importing a file puts its routes on the map."""

from web.api import accounts, board, calls, config, figures, incidents, missions, places, reports, session, track, units

__all__ = [
    "accounts",
    "board",
    "calls",
    "config",
    "figures",
    "incidents",
    "missions",
    "places",
    "reports",
    "session",
    "track",
    "units",
]
