"""A report: no emergency, but somebody's work, which the citizen watches until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from callcenter.event import Event
from callcenter.refused import Refused
from callcenter.subject import Subject, Threads
from geo.place import Place


class Status(StrEnum):
    """Where a report stands for the people who work on it."""

    WAITING = "waiting"
    VERIFIED = "verified"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    UPGRADED = "upgraded"


class PublicStatus(StrEnum):
    """Where it stands for the citizen; the city's own three words."""

    WAITING = "menunggu"
    WORKING = "proses"
    DONE = "selesai"


PUBLIC: dict[Status, PublicStatus] = {
    Status.WAITING: PublicStatus.WAITING,
    Status.VERIFIED: PublicStatus.WAITING,
    Status.ASSIGNED: PublicStatus.WAITING,
    Status.IN_PROGRESS: PublicStatus.WORKING,
    Status.RESOLVED: PublicStatus.DONE,
    Status.CLOSED: PublicStatus.DONE,
    Status.REJECTED: PublicStatus.DONE,
    Status.DUPLICATE: PublicStatus.DONE,
    Status.UPGRADED: PublicStatus.WORKING,
}


@dataclass(frozen=True, slots=True)
class Report:
    """One report with its ticket number. ``agency`` is the one in charge now."""

    status: Status
    number: str
    created_at: datetime
    source: str
    category: str
    agency: str
    place: Place | None
    address: str
    description: str
    reporter_name: str | None
    reporter_number: str | None
    incident: UUID | None
    officer: str | None = None
    bounces: int = 0
    resolution: str | None = None
    reason: str | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReportMade(Event):
    """A citizen told us of something that is no emergency."""

    number: str
    source: str
    category: str
    agency: str
    place: Place | None
    address: str
    description: str
    reporter_name: str | None
    reporter_number: str | None
    incident: UUID | None


@dataclass(frozen=True, slots=True)
class ReportVerified(Event):
    """A person of ours says that it is real and complete."""


@dataclass(frozen=True, slots=True)
class ReportAssigned(Event):
    """It is in the queue of an agency."""

    agency: str


@dataclass(frozen=True, slots=True)
class ReportTaken(Event):
    """An officer of the agency works on it."""

    officer: str


@dataclass(frozen=True, slots=True)
class ReportProgressed(Event):
    """Something was done; the citizen may read the note."""

    note: str


@dataclass(frozen=True, slots=True)
class ReportResolved(Event):
    """The work is done; the citizen may read the note."""

    note: str


@dataclass(frozen=True, slots=True)
class ReportClosed(Event):
    """Nobody has more to say."""


@dataclass(frozen=True, slots=True)
class ReportRejected(Event):
    """It cannot be worked on; the citizen may read why."""

    reason: str


@dataclass(frozen=True, slots=True)
class ReportRerouted(Event):
    """Not our authority (bukan wewenang): the right agency is named, and has it now."""

    agency: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportReopened(Event):
    """It was not done."""

    reason: str


NEXT: dict[tuple[Status, type[Event]], Status] = {
    (Status.WAITING, ReportVerified): Status.VERIFIED,
    (Status.WAITING, ReportRejected): Status.REJECTED,
    (Status.VERIFIED, ReportAssigned): Status.ASSIGNED,
    (Status.VERIFIED, ReportRejected): Status.REJECTED,
    (Status.ASSIGNED, ReportTaken): Status.IN_PROGRESS,
    (Status.ASSIGNED, ReportRerouted): Status.ASSIGNED,
    (Status.ASSIGNED, ReportRejected): Status.REJECTED,
    (Status.IN_PROGRESS, ReportTaken): Status.IN_PROGRESS,
    (Status.IN_PROGRESS, ReportProgressed): Status.IN_PROGRESS,
    (Status.IN_PROGRESS, ReportRerouted): Status.ASSIGNED,
    (Status.IN_PROGRESS, ReportResolved): Status.RESOLVED,
    (Status.IN_PROGRESS, ReportRejected): Status.REJECTED,
    (Status.RESOLVED, ReportClosed): Status.CLOSED,
    (Status.RESOLVED, ReportReopened): Status.ASSIGNED,
    (Status.CLOSED, ReportReopened): Status.ASSIGNED,
    (Status.REJECTED, ReportReopened): Status.ASSIGNED,
}

