"""What the documents say of settings and commands is what the program does."""

import re
import tomllib
from pathlib import Path

from config.cli import app
from config.settings import Settings, load

ROOT = Path(__file__).parents[2]


def table() -> dict[str, str]:
    """The settings table of the README: name and default."""
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\|", (ROOT / "README.md").read_text(), re.MULTILINE)
    return {name: default.strip(" `") for name, default in rows}


def test_the_readme_names_every_setting_and_no_other() -> None:
    assert list(table()) == list(Settings.model_fields)


def test_the_readme_gives_each_default_as_it_is() -> None:
    said = table()
    for name, field in Settings.model_fields.items():
        match field.default:
            case bool():
                assert said[name] == str(field.default).lower(), name
            case str() | int() | Path():
                assert said[name] == str(field.default), name
            case _:
                assert said[name] in {"", "as `host", "this machine"}, name


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CHANGELOG.md").read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        assert command.callback.__name__ in text


def test_the_operators_example_of_a_trunk_is_a_sound_configuration() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "OPERATING.md").read_text(), re.DOTALL)
    settings = load(**tomllib.loads(example))
    assert [trunk.name for trunk in settings.trunks] == ["telkom", "cellular"]
    assert (settings.sip_host, settings.demo, len(settings.fallback_phones)) == ("192.0.2.10", False, 2)
