"""A small repository of real files, mounted once for all tests that only read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import skyfs
from skyfs.model.dataset import DatasetRef
from skyfs.mount.serving import EngineName
from skyfs.mount.session import MountOptions, start
from skyfs.mount.table import Mount, find_mount, unmount
from skyfs.repository import Repository
from skyfs.tree import Tree

NIGHTS = (20131102, 20131103)
EXPOSURES = {903334: NIGHTS[0], 903336: NIGHTS[0], 903400: NIGHTS[1]}
DETECTORS = range(4)
FILTERS = ("HSC-I", "i DECam-like 7800.0 1500.0", "filtré β%")
MODES = ("copy", "link", "symlink", "direct", "move")
OPTIONS = {"durability": "process"}
ENGINES = [
    name for name in get_args(EngineName) if name != "auto" and find_spec(f"skyfs.mount.{name}") is not None
]


@dataclass
class Sky:
    """A repository, where it is mounted, and the bytes that its paths must have."""

    root: Path
    folder: Path
    expected: dict[str, bytes] = field(default_factory=dict)
    mtimes_ns: dict[str, int] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        """Give a path of the tree as the kernel sees it."""
        return self.folder / path.lstrip("/")


def raw_path(exposure: int = 903334, detector: int = 0, collection: str = "HSC/raw/copy") -> str:
    """Give the path of a raw."""
    levels = f"instrument=HSC/day_obs={EXPOSURES[exposure]}/exposure={exposure}"
    return f"/{collection}/raw/{levels}/detector={detector}.fits"


def define(repo: Repository) -> None:
    """Record a camera, and register a type of each kind."""
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert(
        "detector", [{"instrument": "HSC", "id": number, "full_name": f"1_{number}"} for number in DETECTORS]
    )
    filters = [{"instrument": "HSC", "name": name, "band": "i"} for name in FILTERS]
    repo.insert("physical_filter", filters)
    exposures = [
        {
            "instrument": "HSC",
            "id": number,
            "obs_id": f"HSCA{number}",
            "physical_filter": FILTERS[0],
            "day_obs": night,
            "group": str(number),
            "exposure_time": 30.5,
        }
        for number, night in EXPOSURES.items()
    ]
    repo.insert("exposure", exposures)
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.register("photo", ["exposure"], "Image")
    repo.register("src", ["exposure", "detector"], "Table")
    repo.register("metrics", ["exposure"], "Dict")
    repo.register("flat", ["detector", "physical_filter"], "Hdus", calibration=True)
    repo.register("summary", [], "Dict")
    repo.register("notes", [], "Bytes")


def write_fits(path: Path, seed: int, shape: tuple[int, int] = (64, 48)) -> Path:
    """Write an image with a second extension."""
    pixels = np.random.default_rng(seed).integers(0, 60_000, shape).astype(np.int32)
    primary = fits.PrimaryHDU(pixels)
    primary.header["BUNIT"] = "adu"
    fits.HDUList([primary, fits.ImageHDU(pixels[:8].astype(np.float32), name="SCI")]).writeto(path)
    return path


def _fill(repo: Repository, sources: Path, sky: Sky, shared_data: Path | None) -> None:
    def ingest(
        path: str, file: Path, type_name: str, run: str, mode: str = "copy", **data_id: object
    ) -> DatasetRef:
        sky.expected[path] = file.read_bytes()
        sky.mtimes_ns[path] = file.stat().st_mtime_ns
        return repo.ingest([skyfs.IngestFile(file, data_id)], type_name, run=run, mode=mode)[0]

    with repo.transaction():
        for rank, mode in enumerate(MODES):
            for exposure in EXPOSURES:
                for detector in DETECTORS[:3]:
                    file = write_fits(
                        sources / f"{mode}{exposure}-{detector}.fits", rank * 100 + exposure + detector
                    )
                    run = f"HSC/raw/{mode}"
                    values: dict[str, Any] = {"instrument": "HSC", "exposure": exposure, "detector": detector}
                    ingest(raw_path(exposure, detector, run), file, "raw", run, mode, **values)
        repo.declare("raw", [{"instrument": "HSC", "exposure": 903334, "detector": 3}], run="HSC/raw/copy")
        prefix = "/runs/one"
        for exposure, night in EXPOSURES.items():
            levels = f"instrument=HSC/day_obs={night}/exposure={exposure}"
            photo = _photo(sources, exposure, shared_data)
            ingest(
                f"{prefix}/photo/{levels}.fits",
                photo,
                "photo",
                "runs/one",
                instrument="HSC",
                exposure=exposure,
            )
            document = sources / f"metrics{exposure}.json"
            document.write_text(json.dumps({"exposure": exposure, "name": "β"}), encoding="utf-8")
            ingest(
                f"{prefix}/metrics/{levels}.json",
                document,
                "metrics",
                "runs/one",
                instrument="HSC",
                exposure=exposure,
            )
            for detector in DETECTORS[:2]:
                table = sources / f"src{exposure}-{detector}.parquet"
                Table({"flux": np.arange(5.0) + detector, "n": np.arange(5)}).write(table)
                values = {"instrument": "HSC", "exposure": exposure, "detector": detector}
                ingest(
                    f"{prefix}/src/{levels}/detector={detector}.parquet", table, "src", "runs/one", **values
                )
        summary = sources / "summary.json"
        summary.write_text('{"n": 3}', encoding="utf-8")
        ingest(f"{prefix}/summary.json", summary, "summary", "runs/one")
        _flats(repo, sources, ingest)
    repo.chain("HSC/defaults", ["HSC/raw/copy", "runs/one", "HSC/calib"])


def _flats(repo: Repository, sources: Path, ingest: Callable[..., DatasetRef]) -> None:
    names = ("HSC-I", "i DECam-like 7800.0 1500.0", "filtré β%25")
    for rank, (name, encoded) in enumerate(zip(FILTERS, names, strict=True)):
        file = write_fits(sources / f"flat{rank}.fits", rank)
        path = f"/HSC/flats/flat/instrument=HSC/detector=0/physical_filter={encoded}.fits"
        values = {"instrument": "HSC", "detector": 0, "physical_filter": name}
        ref = ingest(path, file, "flat", "HSC/flats", **values)
        repo.certify([ref], "HSC/calib", "2013-01-01", "2014-01-01")


def _photo(sources: Path, exposure: int, shared_data: Path | None) -> Path:
    """Give an image: a real one where there are any."""
    target = sources / f"photo{exposure}.fits"
    real = shared_data / "images" / "M13_blue_0001.fits" if shared_data is not None else None
    if real is not None and real.is_file() and exposure == 903334:
        shutil.copy2(real, target)
        return target
    return write_fits(target, exposure)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, shared_data: Path | None) -> Sky:
    """The repository, not mounted; nobody changes it."""
    base = tmp_path_factory.mktemp("mounted")
    sources = base / "sources"
    sources.mkdir()
    sky = Sky(base / "sky", base / "mnt")
    with skyfs.create(sky.root, options=OPTIONS) as repo:
        define(repo)
        _fill(repo, sources, sky, shared_data)
    return sky


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> EngineName:
    """Each engine in turn."""
    name: EngineName = request.param
    return name


@pytest.fixture(scope="session")
def sky(fuse: None, filled: Sky, engine: EngineName) -> Iterator[Sky]:  # noqa: ARG001 - it skips
    """The repository, mounted by a daemon."""
    mounted = replace(filled, folder=filled.folder.with_name(f"mnt-{engine}"))
    mounted.folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(filled.root.parent / "state"))
        start(filled.root, mounted.folder, MountOptions(engine=engine))
    try:
        yield mounted
    finally:
        take_away(mounted.folder)


@pytest.fixture
def tree(filled: Sky) -> Iterator[Tree]:
    """The tree of that repository, without a mount."""
    with skyfs.open(filled.root) as repo:
        yield Tree(repo)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Repository]:
    """A repository of one's own with the same definitions, open for writing."""
    with skyfs.create(tmp_path / "sky", options=OPTIONS) as repo:
        define(repo)
        yield repo


