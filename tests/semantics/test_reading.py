"""Each sentence of docs/semantics.md about names, listing and reading, as a test with that docstring."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

import skyfs
from skyfs.errors import (
    Ambiguous,
    BadPath,
    NoBytes,
    NotAllowed,
    NotFound,
    StoreError,
)
from skyfs.fs import SkyFileSystem
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import BIAS, FLAT, ID, IMAGE, PATH, define

# -- names ---------------------------------------------------------------------------------------------

SPELLINGS = [
    PATH,
    "/u/r1/metrics/instrument=HSC/exposure=903334/detector=0.json",
    "/u/r1/metrics/detector=0/exposure=903334/instrument=HSC.json",
    "/u/r1/metrics/instrument=HSC/obs_id=A903334/full_name=1_0.json",
    "/u/r1/metrics/instrument=HSC/band=i/physical_filter=HSC-I/exposure=903334/detector=0.json",
    "/u/r1/metrics/instrument=%48SC/day_obs=20131102/exposure=903334/detector=0.json",
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_canonical(fs: SkyFileSystem, spelling: str) -> None:
    """A dataset has one canonical path, and `info(path)["name"]` gives it for every spelling that opens."""
    assert fs.info(spelling)["name"] == PATH


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_aliases_open(fs: SkyFileSystem, spelling: str) -> None:
    """Opening accepts the keys of a path in any order, without grouping levels, and with implied or alternate
    keys that agree."""
    assert fs.cat_file(spelling) == fs.cat_file(PATH)


@pytest.mark.parametrize(
    "wrong", ["band=g", "physical_filter=i%2EMP9702", "day_obs=20131103", "obs_id=A903336"]
)
def test_contradictions(fs: SkyFileSystem, wrong: str) -> None:
    """A path whose implied keys contradict the records does not exist."""
    path = f"/u/r1/metrics/instrument=HSC/{wrong}/exposure=903334/detector=0.json"
    assert not fs.exists(path)
    with pytest.raises(NotFound):
        fs.cat_file(path)


@pytest.mark.parametrize("number", ["00", "+0", "0_0", "\u0660", "0.0"])
def test_integers(fs: SkyFileSystem, number: str) -> None:
    """Integers have one spelling: `detector=00` is not `detector=0`."""
    assert not fs.exists(PATH.replace("detector=0", f"detector={number}"))


def test_encoding(repo: Repository, fs: SkyFileSystem) -> None:
    """Values are percent-encoded where a path, a URL, a glob or an extension needs the character for
    itself."""
    ref = repo.put({"n": 1}, "throughput", run="u/r1", instrument="HSC", physical_filter="i.MP9702")
    assert repo.path(ref) == "/u/r1/throughput/instrument=HSC/physical_filter=i%2EMP9702.json"
    assert fs.exists(repo.path(ref))


@pytest.mark.parametrize(
    "path", ["/u/r1/metrics/instrument=", "/u/r1/metrics/a=1/a=2", "/u/r1/metrics/i=%zz.json"]
)
def test_grammar(fs: SkyFileSystem, path: str) -> None:
    """A path that is not of the grammar is an error that says where."""
    with pytest.raises(BadPath, match=re.escape(repr(path))):
        fs.open(path, "wb")


# -- listing -------------------------------------------------------------------------------------------


def test_folders(repo: Repository, fs: SkyFileSystem) -> None:
    """A folder exists because something is in it, and goes when the last of it goes."""
    repo.create_collection("u/empty", "RUN")
    assert fs.ls("/u", detail=False) == ["/u/r1"]
    fs.rm(PATH)
    assert not fs.exists("/u")


def test_mkdir(repo: Repository, fs: SkyFileSystem) -> None:
    """`mkdir` succeeds and changes nothing."""
    before = snapshot(repo.root)
    fs.mkdir("/new/folder")
    fs.makedirs("/new/folder", exist_ok=True)
    assert snapshot(repo.root) == before


def test_listing_spelling(fs: SkyFileSystem) -> None:
    """Listings show the stored extension and the canonical spelling."""
    assert fs.ls("/u/r1/metrics/exposure=903334/instrument=HSC", detail=False) == [PATH]
    assert fs.find("/raw") == [IMAGE]


def test_declared(repo: Repository, fs: SkyFileSystem) -> None:
    """Declared datasets are not listed, and opening one says that it has no bytes."""
    repo.declare("metrics", [{**ID, "detector": 1}], run="u/r2")
    assert not fs.exists("/u/r2")
    with pytest.raises(NoBytes, match="declared"):
        fs.cat_file(PATH.replace("r1", "r2").replace("detector=0", "detector=1"))


def test_chains(repo: Repository, fs: SkyFileSystem) -> None:
    """A chain lists what its collections hold, and of two datasets with one data ID it shows the first."""
    repo.put({"n": 2}, "metrics", run="u/r2", **ID)
    repo.chain("all", ["u/r2", "u/r1", "raw/all"])
    assert fs.find("/all") == [PATH.replace("/u/r1", "/all"), IMAGE.replace("/raw/all", "/all")]
    assert b"2" in fs.cat_file(PATH.replace("/u/r1", "/all"))


def test_services(fs: SkyFileSystem) -> None:
    """Service directories are hidden in the root and can be opened by name."""
    assert not [name for name in map(str, fs.ls("/", detail=False)) if name.startswith("/.")]
    assert b"name: sky" in fs.cat_file("/.repo/config.yaml")


def test_where(repo: Repository, fs: SkyFileSystem) -> None:
    """Below `/.where/<expression>` is the whole tree with what matches, and nothing else."""
    repo.put({"n": 2}, "metrics", run="u/r1", **{**ID, "detector": 1})
    top = "/.where/metrics.run = 'u%2Fr1' AND detector = 0"
    assert [name.rpartition("'u%2Fr1' AND detector %3D 0")[2] for name in fs.find(top)] == [PATH]
    assert fs.cat_file(top + PATH) == fs.cat_file(PATH)
    assert len(fs.find("/.where/detector < 2")) == len(fs.find("/"))


def test_where_not(fs: SkyFileSystem) -> None:
    """What does not match the expression does not exist below `/.where/<expression>`, and canonical names there keep the expression."""  # noqa: E501 - the sentence of the page
    with pytest.raises(NotFound):
        fs.info(f"/.where/detector = 1{PATH}")
    spelled = PATH.replace("day_obs=20131102/", "")
    assert fs.info(f"/.where/detector = 0{spelled}")["name"] == f"/.where/detector %3D 0{PATH}"


def test_where_error(fs: SkyFileSystem, mounted: Path) -> None:
    """An expression that means nothing is an error with the place: "invalid argument" in a mount, a `ValueError` in Python."""  # noqa: E501 - the sentence of the page
    with pytest.raises(ValueError, match=r"at character 1, '-->detectr = 0'.*did you mean detector"):
        fs.ls("/.where/detectr = 0")
    with pytest.raises(OSError, match="Invalid argument"):
        (mounted / ".where" / "detectr = 0").stat()


def test_records(repo: Repository, fs: SkyFileSystem) -> None:
    """`/.records/<element>.csv`, `.ecsv`, `.json` and `.parquet` are the records of a dimension or the rows of a side table, as they are when the file is opened."""  # noqa: E501 - the sentence of the page
    assert [row["id"] for row in json.loads(fs.cat_file("/.records/detector.json"))] == [0, 1, 2]
    repo.insert("detector", [{"instrument": "HSC", "id": 9}])
    for kind in ("csv", "ecsv"):
        assert "9" in fs.cat_file(f"/.records/detector.{kind}").decode().splitlines()[-1]
    repo.attach("quality", [{"instrument": "HSC", "exposure": 903334, "good": True}], on=["exposure"])
    assert pd.read_parquet(io.BytesIO(fs.cat_file("/.records/quality.parquet")))["good"].all()


def test_fresh(repo: Repository, fs: SkyFileSystem) -> None:
    """What another process commits is seen by the next call."""
    assert fs.ls("/u", detail=False) == ["/u/r1"]
    code = "import skyfs, sys; skyfs.open(sys.argv[1], writable=True).put({}, 'throughput', run='u/r2',"
    code += " instrument='HSC', physical_filter='HSC-I')"
    subprocess.run([sys.executable, "-c", code, str(repo.root)], check=True)
    assert fs.ls("/u", detail=False) == ["/u/r1", "/u/r2"]


# -- reading -------------------------------------------------------------------------------------------


def test_bytes(fs: SkyFileSystem, mounted: Path, source: Path, tmp_path: Path) -> None:
    """A file's bytes are those that were put or ingested, to the byte, by every door."""
    data = source.read_bytes()
    fs.get(IMAGE, str(tmp_path / "out.fits"))
    with fs.open(IMAGE) as file:
        opened = file.read()
    doors = [
        fs.cat_file(IMAGE),
        (tmp_path / "out.fits").read_bytes(),
        opened,
        (mounted / IMAGE[1:]).read_bytes(),
    ]
    assert doors == [data] * 4


