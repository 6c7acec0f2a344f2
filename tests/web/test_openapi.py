"""The documents are made from the code, so they can be trusted; and they are documents."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import re
from collections.abc import Iterator
from typing import Any, get_type_hints

from pydantic import TypeAdapter
from typing_extensions import get_annotations

from callcenter.ledger import Ledger
from callcenter.store import Pool
from tests.web.conftest import Visit
from tests.web.scene import a_category, call, fire, free_units
from web import rows, shapes
from web.openapi import ROUTES


def references(node: Any) -> Iterator[str]:
    match node:
        case dict():
            for key, value in node.items():
                if key == "$ref":
                    yield value
                else:
                    yield from references(value)
        case list():
            for value in node:
                yield from references(value)
        case _:
            return


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


async def test_the_interface_describes_itself_completely(visit: Visit) -> None:
    document = (await (await visit()).get("/openapi.json")).ok()
    assert document["openapi"] == "3.1.0"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == len(ROUTES)
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for reference in references(document):
        assert resolve(document, reference), reference
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"].endswith((".", ",")) or operation["summary"], path
            named = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path))
            assert any(status.startswith("2") for status in operation["responses"])


async def test_both_sockets_are_described_by_the_types_of_their_frames(visit: Visit) -> None:
    document = (await (await visit()).get("/asyncapi.json")).ok()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["channels"]) == {"live", "push"}
    for reference in references(document):
        assert resolve(document, reference), reference
    names = set(document["components"]["messages"])
    assert {"live.in.Hello", "live.out.Changes", "push.in.Do", "push.out.Told"} <= names


async def test_every_answer_is_what_the_document_says(visit: Visit, ledger: Ledger, units: None) -> None:
    """The types of answers are promises: a day at the desk, each answer checked against its route's type."""
    sari, officer, ratna, admin = [await visit(login) for login in ("sari", "dlh", "ratna", "admin")]
    promised = {(one.method, one.path): one.answer for one in ROUTES}
    incident, other, third = await call(ledger), await call(ledger, "+62855"), await call(ledger, "+62866")
    await fire(sari, incident)
    unit = (await free_units(sari))[0]["id"]
    mission = (await sari.post(f"/incidents/{incident}/send", {"units": [unit]})).ok()["missions"][0]["id"]
    made = (await sari.post(f"/incidents/{other}/report", {"category": await a_category(sari)})).ok()
    report, token = made["report"]["id"], made["tracking_url"].rpartition("=")[2]
    for person, method, shape, path, body in [
        (sari, "GET", "/session", "/session", None),
        (sari, "POST", "/session/phone", "/session/phone", None),
        (sari, "PUT", "/session/availability", "/session/availability", {"state": "ready"}),
        (sari, "POST", "/session/ticket", "/session/ticket", {"purpose": "live"}),
        (sari, "GET", "/config", "/config", None),
        (sari, "GET", "/places", "/places?q=cipondoh&near=-6.17,106.64", None),
        (sari, "GET", "/places/at", "/places/at?lat=-6.1716&lon=106.6404", None),
        (sari, "GET", "/board", "/board", None),
        (sari, "GET", "/incidents", "/incidents", None),
        (sari, "GET", "/incidents/{id}", f"/incidents/{incident}", None),
        (sari, "GET", "/incidents/{id}/timeline", f"/incidents/{incident}/timeline", None),
        (sari, "GET", "/incidents/{id}/duplicates", f"/incidents/{incident}/duplicates", None),
        (sari, "GET", "/incidents/{id}/suggestions", f"/incidents/{incident}/suggestions", None),
        (ratna, "POST", "/missions/{id}/status", f"/missions/{mission}/status", {"verb": "accept"}),
        (sari, "POST", "/incidents/{id}/close", f"/incidents/{third}/close", {"outcome": "test"}),
        (sari, "GET", "/units", "/units", None),
        (officer, "GET", "/reports", "/reports", None),
        (officer, "POST", "/reports/{id}/take", f"/reports/{report}/take", None),
        (officer, "GET", "/reports/{id}", f"/reports/{report}", None),
        (officer, "GET", "/track/{number}", f"/track/{made['number']}?token={token}", None),
        (ratna, "GET", "/figures", "/figures", None),
        (ratna, "GET", "/accesses", "/accesses", None),
        (admin, "GET", "/accounts", "/accounts", None),
    ]:
        answer = (await person.ask(method, path, body)).ok()
        TypeAdapter(promised[method, shape]).validate_python(answer, strict=False)
        assert set(answer) == set(get_type_hints(promised[method, shape])), path


async def test_rows_have_the_columns_their_types_say(pool: Pool) -> None:
    for statement, kind in [
        (rows.INCIDENT, shapes.IncidentRow),
        (rows.MISSION, shapes.MissionRow),
        (rows.UNIT, shapes.UnitRow),
        (rows.CALL, shapes.CallRow),
        (rows.SEAT, shapes.SeatRow),
        (rows.REPORT, shapes.ReportRow),
    ]:
        async with pool.acquire() as connection:
            columns = (await connection.prepare(statement)).get_attributes()
        assert {one.name for one in columns} == set(get_annotations(kind)), kind.__name__
