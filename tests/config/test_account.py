"""The operator gives people accounts; the first administrator has nobody else to ask."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from callcenter.passwords import verify_password
from config.account import AccountError, Person, give, is_held, opened
from config.migrate import migrate
from config.postgres import Server

if TYPE_CHECKING:
    from config.cityload import Connection

ADMIN = Person("admin", "Administrator", "admin")
PASSWORD = "correct horse battery"


@pytest.fixture
async def conn(server: Server) -> AsyncIterator["Connection"]:
    await migrate(server.dsn())
    async with opened(server.dsn()) as connection:
        yield connection


async def test_a_given_password_opens_the_door_and_the_gift_is_on_record(conn: "Connection") -> None:
    assert not await is_held(conn, "admin")
    await give(conn, ADMIN, PASSWORD)
    assert await is_held(conn, "admin")
    assert verify_password(await conn.fetchval("SELECT password_hash FROM account WHERE login = 'admin'"), PASSWORD)
    assert await conn.fetchval("SELECT detail FROM access_log") == "admin as admin"


async def test_a_new_password_ends_the_sessions_of_the_old_one(conn: "Connection") -> None:
    await give(conn, ADMIN, PASSWORD)
    await conn.execute(
        "INSERT INTO session (hash, account, csrf, expires_at) VALUES ('x', 'admin', 'c', now() + interval '1 hour')"
    )
    await give(conn, ADMIN, PASSWORD + " again")
    assert await conn.fetchval("SELECT revoked_at IS NOT NULL FROM session")


@pytest.mark.parametrize(
    ("person", "password", "why"),
    [
        (ADMIN, "short", "too short"),
        (Person("amb-01", "Ambulance", "unit"), PASSWORD, "needs its call sign"),
        (Person("dlh", "Officer", "agency_officer"), PASSWORD, "needs the agency"),
        (Person("dlh", "Officer", "agency_officer", agency="nasa"), PASSWORD, "no agency 'nasa'"),
        (Person("agi", "A program", "admin"), PASSWORD, "programs are not people"),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(
    conn: "Connection", person: Person, password: str, why: str
) -> None:
    with pytest.raises(AccountError, match=why):
        await give(conn, person, password)
    assert await conn.fetchval("SELECT count(*) FROM account") == 0


async def test_a_server_that_is_not_there_is_said_in_words() -> None:
    with pytest.raises(AccountError, match="PostgreSQL: "):
        async with opened("postgresql://nobody@127.0.0.1:1/nothing"):
            raise AssertionError
