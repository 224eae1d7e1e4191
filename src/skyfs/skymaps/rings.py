"""The ring layout of `lsst.skymap.RingsSkyMap`: bands of declination, divided into tracts, and two caps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .definition import Summary, Tract, hash_of
from .grid import Grid, GridSettings


@dataclass(frozen=True, slots=True)
class Rings:
    """Rings of equal height between the poles, numbered from south to north.

    Tract 0 is about the south pole, the last one about the north pole; each is a square of the height of a
    ring and of the overlap on each side, made full by whole patches. Numbers and corners are those of
    `lsst.skymap`, as far as its tracts cover the sky.
    """

    name: str
    configuration: Mapping[str, object]
    settings: GridSettings
    rings: int
    ra_start_deg: float

    @property
    def height_deg(self) -> float:
        """Give the height of a ring: the two caps together count for one."""
        return 180 / (self.rings + 1)

    def tracts_of(self, ring: int) -> int:
        """Give the number of tracts of a ring: enough for its edge that is nearer to the equator."""
        south = self.height_deg * (ring + 0.5) - 90
        nearest = math.radians(min(abs(south), abs(south + self.height_deg)))
        return int(2 * math.pi * math.cos(nearest) / math.radians(self.height_deg)) + 1

    def centres(self) -> Iterator[tuple[int, float, float]]:
        """Give ring, right ascension and declination of each tract; the caps are rings -1 and the last."""
        yield -1, 0.0, -90.0
        for ring in range(self.rings):
            count = self.tracts_of(ring)
            for number in range(count):
                ra = (360 * number / count + self.ra_start_deg) % 360
                yield ring, ra, self.height_deg * (ring + 1) - 90
        yield self.rings, 0.0, 90.0

    def tracts(self) -> Iterator[Tract]:
        """Give all tracts."""
        sizes = self._half_sizes()
        for number, (ring, ra, dec) in enumerate(self.centres()):
            yield Grid(self.settings, ra, dec, sizes[ring]).tract(number)

    def summary(self) -> Summary:
        """Give hash and sizes."""
        count = 2 + sum(self.tracts_of(ring) for ring in range(self.rings))
        sizes = self._half_sizes().values()
        nx, ny = (max(self.settings.count(axis, size[axis]) for size in sizes) for axis in (0, 1))
        return Summary(hash_of(self.configuration), count, nx, ny)

    def _half_sizes(self) -> dict[int, tuple[float, float]]:
        """Give half of the size of the tracts of each ring, in the tangent plane."""
        half = math.tan(math.radians(self.height_deg / 2 + self.settings.tract_overlap_deg))
        ends = {-1: (half, half), self.rings: (half, half)}
        return ends | {ring: self._half_size(ring, half) for ring in range(self.rings)}

    def _half_size(self, ring: int, half: float) -> tuple[float, float]:
        """Give more than a square where few, coarse rings would leave gaps between their tracts.

        What a tract lacks at a corner, the next ring has when it reaches that far over its own edge.
        """
        x, y = self._reach(ring)
        scale = math.radians(self.settings.pixel_scale_arcsec / 3600)
        extent = [
            self.settings.count(axis, half) * self.settings.patch_inner[axis] * scale / 2 for axis in (0, 1)
        ]
        over = extent[1] - math.tan(math.radians(self.height_deg / 2))
        return (x if x > extent[0] else half), (y if y > extent[1] + over else half)

    def _reach(self, ring: int) -> tuple[float, float]:
        """Give how far a ring's share of the sky is from its middle in the tangent plane."""
        middle = math.radians(self.height_deg * (ring + 1) - 90)
        x = y = 0.0
        for dec in (middle - math.radians(self.height_deg / 2), middle + math.radians(self.height_deg / 2)):
            for step in range(17):
                ra = math.pi / self.tracts_of(ring) * step / 16
                away = math.sin(middle) * math.sin(dec) + math.cos(middle) * math.cos(dec) * math.cos(ra)
                north = math.cos(middle) * math.sin(dec) - math.sin(middle) * math.cos(dec) * math.cos(ra)
                x, y = max(x, math.cos(dec) * math.sin(ra) / away), max(y, abs(north) / away)
        return x, y
