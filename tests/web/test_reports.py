"""From a call that is no emergency to a report that a citizen follows."""

# ruff: noqa: ANN401 - what comes over the wire has no type until the test has looked at it

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from callcenter.ledger import Ledger
from tests.web.browser import Browser
from tests.web.conftest import Visit
from tests.web.scene import NUMBER, a_category, call
from web.api.track import FREE_TRIES

PERSONAL = (
    "Siti Aminah",
    NUMBER,
    "81234567890",
    "Jl. Melati 7",
    "tumpukan sampah di rumah saya",
    "sari",
    "dlh-officer",
)


async def made(sari: Browser, ledger: Ledger) -> Any:
    """A report with everything personal in it. Returns the answer of the request that made it."""
    incident = await call(ledger)
    changes = {"caller_name": "Siti Aminah", "address": "Jl. Melati 7", "notes": "tumpukan sampah di rumah saya"}
    (await sari.patch(f"/incidents/{incident}", {"changes": changes})).ok()
    return (await sari.post(f"/incidents/{incident}/report", {"category": await a_category(sari)})).ok()


def way_to(tracking_url: str) -> str:
    query = parse_qs(urlsplit(tracking_url).query)
    return f"/track/{query['number'][0]}?token={query['token'][0]}"


async def test_a_call_becomes_a_report_with_a_number_for_the_citizen(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    answer = await made(sari, ledger)
    assert re.fullmatch(r"TLR-20\d\d-000001", answer["number"])
    assert answer["report"]["agency"] == "dlh"
    assert answer["report"]["status"] == "assigned"
    assert answer["report"]["reporter_number"] == NUMBER
    assert answer["report"]["description"] == "tumpukan sampah di rumah saya"
    assert answer["incident"]["status"] == "reported"
    detail = (await sari.get(f"/incidents/{answer['incident']['id']}")).ok()
    assert detail["report"]["number"] == answer["number"]
    assert [one["class"] for one in detail["calls"]] == ["non_emergency"]


async def test_making_it_a_report_twice_under_one_key_makes_one(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    incident = await call(ledger)
    body = {"category": await a_category(sari)}
    first = (await sari.post(f"/incidents/{incident}/report", body, key="report-0001")).ok()
    again = (await sari.post(f"/incidents/{incident}/report", body, key="report-0001")).ok()
    assert (again["number"], again["tracking_url"]) == (first["number"], first["tracking_url"])
    assert (await sari.post(f"/incidents/{incident}/report", body)).code == "incident.not_live"


async def test_the_agency_works_it_and_the_citizen_sees_dated_steps_and_nothing_personal(
    visit: Visit, ledger: Ledger
) -> None:
    sari, officer, citizen = await visit("sari"), await visit("dlh"), await visit()
    answer = await made(sari, ledger)
    report = f"/reports/{answer['report']['id']}"
    track = way_to(answer["tracking_url"])
    assert (await citizen.get(track)).ok()["status"] == "menunggu"

    taken = (await officer.post(f"{report}/take")).ok()["report"]
    assert (taken["status"], taken["officer"]) == ("in_progress", "dlh")
    assert (taken["reporter_name"], taken["reporter_number"]) == (None, None)
    assert (await citizen.get(track)).ok()["status"] == "proses"
    (await officer.post(f"{report}/progress", {"note": "Truk berangkat"})).ok()
    done = (await officer.post(f"{report}/resolve", {"note": "Sampah diangkut"})).ok()["report"]
    assert (done["status"], done["resolution"]) == ("resolved", "Sampah diangkut")
    assert (await officer.post(f"{report}/close")).ok()["report"]["status"] == "closed"

    seen = (await citizen.get(track)).ok()
    assert seen["status"] == "selesai"
    assert [one["step"] for one in seen["steps"]] == [
        "received",
        "verified",
        "assigned",
        "in_progress",
        "progress",
        "resolved",
        "closed",
    ]
    assert [one["note"] for one in seen["steps"] if one["note"]] == ["Truk berangkat", "Sampah diangkut"]
    assert all(one["at"].endswith("Z") for one in seen["steps"])
    assert next(one["agency_name"] for one in seen["steps"] if one["step"] == "assigned")
    text = (await citizen.get(track)).text
    for secret in PERSONAL:
        assert secret not in text, f"the tracking page tells {secret}"


async def test_without_the_secret_nobody_follows_a_report(visit: Visit, ledger: Ledger) -> None:
    sari, citizen = await visit("sari"), await visit()
    answer = await made(sari, ledger)
    number, token = str(answer["number"]), way_to(answer["tracking_url"]).partition("token=")[2]
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    wrong_token = await citizen.get(f"/track/{number}?token={other}")
    no_report = await citizen.get(f"/track/TLR-2026-999999?token={token}")
    assert (wrong_token.status, no_report.status) == (404, 404)
    assert {**wrong_token.json, "request": ""} == {**no_report.json, "request": ""}
    assert (await citizen.get(f"/track/{number}")).code == "request.shape"
    assert (await citizen.get(f"/track/{number.lower()}?token={token}")).status == 200


async def test_the_code_can_be_read_out_and_typed_by_hand(visit: Visit, ledger: Ledger) -> None:
    sari, citizen = await visit("sari"), await visit()
    answer = await made(sari, ledger)
    way, _, code = way_to(answer["tracking_url"]).partition("token=")
    assert re.fullmatch(r"[0-9ABCDEFGHJKMNPQRSTVWXYZ]{12}", code)
    heard = code.lower().replace("0", "o").replace("1", "l")
    for typed in (heard, heard.replace("l", "i").upper(), f"{code[:4]}-{code[4:8]}+{code[8:]}"):
        assert (await citizen.get(f"{way}token={typed}")).ok()["number"] == answer["number"], typed


async def test_who_guesses_codes_waits_longer_and_longer_and_who_knows_one_does_not(
    visit: Visit, ledger: Ledger
) -> None:
    sari, citizen = await visit("sari"), await visit()
    answer = await made(sari, ledger)
    known = way_to(answer["tracking_url"])
    for _ in range(2 * FREE_TRIES):
        assert (await citizen.get(known)).status == 200
    guesses = [await citizen.get(f"/track/{answer['number']}?token={n:012}") for n in range(FREE_TRIES + 2)]
    assert [guess.status for guess in guesses] == [404] * (FREE_TRIES + 1) + [429]
    assert 1 <= int(guesses[-1].headers["Retry-After"]) <= 2
    # Another number, from the same address; and the same number, from another address.
    assert (await citizen.get("/track/TLR-2026-000002?token=1")).status == 429
    await ledger.pool.execute("DELETE FROM sign_in_failure WHERE login LIKE 'track from %'")
    assert (await citizen.get(known)).status == 429
    await ledger.pool.execute("UPDATE sign_in_failure SET last_at = now() - interval '61 seconds'")
    assert (await citizen.get(known)).status == 200


async def test_a_report_of_another_agency_looks_like_no_report(visit: Visit, ledger: Ledger) -> None:
    sari, theirs, other = await visit("sari"), await visit("dlh"), await visit("dishub")
    answer = await made(sari, ledger)
    id_ = answer["report"]["id"]
    assert [one["id"] for one in (await theirs.get("/reports")).ok()["reports"]] == [id_]
    assert (await other.get("/reports")).ok()["reports"] == []
    assert (await other.get("/reports?agency=dlh")).ok()["reports"] == []
    assert (await other.get("/board")).ok()["reports"] == []
    nobodys = "00000000-0000-0000-0000-000000000001"
    for method, path, body in [
        ("GET", "", None),
        ("POST", "/take", {}),
        ("POST", "/progress", {"note": "x"}),
        ("POST", "/resolve", {"note": "x"}),
        ("POST", "/reject", {"reason": "x"}),
        ("POST", "/reroute", {"agency": "dishub", "reason": "mine now"}),
        ("POST", "/close", {}),
        ("POST", "/reopen", {"reason": "x"}),
    ]:
        refused = await other.ask(method, f"/reports/{id_}{path}", body)
        unknown = await other.ask(method, f"/reports/{nobodys}{path}", body)
        assert refused.status == 404, path
        assert {**refused.json, "request": ""} == {**unknown.json, "request": ""}


async def test_not_our_authority_sends_it_to_the_agency_that_is_named(visit: Visit, ledger: Ledger) -> None:
    sari, first, second = await visit("sari"), await visit("dlh"), await visit("pupr")
    answer = await made(sari, ledger)
    report = f"/reports/{answer['report']['id']}"
    gone = (await first.post(f"{report}/reroute", {"agency": "pupr", "reason": "saluran air"})).ok()["report"]
    assert (gone["agency"], gone["bounces"]) == ("pupr", 1)
    assert (await first.get(report)).code == "unknown"
    detail = (await second.get(report)).ok()
    assert detail["report"]["agency"] == "pupr"
    rerouted = next(one for one in detail["timeline"] if one["type"] == "ReportRerouted")
    assert rerouted["data"] == {"agency": "pupr", "reason": "saluran air"}
    assert NUMBER not in str(detail)
    assert "Siti" not in str(detail)
    assert (await second.post(f"{report}/reroute", {"agency": "atlantis", "reason": "x"})).code == "report.agency"


async def test_a_rejected_report_tells_the_citizen_why_and_can_be_opened_again(visit: Visit, ledger: Ledger) -> None:
    sari, officer, ratna, citizen = await visit("sari"), await visit("dlh"), await visit("ratna"), await visit()
    answer = await made(sari, ledger)
    report, track = f"/reports/{answer['report']['id']}", way_to(answer["tracking_url"])
    (await officer.post(f"{report}/reject", {"reason": "Lokasi tidak ditemukan"})).ok()
    assert (await citizen.get(track)).ok()["steps"][-1]["note"] == "Lokasi tidak ditemukan"
    assert (await officer.post(f"{report}/take")).code == "report.wrong_status"
    (await ratna.post(f"{report}/reopen", {"reason": "alamat lengkap"})).ok()
    last = (await citizen.get(track)).ok()
    assert (last["status"], last["steps"][-1]["step"], last["steps"][-1]["note"]) == ("menunggu", "reopened", None)


async def test_reports_are_found(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    answer = await made(sari, ledger)

    async def found(query: str) -> int:
        return len((await sari.get(f"/reports?{query}")).ok()["reports"])

    assert [await found(query) for query in ("q=melati", "status=open", "agency=dlh", "")] == [1, 1, 1, 1]
    assert [await found(query) for query in ("q=mawar", "status=closed", "agency=pupr", "q=100%25")] == [0, 0, 0, 0]
    assert await found(f"q={answer['number'].lower()}") == 1


async def test_a_leader_sees_how_many_and_where_but_not_whose(visit: Visit, ledger: Ledger) -> None:
    sari, leader = await visit("sari"), await visit("walikota")
    answer = await made(sari, ledger)
    for path in ("/reports", f"/reports/{answer['report']['id']}", "/board"):
        text = (await leader.get(path)).text
        assert answer["number"] in text
        for secret in (*PERSONAL[:5], "token="):
            assert secret not in text, f"{path} tells {secret}"
    assert (await leader.get("/reports?q=melati")).code == "not.allowed"
