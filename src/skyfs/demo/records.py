"""The dimension records of the survey: names and columns are those of the Rubin butler's universe 8.

Keys come by their dimension's name, a record's own key by its column (``id`` or ``name``). Timespans are
``(begin, end)`` in TAI nanoseconds since 1970-01-01 TAI, half-open; regions the bytes of an
`lsst.sphgeom.ConvexPolygon`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from astropy.wcs import WCS

from . import skymap
from .cameras import CAMERAS, SIDE, Camera, corners, encoded_region
from .frames import wcs_of
from .schedule import NIGHTS, Exposure, day_span_ns

Record = dict[str, object]
VISIT_SYSTEMS = {0: "one-to-one", 1: "by-group-metadata"}


def all_records(exposures: Sequence[Exposure]) -> dict[str, tuple[Record, ...]]:
    """Give every record, element by element; an element comes after those that it names."""
    visits = visits_of(exposures)
    made: dict[str, Iterable[Record]] = {
        "instrument": map(_instrument, CAMERAS),
        "band": ({"name": band} for band in sorted({f.band for camera in CAMERAS for f in camera.filters})),
        "physical_filter": (
            {"instrument": camera.name, "name": each.name, "band": each.band}
            for camera in CAMERAS
            for each in camera.filters
        ),
        "detector": _detectors(),
        "day_obs": (
            {"instrument": camera.name, "id": night, "timespan": day_span_ns(night)}
            for camera in CAMERAS
            for night in NIGHTS
        ),
        "group": _groups(exposures),
        "visit_system": (
            {"instrument": camera.name, "id": camera.visit_system, "name": VISIT_SYSTEMS[camera.visit_system]}
            for camera in CAMERAS
        ),
        "exposure": map(_exposure, exposures),
        "visit": map(_visit, visits),
        "visit_definition": (
            {"instrument": each.camera.name, "exposure": each.id, "visit": each.visit}
            for each in exposures
            if each.visit is not None
        ),
        "visit_detector_region": (record for visit in visits for record in _regions(visit[0])),
        "visit_system_membership": (
            {"instrument": first.camera.name, "visit": first.visit, "visit_system": first.camera.visit_system}
            for first, *_ in visits
        ),
        "skymap": [_skymap()],
        "tract": (
            {
                "skymap": skymap.NAME,
                "id": tract,
                "region": _region_of(skymap.tract_wcs(tract), skymap.TRACT_SIDE),
            }
            for tract in skymap.TRACTS
        ),
        "patch": map(_patch, skymap.patches()),
    }
    return {element: tuple(records) for element, records in made.items()}


def visits_of(exposures: Iterable[Exposure]) -> list[list[Exposure]]:
    """Give the visits, each as its exposures in order of time."""
    visits: dict[tuple[str, int], list[Exposure]] = {}
    for exposure in exposures:
        if exposure.visit is not None:
            visits.setdefault((exposure.camera.name, exposure.visit), []).append(exposure)
    return list(visits.values())


def _instrument(camera: Camera) -> Record:
    return {
        "name": camera.name,
        "visit_max": camera.id_max,
        "visit_system": camera.visit_system,
        "exposure_max": camera.id_max,
        "detector_max": len(camera.detectors),
        "class_name": f"skyfs.demo.cameras.{camera.name}",
    }


def _detectors() -> Iterable[Record]:
    for camera in CAMERAS:
        for detector in camera.detectors:
            yield {
                "instrument": camera.name,
                "id": detector.id,
                "full_name": detector.full_name,
                "name_in_raft": detector.name_in_raft,
                "raft": detector.raft,
                "purpose": "SCIENCE",
            }


def _groups(exposures: Iterable[Exposure]) -> Iterable[Record]:
    names = dict.fromkeys((exposure.camera.name, exposure.group) for exposure in exposures)
    for instrument, group in names:
        yield {"instrument": instrument, "name": group}


def _exposure(exposure: Exposure) -> Record:
    pointing = exposure.pointing
    return {
        "instrument": exposure.camera.name,
        "id": exposure.id,
        "obs_id": exposure.obs_id,
        "physical_filter": exposure.filter.name,
        "group": exposure.group,
        "day_obs": exposure.day_obs,
        "exposure_time": exposure.exposure_time_s,
        "dark_time": exposure.exposure_time_s + 0.5,
        "observation_type": exposure.kind,
        "observation_reason": "science" if pointing else "calibration",
        "seq_num": exposure.seq_num,
        "seq_start": exposure.seq_num,
        "seq_end": exposure.seq_num,
        "target_name": pointing.target if pointing else "dome screen",
        "science_program": "demo",
        "tracking_ra": pointing.ra if pointing else None,
        "tracking_dec": pointing.dec if pointing else None,
        "sky_angle": pointing.angle if pointing else None,
        "azimuth": pointing.azimuth if pointing else None,
        "zenith_angle": pointing.zenith_angle if pointing else None,
        "has_simulated": True,
        "can_see_sky": pointing is not None,
        "timespan": (exposure.begin_ns, exposure.end_ns),
    }


def _visit(exposures: list[Exposure]) -> Record:
    first, last = exposures[0], exposures[-1]
    pointing = first.pointing
    points = [point for each in first.camera.detectors for point in corners(wcs_of(first, each))]
    return {
        "instrument": first.camera.name,
        "id": first.visit,
        "name": first.obs_id,
        "physical_filter": first.filter.name,
        "day_obs": first.day_obs,
        "seq_num": first.seq_num,
        "exposure_time": sum(exposure.exposure_time_s for exposure in exposures),
        "target_name": pointing.target if pointing else None,
        "observation_reason": "science",
        "science_program": "demo",
        "azimuth": pointing.azimuth if pointing else None,
        "zenith_angle": pointing.zenith_angle if pointing else None,
        "timespan": (first.begin_ns, last.end_ns),
        "region": encoded_region(points),
    }


def _regions(first: Exposure) -> Iterable[Record]:
    for detector in first.camera.detectors:
        yield {
            "instrument": first.camera.name,
            "visit": first.visit,
            "detector": detector.id,
            "region": _region_of(wcs_of(first, detector), SIDE),
        }


def _region_of(wcs: WCS, side: int) -> bytes:
    return encoded_region(corners(wcs, side, side))


def _skymap() -> Record:
    return {
        "name": skymap.NAME,
        "hash": skymap.digest(),
        "tract_max": max(skymap.TRACTS) + 1,
        "patch_nx_max": skymap.CELLS,
        "patch_ny_max": skymap.CELLS,
    }


def _patch(patch: skymap.Patch) -> Record:
    return {
        "skymap": skymap.NAME,
        "tract": patch.tract,
        "id": patch.id,
        "cell_x": patch.cell_x,
        "cell_y": patch.cell_y,
        "region": _region_of(patch.wcs(), skymap.PATCH_SIDE),
    }