@pytest.fixture
def mounting(
    fuse: None,  # noqa: ARG001 - it skips
    tmp_path: Path,
    home: Path,  # noqa: ARG001 - the log of this test
    engine: EngineName,
) -> Iterator[Mounting]:
    """Mounts repositories at folders of their own, and takes them away at the end."""
    mounting = Mounting(tmp_path, engine)
    try:
        yield mounting
    finally:
        for folder in mounting.folders:
            take_away(folder)


@dataclass
class Desk:
    """A repository, and where it is mounted to be written to."""

    repo: Repository
    folder: Path

    def at(self, path: str) -> Path:
        """Give a path of the tree as the kernel sees it."""
        return self.folder / path.lstrip("/")


@pytest.fixture
def desks(mounting: Mounting, empty: Repository) -> Callable[..., Desk]:
    """Mounts a repository to be written to, with the options that are given."""
    empty.root.chmod(0o755)

    def mount(*, replace: bool = False) -> Desk:
        return Desk(empty, mounting.start(empty, MountOptions(writable=True, replace=replace)))

    return mount


@pytest.fixture
def desk(desks: Callable[..., Desk]) -> Desk:
    """A repository that is mounted to be written to."""
    return desks()


@pytest.fixture
def replacing(desks: Callable[..., Desk]) -> Desk:
    """A repository that is mounted so that datasets can be replaced."""
    return desks(replace=True)


class Mounting:
    """Starts daemons for one test."""

    def __init__(self, base: Path, engine: EngineName) -> None:
        self._base = base
        self.engine = engine
        self.folders: list[Path] = []

    def folder(self) -> Path:
        """Give a new folder, which is cleaned up at the end."""
        folder = self._base / f"mnt{len(self.folders)}"
        folder.mkdir()
        self.folders.append(folder)
        return folder

    def start(self, repo: Repository, options: MountOptions | None = None) -> Path:
        """Mount a repository, by the engine that is tested unless the options name one."""
        folder = self.folder()
        chosen = options or MountOptions()
        if chosen.engine == "auto":
            chosen = replace(chosen, engine=self.engine)
        mounted: Mount = start(repo.root, folder, chosen)
        assert mounted.folder == os.fspath(folder)
        return folder


def take_away(folder: Path) -> None:
    """Unmount what is there, in whatever state it is."""
    while find_mount(folder) is not None:
        unmount(folder, lazy=True)
