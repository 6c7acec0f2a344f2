"""What happened, as values: the base of every event, and how one is written to the log and read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, cast

from pydantic import TypeAdapter

JSON: TypeAlias = "str | int | float | bool | Sequence[JSON] | Mapping[str, JSON] | None"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a moment (UTC). Subclasses are named in the past tense."""

    at: datetime


_ADAPTERS: dict[type[Event], TypeAdapter[Event]] = {}


def _adapter(cls: type[Event]) -> TypeAdapter[Event]:
    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def to_data(event: Event) -> dict[str, JSON]:
    """All of an event but its time, which has its own column in the log."""
    # The adapter of a dataclass always dumps a mapping with string keys.
    data = cast("dict[str, JSON]", _adapter(type(event)).dump_python(event, mode="json"))
    del data["at"]
    return data


def from_data(cls: type[Event], at: datetime, data: Mapping[str, JSON]) -> Event:
    """The event that ``to_data`` wrote."""
    return _adapter(cls).validate_python({**data, "at": at})
