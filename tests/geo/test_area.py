"""Every point of the city has one kelurahan, and every edge its neighbour."""

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.area import NEAR_EDGE_M, Area, Areas, BadAreas, from_geojson, reach_m
from geo.distance import haversine_m
from geo.place import Place
from tests.geo.conftest import TANGERANG

ALL = Areas.load(TANGERANG)
KELURAHAN = ALL.of_level("kelurahan")
KOTA = ALL.of_level("kota")[0]

around = st.tuples(st.floats(-6.30, -6.05), st.floats(106.50, 106.80))


def winds_around(lat: float, lon: float, area: Area) -> bool:
    """Another way to ask the same: the angles to the corners add up to a full turn only from inside."""
    x1, y1, x2, y2 = np.array(oriented(area)).T
    a, b = np.arctan2(y1 - lat, x1 - lon), np.arctan2(y2 - lat, x2 - lon)
    turned = (b - a + np.pi) % (2 * np.pi) - np.pi
    return bool(abs(turned.sum()) > np.pi)


def oriented(area: Area) -> list[tuple[float, float, float, float]]:
    data = json.loads((TANGERANG / "kelurahan.geojson").read_text())
    ring = next(f for f in data["features"] if f["id"] == area.code)["geometry"]["coordinates"][0]
    return [(*start, *end) for start, end in pairwise(ring)]


@pytest.mark.parametrize("area", KELURAHAN, ids=lambda area: area.code)
def test_the_inner_point_of_a_kelurahan_lies_in_it(areas: Areas, area: Area) -> None:
    where = areas.at(area.lat, area.lon)
    assert (where.kelurahan, where.kecamatan) == (area, areas.get(area.code[:8]))
    assert winds_around(area.lat, area.lon, area)


@settings(deadline=None, max_examples=300)
@given(around)
def test_the_kelurahan_tile_the_city_without_gap_or_overlap(point: tuple[float, float]) -> None:
    holding = [area for area in KELURAHAN if area.holds(*point)]
    assert len(holding) == (1 if KOTA.holds(*point) else 0)


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(KELURAHAN).flatmap(lambda area: st.tuples(st.just(area), st.sampled_from(area.edges))),
    st.floats(0, 1),
)
def test_a_point_on_an_edge_belongs_to_at_most_one_kelurahan_and_shows_its_neighbours(
    pick: tuple[Area, tuple[float, float, float, float]], along: float
) -> None:
    area, (x1, y1, x2, y2) = pick
    lat, lon = y1 + along * (y2 - y1), x1 + along * (x2 - x1)
    where = ALL.at(lat, lon)
    assert sum(one.holds(lat, lon) for one in KELURAHAN) <= 1
    assert area in (where.kelurahan, *where.near)
    assert where.kelurahan not in where.near


@settings(deadline=None)
@given(st.sampled_from(KELURAHAN), around)
def test_both_ways_of_asking_whether_a_point_is_inside_agree(area: Area, point: tuple[float, float]) -> None:
    lat = area.lat + (point[0] + 6.175) / 8
    lon = area.lon + (point[1] - 106.65) / 8
    assert area.holds(lat, lon) == winds_around(lat, lon, area)


@settings(deadline=None)
@given(around)
def test_what_is_near_is_within_50_metres_of_the_edge(point: tuple[float, float]) -> None:
    where = ALL.at(*point)
    for area in ALL.of_level("kelurahan"):
        if area is where.kelurahan or not is_close_to_box(area, *point):
            assert area not in where.near
            continue
        away_m = min(haversine_m(*point, *on) for edge in area.edges for on in along(edge))
        if away_m < NEAR_EDGE_M - 1:
            assert area in where.near
        if area in where.near:
            assert away_m < NEAR_EDGE_M + 30  # the points we look at along an edge are not dense


def is_close_to_box(area: Area, lat: float, lon: float) -> bool:
    return area.west - 0.001 < lon < area.east + 0.001 and area.south - 0.001 < lat < area.north + 0.001


