"""The roster as the choice of a unit needs it: read from the rows, ranked by ``recommend``."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from callcenter.refused import unknown
from callcenter.store import Connection, Pool
from dispatch.recommend import Advice, Candidate, Need, Reason, advise
from dispatch.unit import Status

_NEED = """
    SELECT (i.place ->> 'lat')::float8 AS lat, (i.place ->> 'lon')::float8 AS lon,
           coalesce(t.capabilities, '{}') AS capabilities
    FROM incident i LEFT JOIN incident_type t ON t.code = i.type
    WHERE i.id = $1
"""

# A device's clock may run ahead; what we received cannot be younger than when we received it.
_CANDIDATES = """
    SELECT u.id, u.call_sign, u.kind, u.capabilities, u.status, u.station_lat, u.station_lon,
           u.lat, u.lon, least(u.position_at, u.position_received_at) AS position_at,
           u.online, u.incident AS busy_with, a.status AS answered
    FROM unit_now u
    LEFT JOIN LATERAL (
        SELECT status FROM mission WHERE mission.incident = $1 AND mission.unit = u.id
        ORDER BY offered_at DESC LIMIT 1) a ON a.status IN ('declined', 'expired')
"""


async def advice(connection: Connection | Pool, incident: UUID, *, now: datetime) -> Advice:
    """Who should go to this incident, as things stand."""
    need = await connection.fetchrow(_NEED, incident)
    if need is None:
        raise unknown("incident")
    rows = await connection.fetch(_CANDIDATES, incident)
    wanted = Need(lat=need["lat"], lon=need["lon"], capabilities=tuple(need["capabilities"]))
    return advise(wanted, [_candidate(row) for row in rows], incident=incident, now=now)


def _candidate(row: asyncpg.Record) -> Candidate:
    return Candidate(
        unit=row["id"],
        call_sign=row["call_sign"],
        kind=row["kind"],
        capabilities=frozenset(row["capabilities"]),
        status=Status(row["status"]),
        station_lat=row["station_lat"],
        station_lon=row["station_lon"],
        lat=row["lat"],
        lon=row["lon"],
        position_at=row["position_at"],
        online=row["online"],
        busy_with=row["busy_with"],
        answered=None if row["answered"] is None else Reason(row["answered"]),
    )
