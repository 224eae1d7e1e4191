"""The native engine without a kernel: bytes in, bytes out, whatever they are."""

from __future__ import annotations

import errno
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random

import pytest

from skyfs.mount.native import protocol
from skyfs.mount.native.answers import Validities
from skyfs.mount.native.backing import Backings
from skyfs.mount.native.protocol import ROOT, Opcode, Valid
from skyfs.mount.native.requests import Requests
from skyfs.mount.operations import Operations, Writing
from skyfs.repository import Repository
from skyfs.tree import Tree

from .conftest import Sky, raw_path

SILENT = (Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT)
INTERESTING = (0, 1, 2, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 32, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)
NAMES = (
    b"HSC", b"raw", b"runs", b".repo", b".where", b".by-id", b"status.json", b"\xff\xfe", b"a/b", b"..", b".",
    b"", b"x" * 300, b"exposure=903334", b"detector=0.fits[", b"%zz", b"a=b=c", b"user.skyfs.id", b"\n",
)  # fmt: skip


PATHS = (raw_path(), "/HSC/raw", "/.repo/version", "/runs/one")


class Kernel:
    """Says what a kernel says."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests

    def send(self, opcode: int, node: int = ROOT, body: bytes = b"", unique: int = 4) -> bytes:
        """Send a well-formed message."""
        size = protocol.IN_HEADER.size + len(body)
        header = protocol.IN_HEADER.pack(size, opcode, unique, node, 0, 0, 1, 0, 0)
        return self.requests.answer(header + body)

    def ask(self, opcode: int, node: int = ROOT, body: bytes = b"") -> bytes:
        """Give the body of the answer; OSError when it is an errno."""
        answer = self.send(opcode, node, body)
        length, error, unique = protocol.OUT_HEADER.unpack_from(answer)
        assert (length, unique) == (len(answer), 4)
        if error:
            raise OSError(-error, "the answer")
        return answer[protocol.OUT_HEADER.size :]

    def look_up(self, path: str) -> int:
        """Give the number of a node."""
        node = ROOT
        for name in path.strip("/").split("/"):
            node, *_ = struct.unpack_from("=Q", self.ask(Opcode.LOOKUP, node, name.encode() + b"\0"))
        return node

    def open(self, node: int) -> int:
        """Give the number of an open file."""
        number, *_ = protocol.OPEN_OUT.unpack(self.ask(Opcode.OPEN, node, protocol.OPEN_IN.pack(0, 0)))
        return int(number)


@pytest.fixture
def kernel(tree: Tree) -> Iterator[Kernel]:
    operations = Operations(tree)
    operations.follow()
    yield Kernel(Requests(operations, Backings(None), Validities.of(epochs=True)))
    operations.close()


def error_of(kernel: Kernel, opcode: int, node: int = ROOT, body: bytes = b"") -> int | None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is asserted
        kernel.ask(opcode, node, body)
    return caught.value.errno


# -- well-formed -----------------------------------------------------------------------------------------


def test_reading_a_file(kernel: Kernel, filled: Sky) -> None:
    node = kernel.look_up(raw_path())
    number = kernel.open(node)
    expected = filled.expected[raw_path()]
    for offset, size in ((0, 10), (1000, 5000), (len(expected) - 3, 100), (len(expected), 1)):
        body = protocol.READ_IN.pack(number, offset, size, 0, 0, 0)
        assert kernel.ask(Opcode.READ, node, body) == expected[offset : offset + size]
    kernel.ask(Opcode.RELEASE, node, struct.pack("=QIIQ", number, 0, 0, 0))
    assert error_of(kernel, Opcode.READ, node, protocol.READ_IN.pack(number, 0, 1, 0, 0, 0)) == errno.EBADF


def test_how_long_names_and_attributes_are_believed(kernel: Kernel) -> None:
    def entry(path: str) -> tuple[int, int, int, int]:
        parent, _, name = path.rpartition("/")
        folder = kernel.look_up(parent) if parent else ROOT
        _, _, *valid = protocol.ENTRY.unpack_from(kernel.ask(Opcode.LOOKUP, folder, name.encode() + b"\0"))
        name_s, attr_s, name_ns, attr_ns = valid
        return name_s, name_ns, attr_s, attr_ns

    assert entry(raw_path()) == (86_400, 0, 86_400, 0)
    assert entry("/HSC") == (86_400, 0, 86_400, 0)
    assert entry("/.repo/status.json") == (0, 0, 0, 0)
    absent = protocol.ENTRY.unpack_from(kernel.ask(Opcode.LOOKUP, ROOT, b"nothing\0"))
    assert absent == (0, 0, 0, 0, 250_000_000, 0)


def test_sizes_that_extended_attributes_are_asked_with(kernel: Kernel) -> None:
    node = kernel.look_up(raw_path())
    asked = b"user.skyfs.exposure\0"
    assert kernel.ask(Opcode.GETXATTR, node, struct.pack("=II", 0, 0) + asked) == struct.pack("=II", 6, 0)
    assert kernel.ask(Opcode.GETXATTR, node, struct.pack("=II", 6, 0) + asked) == b"903334"
    assert error_of(kernel, Opcode.GETXATTR, node, struct.pack("=II", 5, 0) + asked) == errno.ERANGE
    acl = struct.pack("=II", 0, 0) + b"system.posix_acl_access\0"
    assert error_of(kernel, Opcode.GETXATTR, node, acl) == errno.EOPNOTSUPP


def test_records_of_a_folder_are_padded(kernel: Kernel) -> None:
    number, *_ = protocol.OPEN_OUT.unpack(kernel.ask(Opcode.OPENDIR, ROOT, protocol.OPEN_IN.pack(0, 0)))
    data = kernel.ask(Opcode.READDIR, ROOT, protocol.READ_IN.pack(number, 0, 4096, 0, 0, 0))
    found, place = [], 0
    while place < len(data):
        _, offset, length, kind = protocol.DIRENT.unpack_from(data, place)
        start = place + protocol.DIRENT.size
        found.append((data[start : start + length], offset, kind << 12))
        place = start + -(-length // 8) * 8
    assert found == [
        (name, index, stat.S_IFDIR) for index, name in enumerate([b".", b"..", b"HSC", b"runs"], 1)
    ]


def test_a_number_of_another_content_is_stale(kernel: Kernel) -> None:
    assert error_of(kernel, Opcode.GETATTR, 7 << 32, protocol.GETATTR_IN.pack(0, 0)) == errno.ESTALE
    assert error_of(kernel, Opcode.LOOKUP, 7 << 32, b"HSC\0") == errno.ESTALE


@pytest.mark.parametrize("opcode", [2000, 46, 31, 52, 0])
def test_what_is_not_known(kernel: Kernel, opcode: int) -> None:
    assert error_of(kernel, opcode) == errno.ENOSYS


CHANGES = {
    Opcode.CREATE: protocol.CREATE_IN.pack(1, 0o100644, 0, 0) + b"a\0",
    Opcode.MKNOD: protocol.MKNOD_IN.pack(0o100644, 0, 0, 0) + b"a\0",
    Opcode.MKDIR: protocol.MKDIR_IN.pack(0o755, 0) + b"a\0",
    Opcode.UNLINK: b"HSC\0",
    Opcode.RMDIR: b"HSC\0",
    Opcode.RENAME: protocol.RENAME_IN.pack(ROOT) + b"HSC\0a\0",
    Opcode.RENAME2: protocol.RENAME2_IN.pack(ROOT, 1) + b"HSC\0a\0",
    Opcode.LINK: protocol.LINK_IN.pack(ROOT) + b"a\0",
    Opcode.SYMLINK: b"a\0b\0",
    Opcode.WRITE: protocol.READ_IN.pack(1, 0, 1, 0, 0, 0) + b"x",
    Opcode.SETATTR: protocol.SETATTR_IN.pack(Valid.MODE, *(0,) * 12),
    Opcode.SETXATTR: protocol.XATTR_IN.pack(1, 0) + b"user.a\0x",
    Opcode.REMOVEXATTR: b"user.a\0",
    Opcode.FALLOCATE: protocol.FALLOCATE_IN.pack(1, 0, 1, 0),
}


@pytest.mark.parametrize("opcode", CHANGES)
def test_nothing_is_written(kernel: Kernel, opcode: Opcode) -> None:
    assert error_of(kernel, opcode, ROOT, CHANGES[opcode]) == errno.EROFS


# -- malformed -------------------------------------------------------------------------------------------


class Nonsense:
    """Makes requests, most of which mean nothing."""

    def __init__(self, kernel: Kernel, seed: int, paths: Sequence[str]) -> None:
        self._paths = paths
        self._chance = Random(seed)  # noqa: S311 - the same requests for the same seed
        self._kernel = kernel
        self._made = 0
        self._nodes: list[int] = []
        self._handles: list[int] = []

    def _renew(self) -> None:
        """Know some nodes and open files: nonsense has made the engine forget and close the last ones."""
        self._nodes, self._handles = [ROOT], [0]
        for path in self._paths:
            with suppress(OSError):  # nonsense may have removed it, or made a folder of it
                node = self._kernel.look_up(path)
                self._nodes.append(node)
                self._handles.append(self._kernel.open(node))
        folder = self._kernel.ask(Opcode.OPENDIR, ROOT, protocol.OPEN_IN.pack(0, 0))
        self._handles.append(protocol.OPEN_OUT.unpack(folder)[0])

    def message(self) -> bytes:
        chance = self._chance
        if self._made % 20 == 0:
            self._renew()
        self._made += 1
        opcode = chance.choice([*Opcode, chance.randrange(60), chance.getrandbits(32)])
        body = b"".join(self._piece() for _ in range(chance.randrange(6)))
        length = chance.choice([40 + len(body)] * 8 + [0, 39, 40, 41, chance.getrandbits(32)])
        fields = (length, opcode, chance.getrandbits(64), self._number(self._nodes), 0, 0, 1, 0, 0)
        message = protocol.IN_HEADER.pack(*fields) + body
        return message[: chance.randrange(len(message))] if chance.random() < 0.05 else message

    def _number(self, known: list[int]) -> int:
        chance = self._chance
        is_known = chance.random() < 0.8
        return chance.choice(known if is_known else [*INTERESTING, chance.getrandbits(64)])

    def _piece(self) -> bytes:
        chance = self._chance
        kind = chance.randrange(5)
        if kind == 0:
            return chance.choice(NAMES) + b"\0"
        if kind == 1:
            return struct.pack("=Q", self._number(self._handles))
        if kind == 2:
            return struct.pack("=Q", self._number([0, 1, 4096]))
        if kind == 3:
            return struct.pack("=I", self._number([0, 1, 4096]) & 0xFFFFFFFF)
        return chance.randbytes(chance.randrange(40))


def assert_answers(
    kernel: Kernel, count: int, seed: int, caplog: pytest.LogCaptureFixture, paths: Sequence[str] = PATHS
) -> None:
    nonsense = Nonsense(kernel, seed, paths)
    answered_well = 0
    for _ in range(count):
        message = nonsense.message()
        answer = kernel.requests.answer(message)
        if len(message) < protocol.IN_HEADER.size:
            assert answer == b""
            continue
        _, opcode, unique, *_ = protocol.IN_HEADER.unpack_from(message)
        if opcode in SILENT[:2]:
            assert answer == b""
            continue
        length, error, answered = protocol.OUT_HEADER.unpack_from(answer)
        assert (length, answered) == (len(answer), unique)
        assert -4096 < error <= 0
        if error:
            assert len(answer) == protocol.OUT_HEADER.size
            assert -error in errno.errorcode
        answered_well += not error
    assert answered_well > count / 10, "it is not all refused at once"
    unexpected = [record.message for record in caplog.records if "failed" in record.message]
    assert not unexpected


@pytest.mark.parametrize("seed", range(4))
def test_malformed_requests(kernel: Kernel, filled: Sky, caplog: pytest.LogCaptureFixture, seed: int) -> None:
    assert_answers(kernel, 5_000, seed, caplog)
    test_reading_a_file(kernel, filled)


@pytest.mark.parametrize("seed", range(2))
def test_malformed_requests_that_could_write(
    empty: Repository, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    """Whatever they do to scratch files, a dataset in a locked RUN stays."""
    empty.put(b"precious", "notes", run="r")
    empty.lock("r")
    operations = Operations(Tree(empty), writing=Writing(replace=True))
    operations.follow()
    kernel = Kernel(Requests(operations, Backings(None), Validities.of(epochs=True)))
    assert_answers(kernel, 5_000, seed, caplog, ("/r/notes", "/r"))
    operations.close()
    assert empty.get("notes", collections="r") == b"precious"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 110))
def test_many_malformed_requests(
    kernel: Kernel, filled: Sky, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    assert_answers(kernel, 100_000, seed, caplog)
    test_reading_a_file(kernel, filled)
