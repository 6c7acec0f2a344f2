"""Signing in and out."""

import asyncio

import pytest

from callcenter.passwords import is_outdated, verify_password
from callcenter.store import Pool
from tests.support.database import PASSWORD
from tests.web.conftest import Visit
from tests.web.scene import call
from web.app import tend
from web.desk import Desk


async def test_a_person_signs_in_and_is_told_what_they_may_do(visit: Visit) -> None:
    sari = await visit("sari")
    me = (await sari.get("/session")).ok()
    assert me["role"] == "call_taker"
    assert me["home"] == "/call"
    assert "incident.send" in me["may"]
    assert "account.read" not in me["may"]
    assert me["csrf"]


async def test_a_crew_is_told_which_unit_it_is(visit: Visit, units: None) -> None:
    crew = await visit("amb-01")
    assert (await crew.get("/session")).ok()["unit"]["call_sign"].upper() == "AMB-01"


async def test_a_wrong_password_and_an_unknown_name_look_alike(visit: Visit) -> None:
    stranger = await visit()
    wrong = await stranger.post("/session", {"login": "sari", "password": "wrong"})
    unknown = await stranger.post("/session", {"login": "nobody", "password": "wrong"})
    assert (wrong.status, wrong.code) == (401, "session.wrong")
    assert {**wrong.json, "request": ""} == {**unknown.json, "request": ""}


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(visit: Visit) -> None:
    stranger = await visit()
    answer = await stranger.post("/session", {"login": "sari", "password": PASSWORD})
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    behind_tls = await stranger.post(
        "/session", {"login": "sari", "password": PASSWORD}, headers={"X-Forwarded-Proto": "https"}
    )
    assert "Secure" in behind_tls.headers["Set-Cookie"]


async def test_only_a_hash_of_the_session_is_kept(visit: Visit, pool: Pool) -> None:
    sari = await visit("sari")
    word = sari.cookies["siaga_session"]
    assert len(word) >= 43
    kept = await pool.fetchval("SELECT string_agg(encode(hash, 'escape'), '') FROM session")
    assert word not in kept


