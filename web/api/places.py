"""Finding a place by its name, and what lies at a point."""

from geo.area import Area
from geo.distance import haversine_m
from web.answers import AreaName, PlaceAt, PlaceHit, PlaceHits
from web.bodies import PlaceSearch, Point
from web.desk import Desk
from web.openapi import Ask, route


@route("GET", "/places", action="place.read", said=PlaceSearch, answer=PlaceHits)
async def find_places(desk: Desk, ask: Ask[PlaceSearch]) -> PlaceHits:
    """Areas and landmarks with a name like what was typed; with ``more``, then what the map service suggests."""
    near = _point(ask.said.near)
    hits = desk.city.gazetteer.search(ask.said.q, limit=ask.said.limit, near=near)
    suggested = await desk.city.geocoder.suggest(ask.said.q) if ask.said.more and desk.city.geocoder else []
    return PlaceHits(
        places=[
            PlaceHit(
                source="gazetteer",
                name=hit.name.name,
                label=hit.name.label or hit.name.name,
                kind=hit.name.kind,
                lat=hit.name.lat,
                lon=hit.name.lon,
                radius_m=hit.name.radius_m,
                kelurahan=hit.name.kelurahan,
                kecamatan=hit.name.kecamatan,
                distance_m=round(haversine_m(*near, hit.name.lat, hit.name.lon)) if near else None,
            )
            for hit in hits
        ]
        + [
            PlaceHit(
                source="geocoder",
                name=place.text,
                label=place.text,
                kind="address",
                lat=place.lat,
                lon=place.lon,
                radius_m=place.radius_m,
                kelurahan=place.kelurahan,
                kecamatan=place.kecamatan,
                distance_m=round(haversine_m(*near, place.lat, place.lon)) if near else None,
            )
            for place in suggested
        ]
    )


@route("GET", "/places/at", action="place.read", said=Point, answer=PlaceAt)
async def what_is_at(desk: Desk, ask: Ask[Point]) -> PlaceAt:
    """The kelurahan and kecamatan at a point, or the neighbour beyond the edge."""
    where = desk.city.areas.at(ask.said.lat, ask.said.lon)
    return PlaceAt(
        inside=where.in_city,
        kelurahan=_named(where.kelurahan),
        kecamatan=_named(where.kecamatan),
        neighbour=_named(where.neighbour),
        near=[AreaName(code=area.code, name=area.name) for area in where.near],
        label=where.label,
    )


def _named(area: Area | None) -> AreaName | None:
    return None if area is None else AreaName(code=area.code, name=area.name)


def _point(near: str | None) -> tuple[float, float] | None:
    if near is None:
        return None
    lat, _, lon = near.partition(",")
    return min(90.0, max(-90.0, float(lat))), min(180.0, max(-180.0, float(lon)))
