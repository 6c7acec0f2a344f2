"""Whatever is sent, the answer is a clear no, nothing is lost, and nobody else is disturbed."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callcenter.ledger import Ledger
from tests.web.browser import Browser
from tests.web.conftest import Visit
from tests.web.scene import call
from tests.web.test_policy import path_of
from web.openapi import ROUTES

BODIES = [
    (b"{", 400, "request.not_json"),
    (b"\xff\xfe", 400, "request.not_json"),
    (b'{"changes":{"notes":"\\ud800"}}', 400, "request.not_json"),
    (b"[" * 5000, 400, "request.not_json"),
    (b'{"changes":' * 5000, 400, "request.not_json"),
    (b"[]", 422, "request.shape"),
    (b"null", 422, "request.shape"),
    (b'"x"', 422, "request.shape"),
    (b"{}", 422, "request.shape"),
    (b'{"changes":{"notes":7}}', 422, "request.shape"),
    (b'{"changes":{"dragon":"x"}}', 422, "request.shape"),
    (b'{"changes":{},"more":1}', 422, "request.shape"),
    (b'{"changes":{"priority":9}}', 422, "request.shape"),
    (b'{"changes":{"priority":1.5}}', 422, "request.shape"),
    (b'{"changes":{"priority":NaN}}', 422, "request.shape"),
    (b'{"changes":{"notes":"a\\u0000b"}}', 422, "request.shape"),
    (b'{"changes":{"callback":"1;drop"}}', 422, "request.shape"),
    (b'{"changes":{"notes":"' + b"x" * 9000 + b'"}}', 422, "request.shape"),
    (b'{"changes":{"notes":"' + b"x" * 100_000 + b'"}}', 413, "too.large"),
]


async def test_a_body_of_the_wrong_shape_is_refused_and_changes_nothing(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    before = (await sari.get(f"/incidents/{incident}")).ok()["incident"]
    for raw, status, code in BODIES:
        answer = await sari.patch(f"/incidents/{incident}", raw=raw)
        assert (answer.status, answer.code) == (status, code), raw[:80]
    assert (await sari.get(f"/incidents/{incident}")).ok()["incident"] == before


async def test_a_latitude_that_is_no_number_on_earth_is_refused(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    for lat in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"91", b'"6"', b"null", b"true", b"[]"):
        answer = await sari.put(f"/incidents/{incident}/place", raw=b'{"lat":%b,"lon":106.6}' % lat)
        assert answer.code in {"request.shape", "request.not_json"}, lat


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00%2B14:00"])
async def test_a_time_at_the_end_of_the_calendar_is_refused(visit: Visit, end: str) -> None:
    ratna = await visit("ratna")
    for name in ("since", "until"):
        answer = await ratna.get(f"/figures?{name}={end}")
        assert (answer.status, answer.code) == (422, "request.shape"), name


async def test_what_was_sent_is_not_repeated_in_the_refusal(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    body = {"changes": {"callback": "rahasia 0812", "notes": 7}}
    answer = await sari.patch(f"/incidents/{incident}", body)
    assert answer.code == "request.shape"
    assert "rahasia" not in answer.text
    assert {fault["where"] for fault in answer.json["errors"]} == {"changes.callback", "changes.notes"}


async def test_only_json_is_read(visit: Visit) -> None:
    stranger = await visit()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await stranger.post("/session", raw=b'{"login":"a","password":"b"}', headers={"Content-Type": kind})
        assert answer.status == 415


async def test_a_wrong_way_of_asking_names_the_right_ones(visit: Visit) -> None:
    answer = await (await visit()).ask("PUT", "/session", {})
    assert (answer.status, answer.code) == (405, "method")
    assert "POST" in answer.headers["Allow"]
    assert (await (await visit()).get("/nowhere")).code == "unknown"


async def test_a_key_that_is_no_key_is_refused(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    for key in ("short", "x" * 81, "with space", "schlüssel"):
        answer = await sari.post(f"/incidents/{incident}/close", {"outcome": "test"}, key=key)
        assert answer.code == "key.shape", key


async def test_a_question_of_the_wrong_shape_is_refused(visit: Visit) -> None:
    sari = await visit("sari")
    for query in ("limit=0", "limit=201", "limit=x", "status=dragon", "more=1", "q=a%00b", "before=%27"):
        assert (await sari.get(f"/incidents?{query}")).code == "request.shape", query
    assert (await sari.get("/incidents?q=" + "x" * 101)).code == "request.shape"


async def test_a_cookie_that_is_not_ours_is_nobody(visit: Visit) -> None:
    stranger = await visit()
    for cookie in ("", "x", "x" * 43, "x" * 5000, "%00", "é"):
        answer = await stranger.get("/board", headers={"Cookie": f"siaga_session={cookie}"})
        assert answer.code == "session.needed", cookie


async def test_a_record_that_does_not_answer_is_said_within_seconds(
    visit: Visit, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sari = await visit("sari")
    monkeypatch.setattr("web.openapi.ANSWER_S", 0.3)
    async with ledger.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE seat IN ACCESS EXCLUSIVE MODE")
        stuck = await sari.get("/board")
    assert (stuck.status, stuck.code) == (503, "database.away")
    assert stuck.headers["Retry-After"] == "1"
    await still_works(sari)


async def test_a_mistake_of_ours_is_logged_whole_and_told_as_a_number(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("rahasia")

    sari = await visit("sari")
    monkeypatch.setattr("web.rows.board", broken)
    answer = await sari.get("/board")
    assert (answer.status, answer.code) == (500, "mistake")
    assert answer.json["request"] == answer.headers["X-Request-Id"]
    assert "rahasia" not in answer.text
    assert "rahasia" in caplog.text


async def test_too_many_units_are_refused(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    answer = await sari.post(f"/incidents/{incident}/send", {"units": [str(uuid4()) for _ in range(21)]})
    assert answer.code == "request.shape"


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "changes",
    "units",
    "reason",
    "lat",
    "lon",
    "outcome",
    "category",
    "of",
    "verb",
    "at",
    "note",
    "status",
    "place",
)
bodies = json_like | st.dictionaries(st.sampled_from(FIELDS), json_like, max_size=4)


async def test_no_body_whatever_makes_a_mistake_of_ours(visit: Visit, ledger: Ledger, units: None) -> None:
    """A bounded fuzz of every route that changes something: each answer is a clear yes or no, never a 500."""
    ratna = await visit("ratna")
    incident = await call(ledger)
    unsafe = [one for one in ROUTES if one.is_unsafe and "session" not in one.path]
    sent: list[tuple[str, str, Any]] = []

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.sampled_from(unsafe), bodies, st.sampled_from([str(incident), str(uuid4())]))
    def collect(one: Any, body: Any, id_: str) -> None:
        path = one.path.format(id=id_) if "{id}" in one.path else path_of(one)
        sent.append((one.method, path, body))

    collect()
    for method, path, body in sent:
        answer = await ratna.ask(method, path, raw=json.dumps(body, allow_nan=True).encode())
        assert answer.status < 500, f"{method} {path} {body!r}: {answer.text}"
        assert answer.status < 300 or answer.code
    await still_works(ratna)


async def still_works(person: Browser) -> None:
    assert (await person.get("/board")).status == 200
