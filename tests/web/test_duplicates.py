"""When two incidents are one, told twice."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from web.duplicates import MOST, WINDOW_S, Sketch, alike, likeliest, words_of

NOON = datetime(2026, 11, 24, 5, tzinfo=UTC)
# A hundred metres north, more or less.
STEP = 0.0009


def sketch(number: int, **about: object) -> Sketch:
    told: dict[str, object] = {"opened_at": NOON, "lat": -6.17, "lon": 106.64, "radius_m": 20.0, **about}
    return Sketch(id=UUID(int=number), **told)  # type: ignore[arg-type]  # a builder's keywords


FIRE = sketch(
    1, type="fire.house", group="fire", numbers=frozenset({"0811"}), words=words_of("Gudang plastik terbakar")
)


def test_another_number_beside_it_a_minute_later_about_a_fire_is_likely_the_same() -> None:
    other = sketch(2, opened_at=NOON + timedelta(minutes=1), lat=-6.17 + STEP, type="fire.house", group="fire")
    found = alike(FIRE, other)
    assert found is not None
    assert found.score > 0.7
    assert found.reasons == ("near", "same_type", "recent")
    assert (found.distance_m, found.minutes) == (60, 1)


def test_the_same_number_that_rings_again_from_elsewhere_is_likely_the_same() -> None:
    found = alike(FIRE, sketch(2, lat=-6.3, numbers=frozenset({"0811"})))
    assert found is not None
    assert found.reasons[0] == "same_number"


def test_what_is_far_or_long_ago_is_another() -> None:
    assert alike(FIRE, sketch(2, lat=-6.2, type="fire.house", group="fire")) is None
    assert alike(FIRE, sketch(2, opened_at=NOON - timedelta(seconds=WINDOW_S + 1), type="fire.house")) is None


def test_a_theft_beside_a_fire_is_another() -> None:
    assert alike(FIRE, sketch(2, type="crime.theft", group="crime")) is None


def test_a_place_as_large_as_a_city_says_nothing() -> None:
    assert alike(FIRE, sketch(2, radius_m=10_000.0)) is None


def test_the_same_words_count_where_the_place_is_not_known() -> None:
    words = words_of("ada gudang plastik terbakar, tolong!")
    found = alike(FIRE, sketch(2, lat=None, lon=None, type="fire.house", group="fire", words=words))
    assert found is not None
    assert "same_words" in found.reasons


def test_an_incident_is_not_its_own_duplicate() -> None:
    assert alike(FIRE, FIRE) is None


def test_of_thirty_calls_the_likeliest_few_are_shown_best_first() -> None:
    others = [sketch(n, lat=-6.17 + n * STEP / 10, type="fire.house", group="fire") for n in range(2, 32)]
    found = likeliest(FIRE, others)
    assert len(found) == MOST
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


sketches = st.builds(
    Sketch,
    id=st.uuids(),
    opened_at=st.datetimes(timezones=st.just(UTC)),
    numbers=st.frozensets(st.sampled_from(["1", "2", "3"])),
    type=st.sampled_from([None, "a", "b"]),
    group=st.sampled_from([None, "x", "y"]),
    lat=st.none() | st.floats(-90, 90),
    lon=st.none() | st.floats(-180, 180),
    radius_m=st.floats(0, 20_000),
    words=st.frozensets(st.sampled_from(["satu", "dua", "tiga"])),
)


@given(sketches, sketches)
def test_resemblance_is_mutual_and_between_none_and_whole(one: Sketch, other: Sketch) -> None:
    there, back = alike(one, other), alike(other, one)
    assert (there is None) == (back is None)
    if there is not None and back is not None:
        assert there.score == back.score
        assert 0 < there.score <= 1
