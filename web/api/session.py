"""Signing in and out, the telephone in the page, and tickets for the sockets."""

from aiohttp import web

from callcenter import desk as room
from callcenter.ledger import Answer, Book
from web.answers import Me, MySeat, MyUnit, Phone, TicketAnswer
from web.bodies import Availability, Language, Nothing, SignIn, TicketFor
from web.desk import Desk
from web.openapi import Ask, Done, route
from web.policy import Role, rights, scope
from web.problem import Problem
from web.session import COOKIE, TICKET_S, Session, SignedIn, is_https

HOMES = {
    Role.CALL_TAKER: "/call",
    Role.DISPATCHER: "/board",
    Role.SUPERVISOR: "/board",
    Role.UNIT: "/unit",
    Role.AGENCY_OFFICER: "/agency",
    Role.LEADER: "/figures",
    Role.ADMIN: "/figures",
    Role.CITIZEN: "/track",
}


@route("POST", "/session", action="session.open", said=SignIn, answer=Me)
async def sign_in(desk: Desk, ask: Ask[SignIn]) -> Done:
    """Sign in."""
    peer = desk.doorplate.peer(ask.http)
    signed_in = await desk.doors.sign_in(ask.said.login, ask.said.password, peer=peer)
    old = await desk.doors.session_of(ask.http)
    if old.hash:
        await desk.doors.sign_out(old)
    return Done(await _me(desk, signed_in.session), cookie=lambda response: _set(response, ask.http, signed_in))


@route("GET", "/session", action="session.keep", answer=Me)
async def who_am_i(desk: Desk, ask: Ask[Nothing]) -> Me:
    """Who is signed in here."""
    return await _me(desk, ask.session)


@route("PATCH", "/session", action="session.keep", said=Language, answer=Me)
async def speak(desk: Desk, ask: Ask[Language]) -> Me:
    """Read in another language."""
    await desk.doors.speak(ask.who.login, ask.said.language)
    return {**await _me(desk, ask.session), "language": ask.said.language}


@route("DELETE", "/session", action="session.keep")
async def sign_out(desk: Desk, ask: Ask[Nothing]) -> Done:
    """Sign out; sockets of this session are closed within seconds.

    The seat is free again, unless the same person is at work in another session.
    """
    await desk.doors.sign_out(ask.session)
    if not await desk.doors.is_in(ask.who.login, since=desk.now() - room.DESERTED_AFTER):
        await _get_up(desk, ask)
    return Done(cookie=lambda response: response.del_cookie(COOKIE, path="/"))


@route("POST", "/session/phone", action="phone.use", answer=Phone)
async def take_seat(desk: Desk, ask: Ask[Nothing]) -> Phone:
    """Sit down: a seat, and a telephone password for this sitting."""
    # Not under an idempotency key: a password is kept nowhere. Asking twice gives the same seat and a new password.
    now = desk.now()
    async with desk.ledger.book(by=ask.who.login) as book:
        key = await room.take_seat(book, ask.who.login, seats=desk.seats, now=now)
    return Phone(
        seat=key.seat,
        uri=f"sip:{key.seat}@{room.SIP_REALM}",
        password=key.password,
        ws_url=desk.doorplate.sip_url(ask.http),
        display=ask.who.name,
        since=now,
    )


@route("DELETE", "/session/phone", action="phone.use")
async def leave_seat(desk: Desk, ask: Ask[Nothing]) -> None:
    """Get up; the telephone password is void."""
    await _get_up(desk, ask)


@route("PUT", "/session/availability", action="phone.use", said=Availability, answer=Me)
async def be_available(desk: Desk, ask: Ask[Availability]) -> Me:
    """Ready for the next call, or on a break."""

    async def work(book: Book) -> Answer:
        if ask.said.state == "ready":
            await room.ready_seat(book, ask.who.login, now=desk.now())
        else:
            await room.pause_seat(book, ask.who.login, ask.said.reason, now=desk.now())
        return {}

    await desk.do(ask, work)
    return await _me(desk, ask.session)


@route("POST", "/session/ticket", action="session.keep", said=TicketFor, answer=TicketAnswer)
async def make_ticket(desk: Desk, ask: Ask[TicketFor]) -> TicketAnswer:
    """A one-time ticket that opens a websocket within half a minute."""
    if scope(ask.who.role, f"{ask.said.purpose}.follow") is None:
        raise Problem(403, "not.allowed", "your role has no such live feed")
    ticket = await desk.doors.ticket(ask.session, ask.said.purpose)
    plate = desk.doorplate
    url = plate.live_url(ask.http) if ask.said.purpose == "live" else plate.push_url(ask.http)
    return TicketAnswer(ticket=ticket, url=url, expires_in_s=TICKET_S)


async def _get_up(desk: Desk, ask: Ask[Nothing]) -> None:
    if scope(ask.who.role, "phone.use") is not None:
        async with desk.ledger.book(by=ask.who.login) as book:
            await room.leave_seat(book, ask.who.login, now=desk.now())


async def _me(desk: Desk, session: Session) -> Me:
    who = session.who
    row = await desk.pool.fetchrow(
        """SELECT s.name, s.status, u.id AS unit, u.call_sign, a.language
           FROM account a
           LEFT JOIN seat s ON s.account = a.login
           LEFT JOIN unit u ON u.call_sign = a.unit
           WHERE a.login = $1""",
        who.login,
    )
    seat = MySeat(name=row["name"], status=row["status"]) if row and row["name"] else None
    unit = MyUnit(id=row["unit"], call_sign=row["call_sign"]) if row and row["unit"] else None
    return Me(
        login=who.login,
        name=who.name,
        role=who.role,
        agency=who.agency,
        unit=unit,
        csrf=session.csrf,
        seat=seat,
        language=row["language"] if row else session.language,
        may=rights(who.role),
        home=HOMES[who.role],
    )


def _set(response: web.StreamResponse, request: web.Request, signed_in: SignedIn) -> None:
    response.set_cookie(
        COOKIE,
        signed_in.word,
        max_age=int(signed_in.limit.total_seconds()),
        path="/",
        httponly=True,
        samesite="Strict",
        secure=is_https(request),
    )


async def free_left_seats(desk: Desk) -> None:
    """Free the seats of people whose every session has ended, so that no call rings where nobody can sit."""
    left = await desk.pool.fetch(
        """SELECT account FROM seat WHERE account IS NOT NULL AND NOT EXISTS (
               SELECT FROM session s
               WHERE s.account = seat.account AND s.revoked_at IS NULL AND s.expires_at > now())"""
    )
    for row in left:
        async with desk.ledger.book(by="web") as book:
            await room.leave_seat(book, row["account"], now=desk.now())
