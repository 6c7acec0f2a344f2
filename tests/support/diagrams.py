"""The lives of things, drawn from the tables that rule them: ``python -m tests.support.diagrams`` updates the page."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from callcenter import call, incident, report, seat
from callcenter.event import Event
from dispatch import mission, unit

PAGE = Path(__file__).parents[2] / "ARCHITECTURE.md"

Table = Collection[tuple[tuple[str, type[Event]], str]]

# Steps told out of order are taken too (`mission.SKIPPED`, `mission.LATE`); the picture shows the life as it should be.
LIVES: Mapping[str, tuple[str, Table]] = {
    "call": (call.Status.RINGING, call.NEXT.items()),
    "incident": (incident.Status.OPEN, incident.NEXT.items()),
    "report": (report.Status.WAITING, report.NEXT.items()),
    "unit": (unit.Status.OFF_DUTY, unit.NEXT.items()),
    "mission": (mission.Status.OFFERED, mission.IN_ORDER.items()),
    "seat": (seat.Status.FREE, seat.NEXT.items()),
}


def draw(name: str) -> str:
    """One life as a Mermaid diagram."""
    start, table = LIVES[name]
    lines = [f"    {old} --> {new}: {event.__name__}" for (old, event), new in table]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {start}", *lines, "```"])


def with_diagrams(page: str) -> str:
    """The page, with each diagram between its marks drawn anew."""
    for name in LIVES:
        marked = re.compile(rf"(<!-- life of a {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not marked.search(page):
            message = f"{PAGE.name} has no place for the life of a {name}"
            raise ValueError(message)
        drawing = draw(name)
        page = marked.sub(lambda match, drawing=drawing: match[1] + drawing + "\n" + match[2], page)  # type: ignore[misc]  # a default argument
    return page


if __name__ == "__main__":
    PAGE.write_text(with_diagrams(PAGE.read_text()))
