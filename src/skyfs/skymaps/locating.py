"""Which tracts and patches a position is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..model.region import point
from ..model.region_overlap import overlaps
from ..repository import Repository


@dataclass(frozen=True, slots=True)
class Place:
    """A tract that a position is in, and its patches there: several where they overlap."""

    skymap: str
    tract: int
    patches: tuple[int, ...]


def locate(repo: Repository, ra_deg: float, dec_deg: float, *, skymap: str | None = None) -> list[Place]:
    """Give the tracts and patches at a position, in order of their numbers.

    Parameters
    ----------
    repo
        A repository.
    ra_deg, dec_deg
        ICRS degrees.
    skymap
        Only in this one.

    Raises
    ------
    BadArgument
        When there is no such position.
    """
    position = point(ra_deg, dec_deg)
    only = {} if skymap is None else {"skymap": skymap}
    found = []
    for tract in _holding(repo, "tract", only, position):
        where = {"skymap": tract["skymap"], "tract": tract["id"]}
        patches = tuple(patch["id"] for patch in _holding(repo, "patch", where, position))
        found.append(Place(tract["skymap"], tract["id"], patches))
    return found


def _holding(
    repo: Repository, element: str, where: Mapping[str, Any], position: bytes
) -> Iterator[Mapping[str, Any]]:
    for record in repo.records(element, **where):
        region = record["region"]
        if isinstance(region, bytes) and overlaps(region, position):
            yield record
