"""Questions about places from the command line: is the city pack right, and what lies at a point."""

from typing import Annotated, NoReturn

import typer

from config import citypack
from geo.area import Areas, BadAreas
from geo.check import Claim, faults

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)


@app.command()
def check(pack: Annotated[str, typer.Argument(help="A pack's name, or a path to its folder.")] = "tangerang") -> None:
    """Read a city pack, follow every code and prove every point against the boundaries."""
    try:
        city = citypack.read(pack)
        areas = Areas.load(city.areas_folder)
    except (citypack.CityPackError, BadAreas) as trouble:
        _give_up(str(trouble).splitlines())
    claims = [Claim(unit.call_sign, unit.kelurahan, unit.lat, unit.lon) for unit in city.units]
    claims += [Claim(one.name, one.kelurahan, one.lat, one.lon, one.radius_m) for one in city.landmarks]
    if found := faults(areas, claims):
        _give_up(found)
    typer.echo(
        f"{city.city.name}: {len(areas.of_level('kecamatan'))} kecamatan, "
        f"{len(areas.of_level('kelurahan'))} kelurahan, "
        f"{len(city.agencies)} agencies, {len(city.types)} incident types, {len(city.categories)} report categories, "
        f"{len(city.units)} units, {len(city.landmarks)} landmarks, {len(city.accounts)} demo accounts: all right",
    )


@app.command(context_settings={"ignore_unknown_options": True})  # a latitude south of the equator is no option
def where(lat: float, lon: float, pack: str = "tangerang") -> None:
    """Name the kelurahan and kecamatan at a point, and what else is near."""
    try:
        typer.echo(Areas.load(citypack.read(pack).areas_folder).at(lat, lon).label)
    except (citypack.CityPackError, BadAreas) as trouble:
        _give_up(str(trouble).splitlines())


def _give_up(faults_found: list[str]) -> NoReturn:
    for fault in faults_found:
        typer.echo(fault, err=True)
    typer.echo(f"{len(faults_found)} to correct", err=True)
    raise typer.Exit(1)


if __name__ == "__main__":
    app()
