"""What a responder's device and we say to each other: one JSON object a websocket frame.

The types here are the description: the checks on what comes in and the
published schema are both made from them.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from callcenter.refused import Refused
from dispatch.sending import Verb

MOST_BYTES = 64 * 1024
_YEARS = range(2000, 2101)


def _keepable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text holds a zero character")
    return text


def _in_our_time(at: datetime) -> datetime:
    if at.year not in _YEARS:
        raise ValueError("a time of this century is wanted")
    return at.astimezone(UTC)


Key: TypeAlias = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_keepable)]
Words: TypeAlias = Annotated[str, Field(max_length=2000), AfterValidator(_keepable)]
Moment: TypeAlias = Annotated[AwareDatetime, AfterValidator(_in_our_time)]


class _Frame(BaseModel):
    # Fields we do not know are ignored, so that devices newer than we are can talk to us.
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


# ------------------------------------------------------------- from the device --


class Hello(_Frame):
    """The first frame: who it is, by a one-time ticket, and the last cursor it has seen."""

    type: Literal["hello"] = "hello"
    ticket: Annotated[str, Field(min_length=1, max_length=200)]
    cursor: Annotated[str, Field(max_length=64)] | None = None
    client: Annotated[str, Field(max_length=100)] = ""


class Ack(_Frame):
    """The device has the event ``seq`` on its screen."""

    type: Literal["ack"] = "ack"
    seq: Annotated[int, Field(ge=0, lt=2**63)]


class Do(_Frame):
    """The crew says something. ``id`` makes it safe to say again: the first answer is given again."""

    type: Literal["do"] = "do"
    id: Key
    verb: Verb
    mission: UUID | None = None
    at: Moment | None = None
    reason: Words | None = None
    outcome: Annotated[str, Field(max_length=64)] | None = None
    note: Words | None = None


class Position(_Frame):
    """Where the unit is, as its device measured."""

    type: Literal["position"] = "position"
    lat: Annotated[float, Field(ge=-90, le=90)]
    lon: Annotated[float, Field(ge=-180, le=180)]
    accuracy_m: Annotated[float, Field(ge=0, le=100_000)] | None = None
    speed_mps: Annotated[float, Field(ge=0, le=400)] | None = None
    heading: Annotated[float, Field(ge=0, le=360)] | None = None
    at: Moment


Heard: TypeAlias = Annotated[Hello | Ack | Do | Position, Field(discriminator="type")]
HEARD: TypeAdapter[Hello | Ack | Do | Position] = TypeAdapter(Heard)


# --------------------------------------------------------------- to the device --


class OtherUnit(_Frame):
    """Somebody else who is on the same incident."""

    call_sign: str
    kind: str
    status: str


class MissionView(_Frame):
    """Everything a crew needs to go, without asking again. Of a mission that has ended, no personal data."""

    id: UUID
    version: int
    incident: UUID
    number: int
    unit: UUID
    status: str
    offered_at: datetime
    alerts: int
    type: str | None
    type_name: str | None
    type_name_en: str | None
    priority: int | None
    place: dict[str, float | int | str | None] | None
    address: str
    caller_name: str | None
    callback: str | None
    hazards: str
    notes: str
    other_units: list[OtherUnit]
    accepted_at: datetime | None
    en_route_at: datetime | None
    on_scene_at: datetime | None
    transporting_at: datetime | None
    at_hospital_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    outcome: str | None
    # Where the offer stands in the log; for us, not for the device.
    offer_txid: int = Field(exclude=True)
    offer_seq: int = Field(exclude=True)


class UnitView(_Frame):
    """The unit that the device belongs to."""

    id: UUID
    call_sign: str
    agency: str
    kind: str
    capabilities: list[str]
    status: str
    reason: str | None


class Welcome(_Frame):
    """Who you are and what you have on hand. What you missed since your cursor follows as events."""

    type: Literal["welcome"] = "welcome"
    unit: UnitView
    missions: list[MissionView]
    cursor: str
    server_time: datetime


class Told(_Frame):
    """Something happened that concerns you; ``mission`` and ``unit`` are how they stand now."""

    type: Literal["event"] = "event"
    seq: int
    cursor: str
    at: datetime
    event: str
    mission: MissionView | None = None
    unit: UnitView | None = None


class Beat(_Frame):
    """We are still here, and up to ``cursor`` you have everything."""

    type: Literal["beat"] = "beat"
    at: datetime
    cursor: str


class Ok(_Frame):
    """What you said under this id is in the record."""

    type: Literal["ok"] = "ok"
    re: str
    mission: UUID | None = None


class Not(_Frame):
    """What you said was refused, why, and what to do instead."""

    type: Literal["refused"] = "refused"
    re: str | None
    code: str
    message: str


class Unreadable(Refused):
    """A frame that says nothing we know. ``re`` is its id, when it has one."""

    def __init__(self, message: str, *, re: str | None = None) -> None:
        super().__init__(message, code="frame.unreadable")
        self.re = re


def hear(frame: str | bytes) -> Hello | Ack | Do | Position:
    """What a frame says, or a refusal that names the first thing wrong with it and repeats nothing of it."""
    if isinstance(frame, bytes):
        raise Unreadable("frames are text, one JSON object each")
    try:
        return HEARD.validate_json(frame)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise Unreadable(message[:200], re=_id_of(frame)) from None
    except UnicodeEncodeError:
        raise Unreadable("the text is not valid Unicode") from None


def _id_of(frame: str) -> str | None:
    """The id of a frame that is otherwise wrong, so that the device knows which one was refused."""
    try:
        match from_json(frame):
            case {"id": str(key)} if len(key) <= 64:
                return key
            case _:
                return None
    except ValueError:
        return None
