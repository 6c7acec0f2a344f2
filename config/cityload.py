"""Puts a city pack into the database, as the tables people and places are named in."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from asyncpg.pool import PoolConnectionProxy

from config.cityshape import CityPack

if TYPE_CHECKING:  # asyncpg's classes take a parameter only in the eyes of the type checker
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]


async def load(
    conn: "Connection",
    pack: CityPack,
    *,
    demo: bool,
    hash_password: Callable[[str], str] | None = None,
) -> None:
    """Put the pack's reference data into the database: told again, only what changed is changed, in one transaction.

    Units are not rows made here: dispatch registers them through the ledger. Accounts that exist keep their password;
    without ``demo``, those of the demonstration that still have the published one are closed.
    """
    async with conn.transaction():
        # Several programs may start at once; the second finds everything done.
        await conn.execute("SELECT pg_advisory_xact_lock(112, hashtext('citypack'))")
        for statement, rows in _reference(pack):
            await conn.execute(statement, json.dumps(rows))
        await _open_or_close_demo_accounts(conn, pack, demo=demo)
        if demo:
            await _make_demo_accounts(conn, pack, hash_password or PasswordHasher().hash)


Row = dict[str, str | float | list[str] | None]


def _reference(pack: CityPack) -> Iterator[tuple[str, list[Row]]]:
    """Each table's statement with all its rows as one JSON parameter; `::text` keeps any jsonb codec out of it."""
    yield (
        """INSERT INTO agency (code, name, name_en, phone)
           SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r (code text, name text, name_en text, phone text)
           ON CONFLICT (code) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, phone = excluded.phone""",
        [{"code": a.code, "name": a.name, "name_en": a.name_en, "phone": a.phone} for a in pack.agencies],
    )
    yield (
        """INSERT INTO area (code, level, name, parent, postal_code, lat, lon)
           SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r
               (code text, level text, name text, parent text, postal_code text, lat float8, lon float8)
           ON CONFLICT (code) DO UPDATE SET level = excluded.level, name = excluded.name, parent = excluded.parent,
               postal_code = excluded.postal_code, lat = excluded.lat, lon = excluded.lon""",
        [
            {
                "code": a.code,
                "level": a.level,
                "name": a.name,
                "parent": a.parent,
                "postal_code": a.postal_code,
                "lat": a.lat,
                "lon": a.lon,
            }
            for a in pack.areas
        ],
    )
    yield (
        """INSERT INTO incident_type (code, name, name_en, "group", default_priority, capabilities, hazards)
           SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r
               (code text, name text, name_en text, "group" text, priority int2, capabilities text[], hazards text)
           ON CONFLICT (code) DO UPDATE SET name = excluded.name, name_en = excluded.name_en,
               "group" = excluded."group", default_priority = excluded.default_priority,
               capabilities = excluded.capabilities, hazards = excluded.hazards""",
        [
            {
                "code": t.code,
                "name": t.name,
                "name_en": t.name_en,
                "group": t.group,
                "priority": t.priority,
                "capabilities": list(t.capabilities),
                "hazards": t.hazards,
            }
            for t in pack.types
        ],
    )
    yield (
        """INSERT INTO category (code, name, name_en, agency)
           SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r (code text, name text, name_en text, agency text)
           ON CONFLICT (code) DO UPDATE
               SET name = excluded.name, name_en = excluded.name_en, agency = excluded.agency""",
        [{"code": c.code, "name": c.name, "name_en": c.name_en, "agency": c.agency} for c in pack.categories],
    )
    yield from _whole_tables(pack)


def _whole_tables(pack: CityPack) -> Iterator[tuple[str, list[Row]]]:
    """Tables nothing points at: what the pack no longer says goes."""
    yield (
        """WITH said AS (SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r
                             (category text, area text, agency text)),
                gone AS (DELETE FROM routing WHERE (category, area) NOT IN (SELECT category, area FROM said))
           INSERT INTO routing (category, area, agency) SELECT category, area, agency FROM said
           ON CONFLICT (category, area) DO UPDATE SET agency = excluded.agency""",
        [{"category": r.category, "area": r.area, "agency": r.agency} for r in pack.routing],
    )
    yield (
        """WITH said AS (SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS r
                (name text, kind text, lat float8, lon float8, radius_m float8, kelurahan text)),
                gone AS (DELETE FROM place_name
                         WHERE kelurahan IS NULL OR (name, kelurahan) NOT IN (SELECT name, kelurahan FROM said))
           INSERT INTO place_name (name, kind, lat, lon, radius_m, kelurahan)
           SELECT name, kind, lat, lon, radius_m, kelurahan FROM said
           ON CONFLICT (name, kelurahan) DO UPDATE SET kind = excluded.kind, lat = excluded.lat, lon = excluded.lon,
               radius_m = excluded.radius_m""",
        [
            {
                "name": name,
                "kind": landmark.kind,
                "lat": landmark.lat,
                "lon": landmark.lon,
                "radius_m": landmark.radius_m,
                "kelurahan": landmark.kelurahan,
            }
            for landmark in pack.landmarks
            for name in (landmark.name, *landmark.aliases)
        ],
    )


async def _open_or_close_demo_accounts(conn: "Connection", pack: CityPack, *, demo: bool) -> None:
    """A room that stops being a demonstration must not keep doors open whose key is printed in a README.

    Only accounts that still have the published password are touched: whoever set their own is a real person.
    """
    rows = await conn.fetch(
        "SELECT login, password_hash FROM account WHERE login = ANY($1) AND active <> $2",
        [account.login for account in pack.accounts],
        demo,
    )
    published = {kept for kept in {row["password_hash"] for row in rows} if _opens(kept, pack.demo_password)}
    logins = [row["login"] for row in rows if row["password_hash"] in published]
    await conn.execute("UPDATE account SET active = $2 WHERE login = ANY($1)", logins, demo)


def _opens(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


async def _make_demo_accounts(conn: "Connection", pack: CityPack, hash_password: Callable[[str], str]) -> None:
    rows = await conn.fetch("SELECT login FROM account")
    there = {row["login"] for row in rows}
    new = [account for account in pack.accounts if account.login not in there]
    if not new:
        return
    # One hash for all: the password is published, so a salt of its own would protect nobody, only cost the start.
    password_hash = hash_password(pack.demo_password)
    await conn.execute(
        """INSERT INTO account (login, name, role, agency, unit, password_hash)
           SELECT login, name, role, agency, unit, $2 FROM jsonb_to_recordset($1::text::jsonb) AS r
               (login text, name text, role text, agency text, unit text)
           ON CONFLICT (login) DO NOTHING""",
        json.dumps([account.model_dump(include={"login", "name", "role", "agency", "unit"}) for account in new]),
        password_hash,
    )
