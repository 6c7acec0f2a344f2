"""How far two places are apart, and how long a unit needs between them."""

from math import asin, ceil, cos, radians, sin, sqrt
from types import MappingProxyType
from typing import Final

EARTH_M: Final = 6_371_008.8
"""Mean radius of the earth (IUGG)."""

ROAD_FACTOR: Final = 1.4
"""Roads are longer than the straight line; 1.4 is the usual figure for a city and says so in DECISIONS."""

CRUISE_KMH: Final = MappingProxyType(
    {
        "ambulance": 35.0,
        "fire_engine": 30.0,
        "water_tanker": 25.0,
        "rescue": 30.0,
        "police": 40.0,
        "order": 35.0,
        "traffic": 35.0,
        "tow": 25.0,
        "boat": 25.0,
        "cleansing": 25.0,
        "power": 30.0,
    },
)
"""Door to door through city traffic with the siren on, by kind of unit."""

USUAL_KMH: Final = 30.0


def haversine_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Metres along the earth's surface. Good to 0.5 %, which is far better than our knowledge of the roads."""
    phi1, phi2 = radians(lat1), radians(lat2)
    up, along = sin((phi2 - phi1) / 2), sin(radians(lon2 - lon1) / 2)
    return 2 * EARTH_M * asin(min(1.0, sqrt(up * up + cos(phi1) * cos(phi2) * along * along)))


def cruise_kmh(kind: str) -> float:
    return CRUISE_KMH.get(kind, USUAL_KMH)


def eta_s(distance_m: float, *, speed_kmh: float) -> int:
    """Whole seconds, rounded up: a promise to a caller errs late, not early."""
    if not distance_m >= 0:
        raise ValueError(f"a distance is zero or more metres, not {distance_m}")
    if not speed_kmh > 0:
        raise ValueError(f"a unit's speed is more than zero km/h, not {speed_kmh}")
    return ceil(distance_m * ROAD_FACTOR / (speed_kmh / 3.6))
