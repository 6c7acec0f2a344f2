"""Who should go, and why not the others."""

import random
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispatch.recommend import Candidate, Need, Reason, Suggestion, advise
from dispatch.unit import Status
from geo.distance import haversine_m
from tests.dispatch.room import later

HERE = Need(lat=-6.17, lon=106.64, capabilities=("medical",))
NOW = later(10_000)


def ambulance(number: int, *, north_km: float = 1.0, age_s: float = 5.0) -> Candidate:
    return Candidate(
        unit=UUID(int=number),
        call_sign=f"AMB-{number:02d}",
        kind="ambulance",
        capabilities=frozenset({"medical"}),
        status=Status.AVAILABLE,
        station_lat=-6.2,
        station_lon=106.7,
        lat=-6.17 + north_km / 111.2,
        lon=106.64,
        position_at=later(10_000 - age_s),
    )


def order(*candidates: Candidate, need: Need = HERE) -> list[str]:
    return [line.call_sign for line in advise(need, candidates, now=NOW).suggested]


def why_not(candidate: Candidate, need: Need = HERE, incident: UUID | None = None) -> tuple[Reason, ...]:
    (line,) = advise(need, [candidate], incident=incident, now=NOW).others
    return line.reasons


def test_the_nearest_able_unit_comes_first() -> None:
    assert order(ambulance(1, north_km=5), ambulance(2, north_km=1), ambulance(3, north_km=3)) == [
        "AMB-02",
        "AMB-03",
        "AMB-01",
    ]


def test_a_line_says_how_far_how_long_and_why() -> None:
    (line,) = advise(HERE, [ambulance(1, north_km=2)], now=NOW).suggested
    assert line == Suggestion(
        unit=UUID(int=1),
        call_sign="AMB-01",
        kind="ambulance",
        distance_m=2000,
        eta_s=288,
        position_age_s=5,
        capable=True,
        picked=True,
        reasons=(Reason.CAPABLE,),
    )


def test_a_stale_position_costs_time_and_a_lost_one_costs_the_place_in_the_list() -> None:
    assert order(ambulance(1, north_km=1, age_s=900), ambulance(2, north_km=2)) == ["AMB-02", "AMB-01"]
    assert order(ambulance(1, north_km=1, age_s=59), ambulance(2, north_km=1.01)) == ["AMB-01", "AMB-02"]
    assert why_not(ambulance(1, age_s=1801)) == (Reason.POSITION_LOST, Reason.CAPABLE)


def test_a_unit_that_never_told_where_it_is_waits_at_its_station() -> None:
    silent = replace(ambulance(1), lat=None, lon=None, position_at=None, online=False)
    (line,) = advise(HERE, [silent], now=NOW).suggested
    assert line.reasons == (Reason.CAPABLE, Reason.AT_STATION, Reason.OFFLINE)
    assert line.distance_m == round(haversine_m(-6.17, 106.64, -6.2, 106.7))


def test_who_is_not_suggested_says_why() -> None:
    incident, other = UUID(int=100), UUID(int=101)
    assert why_not(replace(ambulance(1), status=Status.OFF_DUTY))[0] is Reason.OFF_DUTY
    assert why_not(replace(ambulance(1), status=Status.OUT_OF_SERVICE))[0] is Reason.OUT_OF_SERVICE
    assert why_not(replace(ambulance(1), busy_with=other), incident=incident)[0] is Reason.BUSY
    assert why_not(replace(ambulance(1), busy_with=incident), incident=incident)[0] is Reason.HERE
    assert why_not(replace(ambulance(1), answered=Reason.DECLINED))[0] is Reason.DECLINED
    assert why_not(replace(ambulance(1), capabilities=frozenset({"tow"})))[0] is Reason.NOT_CAPABLE


def test_the_picked_units_together_bring_what_is_wanted_and_what_nobody_brings_is_named() -> None:
    fire = replace(HERE, capabilities=("fire_pump", "fire_pump", "water", "medical", "boat"))
    pumps = [
        replace(ambulance(n, north_km=n), kind="fire_engine", capabilities=frozenset({"fire_pump"})) for n in (1, 2, 3)
    ]
    tanker = replace(ambulance(4, north_km=3), kind="water_tanker", capabilities=frozenset({"water"}))
    advice = advise(fire, [*pumps, tanker, ambulance(5, north_km=5), ambulance(6, north_km=6)], now=NOW)
    assert [line.call_sign for line in advice.suggested if line.picked] == ["AMB-01", "AMB-02", "AMB-04", "AMB-05"]
    assert advice.missing == ("boat",)
    assert advice.next_best is not None
    assert advice.next_best.call_sign == "AMB-01"


def test_without_a_place_the_list_says_so() -> None:
    (line,) = advise(Need(None, None, ("medical",)), [ambulance(1)], now=NOW).suggested
    assert (line.distance_m, line.eta_s) == (None, None)
    assert Reason.PLACE_UNKNOWN in line.reasons


def test_when_nobody_can_go_nobody_is_next() -> None:
    assert advise(HERE, [], now=NOW).next_best is None
    assert advise(HERE, [], now=NOW).missing == ("medical",)


def test_of_two_that_need_the_same_seconds_the_nearer_comes_first() -> None:
    assert order(ambulance(1, north_km=1.001), ambulance(2, north_km=1.0)) == ["AMB-02", "AMB-01"]


@given(st.lists(st.tuples(st.floats(-6.26, -6.09), st.floats(106.55, 106.75)), min_size=1, max_size=60))
def test_free_units_of_one_kind_with_fresh_positions_stand_in_the_order_of_their_distance(
    spots: list[tuple[float, float]],
) -> None:
    units = [replace(ambulance(n), lat=lat, lon=lon) for n, (lat, lon) in enumerate(spots)]
    found = [line.distance_m for line in advise(HERE, units, now=NOW).suggested]
    assert found == sorted(round(haversine_m(-6.17, 106.64, *spot)) for spot in spots)


@given(
    st.lists(
        st.builds(
            ambulance,
            st.integers(1, 99),
            north_km=st.floats(0, 20),
            age_s=st.one_of(st.floats(0, 60), st.floats(61, 4000)),
        ),
        max_size=12,
        unique_by=lambda one: one.unit,
    ),
    st.randoms(use_true_random=False),
)
def test_everybody_is_in_the_list_once_and_the_order_they_come_in_does_not_matter(
    candidates: list[Candidate], shuffle: random.Random
) -> None:
    advice = advise(HERE, candidates, now=NOW)
    assert sorted(line.unit for line in (*advice.suggested, *advice.others)) == sorted(c.unit for c in candidates)
    shuffled = list(candidates)
    shuffle.shuffle(shuffled)
    assert advise(HERE, shuffled, now=NOW).suggested == advice.suggested
