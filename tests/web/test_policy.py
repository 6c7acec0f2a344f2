"""Every cell of the policy table, both ways: over the wire, on every route."""

import pytest

from callcenter.store import Pool
from tests.web.conftest import Visit
from web.app import build
from web.desk import Desk
from web.openapi import API, ROUTES, Route, document, route
from web.policy import POLICY, Role, Scope, is_public, rights, scope

ONE_OF_EACH = {
    Role.CALL_TAKER: "sari",
    Role.DISPATCHER: "budi",
    Role.SUPERVISOR: "ratna",
    Role.UNIT: "amb-01",
    Role.AGENCY_OFFICER: "dlh",
    Role.LEADER: "walikota",
    Role.ADMIN: "admin",
    Role.CITIZEN: None,
}
NO_ID = "00000000-0000-0000-0000-000000000001"

# A crew may read its own incidents one by one, but not list them: the push does.
LISTS_NOTHING = {(Role.UNIT, "find_incidents")}


def path_of(one: Route) -> str:
    return one.path.format(id=NO_ID, number="TLR-2026-000001", name="kota", login="nobody")


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_do_what_the_table_says_and_nothing_else(visit: Visit, role: Role) -> None:
    person = await visit(ONE_OF_EACH[role])
    wrong = []
    for one in ROUTES:
        if (one.method, one.path) in {("DELETE", "/session"), ("POST", "/session")}:
            continue
        answer = await person.ask(one.method, path_of(one), {} if one.is_unsafe else None)
        refused = answer.status in {401, 403} and answer.code in {"session.needed", "not.allowed"}
        if refused is (one.action in rights(role)) and (role, one.name) not in LISTS_NOTHING:
            wrong.append(f"{role} {one.method} {one.path}: {answer.status}")
        if one.action not in rights(role):
            assert answer.status == (401 if role is Role.CITIZEN else 403)
    assert wrong == []


async def test_an_account_of_a_citizen_may_do_no_more_than_a_stranger(visit: Visit, pool: Pool) -> None:
    await pool.execute("UPDATE account SET role = 'citizen' WHERE login = 'dewi'")
    dewi = await visit("dewi")
    assert (await dewi.get("/board")).code == "not.allowed"


def test_what_is_not_in_the_table_is_forbidden_to_everybody() -> None:
    assert all(scope(role, "incident.erase") is None for role in Role)


def test_a_route_for_an_action_that_is_not_in_the_table_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"incident\.erase"):
        route("POST", "/erase", action="incident.erase")


def test_every_action_is_asked_for_somewhere() -> None:
    asked = {one.action for one in ROUTES} | {"live.follow", "push.follow"}
    assert set(POLICY) == asked


def test_only_these_things_need_no_sign_in() -> None:
    assert {action for action in POLICY if is_public(action)} == {
        "session.open",
        "config.read",
        "area.read",
        "track.read",
    }


def test_a_leader_sees_callers_nowhere_and_an_officer_only_their_agency() -> None:
    assert {
        cells[Role.LEADER]
        for action, cells in POLICY.items()
        if action.startswith(("incident", "report")) and Role.LEADER in cells
    } == {Scope.REDACTED}
    assert {cells[Role.AGENCY_OFFICER] for action, cells in POLICY.items() if action.startswith("report")} == {
        Scope.AGENCY
    }
    assert not [action for action in rights(Role.ADMIN) if action.startswith(("incident", "report", "board"))]


def test_every_route_of_the_application_is_in_the_document_or_is_known_to_be_open(desk: Desk) -> None:
    paths = document(ROUTES, version="0")["paths"]
    assert isinstance(paths, dict)
    described = {path for path in paths if isinstance(path, str)}
    served = {resource.canonical for resource in build(desk).router.resources()}
    opened = {
        f"{API}/openapi.json",
        f"{API}/asyncapi.json",
        f"{API}/live",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/",
        "/{path}",
        *(f"/{page}" for page in ("call", "board", "unit", "agency", "track", "figures")),
    }
    assert served - described == opened
