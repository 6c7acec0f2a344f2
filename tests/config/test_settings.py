"""What the operator tells us, and how we answer when it makes no sense."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from config.settings import SettingsError, Trunk, load


@pytest.fixture(autouse=True)
def _nothing_said_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SIAGA_CONFIG", "SIAGA_STATE", "SIAGA_HTTP_PORT", "SIAGA_SEATS"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_word_from_the_operator_everything_has_a_value() -> None:
    settings = load()
    assert (settings.city, settings.http_port, settings.dsn) == ("tangerang", 8112, None)
    assert settings.trunks == (Trunk(name="demo", match=("127.0.0.1",), outbound="127.0.0.1:5090"),)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "siaga112.toml").write_text("http_port = 9000\nseats = 3\n")
    monkeypatch.setenv("SIAGA_HTTP_PORT", "9001")
    settings = load()
    assert (settings.http_port, settings.seats) == (9001, 3)


def test_a_trunk_is_a_table_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "siaga112.toml").write_text(
        '[[trunks]]\nname = "telkom"\nmatch = ["192.0.2.0/24", "2001:db8::1"]\narea = "36.71"\n'
    )
    assert load().trunks == (Trunk(name="telkom", match=("192.0.2.0/24", "2001:db8::1"), area="36.71"),)


def test_the_state_folder_is_where_it_was_when_we_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load()
    monkeypatch.chdir("/")
    assert settings.state == tmp_path / ".siaga"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"http_port": "web"}, "http_port (SIAGA_HTTP_PORT): Input should be a valid integer"),
        ({"http_port": 70000}, "http_port (SIAGA_HTTP_PORT): Input should be less than or equal to 65535"),
        ({"http_port": 8113}, "push_port=8113 is used twice"),
        ({"rtp_start": 20000, "rtp_end": 20001}, "rtp_end must be at least 20 above rtp_start"),
        ({"offer_expire_s": 30}, "offer_expire_s must be more than offer_realert_s"),
        ({"trunks": [{"name": "a", "match": "not-an-address"}]}, "'not-an-address' does not appear to be an IPv4"),
        ({"trunks": [{"name": "a", "match": []}]}, "trunks.0.match (SIAGA_TRUNKS)"),
        ({"trunks": [{"name": "a", "match": "10.0.0.1"}] * 2}, "two trunks have the same name"),
        ({"geocoder_url": "nominatim.example"}, "'nominatim.example' is not a URL"),
        ({"trunks": [{"name": "a", "match": "10.0.0.1", "outbound": "b\r\nc"}]}, "trunks.0.outbound (SIAGA_TRUNKS)"),
        ({"fallback_phones": ["sip:a@b\r\nx"]}, "is not a SIP address"),
        ({"colour": "red"}, "colour: there is no such setting"),
        ({"city": "../etc"}, "city (SIAGA_CITY): String should match pattern"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_its_reason(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**given)
    assert said in str(refused.value)


def test_a_broken_file_is_one_line_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "siaga112.toml").write_text("http_port = = 1")
    with pytest.raises(SettingsError, match="the settings cannot be read"):
        load()


def test_secrets_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    settings = load(state=tmp_path / "state")
    key = settings.secret_key()
    assert len(key) == 32
    assert settings.secret_key() == key
    assert len(settings.ami_secret()) == 48
    assert (tmp_path / "state" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"secret.key", "ami.secret"}


def test_browsers_are_sent_to_a_name_they_can_use() -> None:
    assert load().browser_host == "localhost"
    assert load(host="0.0.0.0").browser_host == "localhost"
    assert load(host="192.0.2.5").browser_host == "192.0.2.5"
    assert load(host="0.0.0.0", public_host="siaga.example").browser_host == "siaga.example"


def test_settings_do_not_change_after_they_were_read() -> None:
    settings: BaseModel = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.__setattr__("city", "depok")
