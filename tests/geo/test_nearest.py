"""The nearest units are exactly the nearest, wherever they move."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import haversine_m
from geo.nearest import Nearest, everyone

Spot = tuple[float, float]

in_town = st.tuples(st.floats(-6.26, -6.09), st.floats(106.55, 106.75))
on_earth = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
on_a_lattice = st.tuples(st.integers(-625, -610), st.integers(10655, 10675)).map(lambda p: (p[0] / 100, p[1] / 100))


def brute(spots: dict[int, Spot], lat: float, lon: float, k: int, wanted: Callable[[int], bool]) -> list[int]:
    rank = {key: number for number, key in enumerate(spots)}
    fit = [key for key in spots if wanted(key)]
    return sorted(fit, key=lambda key: (haversine_m(lat, lon, *spots[key]), rank[key]))[:k]


def grid(spots: dict[int, Spot]) -> Nearest[int]:
    made: Nearest[int] = Nearest()
    for key, (lat, lon) in spots.items():
        made.put(key, lat, lon)
    return made


@given(st.lists(in_town, max_size=120), in_town, st.integers(0, 8), st.integers(1, 7))
def test_the_grid_finds_what_looking_at_everyone_finds(spots: list[Spot], here: Spot, k: int, every: int) -> None:
    named = dict(enumerate(spots))
    found = grid(named).nearest(*here, k, lambda key: key % every == 0)
    assert [key for key, _ in found] == brute(named, *here, k, lambda key: key % every == 0)


@given(st.lists(on_a_lattice, max_size=60), on_a_lattice, st.integers(1, 5))
def test_equal_distances_are_settled_by_who_was_first(spots: list[Spot], here: Spot, k: int) -> None:
    named = dict(enumerate(spots))
    assert [key for key, _ in grid(named).nearest(*here, k)] == brute(named, *here, k, everyone)


@settings(deadline=None)
@given(st.lists(on_earth, max_size=40), on_earth, st.integers(1, 5))
def test_it_is_as_exact_on_the_whole_earth(spots: list[Spot], here: Spot, k: int) -> None:
    named = dict(enumerate(spots))
    assert [key for key, _ in grid(named).nearest(*here, k)] == brute(named, *here, k, everyone)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | in_town), max_size=80), in_town)
def test_units_that_move_and_leave_are_found_where_they_are(moves: list[tuple[int, Spot | None]], here: Spot) -> None:
    index: Nearest[int] = Nearest()
    spots: dict[int, Spot] = {}
    for key, spot in moves:
        if spot is None:
            index.remove(key)
            spots.pop(key, None)
        else:
            index.put(key, *spot)
            spots[key] = spot
    assert [key for key, _ in index.nearest(*here, 4)] == brute(spots, *here, 4, everyone)
    assert len(index) == len(spots)
    assert all(key in index for key in spots)


def test_the_distance_comes_with_the_unit() -> None:
    index = grid({1: (-6.20, 106.60), 2: (-6.17, 106.63)})
    assert index.nearest(-6.17, 106.63, 1) == [(2, 0.0)]


def test_nobody_is_near_when_nobody_is_wanted() -> None:
    index = grid({1: (-6.20, 106.60)})
    assert index.nearest(-6.2, 106.6, 0) == []
    assert index.nearest(-6.2, 106.6, 3, lambda _: False) == []
    assert Nearest[int]().nearest(-6.2, 106.6, 3) == []


@pytest.mark.parametrize("lat", [float("nan"), float("inf"), 91.0])
def test_a_position_off_the_earth_is_refused(lat: float) -> None:
    with pytest.raises(ValueError, match="cannot be at latitude"):
        Nearest[int]().put(1, lat, 106.6)
    with pytest.raises(ValueError, match="nobody can be near"):
        Nearest[int]().nearest(lat, 106.6, 1)