def test_time(fs: SkyFileSystem, source: Path) -> None:
    """A file's time is that of its source."""
    assert fs.info(IMAGE)["mtime"] == source.stat().st_mtime


def test_inode(repo: Repository, fs: SkyFileSystem) -> None:
    """The same dataset has the same inode by every path."""
    repo.chain("all", ["u/r1"])
    paths = [*SPELLINGS, PATH.replace("/u/r1", "/all")]
    assert len({fs.info(path)["ino"] for path in paths}) == 1


def test_conversion(fs: SkyFileSystem) -> None:
    """Opening a leaf with another registered extension converts it; one that does not convert does not
    exist."""
    assert fs.cat_file(IMAGE.replace(".fits", ".png")).startswith(b"\x89PNG")
    assert b"M13" in fs.cat_file(IMAGE.replace(".fits", ".json"))
    for extension in (".parquet", ".nope", ""):
        assert not fs.exists(IMAGE.replace(".fits", extension))


def test_parts(fs: SkyFileSystem) -> None:
    """A path with selectors at its end is a file of its own, with its own size, name and inode: the part that
    they name."""
    part = f"{IMAGE}[0][3:7,2:4]"
    whole, found = fs.info(IMAGE), fs.info(part)
    with fits.open(io.BytesIO(fs.cat_file(IMAGE))) as one, fits.open(io.BytesIO(fs.cat_file(part))) as other:
        assert np.array_equal(one[0].data[1:4, 2:7], other[0].data)
    assert found["size"] == len(fs.cat_file(part))
    assert found["name"] == part
    assert found["ino"] != whole["ino"]
    assert found["filename"] != whole["filename"]


