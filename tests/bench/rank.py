"""How long it takes to rank 10,000 units for one incident, as dispatch does, against numpy looking at all of them.

Ours says of each unit how far, how long, how old its position is, and why or why not; numpy only finds the nearest
free ones. Different answers are an error, not a result.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt

from dispatch.recommend import Candidate, Need, advise
from dispatch.unit import Status
from geo.distance import EARTH_M, haversine_m
from tests.bench.result import Result, median, percentile

UNITS = 10_000
QUESTIONS = 40
NEAREST = 5
TARGET = 2.0  # times numpy, which gives five distances; ours is the whole list with its reasons, and far from it
NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
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


def ambulance(number: int, spot: Spot, *, is_free: bool) -> Candidate:
    return Candidate(
        unit=UUID(int=number),
        call_sign=f"AMB-{number:05d}",
        kind="ambulance",
        capabilities=frozenset({"medical"}),
        status=Status.AVAILABLE,
        station_lat=spot[0],
        station_lon=spot[1],
        lat=spot[0],
        lon=spot[1],
        position_at=NOW,
        busy_with=None if is_free else UUID(int=UNITS),
    )


def measure(share: float, *, questions: int = QUESTIONS, seed: int = 112) -> Result:
    draw = random.Random(seed)
    spots = [somewhere(draw) for _ in range(UNITS)]
    wanted = [draw.random() < share for _ in range(UNITS)]
    theirs = brute_force(spots, wanted)
    units = [ambulance(key, spot, is_free=wanted[key]) for key, spot in enumerate(spots)]
    ours_s, theirs_s = [], []
    for _ in range(questions):
        here = somewhere(draw)
        start = time.perf_counter()
        expected = theirs(here)
        between = time.perf_counter()
        advice = advise(Need(*here, ("medical",)), units, now=NOW)
        ours_s.append(time.perf_counter() - between)
        theirs_s.append(between - start)
        found = [line.distance_m for line in advice.suggested[:NEAREST]]
        if found != [round(haversine_m(*here, *spots[key])) for key in expected]:
            raise AssertionError(f"near {here} dispatch suggests {advice.suggested[:NEAREST]}, numpy {expected}")
    return Result(
        bench=f"rank {UNITS} units for an incident, {share:.0%} free, median",
        value=median(ours_s) * 1e3,
        unit="ms",
        yardstick="numpy brute force",
        yardstick_value=median(theirs_s) * 1e3,
        better="low",
        target=TARGET,
        extra={"p99": round(percentile(ours_s, 0.99) * 1e3, 2)},
    )


async def run(*, questions: int = QUESTIONS) -> list[Result]:
    return [measure(share, questions=questions) for share in (0.5, 0.12, 0.02)]
