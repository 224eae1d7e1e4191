"""What the raws of a visit saw: a region for each detector, and their hull."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import SkyfsError
from ..model.dataset import Resolved
from ..repository import Collections, Repository
from .corners import Padding, Point, corners_of, hull, joint_hull
from .rows import matching, raws_of

RAW = "raw"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Regions of a visit.

    Attributes
    ----------
    regions
        Detector → region, of those that were computed now.
    whole
        The hull of all regions of the visit; None when it has none.
    unplaced
        How many raws have no celestial WCS.
    """

    regions: Mapping[int, bytes]
    whole: bytes | None
    unplaced: int


class Footprints:
    """Computes footprints from the raws in collections."""

    def __init__(
        self, repository: Repository, instrument: str, collections: Collections, padding: Padding
    ) -> None:
        self._repository = repository
        self._instrument = instrument
        self._padding = padding
        self._collections = [collections] if isinstance(collections, str) else list(collections or ())

    def of(self, visit: int, exposures: Sequence[Mapping[str, object]], *, anew: bool) -> Footprint:
        """Give the footprint of a visit; without ``anew`` only regions that are missing are computed."""
        known = self._known(visit)
        raws: dict[int, list[Resolved]] = {}
        for exposure in exposures:
            for raw in self._raws(exposure):
                detector = int(raw.ref.data_id["detector"])
                if anew or detector not in known:
                    raws.setdefault(detector, []).append(raw)
        regions: dict[int, bytes] = {}
        unplaced = 0
        for detector, some in raws.items():
            corners = [self._corners(raw) for raw in some]
            unplaced += corners.count([])
            points = [point for one in corners for point in one]
            if points:
                regions[detector] = hull(points)
        together = list({**known, **regions}.values())
        return Footprint(regions, joint_hull(together) if together else None, unplaced)

    def _known(self, visit: int) -> dict[int, bytes]:
        identity = {"instrument": self._instrument, "visit": visit}
        records = matching(self._repository, "visit_detector_region", **identity)
        found = {int(str(one["detector"])): one["region"] for one in records}
        return {detector: region for detector, region in found.items() if isinstance(region, bytes)}

    def _raws(self, exposure: Mapping[str, object]) -> Sequence[Resolved]:
        """Give the raws of an exposure in the first collection that has each detector."""
        snapshot = self._repository.registry.current()
        entry = snapshot.types.get(RAW)
        if entry is None:
            return ()
        order = snapshot.flatten([name for name in self._collections if name in snapshot.collections])
        ranks = {one.collection.name: rank for rank, one in enumerate(order)}
        found = raws_of(self._repository, entry, order, self._instrument, exposure)
        first: dict[object, Resolved] = {}
        for one in sorted(found, key=lambda one: ranks[one.collection]):
            first.setdefault(one.resolved.ref.data_id["detector"], one.resolved)
        return list(first.values())

    def _corners(self, raw: Resolved) -> list[Point]:
        location, source = self._repository.open_bytes(raw)
        try:
            with source:
                return corners_of(source, location.extension, self._padding)
        except SkyfsError as error:
            raise type(error)(f"the region of {raw.ref}", str(error), error.todo) from error
