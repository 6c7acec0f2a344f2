"""Who is near: the closest of many moving units, exactly, without looking at all of them."""

from collections.abc import Callable, Hashable, Iterator
from heapq import heappush, heappushpop
from math import asin, cos, floor, radians, sin, sqrt
from typing import Final, Generic, TypeVar

from geo.distance import EARTH_M, haversine_m

Key = TypeVar("Key", bound=Hashable)

Cell = tuple[int, int]
CELL_DEG: Final = 0.005
"""About 550 m: a handful of units a cell even with ten thousand in one city."""


def everyone(_key: object) -> bool:
    return True


class Nearest(Generic[Key]):
    """Positions in a grid of cells; a search walks rings of cells outwards until nothing closer can come.

    Equal distances are settled by who was put in first, so that the same question gets the same answer.
    """

    def __init__(self, cell_deg: float = CELL_DEG) -> None:
        self._cell_deg = cell_deg
        self._cells: dict[Cell, dict[Key, tuple[float, float]]] = {}
        self._cell_of: dict[Key, Cell] = {}
        self._rank: dict[Key, int] = {}
        self._next_rank = 0
        self._least: Cell | None = None  # the corners of all cells ever used; too wide does no harm
        self._most: Cell = (0, 0)

    def __len__(self) -> int:
        return len(self._cell_of)

    def __contains__(self, key: Key) -> bool:
        return key in self._cell_of

    def put(self, key: Key, lat: float, lon: float) -> None:
        """The unit is here now; wherever it was before is forgotten."""
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise ValueError(f"{key} cannot be at latitude {lat}, longitude {lon}")
        cell = self._cell(lat, lon)
        before = self._cell_of.get(key)
        if before is None:
            self._rank[key] = self._next_rank
            self._next_rank += 1
        elif before != cell:
            self._leave(before, key)
        self._cell_of[key] = cell
        self._widen(cell)
        self._cells.setdefault(cell, {})[key] = (lat, lon)

    def remove(self, key: Key) -> None:
        """Forget the unit; forgetting twice is forgetting once."""
        cell = self._cell_of.pop(key, None)
        if cell is not None:
            self._leave(cell, key)
            del self._rank[key]

    def nearest(
        self,
        lat: float,
        lon: float,
        k: int,
        is_wanted: Callable[[Key], bool] = everyone,
    ) -> list[tuple[Key, float]]:
        """The ``k`` closest wanted keys with their distance in metres, closest first."""
        if not (-90 <= lat <= 90 and -180 <= lon <= 180):
            raise ValueError(f"nobody can be near latitude {lat}, longitude {lon}")
        if k <= 0:
            return []
        found: list[tuple[float, int, Key]] = []  # a heap with the farthest of the best k on top
        for cells, bound_m in self._outwards(lat, lon):
            if len(found) == k and bound_m > -found[0][0]:
                break
            for cell in cells:
                for key, (unit_lat, unit_lon) in cell.items():
                    if is_wanted(key):
                        one = (-haversine_m(lat, lon, unit_lat, unit_lon), -self._rank[key], key)
                        if len(found) < k:
                            heappush(found, one)
                        elif one[:2] > found[0][:2]:
                            heappushpop(found, one)
        found.sort(key=lambda one: (-one[0], -one[1]))
        return [(key, -minus_m) for minus_m, _, key in found]

    def _outwards(self, lat: float, lon: float) -> Iterator[tuple[list[dict[Key, tuple[float, float]]], float]]:
        """Rings of cells, each with the least distance anything in it or beyond can have."""
        if self._least is None:
            return
        here = self._cell(lat, lon)
        (bottom, left), (top, right) = self._least, self._most
        reach = max(top - here[0], here[0] - bottom, right - here[1], here[1] - left)
        # Beyond half a turn the short way round is the other way; no city is that wide, so look at everything.
        if (reach + 1) * self._cell_deg >= 180:
            yield list(self._cells.values()), 0.0
            return
        steepest = max(abs(lat), (max(abs(bottom), abs(top)) + 1) * self._cell_deg)
        narrow = sqrt(max(0.0, cos(radians(lat)) * cos(radians(min(90.0, steepest)))))
        for ring in range(reach + 1):
            if ring * ring > len(self._cells):  # mostly empty cells from here on: take the rest at once
                yield [cell for at, cell in self._cells.items() if _ring_of(at, here) >= ring], 0.0
                return
            yield [self._cells[at] for at in _ring(here, ring) if at in self._cells], self._bound_m(ring, narrow)

    def _bound_m(self, ring: int, narrow: float) -> float:
        """Anything ``ring`` cells away differs by at least this in latitude, or in longitude (narrower there)."""
        gap = radians(max(0, ring - 1) * self._cell_deg)
        return min(EARTH_M * gap, 2 * EARTH_M * asin(min(1.0, narrow * sin(gap / 2)))) * (1 - 1e-9)

    def _widen(self, cell: Cell) -> None:
        if self._least is None:
            self._least = self._most = cell
        self._least = min(self._least[0], cell[0]), min(self._least[1], cell[1])
        self._most = max(self._most[0], cell[0]), max(self._most[1], cell[1])

    def _cell(self, lat: float, lon: float) -> Cell:
        return floor(lat / self._cell_deg), floor(lon / self._cell_deg)

    def _leave(self, cell: Cell, key: Key) -> None:
        inside = self._cells[cell]
        del inside[key]
        if not inside:
            del self._cells[cell]


def _ring_of(cell: Cell, here: Cell) -> int:
    return max(abs(cell[0] - here[0]), abs(cell[1] - here[1]))


def _ring(here: Cell, ring: int) -> Iterator[Cell]:
    """The square of cells ``ring`` steps away from ``here``."""
    row, column = here
    if ring == 0:
        yield here
        return
    for step in range(-ring, ring + 1):
        yield row - ring, column + step
        yield row + ring, column + step
    for step in range(1 - ring, ring):
        yield row + step, column - ring
        yield row + step, column + ring
