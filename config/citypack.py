"""A city pack: everything about one city as data — areas, agencies, kinds of incident and report, units, names.

A pack is a folder of TOML and GeoJSON files (``config/citypacks/tangerang`` is the example). ``read`` takes nothing
on trust: every code that is named must exist, every coordinate must lie in the city's bounds. Whether a point lies in
the kelurahan it says is proved with the boundaries, by ``python -m geo check``.
"""

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from config.cityload import load
from config.cityshape import (
    Account,
    AccountFile,
    Agency,
    AgencyFile,
    Area,
    CityFile,
    CityPack,
    Entry,
    IncidentFile,
    Landmark,
    LandmarkFile,
    ReportFile,
    Unit,
    UnitFile,
)

__all__ = ["PACKS", "CityPack", "CityPackError", "load", "read"]

PACKS: Final = Path(__file__).parent / "citypacks"


class CityPackError(Exception):
    """The pack cannot be used. Every fault on its own line: file, key, what is wrong, what to do."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(self.faults))


File = TypeVar("File", bound=Entry)


class _Faults:
    """Gathers what is wrong, so that one run names all of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: list[str] = []

    def add(self, file: str, key: str, what: str) -> None:
        self._found.append(f"{self._folder / file}: {key}: {what}")

    def stop_if_any(self) -> None:
        if self._found:
            raise CityPackError(self._found)

    def twice(self, file: str, key: str, values: Iterable[str]) -> None:
        for value, times in Counter(values).items():
            if times > 1:
                self.add(file, f"{key} {value!r}", f"is there {times} times; give each its own")

    def unknown(self, file: str, key: str, value: str, known: Iterable[str], where: str) -> None:
        if value not in known:
            self.add(file, key, f"{value!r} is not in {where}; add it there or correct it here")


def read(pack: str | Path) -> CityPack:
    """The pack of that name among ours, or in that folder; all its faults at once otherwise."""
    folder = PACKS / pack if isinstance(pack, str) and "/" not in pack else Path(pack)
    if not folder.is_dir():
        ours = ", ".join(sorted(path.name for path in PACKS.iterdir() if path.is_dir()))
        raise CityPackError([f"{folder}: there is no such city pack; ours are: {ours}"])
    faults = _Faults(folder)
    about = _file(faults, "pack.toml", CityFile)
    agencies = _file(faults, "agencies.toml", AgencyFile)
    incidents = _file(faults, "incidents.toml", IncidentFile)
    reports = _file(faults, "reports.toml", ReportFile)
    units = _file(faults, "units.toml", UnitFile)
    landmarks = _file(faults, "landmarks.toml", LandmarkFile)
    people = _file(faults, "accounts.toml", AccountFile)
    areas = _areas(faults)
    faults.stop_if_any()
    if not (about and agencies and incidents and reports and units and landmarks and people):
        raise CityPackError([f"{folder}: nothing could be read"])  # pragma: no cover -- a file unread is a fault
    made = CityPack(
        folder=folder,
        city=about.city,
        areas=areas,
        agencies=agencies.agency,
        groups=incidents.group,
        capabilities=incidents.capability,
        types=incidents.type,
        outcomes=incidents.outcome,
        categories=reports.category,
        routing=reports.routing,
        kinds=units.kind,
        units=units.unit,
        landmarks=landmarks.landmark,
        accounts=tuple(_people(people, agencies.agency, units.unit)),
        demo_password=people.password,
    )
    _cross_check(made, faults)
    for officer in people.officers:
        faults.unknown("accounts.toml", "officers", officer, {one.code for one in made.agencies}, "agencies.toml")
    faults.stop_if_any()
    return made


def _file(faults: _Faults, name: str, shape: type[File]) -> File | None:
    path = faults._folder / name  # noqa: SLF001 -- the same module's
    try:
        return shape.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as trouble:
        faults.add(name, "file", f"cannot be read: {trouble.strerror}; a pack has this file")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as trouble:
        faults.add(name, "file", f"is not TOML: {trouble}")  # tomllib names line and column
    except ValidationError as trouble:
        for error in trouble.errors():
            faults.add(name, ".".join(map(str, error["loc"])) or "file", error["msg"])
    return None


def _areas(faults: _Faults) -> tuple[Area, ...]:
    found: list[Area] = []
    for level in ("kota", "kecamatan", "kelurahan"):
        name = f"areas/{level}.geojson"
        try:
            data = json.loads((faults._folder / name).read_text(encoding="utf-8"))  # noqa: SLF001 -- the same module's
            found += [_area(feature["properties"]) for feature in data["features"]]
        except OSError as trouble:
            faults.add(name, "file", f"cannot be read: {trouble.strerror}; a pack has this file")
        except (ValueError, KeyError, TypeError) as trouble:
            faults.add(name, f"feature {len(found) + 1}", f"{type(trouble).__name__}: {trouble}; see the areas' README")
    return tuple(found)


def _area(about: dict[str, str | float | list[str]]) -> Area:
    parent = {"kota": None, "kecamatan": about.get("city_code"), "kelurahan": about.get("district_code")}
    postal = about.get("postal_code", about.get("postal_codes"))
    return Area(
        code=str(about["code"]),
        level=str(about["level"]),
        name=str(about["name"]),
        parent=None if (one := parent[str(about["level"])]) is None else str(one),
        postal_code=";".join(postal) if isinstance(postal, list) else None if postal is None else str(postal),
        lat=_degrees(about["lat"]),
        lon=_degrees(about["lon"]),
    )


