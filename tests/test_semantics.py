"""Each sentence of docs/semantics.md, as a test whose docstring is the sentence."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import time
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
    BadContent,
    BadPath,
    Exists,
    Locked,
    NoBytes,
    NotAllowed,
    NotFound,
    SkyfsError,
    StoreError,
)
from skyfs.fs import SkyFileSystem
from skyfs.mount.session import start
from skyfs.mount.table import unmount
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

PAGE = Path(__file__).resolve().parents[1] / "docs" / "semantics.md"
PATH = "/u/r1/metrics/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
IMAGE = "/raw/all/raw/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.fits"
FLAT = "/calib/flat/instrument=HSC/detector=0/physical_filter=HSC-I"
BIAS = "/calib/bias/instrument=HSC/detector=0"
ID: dict[str, Any] = {"instrument": "HSC", "exposure": 903334, "detector": 0}


def make_image(path: Path) -> Path:
    pixels = np.random.default_rng(1).normal(100, 5, (20, 30)).astype("f4")
    fits.PrimaryHDU(pixels, fits.Header({"OBJECT": "M13"})).writeto(path)
    os.utime(path, ns=(10**18 + 5, 10**18 + 5))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_image(tmp_path / "m13.fits")


@pytest.fixture
def repo(tmp_path: Path, source: Path) -> Iterator[Repository]:
    with skyfs.create(tmp_path / "sky", name="sky", options={"durability": "process"}) as repository:
        define(repository)
        repository.put({"n": 1}, "metrics", run="u/r1", **ID)
        repository.ingest([skyfs.IngestFile(source, ID)], "raw", run="raw/all", mode="copy")
        for number, (begin, end) in enumerate(((None, "2013-11-02T08:30:00"), ("2013-11-02T08:30:00", None))):
            key: dict[str, Any] = {"instrument": "HSC", "detector": 0, "physical_filter": "HSC-I"}
            flat = repository.put(np.full(3, number), "flat", run=f"calib/{number}", **key)
            repository.certify([flat], "calib", begin, end)
        yield repository


def define(repo: Repository) -> None:
    repo.insert("instrument", [{"name": "HSC"}])
    repo.insert(
        "detector", [{"instrument": "HSC", "id": number, "full_name": f"1_{number}"} for number in range(3)]
    )
    filters = [{"instrument": "HSC", "name": name, "band": "i"} for name in ("HSC-I", "i.MP9702")]
    repo.insert("physical_filter", filters)
    for number, start_ in ((903334, "2013-11-02T08:00:00"), (903336, "2013-11-02T09:00:00")):
        span = (start_, start_.replace(":00:00", ":01:00"))
        record = {"instrument": "HSC", "id": number, "obs_id": f"A{number}", "physical_filter": "HSC-I"}
        repo.insert("exposure", [{**record, "group": f"{number}::1", "day_obs": 20131102, "timespan": span}])
    repo.register("metrics", ["exposure", "detector"], "Dict")
    repo.register("raw", ["exposure", "detector"], "Hdus")
    repo.register("flat", ["detector", "physical_filter"], "Array", calibration=True)
    repo.register("throughput", ["physical_filter"], "Dict")


@pytest.fixture
def fs(repo: Repository) -> SkyFileSystem:
    return skyfs.filesystem(repo)


@pytest.fixture
def mounted(
    fuse: None,  # noqa: ARG001 - it skips where nothing can be mounted
    repo: Repository,
    tmp_path: Path,
) -> Iterator[Path]:
    folder = tmp_path / "mnt"
    folder.mkdir()
    start(repo.root, folder)
    yield folder
    unmount(folder)


def test_the_page_and_the_tests_say_the_same() -> None:
    page = PAGE.read_text().partition("## Writing through a mount")[0]  # whose tests need mounts of their own
    sentences = re.findall(r"^- (.*)$", page, re.MULTILINE)
    module = sys.modules[__name__]
    tests = [value for name, value in vars(module).items() if name.startswith("test_") and value.__doc__]
    assert sorted(sentences) == sorted(" ".join(inspect.getdoc(test).split()) for test in tests)  # type: ignore[union-attr]


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


# -- writing -------------------------------------------------------------------------------------------

NEW = PATH.replace("detector=0", "detector=1")


def test_visible_at_close(fs: SkyFileSystem) -> None:
    """Nothing is visible before `close()`, and everything after it."""
    file = fs.open(NEW, "wb")
    file.write(b"{}")
    assert not fs.exists(NEW)
    file.close()
    assert fs.cat_file(NEW) == b"{}"


def test_auto_register(repo: Repository, fs: SkyFileSystem) -> None:
    """Writing to a new collection makes a RUN, and writing to a new type registers it from the path."""
    fs.pipe("/u/new/depth/instrument=HSC/exposure=903334.json", b"{}")
    assert [one.kind for one in repo.collections("u/new")] == ["RUN"]
    (made,) = repo.types("depth")
    assert (made.group.required, made.storage_class) == (("instrument", "exposure"), "Dict")


def test_exists(fs: SkyFileSystem) -> None:
    """Writing where a dataset exists fails with "exists" unless replacing was asked for."""
    with pytest.raises(Exists):
        fs.pipe(PATH, b"{}")
    fs.pipe_file(PATH, b'{"n": 3}', mode="overwrite")
    assert fs.cat_file(PATH) == b'{"n": 3}'


def test_only_runs(repo: Repository, fs: SkyFileSystem) -> None:
    """Writing to a TAGGED, CHAINED or CALIBRATION collection is refused."""
    repo.tag([repo.find("metrics", collections="u/r1", **ID)], "t")
    repo.chain("all", ["u/r1"])
    for collection in ("t", "all", "calib"):
        with pytest.raises(NotAllowed):
            fs.pipe(NEW.replace("/u/r1", f"/{collection}"), b"{}")


def test_truncated(fs: SkyFileSystem, source: Path) -> None:
    """Bytes that their format calls truncated are refused."""
    with pytest.raises(BadContent):
        fs.pipe(IMAGE.replace("detector=0", "detector=1"), source.read_bytes()[:3000])


REFUSED: list[tuple[str, bytes, type[SkyfsError]]] = [
    (PATH, b"{}", Exists),
    (NEW.replace("detector=1", "detector=9"), b"{}", NotFound),
    (NEW.replace("detector=1", "colour=9"), b"{}", SkyfsError),
    (NEW.replace(".json", ".nope"), b"{}", SkyfsError),
    (NEW, b"{", BadContent),
    ("/u/new/depth/instrument=HSC/exposure=1.json", b"{}", NotFound),
    ("/u/new/depth/planet=mars.json", b"{}", SkyfsError),
    ("/u/r1/throughput/instrument=HSC/physical_filter=HSC-I.png", b"?", SkyfsError),
    ("/.repo/version", b"2", SkyfsError),
]


@pytest.mark.parametrize(("path", "data", "error"), REFUSED)
def test_refused(
    repo: Repository, fs: SkyFileSystem, path: str, data: bytes, error: type[SkyfsError]
) -> None:
    """A refused write leaves registry and disk as they were."""
    before = snapshot(repo.root)
    with pytest.raises(error):
        fs.pipe(path, data)
    assert snapshot(repo.root) == before


def test_discarded(repo: Repository, fs: SkyFileSystem) -> None:
    """An exception inside of a `with` block discards what was written."""
    before = snapshot(repo.root)
    with pytest.raises(RuntimeError, match="stop"), fs.open(NEW, "wb") as file:  # noqa: PT012 - discards
        file.write(b"{}")
        raise RuntimeError("stop")
    assert snapshot(repo.root) == before


def test_transaction(repo: Repository, fs: SkyFileSystem) -> None:
    """A transaction shows all of its files at its end, or none."""
    before = snapshot(repo.root)
    other = NEW.replace("detector=1", "detector=2")
    with pytest.raises(RuntimeError, match="stop"), fs.transaction:  # noqa: PT012 - discards
        fs.pipe(NEW, b"{}")
        fs.pipe(other, b"{}")
        raise RuntimeError("stop")
    assert snapshot(repo.root) == before
    with fs.transaction:
        fs.pipe(NEW, b"{}")
        fs.pipe(other, b"{}")
        with skyfs.open(repo.root) as reader:
            assert not skyfs.filesystem(reader).exists(NEW)
    assert fs.exists(NEW)
    assert fs.exists(other)


# -- removing ------------------------------------------------------------------------------------------


def test_rm_run(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm` through a RUN deletes the dataset and its bytes."""
    fs.rm(PATH)
    assert not fs.exists(PATH)
    assert not list((repo.root / "data" / "u").rglob("*")) if (repo.root / "data" / "u").exists() else True


