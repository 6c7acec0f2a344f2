"""Distances agree with geodesy, and promises to callers err late."""

from math import inf, nan

import pytest
from geopy.distance import great_circle
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import cruise_kmh, eta_s, haversine_m

lats = st.floats(-90, 90)
lons = st.floats(-180, 180)


@given(lats, lons, lats, lons)
def test_a_distance_is_the_one_geopy_measures(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    theirs = float(great_circle((lat1, lon1), (lat2, lon2)).m)
    assert haversine_m(lat1, lon1, lat2, lon2) == pytest.approx(theirs, rel=1e-5, abs=0.5)


@given(lats, lons, lats, lons)
def test_there_is_as_far_as_back(lat1: float, lon1: float, lat2: float, lon2: float) -> None:
    assert haversine_m(lat1, lon1, lat2, lon2) == haversine_m(lat2, lon2, lat1, lon1)


def test_a_fire_engine_3_km_away_is_promised_in_504_s() -> None:
    assert eta_s(3000, speed_kmh=cruise_kmh("fire_engine")) == 504


def test_an_unheard_of_kind_of_unit_drives_like_most() -> None:
    assert cruise_kmh("hovercraft") == 30


@pytest.mark.parametrize(("distance_m", "speed_kmh"), [(-1, 30), (nan, 30), (1, 0), (1, -5), (1, nan)])
def test_no_promise_is_made_from_nonsense(distance_m: float, speed_kmh: float) -> None:
    with pytest.raises(ValueError, match="not"):
        eta_s(distance_m, speed_kmh=speed_kmh)


def test_a_standing_unit_is_there_already() -> None:
    assert eta_s(0, speed_kmh=inf) == 0
