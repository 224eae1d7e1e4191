"""The native engine through the kernel: passthrough, caching, listings, waiting, and its fallbacks."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

import skyfs
from skyfs.abc.source import ByteSource
from skyfs.mount.native.protocol import Opcode
from skyfs.mount.native.session import ALL, Abilities
from skyfs.mount.operations import Operations, Writing
from skyfs.mount.table import find_mount, wait_for
from skyfs.repository import Repository
from skyfs.testing.servers import S3Server
from skyfs.tree import Node, Tree

from .conftest import EXPOSURES, OPTIONS, Sky, define, raw_path
from .native_session import WAIT_S, Gate, GatedTree, in_process, served

NO_PASSTHROUGH = Abilities(passthrough=False)
OLD_KERNEL = Abilities(passthrough=False, epochs=False)
UNPRIVILEGED = Abilities(directly=False)
BIG = "/r/notes"
MAPPED = """
import hashlib, mmap, sys
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    print(hashlib.sha256(mapped[:]).hexdigest(), hashlib.sha256(mapped[1000:5000]).hexdigest())
"""


@pytest.fixture
def sky_repo(fuse: None, filled: Sky) -> Iterator[Repository]:  # noqa: ARG001 - it skips
    with skyfs.open(filled.root) as repo:
        yield repo


def big(repo: Repository, size: int = 3_000_001) -> bytes:
    """Store some random bytes."""
    data = Random(5).randbytes(size)  # noqa: S311 - the same every time
    repo.put(data, "notes", run="r")
    return data


# -- the same bytes, however they are read ---------------------------------------------------------------


@pytest.mark.parametrize("abilities", [ALL, NO_PASSTHROUGH, OLD_KERNEL, UNPRIVILEGED], ids=str)
def test_every_file_has_its_bytes(
    sky_repo: Repository, filled: Sky, tmp_path: Path, abilities: Abilities
) -> None:
    with served(sky_repo, tmp_path / "mnt", abilities) as one:
        for path, expected in filled.expected.items():
            file = one.folder / path[1:]
            assert file.stat().st_size == len(expected)
            assert file.read_bytes() == expected
            assert file.read_bytes() == expected, "once more"


@pytest.mark.parametrize("abilities", [ALL, NO_PASSTHROUGH], ids=str)
def test_parts_and_mapped_memory(empty: Repository, tmp_path: Path, fuse: None, abilities: Abilities) -> None:
    del fuse
    data = big(empty)
    with served(empty, tmp_path / "mnt", abilities) as one:
        file = one.folder / BIG[1:]
        printed = in_process(MAPPED, file).split()
        assert printed == [hashlib.sha256(part).hexdigest() for part in (data, data[1000:5000])]
        assert_random_reads(file, data)


def assert_random_reads(file: Path, data: bytes, count: int = 300) -> None:
    chance = Random(1)  # noqa: S311 - the same reads every time
    places = [(chance.randrange(len(data) + 5000), chance.randrange(1, 200_000)) for _ in range(count)]
    descriptor = os.open(file, os.O_RDONLY)
    try:
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(lambda place: os.pread(descriptor, place[1], place[0]), places)
            for (start, size), part in zip(places, found, strict=True):
                assert part == data[start : start + size]
    finally:
        os.close(descriptor)


def test_far_files(tmp_path: Path, s3: S3Server, fuse: None) -> None:
    del fuse
    url = f"{s3.bucket('native-far')}/sky"
    stores = [{"name": "far", "url": url, "options": dict(s3.options), "types": ["*"]}]
    with skyfs.create(tmp_path / "sky", stores=stores, options=OPTIONS) as repo:
        define(repo)
        data = big(repo)
        with served(repo, tmp_path / "mnt") as one:
            file = one.folder / BIG[1:]
            assert_random_reads(file, data, 40)
            printed = in_process(MAPPED, file).split()
            assert printed[0] == hashlib.sha256(data).hexdigest()
            asked = one.asked(Opcode.READ)
            assert asked
            assert hashlib.sha256(file.read_bytes()).digest() == hashlib.sha256(data).digest()
            assert one.asked(Opcode.READ) == asked, "the kernel kept all pages"


# -- who reads -------------------------------------------------------------------------------------------


def test_the_kernel_reads_local_files_by_itself(sky_repo: Repository, filled: Sky, tmp_path: Path) -> None:
    with served(sky_repo, tmp_path / "mnt") as one:
        assert one.text == "native: passthrough, epochs"
        for path, expected in filled.expected.items():
            assert (one.folder / path[1:]).read_bytes() == expected
        assert one.asked(Opcode.READ) == 0
        assert one.asked(Opcode.FLUSH) == 0


def test_it_says_why_there_is_no_passthrough(sky_repo: Repository, tmp_path: Path) -> None:
    with served(sky_repo, tmp_path / "mnt", OLD_KERNEL) as one:
        assert one.text == "native: no passthrough, because it is turned off, no epochs"


def test_pages_are_kept_without_passthrough(empty: Repository, tmp_path: Path, fuse: None) -> None:
    del fuse
    data = big(empty)
    with served(empty, tmp_path / "mnt", NO_PASSTHROUGH) as one:
        file = one.folder / BIG[1:]
        assert file.read_bytes() == data
        first = one.asked(Opcode.READ)
        assert 0 < first <= len(data) / 30_000
        assert file.read_bytes() == data
        assert one.asked(Opcode.READ) == first


def test_a_file_that_vanished_is_read_by_the_daemon(empty: Repository, tmp_path: Path, fuse: None) -> None:
    """Whatever stands in the way of passthrough, the bytes come."""
    del fuse
    data = big(empty)

    class Vanishing(GatedTree):
        """Says that there are no local files."""

    with served(empty, tmp_path / "mnt", tree=Vanishing(empty)) as one:
        assert one.text.startswith("native: passthrough")
        assert (one.folder / BIG[1:]).read_bytes() == data
        assert one.asked(Opcode.READ)


def test_one_way_of_reading_while_a_file_is_open(empty: Repository, tmp_path: Path, fuse: None) -> None:
    """The kernel answers EIO when a file is opened in two ways at once."""
    del fuse
    data = big(empty)

    class Changing(GatedTree):
        """The first open finds no local file, as when the cache fetches it only now."""

        is_local = False

        def open_node(self, node: Node, *, whole: bool = False, as_stored: bool = False) -> ByteSource:
            if self.is_local:
                return Tree.open_node(self, node, whole=whole, as_stored=as_stored)
            return super().open_node(node, whole=whole, as_stored=as_stored)

    tree = Changing(empty)
    with served(empty, tmp_path / "mnt", tree=tree) as one:
        file = one.folder / BIG[1:]
        with file.open("rb") as first:
            tree.is_local = True
            with file.open("rb") as second:
                assert first.read() == second.read() == data
        asked = one.asked(Opcode.READ)
        assert wait_for(lambda: one.asked(Opcode.RELEASE) >= 2, WAIT_S)
        with file.open("rb") as third:
            tree.is_local = False
            with file.open("rb") as fourth:
                assert third.read() == fourth.read() == data
        assert one.asked(Opcode.READ) == asked, "passthrough, once nobody had it open otherwise"


# -- listings --------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path, fuse: None) -> Iterator[Repository]:  # noqa: ARG001 - it skips
    """A folder of 1500 files."""
    with skyfs.create(tmp_path / "many", options=OPTIONS) as repo:
        repo.insert("instrument", [{"name": "HSC"}])
        repo.register("raw", ["instrument", "detector"], "Bytes")
        rows = [{"instrument": "HSC", "id": number, "full_name": str(number)} for number in range(1500)]
        repo.insert("detector", rows)
        source = tmp_path / "source"
        source.mkdir()
        files = []
        for number in range(1500):
            file = source / str(number)
            file.write_bytes(b"x" * (number % 7))
            files.append(skyfs.IngestFile(file, {"instrument": "HSC", "detector": number}))
        repo.ingest(files, "raw", run="r", mode="move")
        yield repo


FOLDER = "r/raw/instrument=HSC"


def test_ls_l_makes_no_call_for_each_entry(many: Repository, tmp_path: Path) -> None:
    with served(many, tmp_path / "mnt") as one:
        for _ in range(2):
            before = one.calls
            command = ["ls", "-ln", os.fspath(one.folder / FOLDER)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            lines = done.stdout.splitlines()[1:]
            assert {line.split()[-1]: int(line.split()[4]) for line in lines} == {
                f"detector={number}": number % 7 for number in range(1500)
            }
            calls = one.calls - before
            assert calls["lookup"] + calls["getattr"] + calls["getxattr"] < 15
            assert calls.total() < 60
        before = one.calls
        assert (one.folder / FOLDER / "detector=3").read_bytes() == b"xxx"
        assert one.calls["lookup"] == before["lookup"], "the numbers of a listing stay"


def test_find_makes_no_call_for_each_entry(many: Repository, tmp_path: Path) -> None:
    with served(many, tmp_path / "mnt") as one:
        command = ["find", os.fspath(one.folder), "-type", "f", "-size", "0"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        assert len(found) == len(range(0, 1500, 7))
        assert one.calls.total() < 100


def test_where_a_listing_goes_on(many: Repository, tmp_path: Path) -> None:
    """Read parts of a folder forwards and backwards, while it changes."""
    program = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
libc.telldir.argtypes = libc.readdir.argtypes = libc.rewinddir.argtypes = [ctypes.c_void_p]
libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
folder = libc.opendir(os.fsencode(sys.argv[1]))
def entries():
    while entry := libc.readdir(folder):
        yield ctypes.string_at(entry + 19)
places = []
names = []
places.append(libc.telldir(folder))
for name in entries():
    names.append(name)
    places.append(libc.telldir(folder))
assert names[:2] == [b".", b".."] and len(set(names)) == len(names) == 1502, len(names)
for index in (1400, 3, 0, 700, 1501, 1):
    libc.seekdir(folder, places[index])
    assert next(entries()) == names[index]
libc.rewinddir(folder)
assert list(entries()) == names
print("ok")
"""
    with served(many, tmp_path / "mnt") as one:
        assert in_process(program, one.folder / FOLDER) == "ok\n"


