"""Where a caller is before anybody spoke to them."""

from datetime import UTC, datetime

import pytest

from agi.note import Rings
from agi.where import Where
from config import citypack
from geo.area import Areas
from geo.place import Place

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
TRUNKS = {"demo": None, "west": "36.71.01", "broken": "99.99"}


@pytest.fixture(scope="module")
def where() -> Where:
    return Where.made(Areas.load(citypack.read("tangerang").areas_folder), TRUNKS)


def rings(trunk: str, place: Place | None = None) -> Rings:
    return Rings("siaga-1", NOW, "0812", trunk, "112", place)


def test_the_networks_own_word_wins_and_is_settled_into_a_kelurahan(where: Where) -> None:
    place = where.of(rings("west", Place(-6.17, 106.63, radius_m=50, method="pidf-lo")))
    assert place is not None
    assert (place.method, place.radius_m, place.kelurahan) == ("pidf-lo", 50, "36.71.01.1001")


def test_a_point_outside_the_city_is_kept_as_it_is(where: Where) -> None:
    place = where.of(rings("west", Place(-6.9, 107.6, method="pidf-lo")))
    assert place is not None
    assert (place.lat, place.kecamatan) == (-6.9, None)


def test_without_a_place_it_is_the_trunks_area(where: Where) -> None:
    place = where.of(rings("west"))
    assert place is not None
    assert (place.method, place.kecamatan) == ("trunk", "36.71.01")


@pytest.mark.parametrize("trunk", ["demo", "broken", "unheard-of"])
def test_a_trunk_without_an_area_serves_the_whole_city(where: Where, trunk: str) -> None:
    place = where.of(rings(trunk))
    assert place is not None
    assert (place.method, place.text) == ("trunk", "Kota Tangerang")
