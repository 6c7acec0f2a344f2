"""Holds a dialogue with Asterisk: asks what it wants asked, and tells it when the caller is gone."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from asterisk.agi import AGIHangup

from agi.intake import Dialogue, Get, HungUp, Missed, Record, Set, Step
from agi.wire import Session
from callcenter.call import Rang, Taken

Begin: TypeAlias = Callable[[Mapping[str, str]], Dialogue]


def converse(
    session: Session, begin: Begin, *, record: Callable[[Rang], Taken | None], missed: Callable[[Rang], None]
) -> None:
    """One call, from the first question to the last."""
    dialogue = begin(session.env)
    answer: str | Taken | None = None
    hung_up = False
    while True:
        try:
            step = dialogue.throw(HungUp()) if hung_up else dialogue.send(answer)
        except (StopIteration, HungUp):
            return
        answer, hung_up = None, False
        try:
            answer = _do(step, session, record, missed)
        except (AGIHangup, TimeoutError, ConnectionError):
            hung_up = True


def _do(
    step: Step, session: Session, record: Callable[[Rang], Taken | None], missed: Callable[[Rang], None]
) -> str | Taken | None:
    match step:
        case Get(name):
            return session.get_variable(name) or None
        case Set(name, value):
            session.set_variable(name, value)
        case Record(rang):
            return record(rang)
        case Missed(rang):
            missed(rang)
    return None
