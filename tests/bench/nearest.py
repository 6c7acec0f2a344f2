"""How long it takes to find the five nearest free units of a kind among 10,000, against numpy looking at all of them.

Different answers are an error, not a result.
"""

import random
import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from geo.distance import EARTH_M
from geo.nearest import Nearest
from tests.bench.result import Result, median, percentile

UNITS = 10_000
QUESTIONS = 3_000
NEAREST = 5
TARGET = 2.0  # times numpy's p99
Spot = tuple[float, float]


def somewhere(draw: random.Random) -> Spot:
    return draw.uniform(-6.256, -6.097), draw.uniform(106.552, 106.748)


def brute_force(spots: list[Spot], wanted: list[bool]) -> Callable[[Spot], list[int]]:
    """Numpy's best: every distance at once, then the five least of those wanted."""
    lat, lon = np.radians(np.array(spots)).T
    cos_lat = np.cos(lat)
    unwanted = ~np.array(wanted)

    def nearest(here: Spot) -> list[int]:
        phi, lam = np.radians(here)
        half: npt.NDArray[np.float64] = np.sin((lat - phi) / 2) ** 2
        half += np.cos(phi) * cos_lat * np.sin((lon - lam) / 2) ** 2
        away_m = 2 * EARTH_M * np.arcsin(np.sqrt(half))
        away_m[unwanted] = np.inf
        few = np.argpartition(away_m, NEAREST)[:NEAREST]
        return [int(key) for key in few[np.argsort(away_m[few])]]

    return nearest


def measure(share: float, *, questions: int = QUESTIONS, seed: int = 112) -> Result:
    draw = random.Random(seed)
    spots = [somewhere(draw) for _ in range(UNITS)]
    wanted = [draw.random() < share for _ in range(UNITS)]
    theirs = brute_force(spots, wanted)
    index: Nearest[int] = Nearest()
    for key, spot in enumerate(spots):
        index.put(key, *spot)
    ours_s, theirs_s = [], []
    for _ in range(questions):
        here = somewhere(draw)
        start = time.perf_counter()
        expected = theirs(here)
        between = time.perf_counter()
        found = index.nearest(*here, NEAREST, wanted.__getitem__)
        ours_s.append(time.perf_counter() - between)
        theirs_s.append(between - start)
        if [key for key, _ in found] != expected:
            raise AssertionError(f"near {here} the grid found {found}, numpy {expected}")
    return Result(
        bench=f"nearest {NEAREST} of {UNITS} units, {share:.0%} wanted, p99",
        value=percentile(ours_s, 0.99) * 1e6,
        unit="us",
        yardstick="numpy brute force",
        yardstick_value=percentile(theirs_s, 0.99) * 1e6,
        better="low",
        target=TARGET,
        extra={"p50": round(median(ours_s) * 1e6, 1), "yardstick_p50": round(median(theirs_s) * 1e6, 1)},
    )


async def run(*, questions: int = QUESTIONS) -> list[Result]:
    return [measure(share, questions=questions) for share in (0.5, 0.12, 0.02)]
