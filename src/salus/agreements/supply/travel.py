"""Whether one pack can have been scanned at two places: distance over time, against the speed of an airliner."""

import math
import re
from dataclasses import dataclass
from typing import Final

EARTH_KM: Final = 6_371
SPEED: Final = 900  # km/h: an airliner; nothing that carries medicines is faster
NEAR_KM: Final = 50  # below this, a scanner's place and its clock are not exact enough to accuse anybody
CLOCKS_MS: Final = 5 * 60_000  # two scanners' clocks may differ by this much
HOUR_MS: Final = 3_600_000
GEO: Final = re.compile(r"geo:(-?\d{1,2}(?:\.\d{1,8})?),(-?\d{1,3}(?:\.\d{1,8})?)")


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees times a million, WGS 84."""

    latitude: int
    longitude: int


def place_of(uri: str) -> Place:
    """Return the place of a `geo:` URI (RFC 5870), as EPCIS read points may have. Raises ValueError."""
    found = GEO.fullmatch(uri)
    if found is None:
        raise ValueError("expected geo:latitude,longitude")
    latitude, longitude = (round(float(one) * 1_000_000) for one in found.groups())
    if abs(latitude) > 90_000_000 or abs(longitude) > 180_000_000:
        raise ValueError("latitude at most 90, longitude at most 180")
    return Place(latitude, longitude)


def kilometres(a: Place, b: Place) -> int:
    """Return the great-circle distance, rounded (haversine on a sphere: within half a percent)."""
    lat_a, lat_b = math.radians(a.latitude / 1e6), math.radians(b.latitude / 1e6)
    across = math.radians((b.longitude - a.longitude) / 1e6)
    half = math.sin((lat_b - lat_a) / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(across / 2) ** 2
    return round(2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half))))


def impossible(a: Place, then: int, b: Place, now: int) -> bool:
    """Tell whether nothing gets from one scan to the other in time (Unix ms)."""
    far = kilometres(a, b)
    return far > NEAR_KM and far * HOUR_MS > SPEED * (abs(now - then) + CLOCKS_MS)
