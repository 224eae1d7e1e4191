"""skyfs, asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import content
from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

import skyfs


class Side:
    """A repository of skyfs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._repo = skyfs.create(folder / "ours")

    def define(self) -> int:
        """Register types, cameras and sky."""
        for element, records in {**content.cameras(), **content.sky()}.items():
            self._repo.insert(element, map(typed, records))
        self._repo.register("calexp", ["visit", "detector"], "Dict")
        self._repo.register("flat", ["physical_filter", "detector"], "Dict", calibration=True)
        return 0

    def observe(self, first: int, last: int, visits: int) -> int:
        """Insert visits and exposures."""
        if first == 0:
            self._repo.insert("day_obs", content.nights(visits))
        for element, make in _OBSERVED.items():
            self._repo.insert(element, map(typed, make(first, last)))
        return last - first

    def place(self, first: int, last: int) -> int:
        """Insert the regions of detectors."""
        return self._repo.insert("visit_detector_region", map(typed, content.footprints(first, last)))

    def declare(self, first: int, last: int) -> int:
        """Declare the datasets of visits."""
        return len(self._repo.declare("calexp", content.data_ids(first, last), run=content.RUN))

    def certify(self) -> int:
        """Certify calibrations for a day each."""
        for day in range(content.CALIBRATION_DAYS):
            ids: list[content.Record] = [
                {"instrument": content.INSTRUMENT, "physical_filter": "Bench-r", "detector": number}
                for number in range(content.CALIBRATED_DETECTORS)
            ]
            refs = self._repo.declare("flat", ids, run=f"run/flats{day}")
            begin = content.START_NS + day * content.DAY_NS
            self._repo.certify(refs, content.CALIBRATIONS, begin, begin + content.DAY_NS)
        return content.CALIBRATION_DAYS * content.CALIBRATED_DETECTORS

    def import_export(self) -> int:
        """Import an export, without files."""
        imported = self._repo.import_export(self._folder / "export.yaml", files="ignore")
        return imported.declared

    # -- asking ----------------------------------------------------------------------------------------

    def find_one(self, visit: int, detector: int) -> list[object]:
        """Find a dataset."""
        own = {"instrument": content.INSTRUMENT, "visit": visit, "detector": detector}
        found = self._repo.find("calexp", collections=content.RUN, **own)
        return [found.run, found.data_id["visit"], found.data_id["detector"]]

    def one_visit(self, visit: int) -> int:
        """Give all datasets of a visit."""
        query = self._repo.query(
            "calexp", collections=content.RUN, instrument=content.INSTRUMENT, visit=visit
        )
        return len(list(query))

    def by_column(self) -> int:
        """Give the datasets that a record's column selects."""
        return len(list(self._repo.query("calexp", collections=content.RUN, where=content.BY_COLUMN)))

    def count(self) -> int:
        """Count all datasets."""
        return self._repo.query("calexp", collections=content.RUN).count()

    def iterate(self) -> int:
        """Go through all datasets."""
        return sum(1 for _ in self._repo.query("calexp", collections=content.RUN))

    def over_patch(self) -> int:
        """Give the visits and detectors over a patch."""
        return len(list(self._repo.data_ids(["visit", "detector"], where=content.OVER_PATCH)))

    def at_point(self) -> int:
        """Give the datasets over a point of the sky."""
        return len(list(self._repo.query("calexp", collections=content.RUN, where=content.AT_POINT)))

    def calibration_at(self, day: int, detector: int) -> str:
        """Find the calibration that is valid at a time."""
        begin = content.START_NS + day * content.DAY_NS + 3600 * 10**9
        own = {"instrument": content.INSTRUMENT, "physical_filter": "Bench-r", "detector": detector}
        span = (begin, begin + 60 * 10**9)
        return self._repo.find("flat", collections=content.CALIBRATIONS, time=span, **own).run

    def calibration_of(self, exposure: int, detector: int) -> str:
        """Find the calibration of an exposure."""
        own = {"instrument": content.INSTRUMENT, "exposure": exposure, "detector": detector}
        return self._repo.find("flat", collections=content.CALIBRATIONS, **own).run


_OBSERVED = {
    "group": content.groups,
    "exposure": content.exposures,
    "visit": content.visits,
    "visit_definition": content.definitions,
}


def typed(record: content.Record) -> content.Record:
    """Give a record with regions as this side wants them."""
    region = record.get("region")
    return record if region is None else {**record, "region": _polygon(region)}  # type: ignore[arg-type]


def _polygon(corners: Iterable[tuple[float, float]]) -> ConvexPolygon:
    return ConvexPolygon([UnitVector3d(LonLat.fromDegrees(ra, dec)) for ra, dec in corners])
