"""Empty repositories, and an export that has every kind of entry and every tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skyfs
from skyfs.repository import Repository

HEAD = """description: Butler Data Repository Export
version: 1.0.2
universe_version: 8
universe_namespace: daf_butler
"""

# A small polygon around (53, -28) degrees, as sphgeom encodes it.
POLYGON = (
    "70cfa95156d710eabf1f176fc00990e2bfa9d5478c457b5bbfc902fc7aae82e9bfde6fb7609751e3bf39a6c891457b5bbf1466693c2b80"
    "e9bf9e286deebe4fe3bf0a8a61be754c9c3f3616a317540eeabfd2f04b4e318ee2bfc3d4b6b8754c9c3f"
)

INSTRUMENT = """
- type: dimension
  element: instrument
  records:
  - {name: Cam, visit_max: 100, visit_system: 1, exposure_max: 100, detector_max: 4, class_name: cam.Cam}
"""
FILTERS = """
- type: dimension
  element: physical_filter
  records:
  - {instrument: Cam, name: Cam-G, band: g}
  - {instrument: Cam, name: Cam-R, band: r}
"""
DETECTORS = """
- type: dimension
  element: detector
  records:
  - {instrument: Cam, id: 1, full_name: Aa, raft: A, name_in_raft: a, purpose: SCIENCE}
  - {instrument: Cam, id: 2, full_name: Ab, raft: A, name_in_raft: b, purpose: SCIENCE}
"""
NIGHT = """
- type: dimension
  element: day_obs
  records:
  - instrument: Cam
    id: 20250101
    datetime_begin: !butler_time/tai/iso '2025-01-01 12:00:00.000000000'
    datetime_end: &noon !butler_time/tai/iso '2025-01-02 12:00:00.000000000'
- type: dimension
  element: day_obs
  records:
  - instrument: Cam
    id: 20250102
    timespan: !lsst.daf.butler.Timespan {begin: *noon, end: null}
"""
VISIT = f"""
- type: dimension
  element: visit
  records:
  - instrument: Cam
    id: 7
    name: v7
    day_obs: 20250101
    physical_filter: Cam-R
    exposure_time: 30.5
    azimuth: .nan
    region: !<lsst.sphgeom.ConvexPolygon> {{encoded: {POLYGON}}}
    datetime_begin: !butler_time/tai/iso '2025-01-02 01:00:00.123456789'
    datetime_end: !butler_time/tai/iso '2025-01-02 01:00:30.000000000'
"""
SKYMAP = """
- type: dimension
  element: skymap
  records:
  - {name: rings, hash: !!binary Kt7swQ9e5zUif7fo1Onj3ezH+Ts=, tract_max: 1, patch_nx_max: 2, patch_ny_max: 2}
"""
COLLECTIONS = """
- {type: collection, collection_type: CHAINED, name: outer, doc: All., children: [inner, calib]}
- {type: collection, collection_type: CHAINED, name: inner, children: [run/a, [best, [flat]]]}
- {type: collection, collection_type: TAGGED, name: best, doc: The best.}
- {type: collection, collection_type: CALIBRATION, name: calib}
- type: collection
  collection_type: RUN
  name: run/a
  doc: First.
  host: null
  timespan_begin: null
  timespan_end: null
- {type: run, name: run/b}
"""
TYPES = """
- type: dataset_type
  name: flat
  dimensions: [instrument, detector, physical_filter, band]
  storage_class: ImageF
  is_calibration: true
- type: dataset_type
  name: calexp
  dimensions: [band, instrument, day_obs, detector, physical_filter, visit]
  storage_class: ExposureF
  is_calibration: false
- {type: dataset_type, name: calexp.wcs, dimensions: [instrument, detector, visit], storage_class: Wcs}
- {type: dataset_type, name: summary, dimensions: [], storage_class: StructuredDataDict}
- {type: dataset_type, name: photoCalib, dimensions: [instrument], storage_class: PhotoCalib}
"""
FLATS = """
- type: dataset
  dataset_type: flat
  run: run/a
  records:
  - dataset_id: [!uuid 00000000-0000-4000-8000-000000000001, !uuid 00000000-0000-4000-8000-000000000002]
    data_id:
    - {instrument: Cam, detector: 1, physical_filter: Cam-G}
    - {instrument: Cam, detector: 2, physical_filter: Cam-G, band: g}
    path: flats.fits
    formatter: some.Formatter
  - dataset_id: 00000000-0000-4000-8000-000000000003
    data_id: {instrument: Cam, detector: 1, physical_filter: Cam-R}
"""
CALEXPS = """
- type: dataset
  dataset_type: calexp
  run: run/b
  records:
  - dataset_id: [5]
    data_id: [{instrument: Cam, detector: 1, visit: 7}]
    path: calexp.fits
- type: dataset
  dataset_type: calexp.wcs
  run: run/b
  records:
  - {dataset_id: 6, data_id: {instrument: Cam, detector: 1, visit: 7}}
- type: dataset
  dataset_type: summary
  run: run/b
  records:
  - {dataset_id: 7, data_id: {}}
"""
ASSOCIATIONS = """
- type: associations
  collection: best
  collection_type: TAGGED
  dataset_ids: [!uuid 00000000-0000-4000-8000-000000000003, 5, 6]
- type: associations
  collection: calib
  collection_type: CALIBRATION
  validity_ranges:
  - timespan: !lsst.daf.butler.Timespan
      begin: null
      end: &time !butler_time/tai/iso '2025-01-01 00:00:00.000000000'
    dataset_ids: [!uuid 00000000-0000-4000-8000-000000000001, !uuid 00000000-0000-4000-8000-000000000002]
  - begin: *time
    end: null
    dataset_ids: [!uuid 00000000-0000-4000-8000-000000000001]
"""
EVERYTHING = (
    *(ASSOCIATIONS, CALEXPS, FLATS, TYPES, COLLECTIONS, VISIT, SKYMAP),
    *(NIGHT, DETECTORS, FILTERS, INSTRUMENT),
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an export of these entries, as YAML, and give its path."""
    folder = tmp_path / "export"
    folder.mkdir()

    def written(*entries: str, head: str = HEAD) -> Path:
        path = folder / "export.yaml"
        path.write_text(f"{head}data:\n{''.join(entries)}")
        return path

    return written


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repository]:
    """An empty repository, open for writing."""
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repository:
        yield repository


def class_of_exposures(repo: Repository) -> str:
    """Give the storage class that exposures of the butler become."""
    return "Exposure" if "Exposure" in repo.formats.storage_classes else "Hdus"
