"""Reports: the queue of an agency, and the work on each. Another agency's report looks like no report at all."""

from collections.abc import Callable, Sequence
from uuid import UUID

from callcenter import desk as room
from callcenter import report
from callcenter.event import Event
from callcenter.ledger import Answer, Book
from callcenter.report import Report
from web import redact, rows, shapes
from web.answers import ReportAnswer, ReportDetail, ReportPage
from web.api.common import before_of, next_of, timeline_of
from web.bodies import Because, Note, Nothing, ReportSearch, Reroute, Said
from web.desk import Desk
from web.openapi import Ask, route
from web.policy import Scope
from web.problem import Problem, no_such
from web.tracking import tracking_url


@route("GET", "/reports", action="report.read", said=ReportSearch, answer=ReportPage)
async def find_reports(desk: Desk, ask: Ask[ReportSearch]) -> ReportPage:
    """Reports, newest first, by status, agency, ticket number or words."""
    said = ask.said
    if said.q and ask.scope is Scope.REDACTED:
        # A search by words would tell what the redacted rows hide.
        raise Problem(403, "not.allowed", "choose by status and agency")
    at, id_ = before_of(said.before)
    found = await desk.pool.fetch(
        f"""{rows.REPORT}
            WHERE ($1::text IS NULL OR status = $1
                   OR ($1 = 'open' AND status IN ('waiting', 'verified', 'assigned', 'in_progress')))
              AND ($2::text IS NULL OR agency = $2) AND ($3::text IS NULL OR agency = $3)
              AND ($4::text IS NULL OR number = upper($4)
                   OR (created_at > now() - interval '90 days' AND (address ILIKE $5 OR description ILIKE $5)))
              AND ($6::timestamptz IS NULL OR created_at < $6 OR (created_at = $6 AND id > $7))
            ORDER BY created_at DESC, id LIMIT $8""",
        said.status,
        said.agency,
        _agency(ask),
        said.q or None,
        f"%{_escaped(said.q or '')}%",
        at,
        id_,
        said.limit,
    )
    if ask.scope is Scope.ALL:
        await desk.looked(ask, detail="searched" if said.q else "listed")
    to = redact.rendering_for(ask.who, ask.scope)
    page = [redact.report(rows.as_report(row), to) for row in found]
    return ReportPage(reports=page, next=next_of(found, said.limit, "created_at"))


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@route("GET", "/reports/{id}", action="report.read", answer=ReportDetail)
async def read_report(desk: Desk, ask: Ask[Nothing]) -> ReportDetail:
    """A report and what happened to it."""
    row = await _seen(desk, ask)
    await desk.looked(ask, ask.id)
    to = redact.rendering_for(ask.who, ask.scope)
    found = await desk.pool.fetch(
        """SELECT seq, at, kind, subject, type, by, data FROM log
           WHERE kind = 'report' AND subject = $1 ORDER BY version LIMIT 500""",
        ask.id,
    )
    url = tracking_url(desk.doorplate.page_url(ask.http), desk.secret, row["number"])
    return ReportDetail(
        report=redact.report(row, to),
        timeline=timeline_of(found, to, is_open=True),
        tracking_url="" if ask.scope is Scope.REDACTED else url,
    )


@route("POST", "/reports/{id}/take", action="report.take", answer=ReportAnswer)
async def take_report(desk: Desk, ask: Ask[Nothing]) -> ReportAnswer:
    """An officer works on it."""
    return await _change(desk, ask, lambda state: report.take(state, ask.who.login, now=desk.now()))


@route("POST", "/reports/{id}/progress", action="report.progress", said=Note, answer=ReportAnswer)
async def progress_report(desk: Desk, ask: Ask[Note]) -> ReportAnswer:
    """Something was done; the citizen may read the note."""
    return await _change(desk, ask, lambda state: report.progress(state, ask.said.note, now=desk.now()))


@route("POST", "/reports/{id}/resolve", action="report.resolve", said=Note, answer=ReportAnswer)
async def resolve_report(desk: Desk, ask: Ask[Note]) -> ReportAnswer:
    """The work is done; the citizen may read the note."""
    return await _change(desk, ask, lambda state: report.resolve(state, ask.said.note, now=desk.now()))


@route("POST", "/reports/{id}/reject", action="report.reject", said=Because, answer=ReportAnswer)
async def reject_report(desk: Desk, ask: Ask[Because]) -> ReportAnswer:
    """It cannot be worked on; the citizen may read why."""
    return await _change(desk, ask, lambda state: report.reject(state, ask.said.reason, now=desk.now()))


@route("POST", "/reports/{id}/close", action="report.close", answer=ReportAnswer)
async def close_report(desk: Desk, ask: Ask[Nothing]) -> ReportAnswer:
    """Put it away."""
    return await _change(desk, ask, lambda state: report.close(state, now=desk.now()))


@route("POST", "/reports/{id}/reopen", action="report.reopen", said=Because, answer=ReportAnswer)
async def reopen_report(desk: Desk, ask: Ask[Because]) -> ReportAnswer:
    """It was not done."""
    return await _change(desk, ask, lambda state: report.reopen(state, ask.said.reason, now=desk.now()))


@route("POST", "/reports/{id}/reroute", action="report.reroute", said=Reroute, answer=ReportAnswer)
async def reroute_report(desk: Desk, ask: Ask[Reroute]) -> ReportAnswer:
    """Not our authority: name the agency whose work it is. The officer who sends it on sees it a last time."""

    async def work(book: Book) -> Answer:
        await _must_be_theirs(book, ask)
        await room.reroute_report(book, ask.id, ask.said.agency, ask.said.reason, now=desk.now())
        return {"report": str(ask.id)}

    return await _as_it_is(desk, ask, await desk.do(ask, work))


async def _change(desk: Desk, ask: Ask[Said], decide: Callable[[Report], Sequence[Event]]) -> ReportAnswer:
    async def work(book: Book) -> Answer:
        await _must_be_theirs(book, ask)
        await room.change_report(book, ask.id, decide)
        return {"report": str(ask.id)}

    return await _as_it_is(desk, ask, await desk.do(ask, work))


async def _must_be_theirs(book: Book, ask: Ask[Said]) -> None:
    connection = await book.connection()
    theirs = await connection.fetchval(
        "SELECT true FROM report WHERE id = $1 AND ($2::text IS NULL OR agency = $2) FOR UPDATE", ask.id, _agency(ask)
    )
    if not theirs:
        raise no_such("report")


async def _seen(desk: Desk, ask: Ask[Nothing]) -> shapes.ReportRow:
    found = await desk.pool.fetchrow(
        f"{rows.REPORT} WHERE id = $1 AND ($2::text IS NULL OR agency = $2)", ask.id, _agency(ask)
    )
    if found is None:
        raise no_such("report")
    return rows.as_report(found)


def _agency(ask: Ask[Said]) -> str | None:
    """The agency whose reports are all that exists for this person; None for all."""
    return (ask.who.agency or "") if ask.scope is Scope.AGENCY else None


async def _as_it_is(desk: Desk, ask: Ask[Said], done: Answer) -> ReportAnswer:
    row = (await rows.reports(desk.pool, [UUID(str(done["report"]))]))[0]
    return ReportAnswer(report=redact.report(row, redact.rendering_for(ask.who, ask.scope)))
