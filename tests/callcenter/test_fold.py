"""fold(log) = row, whatever people wish and in whatever order."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcenter import call, incident, report, seat
from callcenter.call import CALLS, CallClass
from callcenter.event import Event, from_data, to_data
from callcenter.ids import new_id
from callcenter.incident import INCIDENTS, Outcome
from callcenter.refused import Refused
from callcenter.report import REPORTS
from callcenter.seat import SEATS
from callcenter.subject import Subject
from tests.support.builders import NOON, TOWN_HALL

OTHER = new_id()
MINUTE = timedelta(minutes=1)

Incidents = Callable[[incident.Incident], Sequence[Event]]
INCIDENT_WISHES: list[Incidents] = [
    lambda state: incident.describe(state, {"type": "kebakaran-rumah", "priority": 2}, now=NOON),
    lambda state: incident.describe(state, {"notes": "asap tebal", "callback": "0812"}, now=NOON),
    lambda state: incident.describe(state, {"priority": None, "address": None}, now=NOON),
    lambda state: incident.locate(state, TOWN_HALL, now=NOON),
    lambda state: incident.take(state, "sari", now=NOON),
    lambda state: incident.triage(state, now=NOON),
    lambda state: incident.propose(state, OTHER, "diam", now=NOON),
    lambda state: incident.close(state, Outcome.HANDLED, now=NOON),
    lambda state: incident.cancel(state, "keliru", now=NOON),
    lambda state: incident.reopen(state, "belum selesai", now=NOON),
    lambda state: incident.mark_duplicate(state, OTHER, now=NOON),
    lambda state: incident.become_report(state, OTHER, now=NOON),
]
Calls = Callable[[call.Call], Sequence[Event]]
CALL_WISHES: list[Calls] = [
    lambda state: call.hear(state, call.CallAnswered(NOON, "seat-01", "sari")),
    lambda state: call.hear(state, call.CallHeld(NOON)),
    lambda state: call.hear(state, call.CallResumed(NOON)),
    lambda state: call.hear(state, call.CallEnded(NOON, "normal")),
    lambda state: call.hear(state, call.CallAbandoned(NOON)),
    lambda state: call.classify(state, CallClass.GHOST, now=NOON),
    lambda state: call.move(state, OTHER, now=NOON),
    lambda state: call.wish_callback(state, now=NOON),
    lambda state: call.hear(state, call.CallbackPlaced(NOON, "seat-01")),
    lambda state: call.hear(state, call.CallbackReached(NOON, "seat-01", "sari")),
    lambda state: call.hear(state, call.CallbackFailed(NOON, "busy")),
]
Reports = Callable[[report.Report], Sequence[Event]]
REPORT_WISHES: list[Reports] = [
    lambda state: report.verify(state, now=NOON),
    lambda state: report.take(state, "dlh", now=NOON),
    lambda state: report.progress(state, "petugas berangkat", now=NOON),
    lambda state: report.resolve(state, "sampah diangkut", now=NOON),
    lambda state: report.close(state, now=NOON),
    lambda state: report.reject(state, "bukan di kota ini", now=NOON),
    lambda state: report.reroute(state, "pupr", "jalan rusak", now=NOON),
    lambda state: report.reopen(state, "masih ada", now=NOON),
]
Seats = Callable[[seat.Seat], Sequence[Event]]
SEAT_WISHES: list[Seats] = [
    lambda state: seat.take(state, "sari", now=NOON),
    lambda state: seat.take(state, "dewi", now=NOON),
    lambda state: seat.leave(state, now=NOON),
    lambda state: seat.ready(state, now=NOON),
    lambda state: seat.pause(state, "makan", now=NOON),
]
BIRTHS: list[tuple[Subject[object], Sequence[Event], list[Callable[[object], Sequence[Event]]]]] = [
    (INCIDENTS, incident.open_(source="112", caller_number="0812", place=None, at=NOON), INCIDENT_WISHES),  # type: ignore[list-item]  # one list for four kinds
    (
        CALLS,  # type: ignore[list-item]
        call.ring(
            uniqueid="1.1",
            ani=None,
            trunk="demo",
            dialled="112",
            place=TOWN_HALL,
            incident=OTHER,
            spooled=False,
            at=NOON,
        ),
        CALL_WISHES,
    ),
    (
        REPORTS,  # type: ignore[list-item]
        [
            report.ReportMade(
                NOON, "TLR-2026-000001", "112", "sampah", "dlh", TOWN_HALL, "Jl. Daan Mogot", "", None, None, OTHER
            )
        ],
        REPORT_WISHES,
    ),
    (SEATS, seat.install("seat-01", now=NOON), SEAT_WISHES),  # type: ignore[list-item]
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_the_log_says_is_what_the_row_says(data: st.DataObject) -> None:
    subject, birth, wishes = data.draw(st.sampled_from(BIRTHS))
    chosen = data.draw(st.lists(st.sampled_from(wishes), max_size=25))
    log: list[Event] = list(birth)
    row = subject.fold(birth)
    for wish in chosen:
        try:
            events = wish(row)
        except Refused as refusal:
            assert str(refusal)  # noqa: PT017 - a refusal without words helps nobody
            continue
        for event in events:
            row = subject.evolve(row, event)
        log.extend(events)
    told_again = [from_data(subject.event_types[type(e).__name__], e.at, to_data(e)) for e in log]
    assert told_again == log
    assert subject.fold(told_again) == row


def test_every_transition_of_every_table_has_an_event_of_its_subject() -> None:
    for subject, table in ((CALLS, call.NEXT), (INCIDENTS, incident.NEXT), (REPORTS, report.NEXT), (SEATS, seat.NEXT)):
        assert {event for _, event in table} <= set(subject.events)
