"""The city pack: what it says of Tangerang, what it refuses, and what it leaves in the database."""

import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from callcenter.incident import Outcome
from callcenter.store import Pool
from config import citypack
from config.citypack import CityPack, CityPackError
from tests.support.database import cheap_hash

DEMO = {"sari", "dewi", "budi", "ratna", "walikota", "admin"}
CALL_SIGNS = {"AMB-01", "PMK-01", "PMK-02", "TANGKI-01", "RESCUE-01", "POLISI-01"}


@pytest.fixture(scope="module")
def pack() -> CityPack:
    return citypack.read("tangerang")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(citypack.PACKS / "tangerang", tmp_path / "town"))


def spoil(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def faults_of(folder: Path) -> str:
    with pytest.raises(CityPackError) as caught:
        citypack.read(folder)
    return str(caught.value)


def test_tangerang_has_thirteen_kecamatan_and_their_104_kelurahan(pack: CityPack) -> None:
    levels = [area.level for area in pack.areas]
    assert (levels.count("kota"), levels.count("kecamatan"), levels.count("kelurahan")) == (1, 13, 104)


def test_every_kecamatan_has_a_unit_and_a_trantib_of_its_own(pack: CityPack) -> None:
    kecamatan = {area.code for area in pack.areas if area.level == "kecamatan"}
    assert {unit.kelurahan[:8] for unit in pack.units} == kecamatan
    assert {agency.area for agency in pack.agencies if agency.kind == "kecamatan"} == kecamatan


def test_every_incident_can_be_answered_by_the_units_there_are(pack: CityPack) -> None:
    owned = [capability for unit in pack.units for capability in unit.capabilities]
    for kind in pack.types:
        assert all(owned.count(one) >= kind.capabilities.count(one) for one in kind.capabilities), kind.code


def test_waste_burning_in_pinang_goes_to_the_trantib_of_pinang(pack: CityPack) -> None:
    assert [r.agency for r in pack.routing if (r.category, r.area) == ("waste_burning", "36.71.11")] == [
        "trantib-pinang"
    ]


def test_the_outcomes_are_the_ones_the_record_knows(pack: CityPack) -> None:
    assert {outcome.code for outcome in pack.outcomes} == {outcome.value for outcome in Outcome}


def test_the_demonstration_has_its_people_and_its_units(pack: CityPack) -> None:
    assert {account.login for account in pack.accounts} >= DEMO | {sign.lower() for sign in CALL_SIGNS}
    assert {unit.call_sign for unit in pack.units} >= CALL_SIGNS


def test_an_unknown_pack_is_answered_with_the_ones_there_are() -> None:
    with pytest.raises(CityPackError, match=r"no such city pack; ours are: .*tangerang"):
        citypack.read("atlantis")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "units.toml",
            'kind = "ambulance"',
            'kind = "hovercraft"',
            "units.toml: unit AMB-01: kind: 'hovercraft' is not in",
        ),
        (
            "units.toml",
            'agency = "dinkes"',
            'agency = "nhs"',
            "units.toml: unit AMB-01: agency: 'nhs' is not in agencies",
        ),
        ("units.toml", 'capabilities = ["medical"]', 'capabilities = ["magic"]', "'magic' is not in incidents.toml"),
        ("units.toml", "lat = -6.17", "lat = 6.17", "lies outside city.bounds; are lat and lon swapped?"),
        ("units.toml", "lat = -6.17", "lat = nan\n# ", "unit.0.lat: Input should be a finite number"),
        ("units.toml", 'call_sign = "AMB-02"', 'call_sign = "AMB-01"', "unit 'AMB-01': is there 2 times"),
        ("units.toml", "crew = 3", "crew = 3\nspeed = 9", "unit.0.speed: Extra inputs are not permitted"),
        ("units.toml", "[[kind]]", "[[kind]", "units.toml: file: is not TOML: "),
        ("incidents.toml", 'group = "fire"', 'group = "feuer"', "type fire_house: group: 'feuer' is not in the groups"),
        ("incidents.toml", "priority = 1", "priority = 9", "type.0.priority: Input should be less than or equal to 5"),
        ("incidents.toml", '["fire_pump", ', '["fire_pmp", ', "type fire_house: capabilities: 'fire_pmp' is not in"),
        ("reports.toml", 'agency = "dlh"', 'agency = "dhl"', "category garbage: 'dhl' is not in agencies.toml"),
        ("reports.toml", 'area = "36.71.01"', 'area = "36.71.99"', "'36.71.99' is not in the areas; add it there"),
        ("reports.toml", 'category = "noise"', 'category = "noize"', "'noize' is not in the categories"),
        (
            "landmarks.toml",
            'kelurahan = "36.71.04.1004"',
            'kelurahan = "36.71.04"',
            "is not in areas/kelurahan.geojson",
        ),
        ("agencies.toml", 'area = "36.71.01"', 'area = "36.72.01"', "agency trantib-tangerang: area: '36.72.01'"),
        ("pack.toml", "Asia/Jakarta", "Asia/Tangerang", "city.timezone: "),
        ("pack.toml", 'country = "ID"', 'country = "62"', "city.country: String should match pattern"),
        ("pack.toml", "lat = -6.184373", "lat = -7.2", "city.centre: lies outside city.bounds"),
        ("accounts.toml", '  "dlh",', '  "dlh2",', "'dlh2' is not in agencies.toml"),
        ("accounts.toml", 'role = "leader"', 'role = "unit"', "a unit's account names its unit, and no other does"),
        ("accounts.toml", 'role = "leader"', 'role = "king"', "account.4.role: Input should be 'call_taker'"),
        ("areas/kecamatan.geojson", '"lat":-6.188812', '"lat":-7.5', "36.71.01: its point lies outside city.bounds"),
        ("areas/kota.geojson", '"code":"36.71"', '"code":"36.72"', "city.code: '36.71' is not in areas/kota.geojson"),
        ("areas/kecamatan.geojson", '"lat":-6.188812', '"lat":"x"', "feature 2: TypeError: 'x' is not a number"),
    ],
)
def test_a_fault_is_named_by_file_and_key(copy: Path, file: str, old: str, new: str, said: str) -> None:
    spoil(copy, file, old, new)
    assert said in faults_of(copy)


