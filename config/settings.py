"""What the operator tells us, in one place: ``SIAGA_*`` in the environment over ``siaga112.toml`` over defaults.

Secrets are files in the state folder, made at the first run and readable by their owner only.
"""

import os
import secrets
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from config.postgres import dsn as postgres_dsn

FILE: Final = "siaga112.toml"

Port = Annotated[int, Field(ge=1, le=65535)]


class SettingsError(Exception):
    """What is wrong with the settings, one line a mistake, fit for the operator's screen."""


class Trunk(BaseModel):
    """A line from the telephone network, known by the addresses it calls from, and the area its callers are in.

    ``outbound`` is the host, or host:port, that takes our calls: abandoned callers are rung back by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")
    match: tuple[str, ...] = Field(min_length=1)
    area: str | None = None
    outbound: str | None = Field(default=None, pattern=r"^([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$")

    @field_validator("match", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("match")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value


class Settings(BaseSettings):
    """Everything the operator can set."""

    model_config = SettingsConfigDict(env_prefix="SIAGA_", toml_file=FILE, extra="forbid", frozen=True)

    state: Path = Path(".siaga")
    dsn: str | None = None
    city: str = Field(default="tangerang", pattern=r"^[a-z][a-z0-9_-]*$")

    host: str = "127.0.0.1"
    sip_host: str | None = None
    public_host: str | None = None
    http_port: Port = 8112
    push_port: Port = 8113
    sip_port: Port = 5060
    sip_ws_port: Port = 8088
    agi_port: Port = 4573
    ami_port: Port = 5038
    rtp_start: Port = 20000
    rtp_end: Port = 20499

    trunks: tuple[Trunk, ...] = (Trunk(name="demo", match=("127.0.0.1",), outbound="127.0.0.1:5090"),)
    seats: int = Field(default=8, ge=1, le=200)
    fallback_phones: tuple[str, ...] = ()

    demo: bool = True
    offer_realert_s: int = Field(default=30, ge=1)
    offer_expire_s: int = Field(default=60, ge=2)

    geocoder_url: str | None = None
    tiles_url: str | None = None
    log_format: Literal["json", "text"] = "json"

    @field_validator("state")
    @classmethod
    def _is_absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("dsn", "sip_host", "public_host", "geocoder_url", "tiles_url", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("geocoder_url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in {"http", "https"} or not parts.netloc):
            raise ValueError(f"{value!r} is not a URL such as http://127.0.0.1:8088")
        return value

    @field_validator("fallback_phones")
    @classmethod
    def _are_sip(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for phone in value:
            if not phone.startswith(("sip:", "sips:")) or any(ch in phone for ch in ";,\r\n \"'<>"):
                raise ValueError(f"{phone!r} is not a SIP address such as sip:desk1@192.0.2.7")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        if self.rtp_end - self.rtp_start < 20:
            raise ValueError("rtp_end must be at least 20 above rtp_start")
        if self.offer_expire_s <= self.offer_realert_s:
            raise ValueError("offer_expire_s must be more than offer_realert_s: both count from the offer")
        names = [trunk.name for trunk in self.trunks]
        if len(names) != len(set(names)):
            raise ValueError("two trunks have the same name")
        ports = self.ports
        for port in ports.values():
            if same := [name for name, other in ports.items() if other == port][1:]:
                raise ValueError(f"{same[0]}={port} is used twice")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the file named by SIAGA_CONFIG, else ./siaga112.toml."""
        del dotenv_settings, file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get("SIAGA_CONFIG", FILE))
        return init_settings, env_settings, toml

    @property
    def ports(self) -> dict[str, int]:
        """The TCP and UDP ports we listen on, by their setting's name."""
        return {
            "http_port": self.http_port,
            "push_port": self.push_port,
            "sip_port": self.sip_port,
            "sip_ws_port": self.sip_ws_port,
            "agi_port": self.agi_port,
            "ami_port": self.ami_port,
        }

    @property
    def browser_host(self) -> str:
        """The host name that people's browsers use for us."""
        if self.public_host:
            return self.public_host
        return "localhost" if self.host in {"127.0.0.1", "0.0.0.0", "::1", "::"} else self.host  # noqa: S104 — compared, not bound

    @property
    def postgres(self) -> Path:
        """Where the embedded PostgreSQL lives."""
        return self.state / "postgres"

    @property
    def database(self) -> str:
        """Where PostgreSQL is reached: the operator's server, else the embedded one."""
        return self.dsn or postgres_dsn(self.postgres)

    @property
    def logs(self) -> Path:
        """Where the launcher writes each child's log."""
        return self.state / "log"

    @property
    def spool(self) -> Path:
        """Where Asterisk notes each call before anybody else hears of it."""
        return self.state / "spool"

    def secret_key(self) -> bytes:
        """32 bytes that sign what we hand out; made at the first run."""
        return _secret(self.state / "secret.key", secrets.token_bytes(32))

    def ami_secret(self) -> str:
        """The password between agi and Asterisk's manager; made at the first run."""
        return _secret(self.state / "ami.secret", secrets.token_hex(24).encode()).decode()


def load(**given: object) -> Settings:
    """Read the settings, or say in plain lines what is wrong with them."""
    try:
        return Settings(**given)  # type: ignore[arg-type]  # checked by pydantic, that is what it is for
    except ValidationError as wrong:
        raise SettingsError("\n".join(_say(error["loc"], error["msg"]) for error in wrong.errors())) from wrong
    except ValueError as wrong:  # broken TOML, or JSON in the environment
        raise SettingsError(f"the settings cannot be read: {wrong}") from wrong


def _say(where: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not where:
        return message
    name = str(where[0])
    if message == "Extra inputs are not permitted":
        return f"{name}: there is no such setting"
    inside = "".join(f".{part}" for part in where[1:])
    return f"{name}{inside} (SIAGA_{name.upper()}): {message}"


def _secret(path: Path, fresh: bytes) -> bytes:
    """What the file holds; ``fresh`` becomes it when there is none. Two starting at once agree on the first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()