def test_inodes_of_dots_and_entries(many: Repository, tmp_path: Path) -> None:
    with served(many, tmp_path / "mnt") as one:
        folder = one.folder / FOLDER
        with os.scandir(folder) as entries:
            inodes = {entry.name: entry.inode() for entry in entries}
        assert inodes["detector=3"] == (folder / "detector=3").stat().st_ino
        assert (folder / "..").stat().st_ino == folder.parent.stat().st_ino


def test_what_the_kernel_forgets_is_forgotten(many: Repository, tmp_path: Path) -> None:
    with served(many, tmp_path / "mnt") as one:
        os.listdir(one.folder / FOLDER)
        assert one.session.requests is not None
        numbers = one.session.requests.nodes.numbers
        assert len(numbers) > 1500
        Path("/proc/sys/vm/drop_caches").write_text("2")
        assert wait_for(lambda: len(numbers) < 1500, WAIT_S)
        assert (one.folder / FOLDER / "detector=3").stat().st_size == 3


# -- changes ---------------------------------------------------------------------------------------------

PUT = """
import sys, skyfs
with skyfs.open(sys.argv[1], writable=True) as repo:
    repo.put(sys.argv[2].encode() * int(sys.argv[3]), "notes", run="r", replace=True)
"""


@pytest.mark.parametrize("abilities", [ALL, NO_PASSTHROUGH, OLD_KERNEL], ids=str)
def test_a_replaced_file_is_another_one(
    empty: Repository, tmp_path: Path, fuse: None, abilities: Abilities
) -> None:
    """Whoever has the old one open reads on; whoever opens it again gets the new one."""
    del fuse
    old = big(empty)
    with served(empty, tmp_path / "mnt", abilities) as one:
        file = one.folder / BIG[1:]
        with file.open("rb", buffering=0) as opened:
            head = opened.read(5000)
            before = os.fstat(opened.fileno())
            in_process(PUT, empty.root, "new", 7)
            assert wait_for(lambda: file.stat().st_size == 21, WAIT_S)
            assert file.read_bytes() == b"new" * 7
            assert file.stat().st_ino != before.st_ino
            assert os.fstat(opened.fileno()).st_size == len(old)
            rest = opened.readall()
        assert head + rest == old


