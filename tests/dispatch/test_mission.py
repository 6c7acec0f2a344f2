"""The life of a mission, without a database."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from callcenter.event import Event, from_data, to_data
from callcenter.refused import Refused
from dispatch import mission
from dispatch.mission import (
    EVENTS,
    IN_ORDER,
    LIVE,
    NEXT,
    Mission,
    MissionAccepted,
    MissionOffered,
    Status,
    UnitAtHospital,
    UnitEnRoute,
    UnitOnScene,
    UnitTransporting,
    evolve,
)
from tests.dispatch.room import later
from tests.support.builders import NOON

INCIDENT, UNIT = UUID(int=1), UUID(int=2)


def offered() -> Mission:
    return evolve(None, MissionOffered(at=NOON, incident=INCIDENT, unit=UNIT, by="budi"))


def after(state: Mission, events: list[Event]) -> Mission:
    for event in events:
        state = evolve(state, event)
    return state


def accepted() -> Mission:
    return after(offered(), mission.accept(offered(), now=later(10)))


def on_scene() -> Mission:
    state = accepted()
    state = after(state, mission.step(state, UnitEnRoute, now=later(60)))
    return after(state, mission.step(state, UnitOnScene, now=later(300)))


def withdrawn() -> Mission:
    return after(accepted(), mission.withdraw(accepted(), reason="salah alamat", now=later(20)))


def expired() -> Mission:
    return after(offered(), mission.expire(offered(), now=later(60)))


def test_a_mission_as_it_should_be_has_every_time_and_no_flag() -> None:
    state = on_scene()
    state = after(state, mission.step(state, UnitTransporting, now=later(900)))
    state = after(state, mission.step(state, UnitAtHospital, now=later(1500)))
    state = after(state, mission.clear(state, outcome="treated_transported", note="RSUD", now=later(2000)))
    assert state == Mission(
        status=Status.CLEARED,
        incident=INCIDENT,
        unit=UNIT,
        offered_at=NOON,
        offered_by="budi",
        alerts=1,
        accepted_at=later(10),
        en_route_at=later(60),
        on_scene_at=later(300),
        transporting_at=later(900),
        at_hospital_at=later(1500),
        ended_at=later(2000),
        outcome="treated_transported",
        note="RSUD",
    )


def test_saying_a_thing_twice_is_saying_it_once() -> None:
    assert mission.accept(accepted(), now=later(11)) == []
    assert mission.accept(on_scene(), now=later(301)) == []
    assert mission.step(on_scene(), UnitOnScene, now=later(301)) == []
    cleared = after(on_scene(), mission.clear(on_scene(), outcome="handled", now=later(400)))
    assert mission.clear(cleared, outcome="handled", now=later(401)) == []
    assert mission.withdraw(withdrawn(), reason="sekali lagi", now=later(30)) == []
    declined = after(offered(), mission.decline(offered(), reason="ban kempes", now=later(5)))
    assert mission.decline(declined, reason="ban kempes", now=later(6)) == []


def test_on_scene_without_en_route_is_taken_and_flagged() -> None:
    state = after(accepted(), mission.step(accepted(), UnitOnScene, now=later(400), reported_at=later(350)))
    assert (state.status, state.on_scene_at, state.en_route_at) == (Status.ON_SCENE, later(350), None)
    assert state.out_of_order


def test_a_unit_that_arrives_without_having_answered_is_taken_at_its_word() -> None:
    state = after(offered(), mission.step(offered(), UnitOnScene, now=later(400)))
    assert state.status is Status.ON_SCENE
    assert mission.expire(state, now=later(401)) == []


def test_a_late_report_fills_its_time_and_nothing_goes_back() -> None:
    state = after(accepted(), mission.step(accepted(), UnitOnScene, now=later(400)))
    state = after(state, mission.step(state, UnitEnRoute, now=later(420), reported_at=later(60)))
    assert (state.status, state.en_route_at, state.on_scene_at) == (Status.ON_SCENE, later(60), later(400))


@pytest.mark.parametrize(
    ("reported_s", "kept_s", "flagged"),
    [(50, 50, False), (130, 100, False), (100 + 3600, 100, True), (-3600, 0, True), (-30, 0, False)],
)
def test_a_clock_that_is_wrong_is_corrected_and_flagged_when_it_is_very_wrong(
    reported_s: int, kept_s: int, flagged: bool
) -> None:
    state = after(offered(), mission.accept(offered(), now=later(100), reported_at=later(reported_s)))
    assert (state.accepted_at, state.out_of_order) == (later(kept_s), flagged)


@pytest.mark.parametrize("state", [expired(), withdrawn()], ids=lambda state: str(state.status))
def test_a_late_answer_is_refused_and_says_what_to_do(state: Mission) -> None:
    answers: list[Callable[[], list[Event]]] = [
        lambda: mission.accept(state, now=later(100)),
        lambda: mission.decline(state, reason="terlambat", now=later(100)),
        lambda: mission.step(state, UnitOnScene, now=later(100)),
        lambda: mission.clear(state, outcome="handled", now=later(100)),
    ]
    for say in answers:
        with pytest.raises(Refused, match="call the dispatcher") as refused:
            say()
        assert refused.value.code == f"mission.{state.status}"


def test_a_unit_may_break_off_until_it_has_arrived() -> None:
    assert after(accepted(), mission.decline(accepted(), reason="mogok", now=later(90))).status is Status.DECLINED
    with pytest.raises(Refused, match="clear the mission with an outcome"):
        mission.decline(on_scene(), reason="mogok", now=later(400))


def test_no_and_off_need_a_reason() -> None:
    with pytest.raises(Refused, match="say why"):
        mission.decline(offered(), reason="  ", now=later(5))
    with pytest.raises(Refused, match="say why"):
        mission.withdraw(offered(), reason="", now=later(5))


def test_only_a_silent_unit_is_alerted_again_or_loses_the_offer() -> None:
    assert after(offered(), mission.realert(offered(), now=later(30))).alerts == 2
    assert mission.realert(accepted(), now=later(30)) == []
    assert mission.expire(accepted(), now=later(60)) == []
    assert expired().ended_at == later(60)
    assert (withdrawn().ended_at, withdrawn().reason) == (later(20), "salah alamat")


def test_what_has_ended_cannot_be_withdrawn_and_what_goes_on_cannot_be_sent_again() -> None:
    with pytest.raises(Refused, match="nothing to withdraw"):
        mission.withdraw(expired(), reason="x", now=later(70))
    with pytest.raises(Refused, match="only one that was declined"):
        mission.must_have_failed(accepted())
    mission.must_have_failed(expired())


def test_the_table_leads_from_live_to_anywhere_and_from_the_end_to_nowhere() -> None:
    assert {status for status, _ in NEXT} == set(LIVE)
    assert {event for _, event in NEXT} == set(EVENTS) - {MissionOffered}
    assert not IN_ORDER.keys() & (NEXT.keys() - IN_ORDER.keys())
    assert set(NEXT.values()) == set(Status)


def test_events_survive_the_way_through_the_log() -> None:
    event = MissionAccepted(at=NOON, reported_at=NOON - timedelta(seconds=3), out_of_order=True)
    assert from_data(MissionAccepted, NOON, to_data(event)) == event