def test_all_faults_are_named_at_once(copy: Path) -> None:
    spoil(copy, "units.toml", 'kind = "ambulance"', 'kind = "hovercraft"')
    spoil(copy, "reports.toml", 'agency = "dlh"', 'agency = "dhl"')
    assert len(faults_of(copy).splitlines()) == 2


@pytest.mark.parametrize("file", ["pack.toml", "units.toml", "areas/kelurahan.geojson"])
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    (copy / file).unlink()
    assert f"{file}: file: cannot be read" in faults_of(copy)


async def rows_of(conn: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[tuple[object, ...]]]:
    tables = ("area", "agency", "incident_type", "category", "routing", "place_name", "account")
    return {name: [tuple(row) for row in await conn.fetch(f'SELECT * FROM "{name}" ORDER BY 1, 2')] for name in tables}


def counting(hashed: list[str]) -> Callable[[str], str]:
    def hash_password(password: str) -> str:
        hashed.append(password)
        return f"hash of {password}"

    return hash_password


async def test_the_database_holds_what_the_pack_says(dsn: str, pack: CityPack) -> None:
    conn = await asyncpg.connect(dsn)
    rows = await rows_of(conn)
    await conn.close()
    assert len(rows["area"]) == 118
    assert len(rows["agency"]) == len(pack.agencies)
    assert len(rows["incident_type"]) == len(pack.types)
    assert len(rows["routing"]) == len(pack.routing)
    assert len(rows["place_name"]) == sum(1 + len(landmark.aliases) for landmark in pack.landmarks)
    assert len(rows["account"]) == len(pack.accounts)


async def test_loading_again_changes_nothing_and_keeps_passwords(dsn: str, pack: CityPack) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("UPDATE account SET password_hash = 'my own' WHERE login = 'sari'")
    before = await rows_of(conn)
    hashed: list[str] = []
    await citypack.load(conn, pack, demo=True, hash_password=counting(hashed))
    assert await rows_of(conn) == before
    assert hashed == []
    await conn.close()


async def test_loading_again_brings_back_what_was_changed_and_drops_what_is_no_longer_said(
    dsn: str, pack: CityPack
) -> None:
    conn = await asyncpg.connect(dsn)
    before = await rows_of(conn)
    await conn.execute("UPDATE agency SET name = 'x' WHERE code = 'dlh'")
    await conn.execute("INSERT INTO routing VALUES ('garbage', '36.71.01', 'bpbd')")
    await conn.execute("INSERT INTO place_name (name, kind, lat, lon) VALUES ('Old', 'market', 0, 0)")
    await citypack.load(conn, pack, demo=True)
    assert await rows_of(conn) == before
    await conn.close()


async def test_a_pool_that_speaks_json_loads_as_well(pool: Pool, pack: CityPack) -> None:
    async with pool.acquire() as conn:
        await citypack.load(conn, pack, demo=True)


async def test_without_the_demonstration_there_is_no_account(dsn: str, pack: CityPack) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("DELETE FROM account")
    hashed: list[str] = []
    await citypack.load(conn, pack, demo=False, hash_password=counting(hashed))
    assert await conn.fetchval("SELECT count(*) FROM account") == 0
    assert hashed == []
    await citypack.load(conn, pack, demo=True, hash_password=counting(hashed))
    assert hashed == [pack.demo_password]
    assert await conn.fetchval("SELECT password_hash FROM account WHERE login = 'amb-01'") == "hash of siaga-112-demo"
    await conn.close()


async def test_when_the_demonstration_ends_the_published_password_opens_no_door(dsn: str, pack: CityPack) -> None:
    conn = await asyncpg.connect(dsn)
    await conn.execute("UPDATE account SET password_hash = $1 WHERE login = 'admin'", cheap_hash("my own secret"))
    await citypack.load(conn, pack, demo=False)
    assert await conn.fetchval("SELECT array_agg(login) FROM account WHERE active") == ["admin"]
    await citypack.load(conn, pack, demo=True)
    assert await conn.fetchval("SELECT bool_and(active) FROM account")
    await conn.close()