def test_selectors_and_globs(fs: SkyFileSystem) -> None:
    """Brackets after an extension that are well-formed selectors are never a glob, and globs may stand before
    them."""
    assert fs.glob(f"{IMAGE}[0]") == [f"{IMAGE}[0]"]
    pattern = IMAGE.replace("detector=0", "detector=[0-9]")
    assert fs.glob(f"{pattern}[1:2,1:2]") == [f"{IMAGE}[1:2,1:2]"]
    assert list(fs.cat(f"{pattern}[1:2,1:2]")) == [f"{IMAGE}[1:2,1:2]"]


def test_parts_do_not_change(repo: Repository, fs: SkyFileSystem) -> None:
    """Parts are listed nowhere, and are neither written nor removed."""
    fs.cat_file(f"{IMAGE}[0]")
    assert not [path for path in fs.find("/") if path.endswith("]")]
    before = snapshot(repo.root)
    changes: list[Callable[[], object]] = [
        lambda: fs.rm(f"{IMAGE}[0]"),
        lambda: fs.pipe_file(f"{IMAGE}[0]", b"", mode="overwrite"),
    ]
    for change in changes:
        with pytest.raises(NotAllowed):
            change()
    assert snapshot(repo.root) == before


def test_wrong_selectors(fs: SkyFileSystem, mounted: Path) -> None:
    """Selectors that do not fit a dataset are an error that says what is there: "invalid argument" in a
    mount, a `ValueError` in Python."""
    with pytest.raises(ValueError, match="image 30 × 20"):
        fs.cat_file(f"{IMAGE}[9]")
    with pytest.raises(OSError, match="Invalid argument"):
        (mounted / f"{IMAGE.lstrip('/')}[9]").read_bytes()
    assert (mounted / f"{IMAGE.lstrip('/')}[0]").read_bytes() == fs.cat_file(f"{IMAGE}[0]")


