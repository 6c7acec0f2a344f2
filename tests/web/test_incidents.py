"""Incidents at the desk: seen, described, sent to, ended."""

from uuid import uuid4

import pytest

from callcenter.ledger import Ledger
from callcenter.store import Pool
from geo.place import Place
from tests.web.browser import Browser
from tests.web.conftest import Visit
from tests.web.scene import NUMBER, a_category, a_type, call, fire, free_units, hang_up
from web.__main__ import now


async def test_a_call_is_on_the_board_with_its_number_and_place(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    board = (await (await visit("sari")).get("/board")).ok()
    assert [one["id"] for one in board["incidents"]] == [str(incident)]
    assert board["incidents"][0]["caller_number"] == NUMBER
    assert board["incidents"][0]["place"]["radius_m"] == 35
    assert board["calls"][0]["status"] == "ringing"
    assert board["incidents"][0]["stage"] == "open"
    assert len(board["seats"]) == 3
    assert board["cursor"]


async def test_one_screen_shows_calls_earlier_calls_and_likely_duplicates(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    earlier = await call(ledger)
    (await sari.post(f"/incidents/{earlier}/close", {"outcome": "prank"})).ok()
    beside = await call(ledger, "+6285500001111", Place(-6.1720, 106.6410, radius_m=20, method="pidf-lo"))
    incident = await call(ledger)
    detail = (await sari.get(f"/incidents/{incident}")).ok()
    assert detail["incident"]["id"] == str(incident)
    assert [one["ani"] for one in detail["calls"]] == [NUMBER]
    assert [(one["incident"], one["class"], one["outcome"]) for one in detail["earlier_calls"]] == [
        (str(earlier), "prank", "prank")
    ]
    alike = {one["incident"]["id"]: one for one in detail["duplicates"]}
    assert "near" in alike[str(beside)]["reasons"]
    assert alike[str(earlier)]["reasons"][0] == "same_number"
    assert (await sari.get(f"/incidents/{incident}/duplicates")).ok()["duplicates"] == detail["duplicates"]


async def test_every_look_at_a_caller_is_written_down(visit: Visit, ledger: Ledger, pool: Pool) -> None:
    incident = await call(ledger)
    sari, ratna = await visit("sari"), await visit("ratna")
    (await sari.get(f"/incidents/{incident}")).ok()
    (await sari.get(f"/incidents/{incident}/timeline")).ok()
    (await sari.get(f"/incidents/{incident}/duplicates")).ok()
    (await sari.get("/incidents?q=0812")).ok()
    (await sari.get("/board")).ok()
    looks = (await ratna.get("/accesses")).ok()["accesses"]
    assert [(one["account"], one["action"], one["subject"]) for one in reversed(looks)] == [
        ("sari", "incident.read", str(incident)),
        ("sari", "incident.read", str(incident)),
        ("sari", "incident.suggest", str(incident)),
        ("sari", "incident.read", None),
        ("sari", "board.read", None),
    ]
    assert "0812" not in str(looks)
    page = (await ratna.get("/accesses?limit=3")).ok()
    rest = (await ratna.get(f"/accesses?limit=3&before={page['next']}")).ok()
    assert [one["id"] for one in [*page["accesses"], *rest["accesses"]]] == [one["id"] for one in looks]


async def test_what_the_call_taker_types_is_kept_and_nothing_else_changes(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    await fire(sari, incident)
    row = (await sari.patch(f"/incidents/{incident}", {"changes": {"notes": "asap hitam\nada orang"}})).ok()["incident"]
    assert row["address"] == "Jl. Daan Mogot 112, belakang pasar"
    assert row["notes"] == "asap hitam\nada orang"
    assert row["priority"] == 1
    assert row["place"]["method"] == "pidf-lo"
    emptied = (await sari.patch(f"/incidents/{incident}", {"changes": {"priority": None, "notes": None}})).ok()
    assert (emptied["incident"]["priority"], emptied["incident"]["notes"]) == (None, "")


async def test_a_type_that_is_not_of_the_list_is_refused(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    assert (await sari.patch(f"/incidents/{incident}", {"changes": {"type": "dragon"}})).code == "incident.type"


async def test_a_pin_says_the_kelurahan_and_leaves_the_typed_address_alone(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger, place=None)
    sari = await visit("sari")
    await fire(sari, incident)
    pin = {"lat": -6.1716, "lon": 106.6404, "method": "pin", "text": "Alun-alun"}
    row = (await sari.put(f"/incidents/{incident}/place", pin)).ok()["incident"]
    assert row["place"]["kecamatan"] == "36.71.01"
    assert row["place"]["kelurahan"].startswith("36.71.01.")
    assert row["address"] == "Jl. Daan Mogot 112, belakang pasar"


async def test_one_key_sends_the_units_with_the_last_words_typed(visit: Visit, ledger: Ledger, units: None) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    await fire(sari, incident)
    advice = (await sari.get(f"/incidents/{incident}/suggestions")).ok()
    picked = [one["unit"] for one in advice["suggestions"] if one["picked"]]
    assert picked
    assert advice["suggestions"][0]["eta_s"] > 0
    sent = (await sari.post(f"/incidents/{incident}/send", {"units": picked, "changes": {"hazards": "gas LPG"}})).ok()
    assert [one["unit"] for one in sent["missions"]] == picked
    assert {one["status"] for one in sent["missions"]} == {"offered"}
    assert (sent["incident"]["stage"], sent["incident"]["hazards"]) == ("offered", "gas LPG")


async def test_the_same_key_sends_once_and_another_wish_under_it_is_a_mistake(
    visit: Visit, ledger: Ledger, units: None, pool: Pool
) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    await fire(sari, incident)
    one, two = (await free_units(sari))[:2]
    path = f"/incidents/{incident}/send"
    first = (await sari.post(path, {"units": [one["id"]]}, key="send-0001")).ok()
    again = (await sari.post(path, {"units": [one["id"]]}, key="send-0001")).ok()
    assert again["missions"][0]["id"] == first["missions"][0]["id"]
    assert (await sari.post(path, {"units": [two["id"]]}, key="send-0001")).code == "key.reused"
    assert await pool.fetchval("SELECT count(*) FROM mission") == 1
    budi = await visit("budi")
    other = await budi.post(path, {"units": [two["id"]]}, key="send-0001")
    assert other.status == 200, "a key is its owner's: another person's same key is another key"


async def test_a_busy_unit_is_refused_by_name(visit: Visit, ledger: Ledger, units: None) -> None:
    sari = await visit("sari")
    first, second = await call(ledger), await call(ledger, "+62855")
    await fire(sari, first)
    await fire(sari, second)
    unit = (await free_units(sari))[0]
    (await sari.post(f"/incidents/{first}/send", {"units": [unit["id"]]})).ok()
    refused = await sari.post(f"/incidents/{second}/send", {"units": [unit["id"]]})
    assert (refused.status, refused.code) == (409, "unit.busy")
    assert unit["call_sign"] in refused.json["detail"]


async def test_a_radio_report_is_written_down_with_its_time_and_the_incident_closes(
    visit: Visit, ledger: Ledger, units: None
) -> None:
    sari, budi = await visit("sari"), await visit("budi")
    incident = await call(ledger)
    await fire(sari, incident)
    unit = (await free_units(sari))[0]
    sent = (await sari.post(f"/incidents/{incident}/send", {"units": [unit["id"]]})).ok()
    mission = f"/missions/{sent['missions'][0]['id']}/status"
    for verb in ("accept", "en_route", "on_scene"):
        (await budi.post(mission, {"verb": verb})).ok()
    told = now().isoformat()
    done = (await budi.post(mission, {"verb": "cleared", "outcome": "handled", "note": "padam", "at": told})).ok()
    assert (done["mission"]["status"], done["mission"]["outcome"]) == ("cleared", "handled")
    detail = (await budi.get(f"/incidents/{incident}")).ok()["incident"]
    assert (detail["status"], detail["outcome"]) == ("closed", "handled")
    timeline = (await budi.get(f"/incidents/{incident}/timeline")).ok()["events"]
    assert [one["type"] for one in timeline][:2] == ["CallRang", "IncidentOpened"] or "IncidentOpened" in [
        one["type"] for one in timeline
    ]
    assert [one["by"] for one in timeline if one["type"] == "UnitEnRoute"] == ["budi"]


async def test_a_unit_is_withdrawn_and_asked_again(visit: Visit, ledger: Ledger, units: None) -> None:
    sari, budi = await visit("sari"), await visit("budi")
    incident = await call(ledger)
    await fire(sari, incident)
    unit = (await free_units(sari))[0]
    sent = (await sari.post(f"/incidents/{incident}/send", {"units": [unit["id"]]})).ok()
    mission = sent["missions"][0]["id"]
    gone = (await budi.post(f"/missions/{mission}/withdraw", {"reason": "closer one found"})).ok()["mission"]
    assert gone["status"] == "withdrawn"
    again = (await budi.post(f"/missions/{mission}/resend")).ok()["mission"]
    assert (again["status"], again["unit"]) == ("offered", unit["id"])
    assert again["id"] != mission
    assert (await budi.post(f"/missions/{again['id']}/resend")).code == "mission.not_failed"


@pytest.mark.parametrize("outcome", ["information", "prank", "ghost", "test"])
async def test_a_call_that_is_no_emergency_is_closed_as_what_it_was(visit: Visit, ledger: Ledger, outcome: str) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    row = (await sari.post(f"/incidents/{incident}/close", {"outcome": outcome, "note": "…"})).ok()["incident"]
    assert (row["status"], row["outcome"]) == ("closed", outcome)
    calls = (await sari.get(f"/incidents/{incident}")).ok()["calls"]
    assert [one["class"] for one in calls] == [outcome]
    assert (await sari.post(f"/incidents/{incident}/cancel", {"reason": "again"})).code == "incident.not_live"


async def test_what_was_ended_wrongly_is_opened_again(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    budi = await visit("budi")
    (await budi.post(f"/incidents/{incident}/cancel", {"reason": "caller says it is out"})).ok()
    row = (await budi.post(f"/incidents/{incident}/reopen", {"reason": "it burns again"})).ok()["incident"]
    assert row["status"] == "open"


async def test_a_call_taker_takes_back_what_they_ended_but_not_what_a_colleague_did(
    visit: Visit, ledger: Ledger, pool: Pool
) -> None:
    incident = await call(ledger)
    await pool.execute("UPDATE incident SET handled_by = 'sari'")
    sari, dewi = await visit("sari"), await visit("dewi")
    (await sari.post(f"/incidents/{incident}/close", {"outcome": "prank"})).ok()
    assert (await dewi.post(f"/incidents/{incident}/reopen", {"reason": "x"})).code == "not.allowed"
    row = (await sari.post(f"/incidents/{incident}/reopen", {"reason": "wrong key"})).ok()["incident"]
    assert (row["status"], row["outcome"]) == ("open", None)


async def test_a_duplicate_gives_its_calls_to_the_other_and_gets_them_back(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    one, other = await call(ledger), await call(ledger, "+6285512345678")
    row = (await sari.post(f"/incidents/{other}/duplicate", {"of": str(one)})).ok()["incident"]
    assert (row["status"], row["duplicate_of"], row["calls"]) == ("duplicate", str(one), 0)
    assert (await sari.get(f"/incidents/{one}")).ok()["incident"]["calls"] == 2
    back = (await sari.delete(f"/incidents/{other}/duplicate")).ok()["incident"]
    assert (back["status"], back["calls"]) == ("open", 1)
    assert (await sari.delete(f"/incidents/{other}/duplicate")).code == "incident.not_duplicate"
    assert (await sari.post(f"/incidents/{one}/duplicate", {"of": str(one)})).code == "incident.itself"
    assert (await sari.post(f"/incidents/{one}/duplicate", {"of": str(uuid4())})).code == "unknown"


async def test_an_incident_is_made_at_the_desk(visit: Visit) -> None:
    sari = await visit("sari")
    made = await sari.post(
        "/incidents",
        {
            "caller_number": "0215551234",
            "changes": {"notes": "lewat radio", "type": await a_type(sari)},
            "place": {"lat": -6.17, "lon": 106.64},
        },
        key="made-at-desk-1",
    )
    assert made.status == 201
    row = made.json["incident"]
    assert (row["source"], row["handled_by"], row["calls"]) == ("desk", "sari", 0)
    again = await sari.post("/incidents", {}, key="made-at-desk-1")
    assert again.code == "key.reused"


async def test_incidents_come_in_pages_newest_first(visit: Visit, ledger: Ledger) -> None:
    made = [str(await call(ledger, f"+62855000{n:04d}")) for n in range(7)]
    sari = await visit("sari")
    seen: list[str] = []
    before = ""
    while True:
        page = (await sari.get(f"/incidents?limit=3{before}")).ok()
        seen += [one["id"] for one in page["incidents"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert seen == made[::-1]


async def test_incidents_are_found_by_number_callers_number_and_words(visit: Visit, ledger: Ledger) -> None:
    sari = await visit("sari")
    wanted = await call(ledger)
    other = await call(ledger, "+6285599998888")
    await fire(sari, wanted)
    number = (await sari.get(f"/incidents/{wanted}")).ok()["incident"]["number"]

    async def found(query: str) -> list[str]:
        return [one["id"] for one in (await sari.get(f"/incidents?{query}")).ok()["incidents"]]

    assert await found(f"q={number}") == [str(wanted)]
    for spelling in ("081234567890", "6281234567890", "%2B6281234567890", "0812-3456-7890", "62+812+3456+7890"):
        assert await found(f"q={spelling}") == [str(wanted)], spelling
    assert await found("q=daan+mogot") == [str(wanted)]
    assert await found("q=100%25") == []
    assert await found("status=live") == [str(other), str(wanted)]
    assert await found("status=closed") == []
    assert (await sari.get("/incidents?before=yesterday")).code == "request.shape"
    assert (await sari.get("/incidents?before=99999999999999999999_00000000000000000000000000000000")).status == 422


async def test_a_long_timeline_is_read_from_either_end(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    for n in range(5):
        (await sari.patch(f"/incidents/{incident}", {"changes": {"notes": f"catatan {n}"}})).ok()
    path = f"/incidents/{incident}/timeline"
    whole = [one["seq"] for one in (await sari.get(path)).ok()["events"]]
    last = (await sari.get(f"{path}?newest=1&limit=3")).ok()
    assert [one["seq"] for one in last["events"]] == whole[-3:]
    before = (await sari.get(f"{path}?newest=1&limit=3&before={last['earlier']}")).ok()
    assert [one["seq"] for one in before["events"]] == whole[-6:-3]
    rest = (await sari.get(f"{path}?newest=1&before={before['earlier']}")).ok()
    assert ([one["seq"] for one in rest["events"]], rest["earlier"], rest["next"]) == (whole[:-6], None, None)
    first = (await sari.get(f"{path}?limit=2")).ok()
    assert ([one["seq"] for one in first["events"]], first["earlier"]) == (whole[:2], None)
    assert [one["seq"] for one in (await sari.get(f"{path}?after={first['next']}")).ok()["events"]] == whole[2:]


async def test_an_unknown_id_is_not_found_whatever_is_asked_of_it(visit: Visit, units: None) -> None:
    ratna = await visit("ratna")
    unit = (await free_units(ratna))[0]["id"]
    for id_ in (str(uuid4()), "not-an-id", "0"):
        for method, path, body in [
            ("GET", f"/incidents/{id_}", None),
            ("GET", f"/incidents/{id_}/timeline", None),
            ("GET", f"/incidents/{id_}/suggestions", None),
            ("PATCH", f"/incidents/{id_}", {"changes": {"notes": "x"}}),
            ("PUT", f"/incidents/{id_}/place", {"lat": -6.17, "lon": 106.64}),
            ("POST", f"/incidents/{id_}/send", {"units": [unit]}),
            ("POST", f"/incidents/{id_}/close", {"outcome": "handled"}),
            ("POST", f"/incidents/{id_}/report", {"category": "x"}),
            ("POST", f"/missions/{id_}/withdraw", {"reason": "x"}),
            ("POST", f"/missions/{id_}/resend", {}),
            ("POST", f"/missions/{id_}/status", {"verb": "accept"}),
            ("PUT", f"/units/{id_}/duty", {"status": "available"}),
            ("GET", f"/reports/{id_}", None),
            ("POST", f"/reports/{id_}/take", {}),
        ]:
            answer = await ratna.ask(method, path, body)
            assert (answer.status, answer.code) == (404, "unknown"), f"{method} {path}: {answer.text}"


async def test_a_leader_sees_what_happens_but_not_to_whom(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari, leader = await visit("sari"), await visit("walikota")
    await fire(sari, incident)
    await sari.patch(f"/incidents/{incident}", {"changes": {"caller_name": "Siti Aminah", "notes": "rumah Siti"}})
    for path in (f"/incidents/{incident}", "/incidents", "/board", f"/incidents/{incident}/timeline"):
        text = (await leader.get(path)).text
        for secret in (NUMBER, "8123456", "Siti", "Daan Mogot", "-6.1716"):
            assert secret not in text, f"{path} tells {secret}"
    assert (await leader.get(f"/incidents/{incident}")).ok()["incident"]["type"]
    assert (await leader.get("/incidents?q=siti")).code == "not.allowed"
    assert (await leader.get("/incidents?q=081234567890")).ok()["incidents"] == []


async def test_a_number_is_half_hidden_once_it_is_over_but_not_from_who_took_the_call(
    visit: Visit, ledger: Ledger
) -> None:
    incident = await call(ledger)
    sari, dewi, ratna = await visit("sari"), await visit("dewi"), await visit("ratna")
    await ledger.pool.execute("UPDATE incident SET handled_by = 'sari' WHERE id = $1", incident)
    await hang_up(ledger)
    (await sari.post(f"/incidents/{incident}/close", {"outcome": "handled"})).ok()

    async def number_for(person: Browser) -> tuple[str, str]:
        detail = (await person.get(f"/incidents/{incident}")).ok()
        return detail["incident"]["caller_number"], detail["calls"][0]["ani"]

    assert await number_for(sari) == (NUMBER, NUMBER)
    assert await number_for(ratna) == (NUMBER, NUMBER)
    assert await number_for(dewi) == ("+628••••••••90", "+628••••••••90")
    timeline = (await dewi.get(f"/incidents/{incident}/timeline")).text
    assert NUMBER not in timeline
    assert NUMBER in (await ratna.get(f"/incidents/{incident}/timeline")).text


async def test_a_crew_reads_its_own_incident_and_no_other(visit: Visit, ledger: Ledger, units: None) -> None:
    sari, crew = await visit("sari"), await visit("amb-01")
    mine, other = await call(ledger), await call(ledger, "+62855")
    await fire(sari, mine)
    unit = crew.me["unit"]["id"]
    assert (await crew.get(f"/incidents/{mine}")).code == "unknown"
    (await sari.post(f"/incidents/{mine}/send", {"units": [unit]})).ok()
    assert (await crew.get(f"/incidents/{mine}")).ok()["incident"]["caller_number"] == NUMBER
    assert (await crew.get(f"/incidents/{other}")).code == "unknown"
    assert [one["id"] for one in (await crew.get("/units")).ok()["units"]] == [unit]
    await ledger.pool.execute("UPDATE mission SET status = 'cleared', ended_at = now() - interval '2 hours'")
    assert (await crew.get(f"/incidents/{mine}")).code == "unknown"


async def test_a_crew_says_whether_it_is_on_duty_and_only_for_itself(visit: Visit, units: None) -> None:
    crew, budi = await visit("amb-01"), await visit("budi")
    mine = crew.me["unit"]["id"]
    other = next(one["id"] for one in (await budi.get("/units")).ok()["units"] if one["id"] != mine)
    row = (await crew.put(f"/units/{mine}/duty", {"status": "out_of_service", "reason": "ban bocor"})).ok()["unit"]
    assert (row["status"], row["reason"]) == ("out_of_service", "ban bocor")
    assert (await crew.put(f"/units/{other}/duty", {"status": "off_duty"})).code == "unknown"
    assert (await budi.put(f"/units/{mine}/duty", {"status": "available"})).ok()["unit"]["status"] == "available"
    assert (await budi.put(f"/units/{mine}/duty", {"status": "out_of_service"})).code == "unit.reason_missing"


async def test_an_officer_sees_the_units_of_their_agency(visit: Visit, units: None) -> None:
    budi, officer = await visit("budi"), await visit("satpolpp")
    all_units = (await budi.get("/units")).ok()["units"]
    theirs = (await officer.get("/units")).ok()["units"]
    assert {one["agency"] for one in theirs} <= {officer.me["agency"]}
    assert len(theirs) == sum(one["agency"] == officer.me["agency"] for one in all_units)


async def test_a_category_that_is_not_of_the_list_is_refused(visit: Visit, ledger: Ledger) -> None:
    incident = await call(ledger)
    sari = await visit("sari")
    assert (await sari.post(f"/incidents/{incident}/report", {"category": "dragons"})).code == "report.category"
    assert await a_category(sari)
