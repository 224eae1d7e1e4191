"""The core of the mount, without a kernel: what each request is answered."""

from __future__ import annotations

import errno
import logging
import os
import random
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import skyfs
from skyfs.errors import StoreError
from skyfs.formats.buffer import Buffer
from skyfs.mount.failures import Refusal
from skyfs.mount.libfuse import CallableEngine, Engine
from skyfs.mount.nodes import FRESH_S, KERNEL_S, UNCHANGED_S
from skyfs.mount.operations import Operations
from skyfs.repository import Repository
from skyfs.testing.statements import statements_run
from skyfs.tree import Node, Tree

from .conftest import Sky, define, raw_path


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def operations(tree: Tree) -> Iterator[Operations]:
    operations = Operations(tree)
    yield operations
    operations.close()


def refused(request: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        request()
    assert caught.value.errno is not None
    return caught.value.errno


# -- answers ---------------------------------------------------------------------------------------------


def test_attributes_of_a_file(operations: Operations, filled: Sky) -> None:
    path = raw_path()
    found = operations.getattr(path)
    size = len(filled.expected[path])
    assert (found["st_size"], found["st_mtime"]) == (size, filled.mtimes_ns[path])
    assert found["st_blocks"] == -(-size // 512)
    assert (found["st_nlink"], found["st_uid"]) == (1, filled.root.stat().st_uid)


def test_no_mount_widens_the_permissions_of_the_repository(filled: Sky) -> None:
    def modes() -> tuple[int, int]:
        with skyfs.open(filled.root) as repo:
            found = Operations(Tree(repo))
            return found.getattr(raw_path())["st_mode"], found.getattr("/")["st_mode"]

    assert modes() == (stat.S_IFREG | 0o400, stat.S_IFDIR | 0o500)
    filled.root.chmod(0o755)
    try:
        assert modes() == (stat.S_IFREG | 0o444, stat.S_IFDIR | 0o555)
    finally:
        filled.root.chmod(0o700)


def test_one_dataset_has_one_inode_by_every_spelling(operations: Operations) -> None:
    spellings = [
        raw_path(),
        raw_path(collection="HSC/defaults"),
        "/HSC/raw/copy/raw/exposure=903334/detector=0/instrument=HSC.fits",
        "/HSC/raw/copy/raw/instrument=HSC/exposure=903334/detector=0.fits",
    ]
    assert len({operations.getattr(path)["st_ino"] for path in spellings[::2]}) <= 2
    assert (
        len({operations.getattr(path)["st_ino"] for path in (spellings[0], spellings[1], spellings[3])}) == 1
    )
    assert operations.getattr(raw_path(detector=1))["st_ino"] != operations.getattr(raw_path())["st_ino"]


def test_service_directories_are_not_listed_but_there(operations: Operations) -> None:
    names = [name for name, _ in operations.readdir("/")]
    assert names == ["HSC", "runs"]
    assert stat.S_ISDIR(operations.getattr("/.hive")["st_mode"])
    assert {name for name, _ in operations.readdir("/.repo")} == {"config.yaml", "status.json", "version"}


def test_reads_are_ranges(operations: Operations, filled: Sky) -> None:
    expected = filled.expected[raw_path()]
    number, _ = operations.open(raw_path(), os.O_RDONLY)
    assert operations.read(number, 100, 50) == expected[50:150]
    assert operations.read(number, 100, len(expected) - 10) == expected[-10:]
    assert operations.read(number, 100, len(expected)) == b""
    assert operations.read(number, 1 << 30, 0) == expected
    assert operations.getattr("/anything", number)["st_size"] == len(expected)
    operations.release(number)
    assert refused(lambda: operations.read(number, 1, 0)) == errno.EBADF
    assert refused(lambda: operations.release(number)) == errno.EBADF
    assert len(operations.handles) == 0


def test_extended_attributes(operations: Operations) -> None:
    names = operations.listxattr(raw_path())
    assert all(name.startswith("user.skyfs.") for name in names)
    values = {
        name.removeprefix("user.skyfs."): operations.getxattr(raw_path(), name).decode() for name in names
    }
    assert values["exposure"] == "903334"
    assert values["exposure.exposure_time"] == "30.5"
    assert values["filename"] == "raw_HSC_903334_0.fits"
    assert len(values["sha256"]) == 64
    assert operations.listxattr("/HSC") == []


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("user.skyfs.nothing", errno.ENODATA),
        ("user.other", errno.ENODATA),
        ("security.capability", errno.EOPNOTSUPP),
        ("security.selinux", errno.EOPNOTSUPP),
        ("system.posix_acl_access", errno.EOPNOTSUPP),
    ],
)
def test_extended_attributes_that_are_not_there(operations: Operations, name: str, number: int) -> None:
    assert refused(lambda: operations.getxattr(raw_path(), name)) == number


