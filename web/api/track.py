"""A citizen follows a report by its number and secret: dated steps in the city's three words, and nothing personal."""

from typing import Final

from callcenter.report import PUBLIC, Status
from web.answers import Step, Track
from web.bodies import TrackToken
from web.desk import Desk
from web.openapi import Ask, route
from web.problem import Problem
from web.tracking import is_token

# Wrong ones, each hour: half a town may share one address of a mobile network.
FREE_TRIES: Final = 20

# The events a citizen hears of, by the public name of the step. What is not here stays inside.
STEPS: Final = {
    "ReportMade": "received",
    "ReportVerified": "verified",
    "ReportAssigned": "assigned",
    "ReportTaken": "in_progress",
    "ReportProgressed": "progress",
    "ReportResolved": "resolved",
    "ReportClosed": "closed",
    "ReportRejected": "rejected",
    "ReportRerouted": "rerouted",
    "ReportReopened": "reopened",
}
# Only words written for the citizen: the note of an officer, or why it was rejected.
NOTES: Final = {"ReportProgressed": "note", "ReportResolved": "note", "ReportRejected": "reason"}


@route("GET", "/track/{number}", action="track.read", said=TrackToken, answer=Track)
async def track_report(desk: Desk, ask: Ask[TrackToken]) -> Track:
    """Where a report stands."""
    number = ask.part("number").upper()
    unknown = Problem(404, "unknown", "there is no report with this number and code; check both")
    # Counted for the address and for the ticket, so that many from one place and one from many places both get slow.
    peer, ticket = f"track from {desk.doorplate.peer(ask.http)}", f"track {number[:40]}"
    await desk.doors.tries.count(peer, free=FREE_TRIES)
    await desk.doors.tries.count(ticket, free=FREE_TRIES)
    if not is_token(desk.secret, number, ask.said.token):
        raise unknown
    await desk.doors.tries.take_back(peer)
    await desk.doors.tries.take_back(ticket)
    row = await desk.pool.fetchrow(
        """SELECT r.id, r.number, r.status, r.created_at, c.code AS category, c.name, c.name_en, a.name AS area
           FROM report r JOIN category c ON c.code = r.category
           LEFT JOIN area a ON a.code = coalesce(r.place ->> 'kelurahan', r.place ->> 'kecamatan')
           WHERE r.number = $1""",
        number,
    )
    if row is None:
        raise unknown
    found = await desk.pool.fetch(
        """SELECT l.at, l.type, l.data, a.code AS agency, a.name AS agency_name
           FROM log l LEFT JOIN agency a ON a.code = l.data ->> 'agency'
           WHERE l.kind = 'report' AND l.subject = $1 AND l.type = ANY($2) ORDER BY l.version LIMIT 200""",
        row["id"],
        list(STEPS),
    )
    return Track(
        number=row["number"],
        category=row["category"],
        category_name=row["name"],
        category_name_en=row["name_en"],
        area=row["area"],
        status=PUBLIC[Status(row["status"])],
        created_at=row["created_at"],
        steps=[
            Step(
                at=one["at"],
                step=STEPS[one["type"]],
                agency=one["agency"],
                agency_name=one["agency_name"],
                note=one["data"].get(NOTES[one["type"]]) if one["type"] in NOTES else None,
            )
            for one in found
        ],
    )
