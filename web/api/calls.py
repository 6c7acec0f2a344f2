"""Calls: ringing back who left before anybody answered."""

from uuid import UUID

from callcenter import desk as room
from callcenter.ledger import Answer, Book
from web import redact, rows
from web.answers import CallAnswer
from web.bodies import Nothing
from web.desk import Desk
from web.openapi import Ask, route


@route("POST", "/calls/{id}/callback", action="call.callback", answer=CallAnswer)
async def ring_back(desk: Desk, ask: Ask[Nothing]) -> CallAnswer:
    """Ring an abandoned caller back: first the asker's telephone rings, then the caller's."""

    async def work(book: Book) -> Answer:
        await room.call_back(book, ask.id, now=desk.now())
        return {"call": str(ask.id)}

    done = await desk.do(ask, work)
    [row] = await rows.calls(desk.pool, [UUID(str(done["call"]))])
    return CallAnswer(call=redact.call(row, redact.rendering_for(ask.who, ask.scope)))
