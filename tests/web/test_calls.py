"""Ringing an abandoned caller back: who may wish it, when, and that it is wished once."""

from uuid import UUID, uuid4

from callcenter import desk as room
from callcenter.ledger import Ledger
from callcenter.store import Pool
from tests.web import scene
from tests.web.conftest import Visit
from web.__main__ import now


async def abandoned(ledger: Ledger, number: str | None = scene.NUMBER) -> UUID:
    incident = await scene.call(ledger, number)
    row = await ledger.pool.fetchrow("SELECT id, uniqueid FROM call WHERE incident = $1", incident)
    assert row is not None
    await room.call_abandoned(ledger, row["uniqueid"], at=now())
    id_: UUID = row["id"]
    return id_


async def test_the_desk_wishes_and_the_record_says_who(visit: Visit, ledger: Ledger, pool: Pool) -> None:
    call = await abandoned(ledger)
    sari = await visit("sari")
    key = uuid4().hex
    for _ in range(2):
        row = (await sari.post(f"/calls/{call}/callback", key=key)).ok()["call"]
        assert (row["id"], row["status"], row["ani"]) == (str(call), "callback", scene.NUMBER)
    # Another click, without the key: it is wished already.
    (await sari.post(f"/calls/{call}/callback")).ok()
    wishes = await pool.fetch("SELECT by FROM log WHERE type = 'CallbackWished'")
    assert [row["by"] for row in wishes] == ["sari"]


async def test_only_who_left_before_an_answer_and_has_a_number_is_rung_back(visit: Visit, ledger: Ledger) -> None:
    budi = await visit("budi")
    incident = await scene.call(ledger)
    ringing = await ledger.pool.fetchval("SELECT id FROM call WHERE incident = $1", incident)
    refusals = [
        (ringing, "call.not_abandoned"),
        (await abandoned(ledger, None), "call.no_number"),
        (uuid4(), "unknown"),
    ]
    for call, code in refusals:
        assert (await budi.post(f"/calls/{call}/callback")).code == code


async def test_who_could_not_be_reached_is_on_the_board_with_the_reason(visit: Visit, ledger: Ledger) -> None:
    call = await abandoned(ledger)
    sari = await visit("sari")
    (await sari.post(f"/calls/{call}/callback")).ok()
    wish = await ledger.pool.fetchval("SELECT version FROM call WHERE id = $1", call)
    await room.callback_failed(ledger, call, wish=wish, reason="no_trunk", at=now())
    [row] = (await sari.get("/board")).ok()["calls"]
    assert (row["status"], row["cause"], row["ani"]) == ("unreachable", "no_trunk", scene.NUMBER)
    assert (await sari.post(f"/calls/{call}/callback")).ok()["call"]["cause"] is None
