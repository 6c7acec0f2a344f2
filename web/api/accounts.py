"""People who can sign in, who looked at what, and ending somebody's sessions at once."""

from web.answers import Access, Accesses, Account, Accounts
from web.bodies import Nothing, Page
from web.desk import Desk
from web.openapi import Ask, route
from web.problem import Problem, no_such


@route("GET", "/accounts", action="account.read", answer=Accounts)
async def list_accounts(desk: Desk, ask: Ask[Nothing]) -> Accounts:
    """Everybody who can sign in."""
    del ask
    found = await desk.pool.fetch(
        """SELECT a.login, a.name, a.role, a.agency, a.unit, a.active, count(s.hash) AS sessions
           FROM account a LEFT JOIN session s ON s.account = a.login AND s.revoked_at IS NULL AND s.expires_at > now()
           GROUP BY a.login ORDER BY a.role, a.login LIMIT 5000"""
    )
    return Accounts(
        accounts=[
            Account(
                login=row["login"],
                name=row["name"],
                role=row["role"],
                agency=row["agency"],
                unit=row["unit"],
                active=row["active"],
                sessions=row["sessions"],
            )
            for row in found
        ]
    )


@route("DELETE", "/accounts/{login}/sessions", action="account.revoke")
async def revoke_sessions(desk: Desk, ask: Ask[Nothing]) -> None:
    """Sign somebody out everywhere; their sockets are closed within seconds."""
    login = ask.part("login")
    if not await desk.pool.fetchval("SELECT true FROM account WHERE login = $1", login):
        raise no_such("account")
    await desk.doors.revoke(login)


@route("GET", "/accesses", action="access.read", said=Page, answer=Accesses)
async def list_accesses(desk: Desk, ask: Ask[Page]) -> Accesses:
    """Who looked at a caller's data, newest first."""
    found = await desk.pool.fetch(
        """SELECT id, at, account, action, subject, detail FROM access_log
           WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2""",
        _number(ask.said.before),
        ask.said.limit,
    )
    more = str(found[-1]["id"]) if len(found) == ask.said.limit else None
    return Accesses(
        accesses=[
            Access(
                id=row["id"],
                at=row["at"],
                account=row["account"],
                action=row["action"],
                subject=row["subject"],
                detail=row["detail"],
            )
            for row in found
        ],
        next=more,
    )


def _number(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not cursor.isdigit() or len(cursor) > 18:
        raise Problem(422, "request.shape", "`before` is the `next` of the page before, as it was given")
    return int(cursor)
