"""Small skymaps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.repository import Repository

RINGS: dict[str, object] = {
    "name": "rings",
    "kind": "rings",
    "numRings": 4,
    "raStart": 10.0,
    "pixelScale": 60.0,
    "patchInnerDimensions": [500, 500],
    "patchBorder": 20,
    "tractOverlap": 0.5,
}
HEALPIX: dict[str, object] = {
    "name": "healpix",
    "kind": "healpix",
    "log2NSide": 1,
    "pixelScale": 60.0,
    "patchInnerDimensions": [600, 400],
    "patchBorder": 10,
    "tractOverlap": 0,
}
SQUARE = [[0, 0], [2, 0], [2, 2], [0, 2]]
POLYGONS: dict[str, object] = {
    "name": "fields",
    "kind": "polygons",
    "tracts": [
        {
            "id": 3,
            "vertices": SQUARE,
            "patches": [
                {"id": 0, "cell_x": 0, "cell_y": 0, "vertices": [[0, 0], [1, 0], [1, 2], [0, 2]]},
                {"id": 1, "cell_x": 1, "cell_y": 0, "vertices": [[1, 0], [2, 0], [2, 2], [1, 2]]},
            ],
        },
        {"id": 7, "vertices": [[359, -1], [1, -1], [0, 1]]},
    ],
}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repository]:
    """An empty repository."""
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repository:
        yield repository