def _degrees(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number of degrees")
    return value


def _people(file: AccountFile, agencies: Iterable[Agency], units: Iterable[Unit]) -> Iterator[Account]:
    """The named ones, an officer for each agency that has one, and a crew for each unit."""
    names = {agency.code: agency.name for agency in agencies}
    yield from file.account
    for code in file.officers:
        yield Account(login=code, name=f"Petugas {names.get(code, code)}", role="agency_officer", agency=code)
    for unit in units:
        yield Account(
            login=unit.login,
            name=f"Regu {unit.call_sign}",
            role="unit",
            agency=unit.agency,
            unit=unit.call_sign,
        )


def _cross_check(pack: CityPack, faults: _Faults) -> None:
    for check in (_check_codes, _check_areas, _check_incidents, _check_reports, _check_units, _check_people):
        check(pack, faults)


def _check_codes(pack: CityPack, faults: _Faults) -> None:
    faults.twice("areas", "area", (area.code for area in pack.areas))
    faults.twice("agencies.toml", "agency", (one.code for one in pack.agencies))
    faults.twice("incidents.toml", "type", (one.code for one in pack.types))
    faults.twice("incidents.toml", "outcome", (one.code for one in pack.outcomes))
    faults.twice("reports.toml", "category", (one.code for one in pack.categories))
    faults.twice("reports.toml", "routing", (f"{one.category} in {one.area}" for one in pack.routing))
    faults.twice("units.toml", "unit", (one.call_sign for one in pack.units))
    faults.twice("accounts.toml", "account", (one.login for one in pack.accounts))
    faults.twice(
        "landmarks.toml",
        "landmark",
        (f"{name} in {one.kelurahan}" for one in pack.landmarks for name in (one.name, *one.aliases)),
    )


def _check_areas(pack: CityPack, faults: _Faults) -> None:
    known = {area.code for area in pack.areas}
    faults.unknown("pack.toml", "city.code", pack.city.code, known, "areas/kota.geojson")
    for area in pack.areas:
        if area.parent is not None:
            faults.unknown(f"areas/{area.level}.geojson", area.code, area.parent, known, "the areas above it")
        if not pack.city.bounds.holds(area.lat, area.lon):
            faults.add(f"areas/{area.level}.geojson", area.code, "its point lies outside city.bounds of pack.toml")
    centre = pack.city.centre
    if not pack.city.bounds.holds(centre.lat, centre.lon):
        faults.add("pack.toml", "city.centre", "lies outside city.bounds")


def _check_incidents(pack: CityPack, faults: _Faults) -> None:
    groups = {one.code for one in pack.groups}
    capabilities = {one.code for one in pack.capabilities}
    for one in pack.types:
        faults.unknown("incidents.toml", f"type {one.code}: group", one.group, groups, "the groups")
        for capability in one.capabilities:
            key = f"type {one.code}: capabilities"
            faults.unknown("incidents.toml", key, capability, capabilities, "the capabilities")


def _check_reports(pack: CityPack, faults: _Faults) -> None:
    agencies, areas = {one.code for one in pack.agencies}, {one.code for one in pack.areas}
    for agency in pack.agencies:
        if agency.area is not None:
            faults.unknown("agencies.toml", f"agency {agency.code}: area", agency.area, areas, "the areas")
    for category in pack.categories:
        faults.unknown("reports.toml", f"category {category.code}", category.agency, agencies, "agencies.toml")
    for rule in pack.routing:
        key = f"routing {rule.category} in {rule.area}"
        faults.unknown("reports.toml", key, rule.category, {one.code for one in pack.categories}, "the categories")
        faults.unknown("reports.toml", key, rule.area, areas, "the areas")
        faults.unknown("reports.toml", key, rule.agency, agencies, "agencies.toml")


def _check_units(pack: CityPack, faults: _Faults) -> None:
    kelurahan = {area.code for area in pack.areas if area.level == "kelurahan"}
    for one in pack.units:
        key = f"unit {one.call_sign}"
        faults.unknown("units.toml", f"{key}: kind", one.kind, {kind.code for kind in pack.kinds}, "the kinds")
        faults.unknown("units.toml", f"{key}: agency", one.agency, {it.code for it in pack.agencies}, "agencies.toml")
        for capability in one.capabilities:
            known = {it.code for it in pack.capabilities}
            faults.unknown("units.toml", f"{key}: capabilities", capability, known, "incidents.toml")
    for file, key, spot in _spots(pack):
        faults.unknown(file, f"{key}: kelurahan", spot.kelurahan, kelurahan, "areas/kelurahan.geojson")
        if not pack.city.bounds.holds(spot.lat, spot.lon):
            faults.add(file, key, f"({spot.lat}, {spot.lon}) lies outside city.bounds; are lat and lon swapped?")


def _spots(pack: CityPack) -> Iterator[tuple[str, str, Unit | Landmark]]:
    for unit in pack.units:
        yield "units.toml", f"unit {unit.call_sign}", unit
    for landmark in pack.landmarks:
        yield "landmarks.toml", f"landmark {landmark.name!r}", landmark


def _check_people(pack: CityPack, faults: _Faults) -> None:
    agencies, units = {one.code for one in pack.agencies}, {one.call_sign for one in pack.units}
    for one in pack.accounts:
        if one.agency is not None:
            faults.unknown("accounts.toml", f"account {one.login}", one.agency, agencies, "agencies.toml")
        if one.unit is not None:
            faults.unknown("accounts.toml", f"account {one.login}", one.unit, units, "units.toml")
        if (one.role == "unit") != (one.unit is not None):
            faults.add("accounts.toml", f"account {one.login}", "a unit's account names its unit, and no other does")