def test_rm_tagged(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm` through a TAGGED collection untags, and the dataset stays."""
    repo.tag([repo.find("metrics", collections="u/r1", **ID)], "t")
    fs.rm(PATH.replace("/u/r1", "/t"))
    assert not fs.exists("/t")
    assert fs.exists(PATH)


def test_rm_elsewhere(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm` through a CHAINED or CALIBRATION collection is refused, and the message names the RUN."""
    repo.chain("all", ["u/r1"])
    before = snapshot(repo.root)
    with pytest.raises(NotAllowed, match="u/r1"):
        fs.rm(PATH.replace("/u/r1", "/all"))
    with pytest.raises(NotAllowed, match="calib/0"):
        fs.rm(f"{FLAT}/valid=min--20131102T083000.npy")
    assert snapshot(repo.root) == before


@pytest.mark.parametrize("spelling", [*SPELLINGS[1:-1], PATH.replace(".json", ".yaml")])
def test_rm_alias(repo: Repository, fs: SkyFileSystem, spelling: str) -> None:
    """`rm` of another spelling than the stored one is refused."""
    before = snapshot(repo.root)
    with pytest.raises(SkyfsError):
        fs.rm(spelling)
    assert snapshot(repo.root) == before


def test_rm_in_place(repo: Repository, fs: SkyFileSystem, source: Path) -> None:
    """`rm` of a file that was ingested in place removes the row and leaves the file."""
    repo.ingest([skyfs.IngestFile(source, {**ID, "detector": 1})], "raw", run="raw/here", mode="direct")
    path = IMAGE.replace("/all/", "/here/").replace("detector=0", "detector=1")
    assert fs.exists(path)
    fs.rm(path)
    assert not fs.exists(path)
    assert source.exists()


def test_rm_part(repo: Repository, fs: SkyFileSystem, tmp_path: Path) -> None:
    """Of a file that holds many datasets each is a file of its own: the primary HDU, then its HDU. `rm` of
    one leaves the others, and the file goes with the last."""
    path = tmp_path / "two.fits"
    fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU(np.full((9, 9), n)) for n in range(2))]).writeto(path)
    ids = [{**ID, "exposure": 903336, "detector": n} for n in range(2)]
    files = [skyfs.IngestFile(path, one, part=number) for number, one in enumerate(ids, 1)]
    first, second = (repo.path(ref) for ref in repo.ingest(files, "raw", run="raw/all"))
    data = path.read_bytes()
    assert fs.cat_file(first) == data[:8640]
    fs.rm(first)
    assert fs.cat_file(second) == data[:2880] + data[8640:]
    fs.rm(second)
    assert not list((repo.root / "data").rglob("two.fits"))


def test_rm_locked(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm` in a locked RUN is refused."""
    repo.lock("u/r1")
    with pytest.raises(Locked):
        fs.rm(PATH)
    assert fs.exists(PATH)


def test_rm_recursive(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm -r` of a RUN's folder removes all its datasets, or none."""
    for number in (1, 2):
        repo.put({}, "metrics", run="u/r1" if number == 1 else "u/r2", **{**ID, "detector": number})
    repo.lock("u/r2")
    before = snapshot(repo.root)
    with pytest.raises(Locked):
        fs.rm("/u", recursive=True)
    assert snapshot(repo.root) == before
    fs.rm("/u/r1", recursive=True)
    assert fs.ls("/u", detail=False) == ["/u/r2"]


def test_rm_both(repo: Repository, fs: SkyFileSystem) -> None:
    """`rm -r` of a folder that is a collection and a type at once is refused."""
    repo.put({}, "throughput", run="u/r1/metrics", instrument="HSC", physical_filter="HSC-I")
    with pytest.raises(NotAllowed):
        fs.rm("/u/r1/metrics", recursive=True)
    assert fs.exists(PATH)


def test_mv(repo: Repository, fs: SkyFileSystem) -> None:
    """`mv` between RUNs is refused."""
    before = snapshot(repo.root)
    with pytest.raises(NotAllowed):
        fs.mv(PATH, PATH.replace("/u/r1", "/u/r2"))
    assert snapshot(repo.root) == before


# -- mounts --------------------------------------------------------------------------------------------

CHANGES: list[Callable[[Path], object]] = [
    lambda mount: (mount / NEW[1:]).open("w"),
    lambda mount: (mount / PATH[1:]).open("r+"),
    lambda mount: (mount / PATH[1:]).unlink(),
    lambda mount: (mount / "new").mkdir(),
    lambda mount: (mount / "u").rmdir(),
    lambda mount: (mount / PATH[1:]).chmod(0o600),
    lambda mount: os.utime(mount / PATH[1:]),
    lambda mount: (mount / PATH[1:]).rename(mount / NEW[1:]),
    lambda mount: (mount / "link").symlink_to("x"),
    lambda mount: (mount / NEW[1:]).hardlink_to(mount / PATH[1:]),
]


def test_read_only(mounted: Path) -> None:
    """A mount is read-only, unless it was asked to be writable: every change answers "read-only file system"."""  # noqa: E501 - the sentence of the page
    for change in CHANGES:
        with pytest.raises(OSError, match="Read-only file system"):
            change(mounted)


def test_mounted_file(fs: SkyFileSystem, mounted: Path, source: Path) -> None:
    """A mounted file has the size, time and bytes of the dataset."""
    path = mounted / IMAGE[1:]
    found = path.stat()
    assert (found.st_size, found.st_mtime_ns) == (source.stat().st_size, source.stat().st_mtime_ns)
    assert found.st_ino == fs.info(IMAGE)["ino"]
    assert path.read_bytes() == source.read_bytes()


def test_sha256sum(mounted: Path, source: Path) -> None:
    """`sha256sum` through a mount equals that of the source."""
    found = subprocess.run(["sha256sum", mounted / IMAGE[1:]], capture_output=True, text=True, check=True)
    assert found.stdout.split()[0] == hashlib.sha256(source.read_bytes()).hexdigest()


def test_strange_names(mounted: Path) -> None:
    """Names that cannot exist answer "no such file", whatever they hold."""
    for name in (".git", "a=b", "%zz", "u/r1/metrics/instrument=", "x*", "[", "u/r1/nothing", "é\n"):
        with pytest.raises(FileNotFoundError):
            (mounted / name).stat()


def test_xattrs(repo: Repository, mounted: Path) -> None:
    """Extended attributes `user.skyfs.*` tell what is known of a dataset."""
    ref = repo.find("metrics", collections="u/r1", **ID)
    path = mounted / PATH[1:]
    assert os.getxattr(path, "user.skyfs.id") == str(ref.id).encode()
    assert os.getxattr(path, "user.skyfs.exposure") == b"903334"
    assert "user.skyfs.run" in os.listxattr(path)


def test_mount_fresh(repo: Repository, mounted: Path) -> None:
    """What is put while a repository is mounted appears within a second."""
    path = mounted / NEW[1:]
    assert not path.exists()
    repo.put({"n": 2}, "metrics", run="u/r1", **{**ID, "detector": 1})
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        os.sched_yield()
    assert path.read_bytes()
