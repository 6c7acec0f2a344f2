"""A city pack whose points are not where they say is not let through."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config import citypack
from geo.__main__ import app
from geo.area import Areas
from geo.check import Claim, faults


def test_tangerang_is_all_right() -> None:
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0
    assert "Kota Tangerang: 13 kecamatan, 104 kelurahan" in result.output
    assert result.output.endswith("all right\n")


def test_a_unit_across_the_river_is_named(areas: Areas) -> None:
    claim = Claim("PMK-01", "36.71.01.1003", -6.18002, 106.688067)
    assert faults(areas, [claim]) == [
        "PMK-01: says 36.71.01.1003 (Tanah Tinggi) but lies in Kel. Cipondoh Indah, Kec. Cipondoh"
    ]


def test_a_kelurahan_nobody_knows_is_named(areas: Areas) -> None:
    found = faults(areas, [Claim("PMK-01", "36.71.99.1003", -6.18002, 106.688067)])
    assert found[0].startswith("PMK-01: says 36.71.99.1003 (which is no area of the city)")


def test_a_circle_that_promises_too_much_is_named(areas: Areas) -> None:
    found = faults(areas, [Claim("Pasar", "36.71.05.1003", -6.18002, 106.688067, radius_m=50)])
    assert "a circle of 50 m does not hold all of Cipondoh Indah" in found[0]


def test_an_area_whose_point_is_elsewhere_is_named(areas: Areas) -> None:
    from dataclasses import replace

    moved = [replace(area, lat=-6.3) if area.code == "36.71.05.1003" else area for area in areas]
    assert (
        "36.71.05.1003 Cipondoh Indah: its own point (-6.3, 106.688067) lies outside it" in faults(Areas(moved), [])[0]
    )


def test_overlapping_boundaries_are_named(areas: Areas) -> None:
    from dataclasses import replace

    whole = areas.get("36.71")
    assert whole is not None
    first = next(area for area in areas if area.level == "kelurahan")
    spread = replace(first, edges=whole.edges, west=whole.west, east=whole.east, south=whole.south, north=whole.north)
    found = faults(Areas(spread if area is first else area for area in areas), [])
    assert len(found) == 103
    assert "the boundaries overlap" in found[0]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(citypack.PACKS / "tangerang", tmp_path / "town"))


def test_the_command_says_what_to_correct(copy: Path) -> None:
    units = copy / "units.toml"
    units.write_text(units.read_text().replace('kelurahan = "36.71.01.1002"', 'kelurahan = "36.71.01.1001"', 1))
    result = CliRunner().invoke(app, ["check", str(copy)])
    assert result.exit_code == 1
    assert "AMB-01: says 36.71.01.1001 (Sukarasa) but lies in Kel. Sukaasih" in result.output
    assert "1 to correct" in result.output


def test_a_pack_that_cannot_be_read_says_why(copy: Path) -> None:
    (copy / "areas" / "kelurahan.geojson").write_text("{")
    for arguments in (["check", str(copy)], ["where", "-6.17", "106.63", "--pack", str(copy)]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 1
        assert "areas/kelurahan.geojson" in result.output


def test_a_point_can_be_asked_for() -> None:
    result = CliRunner().invoke(app, ["where", "-6.17", "106.63"])
    assert result.output == "Kel. Sukarasa, Kec. Tangerang\n"
