"""What the ledger must know of a kind of thing to keep it: its row, its events, and how one follows from the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import UUID

from pydantic import TypeAdapter

from callcenter.event import Event
from callcenter.refused import unknown

S = TypeVar("S")

# Told with each event in the log, so that one index serves a timeline and a unit's push.
Threads = tuple[UUID | None, UUID | None]


class Row(Protocol):
    """A row of a table, as any driver gives it."""

    def __getitem__(self, name: str, /) -> Any: ...  # noqa: ANN401 - validated by the state's adapter


@dataclass(frozen=True)
class Subject(Generic[S]):
    """A kind of thing with a life: one row each, and its events in the log.

    The fields of ``state`` are the columns of the table ``kind``, less those
    that the database gives by itself. ``threads`` says which incident and
    which unit its events belong to.
    """

    kind: str
    state: type[S]
    evolve: Callable[[S | None, Event], S]
    events: Sequence[type[Event]]
    threads: Callable[[UUID, S], Threads]
    # Whether the database gives each new row a number for people to say aloud.
    numbered: bool = False

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that the state is kept in; ``id`` and ``version`` stand beside them."""
        # mypy cannot know that S is a dataclass; `fields` raises if it is not.
        return tuple(f.name for f in fields(self.state))  # type: ignore[arg-type]

    @cached_property
    def _adapter(self) -> TypeAdapter[S]:
        return TypeAdapter(self.state)

    @cached_property
    def event_types(self) -> dict[str, type[Event]]:
        """Events by the name that the log writes."""
        return {cls.__name__: cls for cls in self.events}

    def from_row(self, row: Row) -> S:
        """The state that a row holds."""
        return self._adapter.validate_python({name: row[name] for name in self.columns})

    def to_json(self, state: S) -> dict[str, object]:
        """The state as column values that JSON can carry."""
        return cast("dict[str, object]", self._adapter.dump_python(state, mode="json"))

    def fold(self, events: Sequence[Event]) -> S:
        """The state that a whole life leads to."""
        state: S | None = None
        for event in events:
            state = self.evolve(state, event)
        if state is None:
            raise unknown(self.kind)
        return state
