"""The dialogue with Asterisk, as lists of strings."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from agi.intake import Get, HungUp, Missed, Record, Set, Step, take
from agi.where import nowhere
from callcenter.call import Taken
from callcenter.ids import CallId, IncidentId
from geo.place import Place

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
ENV = {
    "agi_request": "agi://127.0.0.1/call",
    "agi_channel": "Local/s@siaga-beside-00000000;2",
    "agi_uniqueid": "siaga-2",
    "agi_arg_1": "siaga-1",
    "agi_callerid": "unknown",
    "agi_dnid": "unknown",
}
TAKEN = Taken(CallId(UUID(int=1)), IncidentId(UUID(int=2)))
LINE = "v=1 uniqueid=siaga-1 at=1795511538.580 ani=0812 trunk=demo dialled=112 geo=Og== end=1"

Answer = str | Taken | type[HungUp] | None


def play(env: dict[str, str], answers: Sequence[Answer]) -> list[str]:
    """What is asked, step by step, when Asterisk and the record answer like this."""
    dialogue = take(env, now=NOW, place_of=nowhere)
    asked = [said(next(dialogue))]
    for answer in answers:
        try:
            step = dialogue.throw(HungUp()) if answer is HungUp else dialogue.send(answer)  # type: ignore[arg-type]  # narrowed above
        except (StopIteration, HungUp):
            return asked
        asked.append(said(step))
    return asked


def said(step: Step) -> str:
    match step:
        case Get(name):
            return f"GET {name}"
        case Set(name, value):
            return f"SET {name} {value}"
        case Record(rang) | Missed(rang):
            word = "RECORD" if isinstance(step, Record) else "MISSED"
            return f"{word} {rang.uniqueid} {rang.ani} {rang.trunk} {rang.dialled}"


def test_a_call_is_one_question_one_record_and_two_answers() -> None:
    assert play(ENV, [LINE, TAKEN, None, None]) == [
        "GET RING",
        "RECORD siaga-1 0812 demo 112",
        f"SET INCIDENT {UUID(int=2)}",
        f"SET CALL {UUID(int=1)}",
    ]


def test_a_call_that_cannot_be_written_down_in_time_is_let_go() -> None:
    assert play(ENV, [LINE, None]) == ["GET RING", "RECORD siaga-1 0812 demo 112"]


def test_a_dialplan_that_says_nothing_of_the_call_still_gives_a_call() -> None:
    assert play(ENV, [None, None]) == ["GET RING", "RECORD siaga-1 None unknown 112"]


def test_asked_on_the_call_itself_the_callers_number_is_in_the_environment() -> None:
    env = {"agi_uniqueid": "siaga-9", "agi_callerid": "0813", "agi_dnid": "112"}
    assert play(env, [None, None])[1] == "RECORD siaga-9 0813 unknown 112"


@pytest.mark.parametrize(
    ("answers", "last"),
    [
        ([HungUp], "MISSED siaga-1 None unknown 112"),
        ([LINE, HungUp], "RECORD siaga-1 0812 demo 112"),
        ([LINE, TAKEN, HungUp], f"SET INCIDENT {UUID(int=2)}"),
        ([LINE, TAKEN, None, HungUp], f"SET CALL {UUID(int=1)}"),
    ],
)
def test_a_hang_up_at_any_step_is_still_a_call(answers: list[Answer], last: str) -> None:
    asked = play(ENV, answers)
    assert asked[-1] == last
    assert any(step.startswith(("RECORD", "MISSED")) for step in asked)


def test_nothing_in_the_environment_can_say_a_second_word() -> None:
    env = {"agi_uniqueid": "siaga-9", "agi_callerid": "0813 trunk=evil end=1", "agi_dnid": "112\ttrunk=evil"}
    assert play(env, [None, None])[1] == "RECORD siaga-9 None unknown 112"


def test_an_empty_environment_is_still_a_call() -> None:
    assert play({}, [None, None])[1].startswith("RECORD unknown-")


def test_the_place_is_the_callers_own_or_the_trunks() -> None:
    area = Place(-6.2, 106.6, method="trunk", text="Kota Tangerang")
    dialogue = take(ENV, now=NOW, place_of=lambda rings: rings.place or area)
    next(dialogue)
    step = dialogue.send(LINE)
    assert isinstance(step, Record)
    assert step.rang.place == area
