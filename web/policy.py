"""Who may do what: one table, read from left to right, and everything it does not say is forbidden.

A row is something a person can do; a column is what the person is. A cell says over which things: all of them, the
same with the caller hidden, only those of the person's agency, or only the person's own. Handlers never ask for a
role; they ask this table. The scope a cell gives is then enforced in the SQL of the handler, so that another
agency's id looks like no id at all.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is here. Somebody who has not signed in is a citizen."""

    CALL_TAKER = "call_taker"
    DISPATCHER = "dispatcher"
    SUPERVISOR = "supervisor"
    UNIT = "unit"
    AGENCY_OFFICER = "agency_officer"
    LEADER = "leader"
    CITIZEN = "citizen"
    ADMIN = "admin"


class Scope(StrEnum):
    """Over which things a right reaches."""

    ALL = "all"
    REDACTED = "redacted"
    AGENCY = "agency"
    OWN = "own"


_COLUMNS = (
    Role.CALL_TAKER,
    Role.DISPATCHER,
    Role.SUPERVISOR,
    Role.UNIT,
    Role.AGENCY_OFFICER,
    Role.LEADER,
    Role.CITIZEN,
    Role.ADMIN,
)

_CELLS: dict[str, Scope | None] = {
    "yes": Scope.ALL,
    "hid": Scope.REDACTED,
    "agy": Scope.AGENCY,
    "own": Scope.OWN,
    "-": None,
}

# The role matrix of SECURITY.md, narrowed to what exists. Where it departs from the matrix a note says why.
_TABLE = """
                      call_taker dispatcher supervisor unit officer leader citizen admin
session.open          yes        yes        yes        yes  yes     yes    yes     yes
session.keep          own        own        own        own  own     own    -       own
config.read           yes        yes        yes        yes  yes     yes    yes     yes
area.read             yes        yes        yes        yes  yes     yes    yes     yes
place.read            yes        yes        yes        yes  yes     -      -       -
phone.use             own        -          own        -    -       -      -       -
live.follow           yes        yes        yes        -    agy     hid    -       -
push.follow           -          -          -          own  -       -      -       -
board.read            yes        yes        yes        -    agy     hid    -       -
incident.read         yes        yes        yes        own  -       hid    -       -
incident.create       yes        -          yes        -    -       -      -       -
incident.describe     yes        yes        yes        -    -       -      -       -
incident.place        yes        yes        yes        -    -       -      -       -
incident.suggest      yes        yes        yes        -    -       -      -       -
incident.send         yes        yes        yes        -    -       -      -       -
incident.report       yes        -          yes        -    -       -      -       -
incident.close        yes        yes        yes        -    -       -      -       -
incident.cancel       yes        yes        yes        -    -       -      -       -
incident.reopen       own        yes        yes        -    -       -      -       -
incident.merge        yes        yes        yes        -    -       -      -       -
call.callback         yes        yes        yes        -    -       -      -       -
mission.withdraw      -          yes        yes        -    -       -      -       -
mission.resend        -          yes        yes        -    -       -      -       -
mission.record        -          yes        yes        -    -       -      -       -
unit.read             yes        yes        yes        own  agy     -      -       -
unit.duty             -          yes        yes        own  -       -      -       -
report.read           yes        yes        yes        -    agy     hid    -       -
report.take           -          -          yes        -    agy     -      -       -
report.progress       -          -          yes        -    agy     -      -       -
report.resolve        -          -          yes        -    agy     -      -       -
report.reject         -          -          yes        -    agy     -      -       -
report.reroute        -          -          yes        -    agy     -      -       -
report.close          -          -          yes        -    agy     -      -       -
report.reopen         -          -          yes        -    agy     -      -       -
track.read            yes        yes        yes        yes  yes     yes    yes     yes
figures.read          -          yes        yes        -    -       yes    -       -
access.read           -          -          yes        -    -       -      -       yes
account.read          -          -          -          -    -       -      -       yes
account.revoke        -          -          -          -    -       -      -       yes
"""
# incident.send is the call-taker's too: one key triages the call and asks the units, and who of two gets the
# ambulance is settled by "one live mission a unit". incident.merge is theirs because thirty calls about one fire are.
# incident.reopen is theirs for what they took themselves: a key pressed by mistake must have a way back.


def _read(table: str) -> dict[str, dict[Role, Scope]]:
    rows: dict[str, dict[Role, Scope]] = {}
    for line in table.strip().splitlines()[1:]:
        action, *cells = line.split()
        scopes = dict(zip(_COLUMNS, (_CELLS[cell] for cell in cells), strict=True))
        rows[action] = {role: scope for role, scope in scopes.items() if scope is not None}
    return rows


POLICY: dict[str, dict[Role, Scope]] = _read(_TABLE)


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person a request is answered for."""

    login: str
    name: str
    role: Role
    agency: str | None = None
    unit: str | None = None


NOBODY = Viewer(login="", name="", role=Role.CITIZEN)


def scope(role: Role, action: str) -> Scope | None:
    """How far this role's right to the action reaches; None is "no", also for what the table does not know."""
    return POLICY.get(action, {}).get(role)


def rights(role: Role) -> list[str]:
    """Everything the role may do, for the screen to show only the buttons that work."""
    return [action for action, cells in POLICY.items() if role in cells]


def is_public(action: str) -> bool:
    """Whether somebody who has not signed in may do it."""
    return scope(Role.CITIZEN, action) is not None