@pytest.mark.parametrize("abilities", [ALL, OLD_KERNEL], ids=str)
def test_names_come_and_go(empty: Repository, tmp_path: Path, fuse: None, abilities: Abilities) -> None:
    del fuse
    with served(empty, tmp_path / "mnt", abilities) as one:
        file = one.folder / BIG[1:]
        assert not file.exists()
        assert os.listdir(one.folder) == []
        in_process(PUT, empty.root, "x", 3)
        assert wait_for(file.exists, WAIT_S)
        assert wait_for(lambda: os.listdir(one.folder) == ["r"], WAIT_S)
        assert os.listdir(one.folder / "r") == ["notes"]
        empty.remove_run("r")
        assert wait_for(lambda: not file.exists(), WAIT_S)
        assert wait_for(lambda: os.listdir(one.folder) == [], WAIT_S)


def test_names_are_believed_until_something_changes(empty: Repository, tmp_path: Path, fuse: None) -> None:
    """The kernel asks for a path once; a change makes it ask again, and once more only."""
    del fuse
    big(empty, 10)
    with served(empty, tmp_path / "mnt") as one:
        file = one.folder / BIG[1:]
        file.stat()
        asked = one.asked(Opcode.LOOKUP)
        for _ in range(50):
            file.stat()
        assert one.asked(Opcode.LOOKUP) == asked
        empty.put({"a": 1}, "summary", run="other")
        assert wait_for(lambda: bool(file.stat()) and one.asked(Opcode.LOOKUP) > asked, WAIT_S)


