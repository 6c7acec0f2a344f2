"""Names for things: ids that sort by the time they were made."""

import secrets
import time
from typing import NewType
from uuid import UUID

CallId = NewType("CallId", UUID)
IncidentId = NewType("IncidentId", UUID)
ReportId = NewType("ReportId", UUID)
SeatId = NewType("SeatId", UUID)
UnitId = NewType("UnitId", UUID)
MissionId = NewType("MissionId", UUID)

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562, 5.7): milliseconds first, so that indexes grow at one end."""
    milliseconds = time.time_ns() // 1_000_000
    return UUID(
        int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80
        | _VERSION
        | secrets.randbits(12) << 64
        | _VARIANT
        | secrets.randbits(62)
    )
