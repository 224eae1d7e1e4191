"""Skymaps as dimension records of a repository."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..errors import BadArgument, BadDefinition
from ..model.region import encode
from ..model.region_overlap import overlaps
from ..repository import Repository
from .configuration import skymap_of
from .definition import Skymap, Tract, summary_of
from .foreign import adopt

if TYPE_CHECKING:
    from lsst.sphgeom import Region

_ROWS = 5_000
"""Records per insert: a survey has millions of patches, which need not be in memory together."""


@dataclass(frozen=True, slots=True)
class Added:
    """How many records of a skymap are new."""

    name: str
    skymaps: int
    tracts: int
    patches: int


def add(
    repo: Repository,
    definition: object,
    *,
    name: str | None = None,
    tracts: Collection[int] | Region | bytes | None = None,
) -> Added:
    """Record a skymap, its tracts and patches, in one transaction; what is there already is no change.

    Parameters
    ----------
    repo
        A repository, open for writing.
    definition
        A configuration (a mapping), an object with ``name`` and ``tracts()`` (`Skymap`), or a skymap of
        ``lsst.skymap``.
    name
        What the skymap is called; needed when the definition has no name.
    tracts
        Only these: numbers, or those that overlap a region of ``lsst.sphgeom``. More can be added later.

    Raises
    ------
    BadDefinition
        When the definition is none.
    BadArgument
        When one of ``tracts`` is not in the skymap.
    Conflict
        When there is another skymap of the name, or two tracts or patches of one number.
    """
    skymap = _skymap(definition, name)
    summary = summary_of(skymap)
    record = {
        "name": skymap.name,
        "hash": summary.hash,
        "tract_max": summary.tract_max,
        "patch_nx_max": summary.patch_nx_max,
        "patch_ny_max": summary.patch_ny_max,
    }
    with repo.transaction():
        new = repo.insert("skymap", [record])
        counts = _add_tracts(repo, skymap.name, _chosen(skymap, tracts))
    return Added(skymap.name, new, *counts)


def _skymap(definition: object, name: str | None) -> Skymap:
    if isinstance(definition, Mapping):
        return skymap_of({**definition, "name": name} if name else definition)
    if not isinstance(definition, Skymap):
        return adopt(definition, name)
    if name not in (None, definition.name):
        found = f"it is called {definition.name!r}, not {name!r}"
        raise BadDefinition("a skymap", found, "leave name= out")
    return definition


def _chosen(skymap: Skymap, tracts: Collection[int] | Region | bytes | None) -> Iterator[Tract]:
    if tracts is None:
        yield from skymap.tracts()
    elif isinstance(tracts, bytes) or hasattr(tracts, "encode"):
        region = encode(tracts)  # type: ignore[arg-type]  # refuses what is no region
        yield from (tract for tract in skymap.tracts() if overlaps(tract.region, region))
    else:
        yield from _numbered(skymap, set(tracts))


def _numbered(skymap: Skymap, numbers: set[int]) -> Iterator[Tract]:
    missing = set(numbers)
    for tract in skymap.tracts():
        if tract.id in numbers:
            missing.discard(tract.id)
            yield tract
    if missing:
        raise BadArgument(
            f"tract {min(missing, key=repr)!r}", f"the skymap {skymap.name!r} has no such tract"
        )


def _add_tracts(repo: Repository, name: str, tracts: Iterable[Tract]) -> tuple[int, int]:
    new_tracts = new_patches = 0
    remaining = iter(tracts)
    while batch := list(islice(remaining, _ROWS)):
        rows = [{"skymap": name, "id": tract.id, "region": tract.region} for tract in batch]
        new_tracts += repo.insert("tract", rows)
        patches = (row for tract in batch for row in _patch_rows(name, tract))
        while page := list(islice(patches, _ROWS)):
            new_patches += repo.insert("patch", page)
    return new_tracts, new_patches


def _patch_rows(name: str, tract: Tract) -> Iterator[dict[str, object]]:
    for patch in tract.patches:
        yield {
            "skymap": name,
            "tract": tract.id,
            "id": patch.id,
            "cell_x": patch.cell_x,
            "cell_y": patch.cell_y,
            "region": patch.region,
        }