def test_digest(repo: Repository, fs: SkyFileSystem) -> None:
    """A file that is read whole is held against its digest: damage is an error, or the bytes come from
    another place."""
    stored = repo.root / "data" / PATH.lstrip("/")
    stored.write_bytes(stored.read_bytes().replace(b"1", b"2"))
    with pytest.raises(StoreError, match="sha256"):
        fs.cat_file(PATH)


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[Repository]:
    """A repository that keeps arrays in two formats, and has lost one in the first."""
    stores = [
        {"name": name, "url": name, "types": ["*"], "formats": {"bias": {"extension": extension}}}
        for name, extension in (("a", ".npy"), ("b", ".fits"))
    ]
    options = {"durability": "process"}
    with skyfs.create(tmp_path / "sky", name="sky", stores=stores, options=options) as repository:
        define(repository)
        repository.register("bias", ["detector"], "Array")
        key: dict[str, Any] = {"instrument": "HSC", "detector": 0}
        repository.put(np.arange(3), "bias", run="calib", **key)
        (repository.root / f"a{BIAS}.npy").unlink()
        yield repository


def test_made_instead(lossy: Repository, caplog: pytest.LogCaptureFixture) -> None:
    """Where stored bytes are lost and another place has the dataset in another format, the file is made of
    that, with a warning."""
    data = skyfs.filesystem(lossy).cat_file(f"{BIAS}.npy")
    assert np.load(io.BytesIO(data)).tolist() == [0, 1, 2]
    assert "made of what lies in another place" in caplog.text


def test_a_mount_makes_nothing_instead(
    fuse: None,  # noqa: ARG001 - it skips where nothing can be mounted
    lossy: Repository,
    tmp_path: Path,
) -> None:
    """A mount never gives a file that is made in the stead of a stored one that is lost: reading it is an
    error."""
    folder = tmp_path / "mnt"
    folder.mkdir()
    start(lossy.root, folder)
    try:
        with pytest.raises(OSError, match="Input/output error"):
            (folder / f"{BIAS.lstrip('/')}.npy").read_bytes()
        assert (folder / f"{BIAS.lstrip('/')}.fits").read_bytes()[:6] == b"SIMPLE"
    finally:
        unmount(folder)


def test_by_id(repo: Repository, fs: SkyFileSystem) -> None:
    """A dataset can be opened by its id."""
    ref = repo.find("metrics", collections="u/r1", **ID)
    assert fs.cat_file(f"/.by-id/{ref.id}.json") == fs.cat_file(PATH)


def test_validity(fs: SkyFileSystem) -> None:
    """In a CALIBRATION collection each dataset is listed with its range, and a path with an exposure finds
    the one that is valid."""
    names = [f"{FLAT}/valid=20131102T083000--max.npy", f"{FLAT}/valid=min--20131102T083000.npy"]
    assert fs.ls(FLAT, detail=False) == names
    short = "/calib/flat/instrument=HSC/exposure=903336/detector=0.npy"
    assert fs.info(short)["name"] == names[0]


def test_ambiguous(fs: SkyFileSystem) -> None:
    """A path in a CALIBRATION collection that leaves the time open is ambiguous when ranges differ."""
    with pytest.raises(Ambiguous, match="add exposure="):
        fs.cat_file(f"{FLAT}.npy")


def test_hive(fs: SkyFileSystem) -> None:
    """In the hive tree every dimension is a folder, down to the last."""
    leaf = "/.hive" + PATH.replace(".json", "/metrics.json")
    assert fs.find("/.hive/u") == [leaf]
    assert fs.cat_file(leaf) == fs.cat_file(PATH)


def test_open_stays(fs: SkyFileSystem) -> None:
    """An open file stays readable when its dataset is removed."""
    data = fs.cat_file(PATH)
    with fs.open(PATH) as file:
        fs.rm(PATH)
        assert file.read() == data
