"""Units: where they are, and whether they can be sent."""

from uuid import UUID

from callcenter.ledger import Answer, Book
from dispatch import sending
from dispatch.sending import Verb
from web import rows
from web.answers import UnitAnswer, Units
from web.bodies import Duty, Nothing
from web.desk import Desk
from web.openapi import Ask, route
from web.policy import Scope
from web.problem import no_such

VERBS = {"available": Verb.ON_DUTY, "off_duty": Verb.OFF_DUTY, "out_of_service": Verb.OUT_OF_SERVICE}


@route("GET", "/units", action="unit.read", answer=Units)
async def list_units(desk: Desk, ask: Ask[Nothing]) -> Units:
    """The units: all, those of the officer's agency, or the crew's own."""
    found = await desk.pool.fetch(
        f"""{rows.UNIT} WHERE ($1::text IS NULL OR agency = $1) AND ($2::text IS NULL OR call_sign = $2)
            ORDER BY call_sign LIMIT 10000""",
        (ask.who.agency or "") if ask.scope is Scope.AGENCY else None,
        (ask.who.unit or "") if ask.scope is Scope.OWN else None,
    )
    return Units(units=[rows.as_unit(row) for row in found])


@route("PUT", "/units/{id}/duty", action="unit.duty", said=Duty, answer=UnitAnswer)
async def set_duty(desk: Desk, ask: Ask[Duty]) -> UnitAnswer:
    """On duty, off duty, or out of service."""

    async def work(book: Book) -> Answer:
        if ask.scope is Scope.OWN:
            connection = await book.connection()
            mine = await connection.fetchval("SELECT id FROM unit WHERE call_sign = $1", ask.who.unit or "")
            if mine != ask.id:
                raise no_such("unit")
        await sending.set_duty(book, ask.id, VERBS[ask.said.status], reason=ask.said.reason, now=desk.now())
        return {"unit": str(ask.id)}

    done = await desk.do(ask, work)
    return UnitAnswer(unit=(await rows.units(desk.pool, [UUID(str(done["unit"]))]))[0])