ERRNOS = [
    ("/nothing", errno.ENOENT),
    ("/HSC/raw/copy/raw/instrument=HSC/day_obs=20131102/exposure=1/detector=0.fits", errno.ENOENT),
    ("/HSC/raw/copy/raw/instrument=HSC/day_obs=20131102/exposure=x/detector=0.fits", errno.ENOENT),
    (raw_path().replace(".fits", ".xyz"), errno.ENOENT),
    (raw_path() + "/inside", errno.ENOENT),
    ("/HSC/raw/copy/raw/exposure=903334.fits", errno.ENOENT),
    (raw_path(detector=3), errno.ENODATA),
    (raw_path(detector=3).replace(".fits", ""), errno.ENODATA),
    (raw_path() + "[9]", errno.EINVAL),
    (raw_path() + "[1][flux > 1]", errno.EINVAL),
    ("/HSC/[ab]*", errno.ENOENT),
    ("/HSC/*", errno.ENOENT),
    ("/HSC/raw/copy/raw/instrument=", errno.ENOENT),
    ("/HSC/100%", errno.ENOENT),
    ("/HSC/\udcff", errno.ENOENT),
    ("/HSC/" + "x" * 256, errno.ENAMETOOLONG),
    ("/HSC/" + "é" * 128, errno.ENAMETOOLONG),
    ("/HSC/" + "x" * 255, errno.ENOENT),
    *(
        (f"/{name}", errno.ENOENT)
        for name in (".Trash", ".Trash-1000", ".git", "autorun.inf", ".xdg-volume-info")
    ),
]


