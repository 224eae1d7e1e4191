"""A whole mini-survey on disk: files as a telescope and its pipeline leave them, and what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import catalogue, frames, skymap
from .cameras import CAMERAS, Camera, Detector, Filter
from .records import Record, all_records, visits_of
from .schedule import Exposure, exposures, period_of, period_span_ns, stamp
from .sky import Sky, simulate_sky

COADD_BAND = "i"
DataId = Mapping[str, int | str]
Range = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class SurveyType:
    """A dataset type to register: what `Repository.register` takes."""

    name: str
    dimensions: tuple[str, ...]
    storage_class: str
    calibration: bool = False
    capture: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SurveyFile:
    """A file to ingest: one dataset.

    Attributes
    ----------
    data_id
        Exactly the required dimensions of the type.
    run
        The RUN that it belongs to.
    valid
        Of a calibration: from when to when to certify it, TAI nanoseconds, half-open, None for an open end.
    """

    path: Path
    type: str
    data_id: DataId
    run: str
    valid: Range | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """The simulated survey.

    Attributes
    ----------
    folder
        Where all files lie.
    seed
        The same seed gives the same bytes.
    types
        All dataset types.
    records
        Dimension records by element, in an order in which they can be inserted (see `skyfs.demo.records`).
    files
        All files; `of` gives those of one type.
    calibrations
        CALIBRATION collection of each instrument.
    """

    folder: Path
    seed: int
    types: tuple[SurveyType, ...]
    records: Mapping[str, tuple[Record, ...]]
    files: tuple[SurveyFile, ...]
    calibrations: Mapping[str, str]

    def of(self, name: str, **data_id: int | str) -> list[SurveyFile]:
        """Give the files of a type, or those of them whose data ID has these values."""
        wanted = data_id.items()
        return [file for file in self.files if file.type == name and wanted <= dict(file.data_id).items()]


TYPES = (
    SurveyType(
        "raw",
        ("instrument", "exposure", "detector"),
        "Image",
        capture={"airmass": "header:AIRMASS", "seeing": "header:SEEING"},
    ),
    SurveyType("raw_camera", ("instrument", "exposure"), "Hdus"),
    SurveyType("bias", ("instrument", "detector"), "Image", calibration=True),
    SurveyType("flat", ("instrument", "detector", "physical_filter"), "Image", calibration=True),
    SurveyType("calexp", ("instrument", "visit", "detector"), "Image", capture={"seeing": "header:SEEING"}),
    SurveyType("src", ("instrument", "visit", "detector"), "Table"),
    SurveyType(
        "visit_metrics",
        ("instrument", "visit"),
        "Dict",
        capture={"n_stars": "json:/n_stars", "seeing": "json:/seeing"},
    ),
    SurveyType("deepCoadd", ("skymap", "tract", "patch", "band"), "Image"),
    SurveyType("star_catalog", (), "Table"),
)


def simulate(folder: Path, *, seed: int = 1) -> Survey:
    """Write the survey's files into a folder and tell what they are.

    Parameters
    ----------
    folder
        Made when it is missing; files of an earlier survey must not be there.
    seed
        The same seed gives the same records and byte-identical files.

    Raises
    ------
    FileExistsError
        When one of the folders to write is there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder, seed)
    files = tuple(writer.files())
    calibrations = {camera.name: f"{camera.name}/calib" for camera in CAMERAS}
    return Survey(folder, seed, TYPES, all_records(writer.exposures), files, calibrations)


