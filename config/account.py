"""Gives a person an account or a new password: from the operator's keyboard, as the first has nobody to ask."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from argon2 import PasswordHasher

from config.cityshape import Role

SHORTEST: Final = 12

if TYPE_CHECKING:  # asyncpg's classes take a parameter only in the eyes of the type checker
    from config.cityload import Connection


class AccountError(Exception):
    """The account cannot be made so; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who is to sign in, and as what."""

    login: str
    name: str
    role: Role
    agency: str | None = None
    unit: str | None = None


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator["Connection"]:
    """A connection for as long as it takes."""
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, asyncpg.PostgresError, TimeoutError) as trouble:
        raise AccountError(f"PostgreSQL: {str(trouble) or type(trouble).__name__}") from trouble
    try:
        yield connection
    finally:
        await connection.close()


async def give(conn: "Connection", person: Person, password: str) -> None:
    """Make the account, or make it so: a new password ends the sessions of the old one."""
    if len(password) < SHORTEST:
        raise AccountError(f"the password is too short; take {SHORTEST} characters or more")
    if person.role == "unit" and person.unit is None:
        raise AccountError("a unit's account needs its call sign: --unit AMB-01")
    if person.role == "agency_officer" and person.agency is None:
        raise AccountError("an officer's account needs the agency: --agency dlh")
    try:
        async with conn.transaction():
            await conn.execute(
                """INSERT INTO account (login, name, role, agency, unit, password_hash) VALUES ($1, $2, $3, $4, $5, $6)
                   ON CONFLICT (login) DO UPDATE SET name = excluded.name, role = excluded.role, active = true,
                       agency = excluded.agency, unit = excluded.unit, password_hash = excluded.password_hash""",
                person.login,
                person.name,
                person.role,
                person.agency,
                person.unit,
                PasswordHasher().hash(password),
            )
            await conn.execute(
                "UPDATE session SET revoked_at = now() WHERE account = $1 AND revoked_at IS NULL", person.login
            )
            await conn.execute(
                "INSERT INTO access_log (account, action, detail) VALUES ('operator', 'account.give', $1)",
                f"{person.login} as {person.role}",
            )
    except asyncpg.ForeignKeyViolationError as unknown:
        raise AccountError(f"the city has no agency {person.agency!r}") from unknown
    except asyncpg.CheckViolationError as refused:
        raise AccountError(f"{person.login!r} as {person.role!r}: {refused.constraint_name}") from refused


async def is_held(conn: "Connection", role: Role) -> bool:
    """Whether somebody who can sign in has this role."""
    held: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM account WHERE role = $1 AND active)", role)
    return held
