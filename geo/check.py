"""Whether a city's points lie where they say, proved with its boundaries."""

from collections.abc import Iterable
from dataclasses import dataclass

from geo.area import Area, Areas, reach_m


@dataclass(frozen=True, slots=True)
class Claim:
    """A named point and where it says it is: PMK-01 stands in kelurahan 36.71.01.1003."""

    what: str
    kelurahan: str
    lat: float
    lon: float
    radius_m: float | None = None


def faults(areas: Areas, claims: Iterable[Claim]) -> list[str]:
    """What is not where it says, one sentence each; nothing when all is well."""
    return [*(fault for area in areas for fault in _of_area(areas, area)), *_of_claims(areas, claims)]


def _of_area(areas: Areas, area: Area) -> list[str]:
    found = []
    if not area.holds(area.lat, area.lon):
        found.append(f"{area.level} {area.code} {area.name}: its own point ({area.lat}, {area.lon}) lies outside it")
    elif area.level == "kelurahan" and areas.at(area.lat, area.lon).kelurahan is not area:
        found.append(f"kelurahan {area.code} {area.name}: its point lies in another one too; the boundaries overlap")
    return found


def _of_claims(areas: Areas, claims: Iterable[Claim]) -> list[str]:
    found = []
    for claim in claims:
        said = areas.get(claim.kelurahan)
        where = areas.at(claim.lat, claim.lon)
        if said is None or where.kelurahan is not said:
            name = said.name if said else "which is no area of the city"
            found.append(f"{claim.what}: says {claim.kelurahan} ({name}) but lies in {where.label}")
        elif claim.radius_m is not None and claim.radius_m < reach_m(said):
            found.append(
                f"{claim.what}: a circle of {claim.radius_m:g} m does not hold all of {said.name}; "
                f"use {reach_m(said):.0f} m or survey the point",
            )
    return found
