"""lsst-daf-butler, asked the same; runs in the peer's own environment."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import content
from lsst.daf.butler import Butler, CollectionType, DataCoordinate, DatasetType, Timespan
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d


class Side:
    """A repository of the peer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        Butler.makeRepo(str(folder / "theirs"))
        self._butler: Any = Butler.from_config(str(folder / "theirs"), writeable=True)
        self._registry: Any = self._butler.registry

    def define(self) -> int:
        """Register types, cameras and sky."""
        cameras = content.cameras()
        cameras["instrument"][0].update(visit_max=10**7, exposure_max=10**7, visit_system=0)
        for element, records in {**cameras, **content.sky()}.items():
            self._registry.insertDimensionData(element, *map(typed, records))
        for name, dimensions, calibration in (
            ("calexp", ("instrument", "visit", "detector"), False),
            ("flat", ("instrument", "physical_filter", "detector"), True),
        ):
            universe = self._butler.dimensions
            made = DatasetType(
                name, dimensions, "StructuredDataDict", universe=universe, isCalibration=calibration
            )
            self._registry.registerDatasetType(made)
        self._registry.registerRun(content.RUN)
        return 0

    def observe(self, first: int, last: int, visits: int) -> int:
        """Insert visits and exposures."""
        if first == 0:
            self._registry.insertDimensionData("day_obs", *map(typed, content.nights(visits)))
        for element, make in _OBSERVED.items():
            self._registry.insertDimensionData(element, *map(typed, make(first, last)))
        return last - first

    def place(self, first: int, last: int) -> int:
        """Insert the regions of detectors."""
        records = [typed(record) for record in content.footprints(first, last)]
        self._registry.insertDimensionData("visit_detector_region", *records)
        return len(records)

    def declare(self, first: int, last: int) -> int:
        """Register the datasets of visits, the fastest way there is."""
        dimensions = self._butler.get_dataset_type("calexp").dimensions
        ids = [
            DataCoordinate.standardize(own, dimensions=dimensions) for own in content.data_ids(first, last)
        ]
        return len(self._registry.insertDatasets("calexp", ids, run=content.RUN, expand=False))

    def certify(self) -> int:
        """Certify calibrations for a day each."""
        self._registry.registerCollection(content.CALIBRATIONS, CollectionType.CALIBRATION)
        for day in range(content.CALIBRATION_DAYS):
            self._registry.registerRun(f"run/flats{day}")
            ids = [
                {"instrument": content.INSTRUMENT, "physical_filter": "Bench-r", "detector": number}
                for number in range(content.CALIBRATED_DETECTORS)
            ]
            refs = self._registry.insertDatasets("flat", ids, run=f"run/flats{day}")
            begin = content.START_NS + day * content.DAY_NS
            self._registry.certify(content.CALIBRATIONS, refs, _span(begin, begin + content.DAY_NS))
        return content.CALIBRATION_DAYS * content.CALIBRATED_DETECTORS

    def import_export(self) -> int:
        """Import an export, without files."""
        self._butler.import_(filename=str(self._folder / "export.yaml"), without_datastore=True)
        with self._butler.query() as query:
            return int(query.datasets("calexp", content.IMPORTED_RUN).count())

    # -- asking ----------------------------------------------------------------------------------------

    def find_one(self, visit: int, detector: int) -> list[object]:
        """Find a dataset."""
        own = {"instrument": content.INSTRUMENT, "visit": visit, "detector": detector}
        found = self._butler.find_dataset("calexp", own, collections=content.RUN)
        return [found.run, found.dataId["visit"], found.dataId["detector"]]

    def one_visit(self, visit: int) -> int:
        """Give all datasets of a visit."""
        return len(
            self._butler.query_datasets(
                "calexp", content.RUN, instrument=content.INSTRUMENT, visit=visit, limit=None
            )
        )

    def by_column(self) -> int:
        """Give the datasets that a record's column selects."""
        return len(
            self._butler.query_datasets(
                "calexp", content.RUN, where=content.BY_COLUMN, limit=None, explain=False
            )
        )

    def count(self) -> int:
        """Count all datasets."""
        with self._butler.query() as query:
            return int(query.datasets("calexp", content.RUN).count())

    def iterate(self) -> int:
        """Go through all datasets."""
        with self._butler.query() as query:
            return sum(1 for _ in query.datasets("calexp", content.RUN))

    def over_patch(self) -> int:
        """Give the visits and detectors over a patch."""
        return len(
            self._butler.query_data_ids(
                ["visit", "detector"], where=content.OVER_PATCH, limit=None, explain=False
            )
        )

    def at_point(self) -> int:
        """Give the datasets over a point of the sky."""
        return len(
            self._butler.query_datasets(
                "calexp", content.RUN, where=content.AT_POINT, limit=None, explain=False
            )
        )

    def calibration_at(self, day: int, detector: int) -> str:
        """Find the calibration that is valid at a time."""
        begin = content.START_NS + day * content.DAY_NS + 3600 * 10**9
        own = {"instrument": content.INSTRUMENT, "physical_filter": "Bench-r", "detector": detector}
        span = _span(begin, begin + 60 * 10**9)
        found = self._butler.find_dataset("flat", own, collections=content.CALIBRATIONS, timespan=span)
        return str(found.run)

    def calibration_of(self, exposure: int, detector: int) -> str:
        """Find the calibration of an exposure: what `get` does before it reads."""
        own = {"instrument": content.INSTRUMENT, "exposure": exposure, "detector": detector}
        found = self._butler._findDatasetRef("flat", own, collections=content.CALIBRATIONS)  # noqa: SLF001
        return str(found.run)


_OBSERVED = {
    "group": content.groups,
    "exposure": content.exposures,
    "visit": content.visits,
    "visit_definition": content.definitions,
}


def typed(record: content.Record) -> dict[str, Any]:
    """Give a record with regions and times as this side wants them."""
    own: dict[str, Any] = dict(record)
    if "region" in own:
        own["region"] = _polygon(own["region"])
    if "timespan" in own:
        own["timespan"] = _span(*own["timespan"])
    return own


def _polygon(corners: Iterable[tuple[float, float]]) -> ConvexPolygon:
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in corners])


def _span(begin_ns: int, end_ns: int) -> Timespan:
    # Its own nanoseconds count from 1970-01-01T00:00:00 TAI, as ours do.
    return Timespan(None, None, _nsec=(begin_ns, end_ns))
