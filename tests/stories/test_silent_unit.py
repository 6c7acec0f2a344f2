"""A unit that does not answer is asked again, then given up; the dispatcher sees it and sends the next."""

import re

from playwright.async_api import expect

from tests.support.people import Town
from tests.support.whole import EXPIRE_S, REALERT_S

CIBODAS = (-6.1965, 106.6066)  # beside the station of AMB-03


async def test_silence_is_seen_and_the_next_unit_is_one_key_away(town: Town) -> None:
    async with (
        town.board("budi") as board,
        town.somebody("ratna") as supervisor,
        town.crew("AMB-03", at=CIBODAS) as silent,
    ):
        incident = await supervisor.opens_an_incident("medical", "Jl. Prabu Siliwangi 5", CIBODAS)
        await board.opens(incident)
        await board.chooses_only("AMB-03")
        await board.keys.press("F9")
        mission = await silent.is_asked()

        # Nobody presses anything. First they are asked again, then no more, and the next is proposed.
        await expect(board.mission("AMB-03")).to_contain_text("2×", timeout=REALERT_S * 1000 + 10_000)
        await board.sees("AMB-03", "expired", within_s=EXPIRE_S + 10)
        await expect(silent.the("accept")).to_have_count(0)
        await expect(board.line(incident)).to_have_class(re.compile("worry"))
        await expect(board.the("proposal")).to_be_visible()
        await board.is_pictured("board-silence")

        # One key sends who is proposed. Withdrawn, and asked again after all: each is one more mission, none is lost.
        await board.keys.press("Alt+y")
        await expect(board.the("proposal")).to_have_count(0)
        (sent,) = await board.asked_now()
        assert sent != "AMB-03"
        await board.withdraws(sent, "Sudah ada ambulans warga")
        await board.asks_again("AMB-03")
        assert await silent.is_asked() != mission
        await silent.accepts()
        await board.sees("AMB-03", "accepted")
        await silent.goes()
        await silent.arrives()
        await silent.clears("handled")
        await silent.has_nothing_unsent()

        told = [
            line for line in await board.history(incident) if "Mission" in line or "Offer" in line or "Unit" in line
        ]
        assert told == [
            "budi MissionOffered",
            "rule OfferRealerted",
            "rule MissionExpired",
            "rule UnitProposed",
            "budi MissionOffered",
            "budi MissionWithdrawn",
            "budi UnitProposed",
            "budi MissionOffered",
            "amb-03 MissionAccepted",
            "amb-03 UnitEnRoute",
            "amb-03 UnitOnScene",
            "amb-03 MissionCleared",
        ]

    verdict, words = await town.centre.audit()
    assert verdict == 0, words