@pytest.mark.parametrize("abilities", [ALL, NO_PASSTHROUGH], ids=str)
def test_readers_go_on_while_a_file_is_replaced_through_the_mount(
    empty: Repository, tmp_path: Path, fuse: None, abilities: Abilities
) -> None:
    """What is being written is another file of the kernel: no reader is cut off, or sees half of it."""
    del fuse
    old = big(empty)
    with served(empty, tmp_path / "mnt", abilities, writing=Writing(replace=True)) as one:
        file = one.folder / BIG[1:]
        with file.open("rb", buffering=0) as reader:
            head = reader.read(5000)
            with file.open("wb", buffering=0) as writer:
                writer.write(b"new")
                assert os.fstat(reader.fileno()).st_size == len(old)
                assert os.fstat(writer.fileno()).st_size == 3
                assert os.pread(reader.fileno(), 100, 2_900_000) == old[2_900_000:2_900_100]
                seen = in_process("import sys; print(len(open(sys.argv[1], 'rb').read()))", file)
                assert int(seen) in (3, len(old)), "one or the other, and this process's children see the new"
            assert wait_for(lambda: file.read_bytes() == b"new", WAIT_S)
            assert head + reader.readall() == old
    assert one.operations.open_files == 0


# -- waiting ---------------------------------------------------------------------------------------------


