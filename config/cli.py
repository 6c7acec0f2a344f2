"""The ``siaga112`` command: run the control room, look the machine over, place demo calls."""

import asyncio
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from config.cityshape import Role

app = typer.Typer(
    name="siaga112",
    help="Siaga 112: the control room of one city.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def run() -> None:
    """Start everything on this machine and keep it running until Ctrl-C."""
    from config.launch import TROUBLE
    from config.launch import run as launch
    from config.settings import SettingsError, load

    try:
        asyncio.run(launch(load()))
    except (SettingsError, OSError, *TROUBLE) as trouble:
        _fail(trouble, hint="siaga112 doctor looks the whole machine over")


@app.command()
def doctor() -> None:
    """Say what is missing or in the way on this machine, and what to do about it."""
    from config.doctor import examine, report

    raise typer.Exit(0 if report(examine()) else 1)


@app.command()
def demo(
    calls: Annotated[int, typer.Option(min=1, max=50, help="How many callers.")] = 4,
    every_s: Annotated[float, typer.Option(min=0.5, help="Seconds between callers.")] = 5.0,
    patience_s: Annotated[float, typer.Option(min=1, max=600, help="How long a caller lets it ring.")] = 120.0,
    talk_s: Annotated[float, typer.Option(min=1, max=600, help="How long a caller talks.")] = 45.0,
) -> None:
    """Place real SIP calls, with sound and a place, into the running system."""
    from config.demo import DemoError, place_calls
    from config.settings import SettingsError, load

    try:
        asyncio.run(place_calls(load(), calls=calls, every_s=every_s, patience_s=patience_s, talk_s=talk_s))
    except (SettingsError, DemoError) as trouble:
        _fail(trouble)
    except KeyboardInterrupt:
        _fail("stopped; the callers hung up")


@app.command()
def migrate() -> None:
    """Bring the database to today's schema and the city to its pack."""
    from config.launch import TROUBLE, database, prepare
    from config.settings import Settings, SettingsError, load

    async def work(settings: Settings) -> None:
        async with database(settings, _say):
            await prepare(settings, _say)

    try:
        asyncio.run(work(load()))
    except (SettingsError, OSError, *TROUBLE) as trouble:
        _fail(trouble)
    _say("the database is at today's schema")


@app.command()
def account(
    login: Annotated[str, typer.Argument(help="The name to sign in with.")],
    *,
    role: Annotated[Role, typer.Option(help="What this person does.")],
    name: Annotated[str, typer.Option(help="The name colleagues see; else the login.")] = "",
    agency: Annotated[str | None, typer.Option(help="Whose officer this is: its code in the city pack.")] = None,
    unit: Annotated[str | None, typer.Option(help="Whose device this is: the unit's call sign.")] = None,
    password_file: Annotated[Path | None, typer.Option(help="A file with the password; else it is asked for.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Do nothing when somebody has this role already.")] = False,
) -> None:
    """Give a person an account, or a new password."""
    from config.account import AccountError, Person, give, is_held, opened
    from config.launch import TROUBLE, database
    from config.settings import Settings, SettingsError, load

    async def work(settings: Settings) -> None:
        async with database(settings, _say), opened(settings.database) as connection:
            if first and await is_held(connection, role):
                _say(f"somebody is {role.replace('_', ' ')} already; nothing to do")
                return
            if password_file is None:
                password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
            else:
                password = password_file.read_text(encoding="utf-8").strip()
            await give(connection, Person(login, name or login, role, agency, unit), password)
            _say(f"{login} can sign in as {role.replace('_', ' ')}")

    try:
        asyncio.run(work(load()))
    except (SettingsError, AccountError, OSError, *TROUBLE) as trouble:
        _fail(trouble)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def audit(context: typer.Context) -> None:
    """Prove that the log and the rows agree: everything that happened adds up to what is shown."""
    from config.launch import TROUBLE, daemon_env, database
    from config.settings import Settings, SettingsError, load

    async def work(settings: Settings) -> int:
        async with database(settings, _say):
            command = (sys.executable, "-P", "-m", "dispatch", "audit", *context.args)
            process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **daemon_env(settings)})
            return await process.wait()

    try:
        raise typer.Exit(asyncio.run(work(load())))
    except (SettingsError, OSError, *TROUBLE) as trouble:
        _fail(trouble)


@app.command()
def version() -> None:
    """Print the version."""
    print(version_of("siaga112"))


def main() -> None:
    """Where the console script enters."""
    app()


def _say(words: str) -> None:
    print(words, flush=True)


def _fail(trouble: Exception | str, hint: str = "") -> NoReturn:
    for line in str(trouble).splitlines():
        print(f"siaga112: {line}", file=sys.stderr)
    if hint:
        print(f"siaga112: {hint}", file=sys.stderr)
    raise typer.Exit(1)


if __name__ == "__main__":
    main()
