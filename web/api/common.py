"""What several questions share: pages of a list, and timelines."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg

from web import redact
from web.answers import TimelineEvent
from web.problem import Problem

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def before_of(cursor: str | None) -> tuple[datetime | None, UUID | None]:
    """Where the page before ended."""
    if cursor is None:
        return None, None
    moment, _, id_ = cursor.partition("_")
    try:
        return _EPOCH + timedelta(microseconds=int(moment)), UUID(id_)
    except (ValueError, OverflowError):
        raise Problem(422, "request.shape", "`before` is the `next` of the page before, as it was given") from None


def next_of(found: Sequence[asyncpg.Record], limit: int, time_column: str) -> str | None:
    """Where this page ends, if there may be more."""
    if len(found) < limit:
        return None
    last = found[-1]
    return f"{(last[time_column] - _EPOCH) // timedelta(microseconds=1)}_{last['id']}"


def after_of(found: Sequence[asyncpg.Record], limit: int) -> int | None:
    """Where this page of a timeline ends, if there may be more."""
    return found[-1]["seq"] if len(found) == limit else None


def timeline_of(found: Sequence[asyncpg.Record], to: redact.Rendering, *, is_open: bool) -> list[TimelineEvent]:
    """Log entries as they are shown."""
    return [
        TimelineEvent(
            seq=row["seq"],
            at=row["at"],
            kind=row["kind"],
            subject=row["subject"],
            type=row["type"],
            by=row["by"],
            data=redact.data(row["data"], to, is_open=is_open),
        )
        for row in found
    ]
