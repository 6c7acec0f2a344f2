"""Missions as the dispatcher handles them: withdrawn, sent again, or told of by radio."""

from uuid import UUID

from callcenter.ledger import Answer, Book
from dispatch import sending
from dispatch.sending import Telling, Verb
from web import rows
from web.answers import MissionAnswer
from web.bodies import Because, Nothing, RadioReport
from web.desk import Desk
from web.openapi import Ask, route


@route("POST", "/missions/{id}/withdraw", action="mission.withdraw", said=Because, answer=MissionAnswer)
async def withdraw_mission(desk: Desk, ask: Ask[Because]) -> MissionAnswer:
    """Take a unit off."""

    async def work(book: Book) -> Answer:
        await sending.withdraw(book, ask.id, reason=ask.said.reason, now=desk.now())
        return {"mission": str(ask.id)}

    return await _as_it_is(desk, await desk.do(ask, work))


@route("POST", "/missions/{id}/resend", action="mission.resend", answer=MissionAnswer)
async def resend_mission(desk: Desk, ask: Ask[Nothing]) -> MissionAnswer:
    """Ask a unit again that did not go: a new mission."""

    async def work(book: Book) -> Answer:
        sent = await sending.resend(book, ask.id, patience=desk.patience, now=desk.now())
        return {"mission": str(sent.missions[0])}

    return await _as_it_is(desk, await desk.do(ask, work))


@route("POST", "/missions/{id}/status", action="mission.record", said=RadioReport, answer=MissionAnswer)
async def record_mission(desk: Desk, ask: Ask[RadioReport]) -> MissionAnswer:
    """What a crew said by radio, with the time they gave."""
    said = ask.said
    telling = Telling(verb=Verb(said.verb), at=said.at, reason=said.reason, outcome=said.outcome, note=said.note)

    async def work(book: Book) -> Answer:
        await sending.hear(book, ask.id, telling, now=desk.now())
        return {"mission": str(ask.id)}

    return await _as_it_is(desk, await desk.do(ask, work))


async def _as_it_is(desk: Desk, done: Answer) -> MissionAnswer:
    return MissionAnswer(mission=(await rows.missions(desk.pool, [UUID(str(done["mission"]))]))[0])
