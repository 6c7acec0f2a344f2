"""Each bench runs, in a size that says nothing about speed, and prints a line that a program can read."""

import json
from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.bench import create, follow, intake, push, rank
from tests.bench.__main__ import BENCHES
from tests.bench.result import Result
from tests.support.sip import needs_sipp

TINY: dict[str, Callable[[], Awaitable[Sequence[Result]]]] = {
    "create": lambda: create.run(rounds=1, round_s=0.3),
    "follow": lambda: follow.run(rounds=1, round_s=0.3),
    "intake": lambda: intake.run(rounds=1, calls=10),
    "push": lambda: push.run(fan_out=[(20, 2)], units=20, rounds=1, paced_s=0.2),
    "rank": lambda: rank.run(questions=2),
}
SLOW = {
    "follow": [pytest.mark.slow],
    "intake": [pytest.mark.slow, pytest.mark.telephony, needs_sipp],
    "push": [pytest.mark.slow],
}


def test_every_bench_has_a_tiny_size() -> None:
    assert TINY.keys() == BENCHES.keys()


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, [])) for name in TINY])
async def test_a_bench_prints_lines_of_one_form(name: str) -> None:
    results = await TINY[name]()
    assert results
    for result in results:
        line = json.loads(result.line())
        assert list(line)[:9] == [
            *("bench", "value", "unit", "yardstick", "yardstick_value", "ratio", "better", "target", "ok")
        ]
        assert line["yardstick_value"] > 0
        assert line.get("missed", 0) == 0
        assert line.get("failed", 0) == 0


@pytest.mark.parametrize(
    ("better", "value", "ok"), [("high", 8.0, True), ("high", 7.9, False), ("low", 8.0, True), ("low", 8.1, False)]
)
def test_a_result_says_whether_it_is_enough(better: str, value: float, ok: bool) -> None:
    result = Result(
        bench="b",
        value=value,
        unit="u",
        yardstick="y",
        yardstick_value=10,
        better="high" if better == "high" else "low",
        target=0.8,
    )
    assert result.ok is ok
