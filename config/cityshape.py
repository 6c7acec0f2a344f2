"""What a city pack is made of: one model for each thing a city says about itself, and one for each file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
AreaCode = Annotated[str, StringConstraints(pattern=r"^\d{2}\.\d{2}(\.\d{2}(\.\d{4})?)?$")]
CallSign = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*(-[A-Z0-9]+)*$", max_length=20)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
Lat = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Lon = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Role = Literal["call_taker", "dispatcher", "supervisor", "unit", "agency_officer", "leader", "citizen", "admin"]


class Entry(BaseModel):
    """Unknown keys are faults: most of them are misspelt ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Point(Entry):
    """A point in WGS 84."""

    lat: Lat
    lon: Lon


class Bounds(Entry):
    """The box around the city, for the first look at the map."""

    west: Lon
    south: Lat
    east: Lon
    north: Lat

    def holds(self, lat: float, lon: float) -> bool:
        return self.south <= lat <= self.north and self.west <= lon <= self.east


class City(Entry):
    """The city, and what its control room counts and writes by."""

    code: AreaCode
    name: Words
    report_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,6}$")]
    timezone: ZoneInfo
    languages: Annotated[tuple[Literal["id", "en"], ...], Field(min_length=1)]
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    centre: Point
    bounds: Bounds


class Named(Entry):
    """Anything with a code and a name in both languages."""

    code: Code
    name: Words
    name_en: Words


class Agency(Named):
    """Who acts: an office of the city, a kecamatan, a partner."""

    kind: Literal["opd", "kecamatan", "partner"]
    phone: Annotated[str, StringConstraints(pattern=r"^\+?\d{3,15}$")] | None = None
    area: AreaCode | None = None


class IncidentType(Named):
    """What a call can be about and what goes there. A capability named twice asks for two units that have it."""

    group: Code
    priority: Annotated[int, Field(ge=1, le=5)]
    capabilities: tuple[Code, ...] = ()
    hazards: Annotated[str, StringConstraints(max_length=500)] = ""


class Outcome(Named):
    """How an incident can end, and who may say so."""

    said_by: Annotated[tuple[Literal["desk", "unit"], ...], Field(min_length=1)]
    apco: Annotated[str, StringConstraints(pattern=r"^\d{2}$")] | None = None


class Category(Named):
    """What a citizen can report that is no emergency."""

    agency: Code


class Routing(Entry):
    """In this area the category goes to another agency; the smaller area wins."""

    category: Code
    area: AreaCode
    agency: Code


class Unit(Entry):
    """A vehicle or crew that can be sent."""

    call_sign: CallSign
    kind: Code
    agency: Code
    capabilities: Annotated[tuple[Code, ...], Field(min_length=1)]
    station: Words
    kelurahan: AreaCode
    lat: Lat
    lon: Lon
    crew: Annotated[int, Field(ge=1, le=30)]

    @property
    def login(self) -> str:
        return self.call_sign.lower()


class Landmark(Entry):
    """A name callers use, and the circle it is believed to lie in."""

    name: Words
    kind: Code
    kelurahan: AreaCode
    lat: Lat
    lon: Lon
    radius_m: Annotated[float, Field(gt=0, le=20_000, allow_inf_nan=False)]
    aliases: tuple[Words, ...] = ()


class Account(Entry):
    """A person of the demonstration."""

    login: Code
    name: Words
    role: Role
    agency: Code | None = None
    unit: CallSign | None = None


class CityFile(Entry):
    """``pack.toml``."""

    city: City


class AgencyFile(Entry):
    """``agencies.toml``."""

    agency: Annotated[tuple[Agency, ...], Field(min_length=1)]


class IncidentFile(Entry):
    """``incidents.toml``."""

    group: Annotated[tuple[Named, ...], Field(min_length=1)]
    capability: tuple[Named, ...] = ()
    type: Annotated[tuple[IncidentType, ...], Field(min_length=1)]
    outcome: Annotated[tuple[Outcome, ...], Field(min_length=1)]


class ReportFile(Entry):
    """``reports.toml``."""

    category: Annotated[tuple[Category, ...], Field(min_length=1)]
    routing: tuple[Routing, ...] = ()


class UnitFile(Entry):
    """``units.toml``."""

    kind: tuple[Named, ...] = ()
    unit: tuple[Unit, ...] = ()


class LandmarkFile(Entry):
    """``landmarks.toml``."""

    landmark: tuple[Landmark, ...] = ()


class AccountFile(Entry):
    """``accounts.toml``."""

    password: Annotated[str, StringConstraints(min_length=8)]
    officers: tuple[Code, ...] = ()
    account: tuple[Account, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """One row of the area table; the polygons stay in their files, for geo and the map."""

    code: str
    level: str
    name: str
    parent: str | None
    postal_code: str | None
    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class CityPack:
    """One city, checked."""

    folder: Path
    city: City
    areas: tuple[Area, ...]
    agencies: tuple[Agency, ...]
    groups: tuple[Named, ...]
    capabilities: tuple[Named, ...]
    types: tuple[IncidentType, ...]
    outcomes: tuple[Outcome, ...]
    categories: tuple[Category, ...]
    routing: tuple[Routing, ...]
    kinds: tuple[Named, ...]
    units: tuple[Unit, ...]
    landmarks: tuple[Landmark, ...]
    accounts: tuple[Account, ...]
    demo_password: str

    @property
    def areas_folder(self) -> Path:
        """Where the GeoJSON files lie."""
        return self.folder / "areas"