MAX_NOTE = 4000


def verify(report: Report, *, now: datetime) -> list[Event]:
    """Say that it is real, which sends it to its agency."""
    _require(report, ReportVerified, "verified")
    return [ReportVerified(now), ReportAssigned(now, report.agency)]


def take(report: Report, officer: str, *, now: datetime) -> list[Event]:
    """An officer takes it."""
    if report.status is Status.IN_PROGRESS and report.officer == officer:
        return []
    _require(report, ReportTaken, "taken")
    return [ReportTaken(now, officer)]


def progress(report: Report, note: str, *, now: datetime) -> list[Event]:
    """Tell the citizen what was done so far."""
    _require(report, ReportProgressed, "worked on; take it first")
    return [ReportProgressed(now, _said(note))]


def resolve(report: Report, note: str, *, now: datetime) -> list[Event]:
    """Say that the work is done, and what was done."""
    _require(report, ReportResolved, "resolved; take it first")
    return [ReportResolved(now, _said(note))]


def close(report: Report, *, now: datetime) -> list[Event]:
    """Put it away."""
    if report.status is Status.CLOSED:
        return []
    _require(report, ReportClosed, "closed; resolve it first")
    return [ReportClosed(now)]


def reject(report: Report, reason: str, *, now: datetime) -> list[Event]:
    """Say that it cannot be worked on, and why."""
    _require(report, ReportRejected, "rejected")
    return [ReportRejected(now, _said(reason))]


def reroute(report: Report, agency: str, reason: str, *, now: datetime) -> list[Event]:
    """Not our authority: name the agency whose it is."""
    if agency == report.agency:
        message = "it is with this agency already; name the agency whose work it is"
        raise Refused(message, code="report.same_agency")
    _require(report, ReportRerouted, "sent to another agency")
    return [ReportRerouted(now, agency, _said(reason))]


def reopen(report: Report, reason: str, *, now: datetime) -> list[Event]:
    """It was not done; the same agency has it again."""
    _require(report, ReportReopened, "reopened; it is still being worked on")
    return [ReportReopened(now, _said(reason))]


def _require(report: Report, event: type[Event], wish: str) -> None:
    if (report.status, event) not in NEXT:
        message = f"this report is {report.status.replace('_', ' ')}, so it cannot be {wish}"
        raise Refused(message, code="report.wrong_status")


def _said(words: str) -> str:
    words = words.strip()
    if not words:
        message = "write a few words for the citizen to read"
        raise Refused(message, code="reason.missing")
    if len(words) > MAX_NOTE:
        message = f"write at most {MAX_NOTE} characters"
        raise Refused(message, code="report.too_long")
    return words


def evolve(report: Report | None, event: Event) -> Report:
    """What a report becomes by an event."""
    if isinstance(event, ReportMade):
        return Report(
            status=Status.WAITING,
            number=event.number,
            created_at=event.at,
            source=event.source,
            category=event.category,
            agency=event.agency,
            place=event.place,
            address=event.address,
            description=event.description,
            reporter_name=event.reporter_name,
            reporter_number=event.reporter_number,
            incident=event.incident,
        )
    if report is None:
        raise ValueError(event)
    report = replace(report, status=NEXT[report.status, type(event)])
    match event:
        case ReportAssigned():
            return replace(report, agency=event.agency)
        case ReportTaken():
            return replace(report, officer=event.officer)
        case ReportResolved():
            return replace(report, resolution=event.note, resolved_at=event.at)
        case ReportClosed():
            return replace(report, closed_at=event.at)
        case ReportRejected():
            return replace(report, reason=event.reason, closed_at=event.at)
        case ReportRerouted():
            return replace(report, agency=event.agency, officer=None, bounces=report.bounces + 1)
        case ReportReopened():
            return replace(report, reason=event.reason, resolution=None, resolved_at=None, closed_at=None)
        case _:
            return report


def _threads(_: UUID, report: Report) -> Threads:
    return report.incident, None


EVENTS: Sequence[type[Event]] = (
    ReportMade,
    ReportVerified,
    ReportAssigned,
    ReportTaken,
    ReportProgressed,
    ReportResolved,
    ReportClosed,
    ReportRejected,
    ReportRerouted,
    ReportReopened,
)
REPORTS = Subject(kind="report", state=Report, evolve=evolve, events=EVENTS, threads=_threads)
