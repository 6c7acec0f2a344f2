"""Whether a unit can be sent, without a database."""

from dataclasses import replace

import pytest

from callcenter.event import Event
from callcenter.refused import Refused
from dispatch import unit
from dispatch.unit import Equipment, Status, Unit, UnitReequipped, evolve
from tests.dispatch.room import later
from tests.support.builders import NOON

AMB = Equipment("AMB-01", "ambulance", "dinkes", ("medical",), -6.17224, 106.6385)


def after(state: Unit | None, events: list[Event]) -> Unit:
    for event in events:
        state = evolve(state, event)
    assert state is not None
    return state


def registered() -> Unit:
    return after(None, unit.register(None, AMB, now=NOON))


def test_a_registered_unit_is_on_duty_until_it_says_otherwise() -> None:
    assert registered().can_be_sent
    unit.must_be_sendable(registered())


def test_registering_again_records_only_what_changed() -> None:
    assert unit.register(registered(), AMB, now=later(1)) == []
    moved = replace(AMB, station_lat=-6.2)
    state = after(registered(), unit.register(registered(), moved, now=later(1)))
    assert unit.equipment_of(state) == moved
    assert state.since == NOON


def test_a_unit_goes_off_duty_and_comes_back() -> None:
    off = after(registered(), unit.off_duty(registered(), busy=False, reason="ganti regu", now=later(10)))
    assert (off.status, off.reason, off.since) == (Status.OFF_DUTY, "ganti regu", later(10))
    assert unit.off_duty(off, busy=False, reason=None, now=later(11)) == []
    back = after(off, unit.on_duty(off, now=later(20)))
    assert (back.status, back.reason) == (Status.AVAILABLE, None)
    assert unit.on_duty(back, now=later(21)) == []


def test_nobody_goes_home_in_the_middle_of_a_mission_but_a_vehicle_may_break_down() -> None:
    with pytest.raises(Refused, match="AMB-01 is on a mission"):
        unit.off_duty(registered(), busy=True, reason=None, now=later(10))
    broken = after(registered(), unit.out_of_service(registered(), reason="mogok", now=later(10)))
    assert broken.status is Status.OUT_OF_SERVICE
    assert unit.out_of_service(broken, reason="mogok", now=later(11)) == []
    assert after(broken, unit.out_of_service(broken, reason="mesin", now=later(12))).reason == "mesin"


def test_out_of_service_needs_a_reason() -> None:
    with pytest.raises(Refused, match="say why"):
        unit.out_of_service(registered(), reason=" ", now=NOON)


@pytest.mark.parametrize(("status", "words"), [(Status.OFF_DUTY, "off duty"), (Status.OUT_OF_SERVICE, "mogok")])
def test_a_unit_that_cannot_be_sent_says_why(status: Status, words: str) -> None:
    with pytest.raises(Refused, match=words):
        unit.must_be_sendable(replace(registered(), status=status, reason="mogok"))


def test_the_first_event_of_a_unit_is_its_registration() -> None:
    with pytest.raises(ValueError, match="UnitRegistered"):
        evolve(None, UnitReequipped(NOON, "ambulance", "dinkes", (), 0.0, 0.0))
