"""A place is a point on earth or an error, and survives the way through JSON."""

import json
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.place import HALF_THE_EARTH_M, METHODS, Place, as_json, from_json

places = st.builds(
    Place,
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    radius_m=st.none() | st.floats(0, HALF_THE_EARTH_M),
    confidence=st.none() | st.integers(0, 100),
    method=st.sampled_from(METHODS),
    text=st.text(max_size=100),
    kelurahan=st.none() | st.just("36.71.05.1003"),
    kecamatan=st.none() | st.just("36.71.05"),
)


@given(places)
def test_a_place_comes_back_from_json_as_it_went(place: Place) -> None:
    assert from_json(json.loads(json.dumps(as_json(place)))) == place


@pytest.mark.parametrize(
    ("lat", "lon", "said"),
    [
        (nan, 106.6, "latitude is a number we can draw"),
        (-6.2, inf, "longitude is a number we can draw"),
        (-6.2, -inf, "longitude is a number we can draw"),
        (106.6, -6.2, "latitude lies between -90 and 90, not at 106.6"),
        (-6.2, 180.1, "longitude lies between -180 and 180"),
    ],
)
def test_a_point_off_the_earth_is_refused_in_words(lat: float, lon: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Place(lat, lon, method="pin")


@pytest.mark.parametrize("radius_m", [-1, nan, inf, 3e7])
def test_a_radius_is_a_length_on_earth(radius_m: float) -> None:
    with pytest.raises(ValueError, match="radius in metres"):
        Place(-6.2, 106.6, radius_m=radius_m, method="pin")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lat": None}, "a place needs lat as a number"),
        ({"lat": True}, "a place needs lat as a number"),
        ({"lon": "106"}, "lon is a number, not '106'"),
        ({"method": "guess"}, "a place comes from one of pidf-lo, trunk"),
        ({"method": None}, "a place comes from one of"),
        ({"confidence": 9.5}, "confidence is a whole number"),
        ({"confidence": True}, "confidence is a whole number"),
        ({"confidence": 101}, "confidence in percent lies between 0 and 100"),
        ({"text": 5}, "text is text"),
        ({"text": "x" * 501}, "at most 500 characters, not 501"),
        ({"radius_m": [1]}, r"radius_m is a number, not \[1\]"),
        ({"kelurahan": {}}, "kelurahan is text"),
    ],
)
def test_json_of_the_wrong_shape_is_refused_by_name(changed: dict[str, object], said: str) -> None:
    good: dict[str, object] = dict(as_json(Place(-6.2, 106.6, method="pin")))
    with pytest.raises(ValueError, match=said):
        from_json(good | changed)


def test_a_place_built_in_code_is_held_to_the_same_rules() -> None:
    with pytest.raises(ValueError, match="comes from one of"):
        Place(-6.2, 106.6, method="guess")  # type: ignore[arg-type]  # that is the point of the test
    with pytest.raises(ValueError, match="whole number"):
        Place(-6.2, 106.6, confidence=9.5, method="pin")  # type: ignore[arg-type]  # that is the point of the test
