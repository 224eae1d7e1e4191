"""Each sentence of docs/semantics.md about writing, removing and mounts, as a test with that docstring."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.errors import (
    BadContent,
    Exists,
    Locked,
    NotAllowed,
    NotFound,
    SkyfsError,
)
from skyfs.fs import SkyFileSystem
from skyfs.repository import Repository
from skyfs.testing.snapshot import snapshot

from .conftest import FLAT, ID, IMAGE, PATH
from .test_reading import SPELLINGS

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


def test_transaction_that_removes(repo: Repository, fs: SkyFileSystem) -> None:
    """What a transaction removes is there until its end, and stays when it fails."""
    fs.pipe(NEW, b"{}")
    before = snapshot(repo.root)
    with pytest.raises(RuntimeError, match="stop"), fs.transaction:  # noqa: PT012 - discards
        fs.rm(NEW)
        assert fs.exists(NEW)
        raise RuntimeError("stop")
    assert snapshot(repo.root) == before
    with fs.transaction:
        fs.rm(NEW)
    assert not fs.exists(NEW)


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