def along(edge: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    x1, y1, x2, y2 = edge
    return [(y1 + step / 40 * (y2 - y1), x1 + step / 40 * (x2 - x1)) for step in range(41)]


@pytest.mark.parametrize(
    ("lat", "lon", "city"),
    [
        (-6.225, 106.590, "Kabupaten Tangerang"),
        (-6.280, 106.690, "Kota Tangerang Selatan"),
        (-6.170, 106.730, "Kota Administrasi Jakarta Barat"),
        (-6.250, 106.770, "Kota Administrasi Jakarta Selatan"),
    ],
)
def test_out_of_the_city_the_neighbour_is_named(areas: Areas, lat: float, lon: float, city: str) -> None:
    where = areas.at(lat, lon)
    assert not where.in_city
    assert where.neighbour is not None
    assert where.neighbour.city == city
    assert city in where.label


def test_beyond_the_map_nothing_is_claimed(areas: Areas) -> None:
    where = areas.at(-6.9, 107.6)
    assert (where.kelurahan, where.neighbour, where.near, where.label) == (None, None, (), "di luar peta")


def test_both_levels_are_said_because_names_recur(areas: Areas) -> None:
    cibodas = next(area for area in KELURAHAN if area.name == "Cibodas")
    assert areas.at(cibodas.lat, cibodas.lon).label == "Kel. Cibodas, Kec. Cibodas"


def test_a_place_gets_our_own_kelurahan_whatever_it_said(areas: Areas) -> None:
    place = Place(-6.18002, 106.688067, method="geocoder", text="somewhere", kelurahan="99.99.99.9999")
    settled = areas.settle(place)
    assert (settled.kelurahan, settled.kecamatan, settled.text) == ("36.71.05.1003", "36.71.05", "somewhere")
    abroad = areas.settle(Place(-6.9, 107.6, method="gps", kecamatan="36.71.05"))
    assert (abroad.kelurahan, abroad.kecamatan) == (None, None)


def test_a_trunk_stands_for_its_whole_area(areas: Areas) -> None:
    place = areas.middle_of("36.71", method="trunk")
    assert (place.text, place.kelurahan, place.kecamatan) == ("Kota Tangerang", None, None)
    for area in KELURAHAN:
        assert haversine_m(place.lat, place.lon, area.lat, area.lon) < (place.radius_m or 0)
    small = areas.middle_of("36.71.05.1003", method="trunk", text="Sel 12")
    assert (small.text, small.kelurahan, small.kecamatan) == ("Sel 12", "36.71.05.1003", "36.71.05")


def test_a_kelurahan_leads_to_its_kecamatan(areas: Areas) -> None:
    assert getattr(areas.kecamatan_of("36.71.05.1003"), "name", None) == "Cipondoh"
    assert getattr(areas.kecamatan_of("36.71.05"), "name", None) == "Cipondoh"
    assert areas.kecamatan_of("36.71") is None
    assert areas.kecamatan_of("1.2.3") is None
    assert areas.kecamatan_of(None) is None


def test_a_point_is_placed_within_5_ms(areas: Areas) -> None:
    took = []
    for number in range(2000):
        start = time.perf_counter()
        areas.at(-6.26 + number * 0.00008, 106.55 + (number * 37 % 2000) * 0.0001)
        took.append(time.perf_counter() - start)
    took.sort()
    assert took[1980] < 0.005


def test_a_hole_and_a_second_part_need_no_special_care() -> None:
    def square(low: float, high: float) -> list[list[float]]:
        return [[low, low], [high, low], [high, high], [low, high], [low, low]]

    about = {"code": "x", "level": "kota", "name": "X", "lat": 1.0, "lon": 1.0}
    shape = {"type": "MultiPolygon", "coordinates": [[square(0, 10), square(4, 6)], [square(20, 21)]]}
    (area,) = from_geojson({"features": [{"properties": about, "geometry": shape}]})
    held = [area.holds(spot, spot) for spot in (1.0, 5.0, 9.0, 15.0, 20.5)]
    assert held == [True, False, True, False, True]
    assert reach_m(area) > 0


GOOD: dict[str, dict[str, object]] = {
    "properties": {"code": "1", "level": "kota", "name": "X", "lat": 1, "lon": 1},
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [1, 2], [0, 0]]]},
}


@pytest.mark.parametrize(
    ("part", "changed", "said"),
    [
        ("properties", {"level": "village"}, "feature 1: ValueError: level 'village' is not one of"),
        ("properties", {"lat": "north"}, "'north' is not a number of degrees"),
        ("properties", {"lat": 200}, "latitude lies between"),
        ("properties", {"name": 5}, "5 is not text"),
        ("properties", {"level": "kelurahan"}, "KeyError: 'district_code'"),
        ("geometry", {"type": "Point"}, "a Polygon or a MultiPolygon, not a Point"),
        ("geometry", {"coordinates": []}, "the polygon has no edges"),
        ("geometry", {"coordinates": {}}, "the coordinates are a list of rings"),
        ("geometry", {"coordinates": [[[0, 0], [0, 500]]]}, "is not a longitude and a latitude"),
        ("geometry", {"coordinates": [[[0], [1]]]}, "feature 1: ValueError"),
        ("geometry", {"coordinates": [[["a", "b"], ["c", "d"]]]}, "feature 1: TypeError"),
    ],
)
def test_a_bad_boundary_file_names_the_feature(part: str, changed: dict[str, object], said: str) -> None:
    feature = {**GOOD, part: {**GOOD[part], **changed}}
    with pytest.raises(BadAreas, match=said):
        list(from_geojson({"features": [feature]}))


@pytest.mark.parametrize("data", [None, 5, [], {}, {"features": 3}, {"features": [7]}, {"features": [{}]}])
def test_what_is_no_feature_collection_is_refused(data: object) -> None:
    with pytest.raises(BadAreas):
        list(from_geojson(data))


def test_a_folder_without_boundaries_says_which_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(BadAreas, match=r"kota\.geojson is missing"):
        Areas.load(tmp_path)
    for name in ("kota", "kecamatan", "kelurahan"):
        (tmp_path / f"{name}.geojson").write_text("{")
    with pytest.raises(BadAreas, match="cannot be read as JSON"):
        Areas.load(tmp_path)
    (tmp_path / "kota.geojson").write_text('{"features": [7]}')
    with pytest.raises(BadAreas, match=r"kota\.geojson: feature 1"):
        Areas.load(tmp_path)


def test_a_code_used_twice_and_an_orphan_are_refused(areas: Areas) -> None:
    kelurahan = KELURAHAN[0]
    with pytest.raises(BadAreas, match="is there twice"):
        Areas([*areas, kelurahan])
    with pytest.raises(BadAreas, match="which is in no file"):
        Areas([kelurahan])
