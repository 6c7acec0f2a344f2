"""Where a caller is: by the network's own word, settled into our kelurahan; else somewhere in the trunk's area."""

from collections.abc import Mapping
from dataclasses import dataclass

from agi.note import Rings
from geo.area import Areas
from geo.place import Place


@dataclass(frozen=True, slots=True)
class Where:
    """The city's areas, and the place that stands for each trunk's."""

    areas: Areas
    trunks: Mapping[str, Place]
    elsewhere: Place | None

    @classmethod
    def made(cls, areas: Areas, trunks: Mapping[str, str | None]) -> "Where":
        """``trunks`` maps each trunk to the code of its area; a trunk without one serves the whole city."""
        city = next((area.code for area in areas.of_level("kota")), None)
        elsewhere = areas.middle_of(city, method="trunk") if city else None
        places = {
            trunk: areas.middle_of(code, method="trunk")
            for trunk, code in trunks.items()
            if code is not None and areas.get(code) is not None
        }
        return cls(areas, places, elsewhere)

    def of(self, rings: Rings) -> Place | None:
        """The best we know of a caller before anybody spoke to them."""
        if rings.place is not None:
            return self.areas.settle(rings.place)
        return self.trunks.get(rings.trunk, self.elsewhere)


def nowhere(rings: Rings) -> Place | None:
    """Where there is no map: the network's own word and nothing else."""
    return rings.place
