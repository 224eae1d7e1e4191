"""What a skymap is: tracts, each with patches, each with a region."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Patch:
    """A part of a tract; regions are what ``lsst.sphgeom`` encodes."""

    id: int
    cell_x: int
    cell_y: int
    region: bytes


@dataclass(frozen=True, slots=True)
class Tract:
    """A part of a skymap with one projection; its patches can be iterated over more than once."""

    id: int
    region: bytes
    patches: Iterable[Patch] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What identifies a skymap, and the sizes of the whole of it."""

    hash: bytes
    tract_max: int
    """Tracts are numbered below this."""
    patch_nx_max: int
    patch_ny_max: int


@runtime_checkable
class Skymap(Protocol):
    """Anything with a name and tracts."""

    @property
    def name(self) -> str:
        """What it is called in data IDs."""

    def tracts(self) -> Iterable[Tract]:
        """Give all tracts."""


@runtime_checkable
class Summarized(Skymap, Protocol):
    """A skymap that knows its summary without making all patches."""

    def summary(self) -> Summary:
        """Give its summary."""


def summary_of(skymap: Skymap) -> Summary:
    """Give the summary of a skymap; of one that does not know it, by looking at every patch once."""
    if isinstance(skymap, Summarized):
        return skymap.summary()
    digest = hashlib.sha1(repr(skymap.name).encode(), usedforsecurity=False)
    tract_max = nx = ny = 0
    for tract in skymap.tracts():
        digest.update(repr((tract.id, tract.region)).encode())
        tract_max = max(tract_max, tract.id + 1)
        for patch in tract.patches:
            digest.update(repr((patch.id, patch.cell_x, patch.cell_y, patch.region)).encode())
            nx, ny = max(nx, patch.cell_x + 1), max(ny, patch.cell_y + 1)
    return Summary(digest.digest(), tract_max, nx, ny)


def hash_of(configuration: Mapping[str, object]) -> bytes:
    """Give the SHA-1 of a configuration: equal for equal values in any order."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha1(text.encode(), usedforsecurity=False).digest()
