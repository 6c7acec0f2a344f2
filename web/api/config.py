"""What every page needs to know of the city, and its outlines for the map. Public."""

from hashlib import sha256

from aiohttp import web

from callcenter.call import CallClass
from callcenter.incident import Outcome
from callcenter.store import Pool
from web.answers import Agency, Category, CityName, Config, LatLon, TypeOf
from web.bodies import Nothing
from web.desk import Desk
from web.openapi import Ask, route
from web.problem import no_such

_DAY_S = 86_400


@route("GET", "/config", action="config.read", answer=Config)
async def read_config(desk: Desk, ask: Ask[Nothing]) -> Config:
    """The city, its lists of words, and where the other doors are."""
    city, pool = desk.city, desk.pool
    return Config(
        city=CityName(code=city.code, name=city.name),
        languages=list(city.languages),
        tiles_url=city.tiles_url,
        geocoder=city.geocoder is not None,
        push_url=desk.doorplate.push_url(ask.http),
        centre=LatLon(lat=city.centre[0], lon=city.centre[1]),
        bounds=list(city.bounds),
        types=await _types(pool),
        categories=[
            Category(code=row["code"], name=row["name"], name_en=row["name_en"], agency=row["agency"])
            for row in await pool.fetch("SELECT code, name, name_en, agency FROM category ORDER BY name")
        ],
        agencies=[
            Agency(code=row["code"], name=row["name"], name_en=row["name_en"], phone=row["phone"])
            for row in await pool.fetch("SELECT code, name, name_en, phone FROM agency ORDER BY name")
        ],
        outcomes=[*Outcome],
        call_classes=[*CallClass],
        priorities=[1, 2, 3, 4, 5],
    )


async def _types(pool: Pool) -> list[TypeOf]:
    rows = await pool.fetch(
        """SELECT code, name, name_en, "group", default_priority, capabilities, hazards
           FROM incident_type ORDER BY "group", default_priority, name"""
    )
    return [
        TypeOf(
            code=row["code"],
            name=row["name"],
            name_en=row["name_en"],
            group=row["group"],
            priority=row["default_priority"],
            capabilities=row["capabilities"],
            hazards=row["hazards"],
        )
        for row in rows
    ]


@route("GET", "/areas/{name}.geojson", action="area.read", answer=dict[str, object])
async def read_outlines(desk: Desk, ask: Ask[Nothing]) -> web.Response:
    """The boundaries of one level: kota, kecamatan, kelurahan or neighbours."""
    outlines = desk.city.outlines.get(ask.part("name"))
    if outlines is None:
        raise no_such("map layer")
    tag = sha256(outlines).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"', "Cache-Control": f"public, max-age={_DAY_S}"}
    known = ask.http.if_none_match
    if known and any(one.value == tag for one in known):
        return web.Response(status=304, headers=headers)
    response = web.Response(body=outlines, content_type="application/geo+json", headers=headers)
    response.enable_compression()
    return response