def test_a_slow_file_holds_up_nobody_else(sky_repo: Repository, filled: Sky, tmp_path: Path) -> None:
    gates = {raw_path(exposure): Gate() for exposure in EXPOSURES}
    others = [path for path in filled.expected if path not in gates]
    with (
        served(sky_repo, tmp_path / "mnt", tree=GatedTree(sky_repo, gates)) as one,
        ThreadPoolExecutor(20) as pool,
    ):
        slow = [pool.submit((one.folder / path[1:]).read_bytes) for path in gates for _ in range(4)]
        for gate in gates.values():
            assert gate.arrived.acquire(timeout=WAIT_S)
        for path in others:
            assert (one.folder / path[1:]).read_bytes() == filled.expected[path]
        assert not any(one.done() for one in slow)
        for gate in gates.values():
            gate.open()
        assert [one.result(WAIT_S) for one in slow] == [
            filled.expected[path] for path in gates for _ in range(4)
        ]


@pytest.mark.parametrize("at_open", [True, False])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_who_does_not_want_to_wait_any_longer_need_not(
    sky_repo: Repository, filled: Sky, tmp_path: Path, number: signal.Signals, *, at_open: bool
) -> None:
    gate = Gate(at_open=at_open)
    path = raw_path()
    with served(sky_repo, tmp_path / "mnt", tree=GatedTree(sky_repo, {path: gate})) as one:
        file = one.folder / path[1:]
        with subprocess.Popen(["cat", file], stdout=subprocess.DEVNULL) as process:
            assert gate.arrived.acquire(timeout=WAIT_S)
            process.send_signal(number)
            assert process.wait(WAIT_S) == -number, "while the store still hangs"
        gate.open()
        assert file.read_bytes() == filled.expected[path]
        assert wait_for(lambda: one.operations.open_files == 0, WAIT_S), "the late answer was taken back"


# -- failures --------------------------------------------------------------------------------------------

METHODS: dict[str, Callable[[Path], object]] = {
    "getattr": os.stat,
    "listing": lambda file: os.listdir(file.parent),
    "open": lambda file: file.read_bytes(),
    "statfs": lambda file: os.statvfs(file.parent.parent),
    "getxattr": lambda file: os.getxattr(file, "user.skyfs.id"),
    "listxattr": os.listxattr,
}


@pytest.mark.parametrize("name", METHODS)
def test_a_failure_inside_is_an_errno_and_the_mount_lives(
    sky_repo: Repository,
    filled: Sky,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = raw_path()
    ask = METHODS[name]
    with served(sky_repo, tmp_path / "mnt") as one:
        file = one.folder / path[1:]

        def broken(*_: object, **__: object) -> object:
            raise RuntimeError("a test wants it")

        with monkeypatch.context() as patch:
            patch.setattr(Operations, name, broken)
            with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is asserted
                ask(file)
            assert caught.value.errno == errno.EIO
        assert "a test wants it" in caplog.text
        ask(file)
        assert file.read_bytes() == filled.expected[path]


# -- the end ---------------------------------------------------------------------------------------------

SERVE = """
import sys
from skyfs.mount.session import MountOptions, serve
serve(sys.argv[1], sys.argv[2], MountOptions(engine="native"))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_unmounts_while_files_are_open(
    filled: Sky, tmp_path: Path, fuse: None, number: signal.Signals
) -> None:
    del fuse
    folder = tmp_path / "mnt"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", SERVE, str(filled.root), str(folder)]) as process:
        assert wait_for(lambda: find_mount(folder) is not None, WAIT_S)
        with (folder / raw_path()[1:]).open("rb"):
            process.send_signal(number)
            assert process.wait(WAIT_S) == 0
            assert find_mount(folder) is None


def test_unmounting_ends_the_session(sky_repo: Repository, tmp_path: Path) -> None:
    with served(sky_repo, tmp_path / "mnt") as one:
        before = threading.active_count()
        subprocess.run(["umount", one.folder], check=True)
        assert wait_for(lambda: threading.active_count() < before, WAIT_S)
    assert find_mount(tmp_path / "mnt") is None