async def test_a_weak_hash_is_made_strong_when_its_owner_signs_in(
    visit: Visit, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.session.is_outdated", is_outdated)
    await visit("sari")
    kept = await pool.fetchval("SELECT password_hash FROM account WHERE login = 'sari'")
    assert kept.startswith("$argon2id$")
    assert not is_outdated(kept)
    assert verify_password(kept, PASSWORD)
    assert not verify_password(kept, PASSWORD + "x")
    assert not verify_password("not a hash", PASSWORD)


async def test_tries_after_the_third_must_wait_longer_and_longer_but_not_for_ever(visit: Visit, pool: Pool) -> None:
    stranger = await visit()
    for _ in range(4):
        assert (await stranger.post("/session", {"login": "budi", "password": "guess"})).status == 401
    refused = await stranger.post("/session", {"login": "budi", "password": PASSWORD})
    assert (refused.status, refused.code) == (429, "session.slow_down")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    await pool.execute("UPDATE sign_in_failure SET failures = 1000, last_at = now() - interval '61 seconds'")
    assert (await stranger.post("/session", {"login": "budi", "password": PASSWORD})).status == 200
    assert await pool.fetchval("SELECT count(*) FROM sign_in_failure") == 0


async def test_a_hundred_tries_at_once_are_a_hundred_tries(visit: Visit) -> None:
    stranger = await visit()
    answers = await asyncio.gather(
        *(stranger.post("/session", {"login": "budi", "password": f"guess{n}"}) for n in range(20))
    )
    assert sum(answer.status == 401 for answer in answers) <= 4


async def test_a_session_that_is_over_lets_nobody_in(visit: Visit, pool: Pool) -> None:
    for end in (
        "UPDATE session SET expires_at = now() - interval '1 second'",
        "UPDATE session SET seen_at = now() - interval '3 hours'",
        "UPDATE session SET revoked_at = now()",
        "UPDATE account SET active = false WHERE login = 'sari'",
    ):
        sari = await visit("sari")
        await pool.execute(end)
        assert (await sari.get("/session")).code == "session.needed"


async def test_a_session_in_use_stays_alive(visit: Visit, pool: Pool) -> None:
    sari = await visit("sari")
    await pool.execute("UPDATE session SET seen_at = now() - interval '10 minutes'")
    (await sari.get("/session")).ok()
    assert await pool.fetchval("SELECT now() - seen_at < interval '5 seconds' FROM session")


async def test_signing_in_again_ends_the_session_before(visit: Visit, pool: Pool) -> None:
    sari = await visit("sari")
    await sari.sign_in("sari")
    assert await pool.fetchval("SELECT count(*) FROM session WHERE revoked_at IS NULL") == 1


async def test_signing_out_ends_it(visit: Visit) -> None:
    sari = await visit("sari")
    assert (await sari.delete("/session")).status == 204
    assert (await sari.get("/session")).code == "session.needed"


async def test_signing_out_leaves_the_seat_to_the_same_person_in_another_session(visit: Visit, pool: Pool) -> None:
    here, elsewhere = await visit("sari"), await visit("sari")
    (await here.post("/session/phone")).ok()
    assert (await elsewhere.delete("/session")).status == 204
    assert (await here.get("/session")).ok()["seat"] == {"name": "seat-01", "status": "paused"}
    # A session that nobody has used for an hour does not hold the seat.
    forgotten = await visit("sari")
    await pool.execute("UPDATE session SET seen_at = now() - interval '1 hour' WHERE csrf = $1", forgotten.csrf)
    assert (await here.delete("/session")).status == 204
    assert not await pool.fetchval("SELECT count(*) FROM seat WHERE account IS NOT NULL")


async def test_another_language_is_remembered(visit: Visit) -> None:
    sari = await visit("sari")
    assert (await sari.patch("/session", {"language": "en"})).ok()["language"] == "en"
    assert (await (await visit("sari")).get("/session")).ok()["language"] == "en"
    assert (await sari.patch("/session", {"language": "fr"})).status == 422


async def test_a_change_without_the_token_of_the_page_is_refused(visit: Visit) -> None:
    sari = await visit("sari")
    for token in ("", "x", "é", sari.csrf + "x" if sari.csrf else ""):
        answer = await sari.put("/session/availability", {"state": "ready"}, headers={"X-CSRF-Token": token})
        assert (answer.status, answer.code) == (403, "csrf.wrong")


async def test_a_call_taker_takes_a_seat_with_a_password_of_this_sitting(visit: Visit, pool: Pool) -> None:
    sari = await visit("sari")
    phone = (await sari.post("/session/phone")).ok()
    assert phone["seat"] == "seat-01"
    assert phone["uri"].startswith("sip:seat-01@")
    assert phone["ws_url"].startswith("ws://")
    assert phone["password"] not in await pool.fetchval("SELECT string_agg(data::text, '') FROM log")
    again = (await sari.post("/session/phone")).ok()
    assert again["seat"] == "seat-01"
    assert again["password"] != phone["password"]
    assert (await sari.put("/session/availability", {"state": "ready"})).ok()["seat"]["status"] == "ready"
    away = (await sari.put("/session/availability", {"state": "paused", "reason": "lunch"})).ok()
    assert away["seat"] == {"name": "seat-01", "status": "paused"}
    assert (await sari.delete("/session/phone")).status == 204
    assert (await sari.get("/session")).ok()["seat"] is None


async def test_nobody_is_ready_without_a_seat(visit: Visit) -> None:
    sari = await visit("sari")
    assert (await sari.put("/session/availability", {"state": "ready"})).code == "seat.free"


async def test_a_full_room_says_so(visit: Visit, desk: Desk) -> None:
    logins = ("sari", "dewi", "ratna")
    for login in logins:
        (await (await visit(login)).post("/session/phone")).ok()
    await desk.pool.execute(
        "INSERT INTO account SELECT 'late', name, role, agency, unit, password_hash FROM account WHERE login = 'sari'"
    )
    assert (await (await visit("late")).post("/session/phone")).code == "seat.none"


async def test_a_closed_laptop_holds_a_seat_only_while_there_are_others(visit: Visit, desk: Desk) -> None:
    pool = desk.pool
    for login in ("sari", "dewi", "ratna"):
        (await (await visit(login)).post("/session/phone")).ok()
    await pool.execute(
        "INSERT INTO account SELECT 'late', name, role, agency, unit, password_hash FROM account WHERE login = 'sari'"
    )
    late = await visit("late")
    # Nobody has moved for an hour, but dewi's screen is open, and ratna talks.
    await pool.execute("UPDATE seat SET since = now() - interval '1 hour'")
    await pool.execute("UPDATE session SET seen_at = now() - interval '1 hour' WHERE account IN ('sari', 'ratna')")
    await call(desk.ledger)
    await pool.execute("UPDATE call SET status = 'talking', seat = (SELECT name FROM seat WHERE account = 'ratna')")
    left = await pool.fetchval("SELECT name FROM seat WHERE account = 'sari'")
    assert (await late.post("/session/phone")).ok()["seat"] == left
    assert (await late.get("/session")).ok()["seat"] == {"name": left, "status": "paused"}
    await pool.execute("UPDATE session SET seen_at = now() WHERE account = 'sari'")
    assert (await (await visit("sari")).post("/session/phone")).code == "seat.none"
    assert await pool.fetch("SELECT type FROM log WHERE kind = 'seat' AND type = 'SeatLeft'")


async def test_the_seat_of_somebody_whose_session_ended_is_freed(visit: Visit, desk: Desk) -> None:
    sari = await visit("sari")
    (await sari.post("/session/phone")).ok()
    await desk.pool.execute("UPDATE session SET revoked_at = now()")
    tending = asyncio.create_task(tend(desk))
    try:
        async with asyncio.timeout(5):
            while await desk.pool.fetchval("SELECT count(*) FROM seat WHERE account IS NOT NULL"):
                await asyncio.sleep(0.02)
    finally:
        tending.cancel()


async def test_an_administrator_signs_somebody_out_everywhere(visit: Visit) -> None:
    sari, admin = await visit("sari"), await visit("admin")
    assert (await admin.delete("/accounts/sari/sessions")).status == 204
    assert (await sari.get("/session")).status == 401
    assert (await admin.delete("/accounts/nobody/sessions")).code == "unknown"


@pytest.mark.parametrize(("login", "purpose"), [("sari", "push"), ("amb-01", "live"), ("admin", "live")])
async def test_a_ticket_is_for_the_socket_of_ones_role_only(visit: Visit, login: str, purpose: str) -> None:
    person = await visit(login)
    assert (await person.post("/session/ticket", {"purpose": purpose})).code == "not.allowed"
