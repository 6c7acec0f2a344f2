"""Everything that is going on, at one look, and the websocket that keeps it true."""

from aiohttp import web

from callcenter import follow
from web import redact, rows
from web.answers import BoardAnswer
from web.bodies import Nothing
from web.desk import Desk
from web.openapi import Ask, route
from web.problem import Problem


@route("GET", "/board", action="board.read", answer=BoardAnswer)
async def read_board(desk: Desk, ask: Ask[Nothing]) -> BoardAnswer:
    """Everything that is going on."""
    to = redact.rendering_for(ask.who, ask.scope)
    await desk.looked(ask)
    # The cursor first: what happens between the two reads is in both, and is dropped as known.
    cursor = await follow.head(desk.pool)
    board = redact.board(await rows.board(desk.pool, agency=to.agency), to)
    return BoardAnswer(cursor=cursor, **board)


async def follow_live(desk: Desk, request: web.Request) -> web.StreamResponse:
    """The consoles' websocket. No cookie opens it: its first frame holds a one-time ticket."""
    # A browser says which page opens the socket; only our own may. Programs that are no browsers send no Origin.
    origin = request.headers.get("Origin")
    if origin is not None and not desk.doorplate.is_ours(origin, request):
        raise Problem(403, "origin.wrong", "this socket is for our own pages")
    return await desk.live.serve(request)
