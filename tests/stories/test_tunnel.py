"""A crew drives through a tunnel: what they press there counts from when they pressed it, and they miss nothing."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from playwright.async_api import WebSocket, expect

from tests.support.browser import until
from tests.support.people import Crew, Town
from tests.support.tunnel import tunnel

A_SECOND = timedelta(seconds=1)
CIPONDOH = (-6.1921, 106.6772)  # beside the station of AMB-02


async def test_a_crew_in_a_tunnel_loses_nothing_and_is_told_nothing_twice(town: Town) -> None:
    centre = town.centre
    async with (
        tunnel() as road,
        town.somebody("ratna") as supervisor,
        town.crew("AMB-02", at=CIPONDOH, proxy=road.address) as crew,
    ):
        heard = listening(crew)
        incident = await supervisor.opens_an_incident("medical", "Jl. KH Hasyim Ashari 12", CIPONDOH)
        await supervisor.sends(incident, "AMB-02")
        await crew.is_asked()
        await crew.accepts()
        await crew.has_nothing_unsent()

        # Into the tunnel. The buttons work as always; the screen says what is not sent yet.
        road.enter()
        entered = datetime.now(UTC)
        await crew.goes()
        await crew.arrives()
        arrived = datetime.now(UTC)
        await crew.has_unsent(2)

        # Outside, the world goes on.
        await supervisor.describes(incident, notes="Lantai tiga, lift mati")
        await supervisor.describes(incident, hazards="Anjing galak di halaman")
        await supervisor.sends(incident, "AMB-03")
        await crew.is_cut_off()
        assert await mission_of(town, incident) == "accepted"

        # Out of the tunnel: both sides know all, at the times when it was pressed.
        road.leave()
        left = datetime.now(UTC)
        await crew.is_back()
        await crew.has_nothing_unsent()
        card = crew.the("mission-card")
        for words in ("Lantai tiga, lift mati", "Anjing galak di halaman", "AMB-03"):
            await expect(card).to_contain_text(words)
        await crew.stands_at("on_scene")

        (row,) = await centre.look_up(
            "SELECT m.status, m.en_route_at, m.on_scene_at, m.out_of_order FROM mission m JOIN unit u ON u.id = m.unit "
            "WHERE m.incident = $1 AND u.call_sign = 'AMB-02'",
            UUID(incident),
        )
        assert row["status"] == "on_scene"
        # A page sets its clock by ours, and knows it no better than the network is quick.
        assert entered - A_SECOND < row["en_route_at"] <= row["on_scene_at"] < arrived + A_SECOND < left
        assert not row["out_of_order"]

        # Nothing was said twice, and no event of this incident is missing among those that came.
        history = await supervisor.history(incident)
        assert [history.count(f"amb-02 {what}") for what in ("UnitEnRoute", "UnitOnScene")] == [1, 1]

        async def has_heard_all() -> bool:
            rows = await centre.look_up(
                "SELECT seq FROM log WHERE incident = $1 AND type IN ('IncidentDescribed', 'MissionAccepted', "
                "'UnitEnRoute', 'UnitOnScene') AND at > $2 AND (kind = 'incident' OR by = 'amb-02')",
                UUID(incident),
                entered,
            )
            return {row["seq"] for row in rows} <= set(heard)

        await until(has_heard_all, "every event since the tunnel has come to the crew's page")
        await crew.clears("handled")
        await crew.has_nothing_unsent()


def listening(crew: Crew) -> list[int]:
    """The numbers of all events that come to a crew's page from now on, in every socket it opens."""
    heard: list[int] = []

    def hear(payload: str | bytes) -> None:
        frame = json.loads(payload)
        if frame.get("type") == "event":
            heard.append(frame["seq"])

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", hear)

    crew.page.on("websocket", listen)
    return heard


async def mission_of(town: Town, incident: str) -> str:
    (row,) = await town.centre.look_up(
        "SELECT m.status FROM mission m JOIN unit u ON u.id = m.unit WHERE m.incident = $1 AND u.call_sign = 'AMB-02'",
        UUID(incident),
    )
    return str(row["status"])
