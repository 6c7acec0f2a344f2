"""From the button at the desk to the crew's hand and back, through both daemons' real sockets."""

import asyncio
import time
from contextlib import suppress

from aiohttp.test_utils import BaseTestServer

from callcenter.ledger import Ledger
from dispatch.client import device, sign_in
from dispatch.push import Push
from tests.support.database import PASSWORD
from tests.web.conftest import Visit
from tests.web.scene import NUMBER, call, fire
from web.desk import Desk


async def test_a_ticket_of_the_desk_opens_the_push_and_what_is_sent_is_carried_out(
    visit: Visit, server: BaseTestServer, desk: Desk, ledger: Ledger, units: None
) -> None:
    sari, budi = await visit("sari"), await visit("budi")
    push = Push(ledger, host="127.0.0.1", port=0)
    living = asyncio.create_task(desk.live.run())
    async with push.open() as port:
        ticket, url = await sign_in(f"http://{server.host}:{server.port}", "amb-01", PASSWORD)
        assert url.endswith(":8113/unit")
        async with device(f"ws://127.0.0.1:{port}/unit", ticket) as crew:
            console = await budi.follow()
            incident = await call(ledger)
            await fire(sari, incident)
            began = time.monotonic()
            unit = await ledger.pool.fetchval("SELECT id FROM unit WHERE lower(call_sign) = 'amb-01'")
            (await sari.post(f"/incidents/{incident}/send", {"units": [str(unit)]})).ok()
            offer = await crew.event("MissionOffered")
            assert time.monotonic() - began < 1
            mission = offer["mission"]
            assert isinstance(mission, dict)
            assert (mission["callback"], mission["address"]) == (NUMBER, "Jl. Daan Mogot 112, belakang pasar")
            for verb in ("accept", "en_route", "on_scene"):
                assert (await crew.do(verb, mission=mission["id"]))["type"] == "ok"
            assert (await crew.do("cleared", mission=mission["id"], outcome="handled"))["type"] == "ok"
            seen: list[str] = []
            async with asyncio.timeout(10):
                while "IncidentClosed" not in seen:
                    said = (await console.receive()).json()
                    seen += [one["type"] for one in said.get("events", [])]
            wanted = ["MissionOffered", "MissionAccepted", "UnitEnRoute", "UnitOnScene", "MissionCleared"]
            assert [one for one in seen if one in wanted] == wanted
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living
    detail = (await budi.get(f"/incidents/{incident}")).ok()
    assert detail["incident"]["outcome"] == "handled"
    assert detail["missions"][0]["delivered_at"] is not None
