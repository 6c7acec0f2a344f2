"""One line of figures: what we reach, what the yardstick reaches in the same minute, and whether that is enough."""

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Only the ratio means anything from one machine to another."""

    bench: str
    value: float
    unit: str
    yardstick: str
    yardstick_value: float
    better: Literal["high", "low"]
    target: float
    extra: dict[str, float | str] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return self.value / self.yardstick_value

    @property
    def ok(self) -> bool:
        return self.ratio >= self.target if self.better == "high" else self.ratio <= self.target

    def line(self) -> str:
        return json.dumps(
            {
                "bench": self.bench,
                "value": _short(self.value),
                "unit": self.unit,
                "yardstick": self.yardstick,
                "yardstick_value": _short(self.yardstick_value),
                "ratio": round(self.ratio, 3),
                "better": self.better,
                "target": self.target,
                "ok": self.ok,
                **self.extra,
            }
        )


def _short(value: float) -> float:
    return round(value, 3 if abs(value) < 100 else 1)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def say(words: str) -> None:
    """Progress, for the person who waits."""
    sys.stderr.write(f"  {words}\n")
    sys.stderr.flush()
