"""Figures for whoever is in charge: counted from the record, nothing entered twice."""

from datetime import datetime, timedelta
from typing import Final

from callcenter.store import Pool
from web.answers import CallCounts, Figures, IncidentCounts, Interval, ReportCounts, UnitCounts
from web.bodies import Period
from web.desk import Desk
from web.openapi import Ask, route
from web.problem import Problem

LONGEST: Final = timedelta(days=366)

# What is aimed at: NENA-STA-020.1-2020 (answer), NFPA 1225 (processing), NFPA 1710 (turnout of fire crews, travel of
# the first engine), and the seven minutes that the neighbouring city states (total).
TARGETS_S: Final = {"answer": 15.0, "processing": 60.0, "turnout": 80.0, "travel": 240.0, "total": 420.0}


@route("GET", "/figures", action="figures.read", said=Period, answer=Figures)
async def read_figures(desk: Desk, ask: Ask[Period]) -> Figures:
    """Counts and times of a period."""
    since, until = ask.said.bounds(desk.now())
    if since >= until or until - since > LONGEST:
        raise Problem(422, "request.shape", "`since` is before `until`, and at most a year lies between")
    pool = desk.pool
    return Figures(
        since=since,
        until=until,
        incidents=await _incidents(pool, since, until),
        calls=await _calls(pool, since, until),
        reports=await _reports(pool, since, until),
        units=await _units(pool),
        times=await _times(pool, since, until),
    )


async def _incidents(pool: Pool, since: datetime, until: datetime) -> IncidentCounts:
    found = await pool.fetch(
        """SELECT type, outcome, i.place ->> 'kecamatan' AS kecamatan, status IN ('open', 'triaged') AS open,
                  count(*) AS many
           FROM incident i WHERE opened_at >= $1 AND opened_at < $2 GROUP BY 1, 2, 3, 4""",
        since,
        until,
    )
    by_type: dict[str, int] = {}
    by_outcome: dict[str, int] = {}
    by_kecamatan: dict[str, int] = {}
    for row in found:
        for counts, name in ((by_type, "type"), (by_outcome, "outcome"), (by_kecamatan, "kecamatan")):
            if row[name] is not None:
                counts[row[name]] = counts.get(row[name], 0) + row["many"]
    return IncidentCounts(
        total=sum(row["many"] for row in found),
        open=sum(row["many"] for row in found if row["open"]),
        by_type=by_type,
        by_outcome=by_outcome,
        by_kecamatan=by_kecamatan,
    )


async def _calls(pool: Pool, since: datetime, until: datetime) -> CallCounts:
    found = await pool.fetch(
        """SELECT call_class, abandoned, answer IS NOT NULL AS answered, count(*) AS many
           FROM call_times WHERE rang_at >= $1 AND rang_at < $2 GROUP BY 1, 2, 3""",
        since,
        until,
    )
    by_class: dict[str, int] = {}
    for row in found:
        if row["call_class"] is not None:
            by_class[row["call_class"]] = by_class.get(row["call_class"], 0) + row["many"]
    return CallCounts(
        total=sum(row["many"] for row in found),
        answered=sum(row["many"] for row in found if row["answered"]),
        abandoned=sum(row["many"] for row in found if row["abandoned"]),
        by_class=by_class,
    )


async def _reports(pool: Pool, since: datetime, until: datetime) -> ReportCounts:
    found = await pool.fetch(
        """SELECT status, agency, count(*) AS many FROM report
           WHERE created_at >= $1 AND created_at < $2 GROUP BY 1, 2""",
        since,
        until,
    )
    by_status: dict[str, int] = {}
    by_agency: dict[str, int] = {}
    for row in found:
        by_status[row["status"]] = by_status.get(row["status"], 0) + row["many"]
        by_agency[row["agency"]] = by_agency.get(row["agency"], 0) + row["many"]
    return ReportCounts(total=sum(row["many"] for row in found), by_status=by_status, by_agency=by_agency)


async def _units(pool: Pool) -> UnitCounts:
    row = await pool.fetchrow(
        """SELECT count(*) FILTER (WHERE status = 'available' AND NOT busy) AS available,
                  count(*) FILTER (WHERE busy) AS busy,
                  count(*) FILTER (WHERE status = 'off_duty') AS off_duty,
                  count(*) FILTER (WHERE status = 'out_of_service') AS out_of_service
           FROM unit_now"""
    )
    counts = dict(row) if row else {}
    return UnitCounts(
        available=counts.get("available", 0),
        busy=counts.get("busy", 0),
        off_duty=counts.get("off_duty", 0),
        out_of_service=counts.get("out_of_service", 0),
    )


async def _times(pool: Pool, since: datetime, until: datetime) -> dict[str, Interval]:
    found = await pool.fetch(
        """WITH spans AS (
               SELECT 'answer' AS name, extract(epoch FROM answer)::float8 AS seconds
               FROM call_times WHERE rang_at >= $1 AND rang_at < $2
               UNION ALL
               SELECT name, extract(epoch FROM span)::float8
               FROM incident_times CROSS JOIN LATERAL (VALUES
                   ('processing', processing), ('turnout', turnout), ('travel', travel), ('total', total)
                   ) AS v(name, span)
               WHERE opened_at >= $1 AND opened_at < $2)
           SELECT s.name, count(*) AS many,
                  percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median_s,
                  percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS p90_s,
                  (count(*) FILTER (WHERE seconds <= t.target))::float8 / count(*) AS within
           FROM spans s JOIN unnest($3::text[], $4::float8[]) AS t(name, target) ON t.name = s.name
           WHERE seconds IS NOT NULL GROUP BY s.name""",
        since,
        until,
        list(TARGETS_S),
        list(TARGETS_S.values()),
    )
    measured = {row["name"]: row for row in found}
    return {
        name: Interval(
            count=measured[name]["many"] if name in measured else 0,
            median_s=measured[name]["median_s"] if name in measured else None,
            p90_s=measured[name]["p90_s"] if name in measured else None,
            target_s=target_s,
            within_target=measured[name]["within"] if name in measured else None,
        )
        for name, target_s in TARGETS_S.items()
    }