class _Writer:
    """Writes the files, in the order in which an observatory makes them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self.sky: Sky = simulate_sky(seed)
        self.exposures = list(exposures(seed))
        self._bias: dict[tuple[str, int, int], frames.Image] = {}
        self._flat: dict[tuple[str, int, str, int], frames.Image] = {}
        self._counts: dict[tuple[str, int, int], NDArray[np.uint16]] = {}

    def files(self) -> Iterator[SurveyFile]:
        """Write everything."""
        for name in ("calib", "raw", "processed", "coadd", "reference"):
            (self.folder / name).mkdir()
        yield self._truth()
        for camera in CAMERAS:
            for period in (0, 1):
                yield from self._calibrations(camera, period)
        for exposure in self.exposures:
            yield from self._raws(exposure)
        yield self._camera(next(each for each in self.exposures if each.pointing))
        for visit in visits_of(self.exposures):
            yield from self._processed(visit)
        yield from self._coadds()

    def _truth(self) -> SurveyFile:
        path = self.folder / "reference" / "stars.parquet"
        catalogue.truth(self.sky).write(path, format="parquet")
        return SurveyFile(path, "star_catalog", {}, "refcats/stars")

    def _master(
        self, camera: Camera, detector: Detector, band: Filter, period: int
    ) -> tuple[frames.Image, frames.Image]:
        return (
            self._bias[camera.name, detector.id, period],
            self._flat[camera.name, detector.id, band.band, period],
        )

    def _calibrations(self, camera: Camera, period: int) -> Iterator[SurveyFile]:
        span = period_span_ns(period)
        run = f"{camera.name}/calib/{stamp(span[0], 'TAI')[:10].replace('-', '')}"
        label = f"{camera.name}-{run[-8:]}"
        for detector in camera.detectors:
            ids: dict[str, int | str] = {"instrument": camera.name, "detector": detector.id}
            data = frames.bias(camera, detector, period, self.seed)
            self._bias[camera.name, detector.id, period] = data
            path = self.folder / "calib" / f"bias-{label}-{detector.id}.fits"
            frames.write_calibration(path, camera, detector, data, None)
            yield SurveyFile(path, "bias", ids, run, span)
            for band in camera.filters:
                data = frames.flat(camera, detector, band, period, self.seed)
                self._flat[camera.name, detector.id, band.band, period] = data
                path = self.folder / "calib" / f"flat-{label}-{band.band}-{detector.id}.fits"
                frames.write_calibration(path, camera, detector, data, band)
                yield SurveyFile(path, "flat", {**ids, "physical_filter": band.name}, run, span)

    def _raws(self, exposure: Exposure) -> Iterator[SurveyFile]:
        camera = exposure.camera
        for detector in camera.detectors:
            master = self._master(camera, detector, exposure.filter, period_of(exposure.night))
            data = frames.raw(exposure, detector, self.sky, master, self.seed)
            self._counts[camera.name, exposure.id, detector.id] = data
            path = self.folder / "raw" / f"{exposure.obs_id}-{detector.name_in_raft}.fits"
            frames.write_raw(path, exposure, detector, data)
            ids: DataId = {"instrument": camera.name, "exposure": exposure.id, "detector": detector.id}
            yield SurveyFile(path, "raw", ids, f"{camera.name}/raw/all")

    def _camera(self, exposure: Exposure) -> SurveyFile:
        camera = exposure.camera
        path = self.folder / "raw" / f"{exposure.obs_id}.fits"
        data = [self._counts[camera.name, exposure.id, detector.id] for detector in camera.detectors]
        frames.write_camera(path, exposure, data)
        ids: DataId = {"instrument": camera.name, "exposure": exposure.id}
        return SurveyFile(path, "raw_camera", ids, f"{camera.name}/raw/all")

    def _processed(self, visit: list[Exposure]) -> Iterator[SurveyFile]:
        first = visit[0]
        camera, run = first.camera, f"{first.camera.name}/runs/simulated"
        ids: dict[str, int | str] = {"instrument": camera.name, "visit": first.id}
        stem = self.folder / "processed" / first.obs_id
        n_stars, variances = 0, []
        for detector in camera.detectors:
            master = self._master(camera, detector, first.filter, period_of(first.night))
            raws = [self._counts[camera.name, exposure.id, detector.id] for exposure in visit]
            image, variance = frames.reduce(visit, raws, master)
            saturated = np.any([counts >= frames.SATURATION_ADU for counts in raws], axis=0)
            wcs = frames.wcs_of(first, detector)
            meta: dict[str, object] = {
                "INSTRUME": camera.name,
                "VISIT": first.id,
                "DETECTOR": detector.id,
                "FILTER": first.filter.name,
                "SEEING": first.seeing_arcsec,
                "NINPUTS": len(visit),
            }
            path = Path(f"{stem}-{detector.id}-calexp.fits")
            frames.ccd(image, variance, wcs, saturated, meta).write(path)
            yield SurveyFile(path, "calexp", {**ids, "detector": detector.id}, run)
            table = catalogue.sources(first, detector.id, wcs, self.sky, self.seed)
            path = Path(f"{stem}-{detector.id}-src.parquet")
            table.write(path, format="parquet")
            yield SurveyFile(path, "src", {**ids, "detector": detector.id}, run)
            n_stars += len(table)
            variances.append(float(np.median(variance)))
        path = Path(f"{stem}-metrics.json")
        path.write_text(json.dumps(_metrics(visit, n_stars, variances), indent=1) + "\n")
        yield SurveyFile(path, "visit_metrics", ids, run)

    def _coadds(self) -> Iterator[SurveyFile]:
        for patch in skymap.patches():
            path = self.folder / "coadd" / f"{patch.tract}-{patch.id}-{COADD_BAND}.fits"
            frames.coadd(patch, COADD_BAND, self.sky, self.seed).write(path)
            ids: DataId = {"skymap": skymap.NAME, "tract": patch.tract, "patch": patch.id, "band": COADD_BAND}
            yield SurveyFile(path, "deepCoadd", ids, "coadds/simulated")


def _metrics(visit: list[Exposure], n_stars: int, variances: list[float]) -> dict[str, object]:
    """Give a visit's metrics: arcseconds, AB magnitude of one ADU/s, microjansky, ADU/s."""
    first = visit[0]
    return {
        "seeing": first.seeing_arcsec,
        "zero_point": first.camera.zero_point_mag,
        "n_stars": n_stars,
        "noise": round(float(np.sqrt(np.mean(variances))), 6),
        "sky": first.sky_adu_per_s,
        "n_exposures": len(visit),
    }