@pytest.mark.parametrize(("path", "number"), ERRNOS)
def test_errno_of_each_failure(
    operations: Operations, path: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert refused(lambda: operations.getattr(path)) == number
    assert refused(lambda: operations.open(path, os.O_RDONLY)) == number
    assert not caplog.records, "a probe is no event"


def test_files_and_folders_are_not_taken_for_one_another(operations: Operations) -> None:
    assert refused(lambda: operations.open("/HSC", os.O_RDONLY)) == errno.EISDIR
    assert refused(lambda: operations.readdir(raw_path())) == errno.ENOTDIR
    assert refused(lambda: operations.readdir("/nothing")) == errno.ENOENT


def test_declared_datasets_are_not_listed(operations: Operations) -> None:
    names = [name for name, _ in operations.readdir(os.path.dirname(raw_path()))]
    assert names == [f"detector={number}.fits" for number in range(3)]


@pytest.mark.parametrize(
    "flags", [os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_RDONLY | os.O_APPEND]
)
def test_nothing_is_opened_for_writing(operations: Operations, flags: int) -> None:
    assert refused(lambda: operations.open(raw_path(), flags)) == errno.EROFS
    assert refused(lambda: operations.access(raw_path(), os.W_OK)) == errno.EROFS
    assert refused(lambda: operations.mkdir("/x", 0o777)) == errno.EROFS
    operations.access(raw_path(), os.R_OK)


def test_statfs_leaves_no_room(operations: Operations) -> None:
    found = operations.statfs("/")
    assert (found["f_bavail"], found["f_namemax"]) == (0, 255)
    assert found["f_blocks"] > 0


# -- failures --------------------------------------------------------------------------------------------


def broken(*_: object, **__: object) -> object:
    raise ZeroDivisionError("deliberate")


def lost(*_: object, **__: object) -> object:
    raise StoreError("read 'x' from store 'local'", "gone")


REQUESTS: dict[str, tuple[str, Callable[[Operations], object]]] = {
    "getattr": ("lookup", lambda operations: operations.getattr(raw_path())),
    "readdir": ("entries", lambda operations: operations.readdir("/HSC")),
    "open": ("open_node", lambda operations: operations.open(raw_path(), os.O_RDONLY)),
    "getxattr": ("attributes", lambda operations: operations.getxattr(raw_path(), "user.skyfs.id")),
    "listxattr": ("attributes", lambda operations: operations.listxattr(raw_path())),
    "access": ("lookup", lambda operations: operations.access(raw_path(), os.R_OK)),
}


@pytest.mark.parametrize("failure", [broken, lost])
@pytest.mark.parametrize("name", REQUESTS)
def test_an_exception_is_an_errno_and_a_line_in_the_log(
    operations: Operations,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    failure: Callable[..., object],
) -> None:
    method, request = REQUESTS[name]
    with monkeypatch.context() as patch:
        patch.setattr(Tree, method, failure)
        assert refused(lambda: request(operations)) == errno.EIO
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert ("ZeroDivisionError" in caplog.text) == (failure is broken), (
        "a traceback only for what nobody foresaw"
    )
    request(operations)


def test_short_reads_and_wrong_sizes_are_errors(
    operations: Operations, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    number, handle = operations.open(raw_path(), os.O_RDONLY)
    handle.source.close()
    monkeypatch.setattr(handle, "source", Buffer(b"short"))
    assert refused(lambda: operations.read(number, 100, 0)) == errno.EIO
    monkeypatch.setattr(Tree, "open_node", lambda *_, **__: Buffer(b"short"))
    assert refused(lambda: operations.open(raw_path(), os.O_RDONLY)) == errno.EIO
    assert "instead of" in caplog.text


PARTS = [
    *(
        "",
        ".",
        "..",
        "HSC",
        "raw",
        "copy",
        ".hive",
        ".by-id",
        ".where",
        ".repo",
        ".records",
        "raw.fits",
        "raw.wcs",
    ),
    *("instrument=HSC", "exposure=903334", "detector=0.fits", "detector=0.fits[1", "valid=x--y", "tract=1"),
    *("valid=min--max.fits", "=", "[", "]", "a=", "=b", "%", "%zz", "%00", "*", "?", " ", "\n", "\udcff"),
    *("é" * 127, "x" * 300, "'; DROP TABLE meta", "exposure > ", "00000000-0000-0000-0000-000000000000.fits"),
]


def malformed(count: int) -> Iterator[str]:
    chance = random.Random(20131102)  # noqa: S311 - the same requests every time
    for _ in range(count):
        parts = chance.choices(PARTS, k=chance.randint(1, 9))
        text = "/" + "/".join(parts)
        if chance.random() < 0.3:
            at = chance.randrange(len(text))
            text = text[:at] + chr(chance.choice((0, 7, 37, 47, 61, 91, 93, 0xDC80, 0x10FFFF))) + text[at:]
        yield text


def answer(request: Callable[[], object]) -> int:
    """Give the errno of a request, 0 when it is granted."""
    try:
        request()
    except Refusal as refusal:
        return refusal.errno or -1
    return 0


def ask_everything(operations: Operations, count: int) -> None:
    def open_and_close(path: str) -> None:
        operations.release(operations.open(path, os.O_RDONLY)[0])

    requests = (operations.getattr, operations.readdir, operations.listxattr, open_and_close)
    for path in malformed(count):
        for request in requests:
            number = answer(lambda request=request, path=path: request(path))  # type: ignore[misc]
            assert number not in (-1, errno.EIO), path


def test_malformed_requests_get_an_errno(operations: Operations, caplog: pytest.LogCaptureFixture) -> None:
    ask_everything(operations, 2_500)  # four requests each
    assert not caplog.records


@pytest.mark.long
def test_a_million_malformed_requests_get_an_errno(operations: Operations) -> None:
    ask_everything(operations, 250_000)


# -- what it costs, and how fresh it is --------------------------------------------------------------------


def fill(repo: Repository, count: int) -> str:
    """Put metrics of many exposures; give their folder."""
    common = {"instrument": "HSC", "physical_filter": "HSC-I", "day_obs": 20131102}
    ids = range(1, count + 1)
    repo.insert("exposure", [{**common, "id": n, "obs_id": f"o{n}", "group": str(n)} for n in ids])
    with repo.transaction():
        for number in ids:
            repo.put({"n": number}, "metrics", run="r", instrument="HSC", exposure=number)
    return "/r/metrics/instrument=HSC/day_obs=20131102"


@pytest.mark.parametrize("count", [3, 60])
def test_ls_of_any_length_is_as_many_statements(tmp_path: Path, count: int) -> None:
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repo:
        define(repo)
        folder = fill(repo, count)
        tree = Tree(repo)
        Operations(tree).readdir(folder)  # collections and types are read
        operations = Operations(tree)
        with statements_run() as seen:
            names = [name for name, _ in operations.readdir(folder)]
            for name in names:
                operations.getattr(f"{folder}/{name}")
        assert len(names) == count
        assert len(seen) == 1, seen


def put(repo: Repository, value: object, *, replace: bool = False) -> None:
    repo.put(value, "metrics", run="r", instrument="HSC", exposure=903334, replace=replace)


PUT = "/r/metrics/instrument=HSC/day_obs=20131102/exposure=903334.json"


def test_nodes_are_kept_for_half_a_second(empty: Repository) -> None:
    put(empty, {"a": 1})
    clock = Clock()
    operations = Operations(Tree(empty), clock=clock)
    operations.getattr(PUT)
    clock.now_s += FRESH_S * 0.9
    with statements_run() as seen:
        operations.getattr(PUT)
    assert not seen
    clock.now_s += FRESH_S * 0.2
    with statements_run() as seen:
        operations.getattr(PUT)
    assert seen
    assert FRESH_S + KERNEL_S <= 1


def test_nodes_are_kept_longer_while_nothing_is_committed(empty: Repository) -> None:
    put(empty, {"a": 1})
    clock = Clock()
    state = [1]
    operations = Operations(Tree(empty), clock=clock, stamp=lambda: state[0])
    operations.getattr(PUT)
    clock.now_s += UNCHANGED_S - 1
    with statements_run() as seen:
        operations.getattr(PUT)
    assert not seen
    state[0] = 2
    with statements_run() as seen:
        operations.getattr(PUT)
    assert seen
    clock.now_s += UNCHANGED_S
    with statements_run() as seen:
        operations.getattr(PUT)
    assert seen


def test_absence_is_not_remembered(empty: Repository) -> None:
    operations = Operations(Tree(empty), clock=Clock())
    assert refused(lambda: operations.getattr(PUT)) == errno.ENOENT
    put(empty, {"a": 1})
    assert operations.getattr(PUT)["st_size"] > 0


def test_a_removed_dataset_is_read_to_its_end_by_who_has_it_open(empty: Repository) -> None:
    put(empty, {"a": 1})
    clock = Clock()
    operations = Operations(Tree(empty), clock=clock)
    size = operations.getattr(PUT)["st_size"]
    number, _ = operations.open(PUT, os.O_RDONLY)
    empty.remove([empty.find("metrics", collections="r", instrument="HSC", exposure=903334)])
    clock.now_s += 1
    assert refused(lambda: operations.getattr(PUT)) == errno.ENOENT
    assert len(operations.read(number, 100, 0)) == size == operations.getattr(PUT, number)["st_size"]
    operations.release(number)


def test_a_dataset_removed_between_lookup_and_open_is_not_found(empty: Repository) -> None:
    put(empty, {"a": 1})
    operations = Operations(Tree(empty), clock=Clock())
    operations.getattr(PUT)
    empty.remove([empty.find("metrics", collections="r", instrument="HSC", exposure=903334)])
    assert refused(lambda: operations.open(PUT, os.O_RDONLY)) == errno.ENOENT
    assert refused(lambda: operations.getattr(PUT)) == errno.ENOENT


def test_a_replaced_dataset_never_mixes_with_the_old_one(empty: Repository) -> None:
    put(empty, {"a": 1})
    clock = Clock()
    operations = Operations(Tree(empty), clock=clock)
    operations.getattr(PUT)
    old, handle = operations.open(PUT, os.O_RDONLY)
    assert not handle.keep_cache
    again, handle = operations.open(PUT, os.O_RDONLY)
    assert handle.keep_cache
    operations.release(again)
    put(empty, {"a": 1, "longer": "than before"}, replace=True)
    clock.now_s += 1
    assert refused(lambda: operations.open(PUT, os.O_RDONLY)) == errno.ESTALE, "the kernel has the old size"
    size = operations.getattr(PUT)["st_size"]
    new, handle = operations.open(PUT, os.O_RDONLY)
    assert handle.direct
    assert b"longer" in operations.read(new, size, 0)
    assert refused(lambda: operations.read(old, 10, 0)) == errno.ESTALE
    assert refused(lambda: operations.getattr(PUT, old)) == errno.ESTALE
    operations.release(old)
    operations.release(new)
    third, handle = operations.open(PUT, os.O_RDONLY)
    assert (handle.direct, handle.keep_cache) == (False, False), "the old one may have left pages"
    operations.release(third)
    fourth, handle = operations.open(PUT, os.O_RDONLY)
    assert handle.keep_cache
    operations.release(fourth)


def test_the_kernel_is_told_which_pages_to_keep(tree: Tree) -> None:
    engine = Engine(Operations(tree), lambda: None)
    asked = [SimpleNamespace(flags=os.O_RDONLY, fh=0) for _ in range(2)]
    for info in asked:
        engine.open(raw_path(), info)
    assert [(info.keep_cache, info.direct_io) for info in asked] == [(0, 0), (1, 0)]
    assert asked[0].fh != asked[1].fh
    for info in asked:
        engine.release(raw_path(), info)


def test_fusepy_calls_the_engine_by_the_names_of_operations(tree: Tree) -> None:
    engine = CallableEngine(Operations(tree), lambda: None)
    assert engine("getattr", raw_path(), None) == engine.getattr(raw_path())
    assert refused(lambda: engine("mkdir", "/x", 0o777)) == errno.EROFS


def test_close_closes_what_is_open(tree: Tree) -> None:
    operations = Operations(tree)
    number, handle = operations.open(raw_path(), os.O_RDONLY)
    operations.close()
    assert len(operations.handles) == 0
    assert refused(lambda: operations.read(number, 1, 0)) == errno.EBADF
    assert isinstance(handle.node, Node)
