"""The simulated skymap: two overlapping tracts of two by two patches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from astropy.wcs import WCS

from .cameras import tangent_wcs

NAME = "demo_rings_v1"
SCALE_ARCSEC = 0.4
PATCH_SIDE = 256
OVERLAP = 48
"""Pixels that neighbouring patches, and neighbouring tracts, have in common."""
CELLS = 2
TRACT_SIDE = CELLS * (PATCH_SIDE - OVERLAP) + OVERLAP
TRACTS = {9812: (150.0, 2.2), 9813: (150.0 + (TRACT_SIDE - OVERLAP) * SCALE_ARCSEC / 3600, 2.2)}
"""Tract and its centre, ICRS degrees."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch of a tract; ``id`` counts row by row."""

    tract: int
    id: int
    cell_x: int
    cell_y: int

    def wcs(self) -> WCS:
        """Give its WCS: the tract's, shifted by whole pixels."""
        pitch = PATCH_SIDE - OVERLAP
        middle = (TRACT_SIDE + 1) / 2
        reference = (middle - self.cell_x * pitch, middle - self.cell_y * pitch)
        return tangent_wcs(TRACTS[self.tract], reference, SCALE_ARCSEC, 0.0)


def tract_wcs(tract: int) -> WCS:
    """Give the WCS of a whole tract."""
    return tangent_wcs(TRACTS[tract], ((TRACT_SIDE + 1) / 2,) * 2, SCALE_ARCSEC, 0.0)


def patches() -> Iterator[Patch]:
    """Give all patches, tract by tract."""
    for tract in TRACTS:
        for number in range(CELLS * CELLS):
            yield Patch(tract, number, number % CELLS, number // CELLS)


def digest() -> bytes:
    """Give what identifies the tiling: equal for equal parameters."""
    parameters = repr((NAME, SCALE_ARCSEC, PATCH_SIDE, OVERLAP, CELLS, sorted(TRACTS.items())))
    return hashlib.sha1(parameters.encode(), usedforsecurity=False).digest()
