"""What a crew is shown, read from the rows for many units at once."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from callcenter.store import Pool
from dispatch import mission
from dispatch.frames import MissionView, UnitView

# Of the events of an incident, those that change what a crew on its way needs to know.
TELLING = ("IncidentDescribed", "IncidentPlaced")
# More than this is not told one by one: the device starts anew.
MOST_MISSED = 500

_LIVE = list(map(str, mission.LIVE))

_MISSIONS: TypeAdapter[list[MissionView]] = TypeAdapter(list[MissionView])
_UNITS: TypeAdapter[list[UnitView]] = TypeAdapter(list[UnitView])

# A crew that is done has no more business with who called.
_MISSION = """
    SELECT m.id, m.version, m.incident, i.number, m.unit, m.status, m.offered_at, m.alerts,
           i.type, t.name AS type_name, t.name_en AS type_name_en, i.priority, i.place, i.address,
           CASE WHEN m.status = ANY($1) THEN i.caller_name END AS caller_name,
           CASE WHEN m.status = ANY($1) THEN coalesce(nullif(i.callback, ''), i.caller_number) END AS callback,
           coalesce(nullif(i.hazards, ''), t.hazards, '') AS hazards,
           CASE WHEN m.status = ANY($1) THEN i.notes ELSE '' END AS notes,
           others.units AS other_units,
           m.accepted_at, m.en_route_at, m.on_scene_at, m.transporting_at, m.at_hospital_at, m.ended_at,
           m.reason, m.outcome, o.txid::text::bigint AS offer_txid, o.seq AS offer_seq
    FROM mission m
    JOIN log o ON o.kind = 'mission' AND o.subject = m.id AND o.version = 1
    JOIN incident i ON i.id = m.incident
    LEFT JOIN incident_type t ON t.code = i.type
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(jsonb_build_object('call_sign', u.call_sign, 'kind', u.kind, 'status', o.status)
                                  ORDER BY o.offered_at, u.call_sign), '[]') AS units
        FROM mission o JOIN unit u ON u.id = o.unit
        WHERE o.incident = m.incident AND o.id <> m.id AND o.status = ANY($1)) others
"""


async def missions_touched(pool: Pool, missions: Iterable[UUID], incidents: Iterable[UUID]) -> list[MissionView]:
    """The named missions, and the live ones of the named incidents."""
    rows = await pool.fetch(
        _MISSION + "WHERE m.id = ANY($2) OR (m.incident = ANY($3) AND m.status = ANY($1))",
        _LIVE,
        list(missions),
        list(incidents),
    )
    return _MISSIONS.validate_python([dict(row) for row in rows])


async def missions_of(pool: Pool, units: Iterable[UUID], also: Iterable[UUID] = ()) -> list[MissionView]:
    """The live missions of these units, and the named ones whether live or not."""
    rows = await pool.fetch(
        _MISSION + "WHERE (m.unit = ANY($2) AND m.status = ANY($1)) OR m.id = ANY($3)", _LIVE, list(units), list(also)
    )
    return _MISSIONS.validate_python([dict(row) for row in rows])


async def units(pool: Pool, ids: Iterable[UUID]) -> dict[UUID, UnitView]:
    """These units as they stand."""
    rows = await pool.fetch(
        "SELECT id, call_sign, agency, kind, capabilities, status, reason FROM unit WHERE id = ANY($1)", list(ids)
    )
    return {view.id: view for view in _UNITS.validate_python([dict(row) for row in rows])}


@dataclass(frozen=True, slots=True)
class Missed:
    """An event that a unit has not seen: its own, or one of the incident it is on."""

    unit: UUID
    txid: int
    seq: int
    at: datetime
    kind: str
    type: str
    subject: UUID
    incident: UUID | None
    own: bool


# Row comparisons walk the indexes (unit, txid, seq) and (incident, seq); nothing is scanned that is not told.
_MISSED = """
    SELECT w.unit, e.txid::text::bigint AS txid, e.seq, e.at, e.kind, e.type, e.subject, e.incident, e.own
    FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS w(unit, txid, seq)
    CROSS JOIN LATERAL (
        SELECT l.txid, l.seq, l.at, l.kind, l.type, l.subject, l.incident, true AS own
        FROM log l
        WHERE l.unit = w.unit AND (l.txid, l.seq) > (w.txid::xid8, w.seq) AND (l.txid, l.seq) <= ($4::text::xid8, $5)
        UNION ALL
        SELECT l.txid, l.seq, l.at, l.kind, l.type, l.subject, l.incident, false
        FROM mission m
        JOIN log o ON o.kind = 'mission' AND o.subject = m.id AND o.version = 1
        JOIN log l ON l.incident = m.incident
        WHERE m.unit = w.unit AND m.status = ANY($6)
          AND ((l.kind = 'incident' AND l.type = ANY($7)) OR (l.kind = 'mission' AND l.unit <> w.unit))
          AND (l.txid, l.seq) > (o.txid, o.seq)
          AND (l.txid, l.seq) > (w.txid::xid8, w.seq) AND (l.txid, l.seq) <= ($4::text::xid8, $5)
        ORDER BY txid, seq LIMIT $8) e
    ORDER BY e.txid, e.seq
"""


async def missed(
    pool: Pool, since: Sequence[tuple[UUID, tuple[int, int]]], until: tuple[int, int]
) -> dict[UUID, list[Missed]]:
    """What each unit has not seen, in the order of the log. More than ``MOST_MISSED`` says: start anew."""
    rows = await pool.fetch(
        _MISSED,
        [unit for unit, _ in since],
        [str(txid) for _, (txid, _) in since],
        [seq for _, (_, seq) in since],
        str(until[0]),
        until[1],
        _LIVE,
        list(TELLING),
        MOST_MISSED + 1,
    )
    found: dict[UUID, list[Missed]] = {}
    for row in rows:
        found.setdefault(row["unit"], []).append(Missed(**dict(row)))
    return found


@dataclass(frozen=True, slots=True)
class Holder:
    """Who held a ticket, and the sitting it was made in."""

    account: str
    session: bytes
    unit: UUID | None


def ticket_hash(ticket: str) -> bytes:
    """A ticket as its row keeps it."""
    return hashlib.sha256(ticket.encode()).digest()


async def redeem(pool: Pool, tickets: Iterable[bytes]) -> dict[bytes, Holder]:
    """Take these tickets, once: whoever comes with one again comes with nothing."""
    rows = await pool.fetch(
        """WITH taken AS (DELETE FROM ticket WHERE hash = ANY($1) AND purpose = 'push' RETURNING *)
           SELECT t.hash, t.account, t.session, u.id AS unit
           FROM taken t
           JOIN session s ON s.hash = t.session AND s.revoked_at IS NULL AND s.expires_at > now()
           JOIN account a ON a.login = t.account AND a.active
           LEFT JOIN unit u ON u.call_sign = a.unit AND a.role = 'unit'
           WHERE t.expires_at > now()""",
        list(tickets),
    )
    return {row["hash"]: Holder(row["account"], row["session"], row["unit"]) for row in rows}


async def still_valid(pool: Pool, sessions: Iterable[bytes]) -> set[bytes]:
    """Which of these sittings go on."""
    rows = await pool.fetch(
        """SELECT s.hash FROM session s JOIN account a ON a.login = s.account AND a.active
           WHERE s.hash = ANY($1) AND s.revoked_at IS NULL AND s.expires_at > now()""",
        list(sessions),
    )
    return {row["hash"] for row in rows}
