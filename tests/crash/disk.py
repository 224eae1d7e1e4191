"""A disk that loses power: what was written and not synced may be there, or not, in any combination.

A child's calls are recorded as it writes to a folder; from the record follows what a disk may hold when the
power fails. It is assumed to do no more than POSIX says: `fsync` of a file makes its bytes durable, `fsync`
of a folder its names, `syncfs` everything; a write may arrive torn.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .tracer import Call

_AT_FDCWD = 0xFFFFFF9C
_AT_REMOVEDIR = 0x200
_SECTOR = 512
_REWRITTEN = (".journal", ".sqlite3", "-wal", "-shm", ".yaml")
MARK = "returned"
"""A folder of that name, made beside what is recorded, says that the work has returned."""


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes in a file; None: cut or filled up to ``offset``."""

    file: int
    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Named:
    """A name in a folder; None: it is taken away."""

    folder: int
    name: str
    what: int | None


@dataclass(frozen=True, slots=True)
class Synced:
    """A file or folder is durable now; None: all are."""

    what: int | None


@dataclass(frozen=True, slots=True)
class Marked:
    """The work has returned."""


Change = Written | Named
Event = Change | Synced | Marked


@dataclass(slots=True)
class Image:
    """What a disk holds: files and folders by number.

    Attributes
    ----------
    past
        A folder with links to the files that were there, by number: journals know their inodes.
    """

    past: Path
    files: dict[int, bytes] = field(default_factory=dict)
    folders: dict[int, dict[str, int]] = field(default_factory=dict)

    def copy(self) -> Image:
        """Give one that can be changed."""
        folders = {number: dict(names) for number, names in self.folders.items()}
        return Image(self.past, dict(self.files), folders)

    def apply(self, change: Change) -> None:
        """Change it."""
        if isinstance(change, Written):
            held = self.files.get(change.file, b"").ljust(change.offset, b"\0")
            tail = b"" if change.data is None else change.data + held[change.offset + len(change.data) :]
            self.files[change.file] = held[: change.offset] + tail
        elif change.what is None:
            self.folders[change.folder].pop(change.name, None)
        else:
            self.folders[change.folder][change.name] = change.what

    def lay_out(self, number: int, folder: Path) -> None:
        """Make a folder as this disk has it."""
        self._lay_out(number, folder, {})

    def _lay_out(self, number: int, folder: Path, made: dict[int, Path]) -> None:
        folder.mkdir()
        for name, what in self.folders[number].items():
            path = folder / name
            if what in self.folders:
                self._lay_out(what, path, made)
            elif what in made:
                os.link(made[what], path)
            else:
                self._lay_out_file(what, path)
            made.setdefault(what, path)

    def _lay_out_file(self, number: int, path: Path) -> None:
        """Make a file: it is the very one, when it has all its bytes and nobody will write to it."""
        data, past = self.files.get(number, b""), self.past / str(number)
        if past.exists() and past.read_bytes() == data:
            os.link(past, path)
        else:
            path.write_bytes(data)


class Record:
    """What a child does to a folder; `watch` is for `tracer.run`.

    Parameters
    ----------
    root
        The folder.
    past
        An empty folder, in which all files are kept by hard links.
    """

    def __init__(self, root: Path, past: Path) -> None:
        self.events: list[Event] = []
        self.start = Image(past)
        self._numbers: dict[int, int] = {}
        self._past = past
        self.root = self._take_in(root)

    def watch(self, call: Call, let: Callable[[], int]) -> None:
        """See a call, let it happen, and note what it has changed."""
        if call.name in _ON_DESCRIPTORS:
            self._on_descriptor(call, let())
        elif call.name in ("open", "openat"):
            self._open(call, let)
        elif call.name in _ON_NAMES:
            self._on_name(call, let)

    def image(self, count: int, dice: random.Random | None, chance: float) -> Image:
        """Give what the disk may hold after so many events; a pending change is kept with that chance."""
        image, pending = self.start.copy(), list[Change]()
        for event in self.events[:count]:
            if isinstance(event, Synced):
                for change in pending:
                    if event.what is None or event.what == _owner(change):
                        image.apply(change)
                pending = [one for one in pending if event.what is not None and event.what != _owner(one)]
            elif not isinstance(event, Marked):
                pending.append(event)
        for change in pending:
            if dice is None or dice.random() < chance:
                image.apply(change if dice is None else _torn(change, dice))
        return image

    # -- what there is at the start

    def _take_in(self, folder: Path) -> int:
        number = self._number(folder.stat().st_ino)
        names = self.start.folders[number] = {}
        for path in folder.iterdir():
            names[path.name] = self._take_in(path) if path.is_dir() else self._take_in_file(path)
        return number

    def _take_in_file(self, path: Path) -> int:
        number = self._number(path.stat().st_ino)
        self.start.files[number] = path.read_bytes()
        self._keep(path, number)
        return number

    def _keep(self, path: Path, number: int) -> None:
        if not path.name.endswith(_REWRITTEN):
            os.link(path, self._past / str(number))

    def _number(self, inode: int, *, new: bool = False) -> int:
        """Number a file: inodes are used again."""
        if new or inode not in self._numbers:
            self._numbers[inode] = 1 + max(self._numbers.values(), default=0)
        return self._numbers[inode]

    # -- what happens to it

    def _on_descriptor(self, call: Call, result: int) -> None:
        path = f"/proc/{call.thread}/fd/{call.arguments[0] & 0xFFFFFFFF}"
        if call.name == "syncfs":
            self.events.append(Synced(None))
        elif result >= 0 and os.path.exists(path):
            number = self._numbers.get(os.stat(path).st_ino)
            if number is not None:
                self.events.append(_change_of(call, path, number, result))

    def _open(self, call: Call, let: Callable[[], int]) -> None:
        path = _path(call, *((0,) if call.name == "open" else (0, 1)))
        existed = os.path.lexists(path)
        result = let()
        if result < 0 or self._folder(path) is None:
            return
        flags = call.arguments[1 if call.name == "open" else 2]
        number = self._number(os.stat(path).st_ino, new=not existed)
        if not existed:
            self._keep(path, number)
            self._name(path, number)
        elif flags & os.O_TRUNC:
            self.events.append(Written(number, 0, None))

    def _on_name(self, call: Call, let: Callable[[], int]) -> None:
        paths = [_path(call, *places) for places in _ON_NAMES[call.name]]
        if let() < 0:
            return
        path = paths[-1]
        if call.name.startswith("mkdir") and path.name == MARK:
            self.events.append(Marked())
        elif self._folder(path) is None:
            return
        elif call.name.startswith(("unlink", "rmdir")):
            self._name(path, None)
        else:
            assert not call.name.startswith(("rename", "symlink")), "nothing of the protocol does"
            number = self._number(os.lstat(path).st_ino, new=call.name.startswith("mkdir"))
            if call.name.startswith("mkdir"):
                self.start.folders[number] = {}  # which nothing leads to yet
            self._name(path, number)

    def _folder(self, path: Path) -> int | None:
        """Give the number of a path's folder, when it is inside of the root."""
        return self._numbers.get(path.parent.stat().st_ino) if path.parent.exists() else None

    def _name(self, path: Path, what: int | None) -> None:
        folder = self._folder(path)
        assert folder is not None
        self.events.append(Named(folder, path.name, what))


def _owner(change: Change) -> int:
    return change.file if isinstance(change, Written) else change.folder


def _torn(change: Change, dice: random.Random) -> Change:
    if isinstance(change, Written) and change.data and dice.random() < 0.25:
        kept = dice.randrange(0, len(change.data), _SECTOR)
        return Written(change.file, change.offset, change.data[:kept])
    return change


def _change_of(call: Call, path: str, number: int, result: int) -> Event:
    """Give what a call did to a file: its bytes are read from the file itself."""
    if call.name in ("fsync", "fdatasync"):
        return Synced(number)
    with open(path, "rb") as file:
        if call.name not in ("write", "pwrite64"):
            return Written(number, os.fstat(file.fileno()).st_size, None)
        offset = call.arguments[3] if call.name == "pwrite64" else _position(path) - result
        return Written(number, offset, os.pread(file.fileno(), result, offset))


def _position(path: str) -> int:
    text = Path(path.replace("/fd/", "/fdinfo/")).read_text(encoding="ascii")
    return int(text.split()[1])


def _path(call: Call, *places: int) -> Path:
    """Give the path that stands in the arguments: alone, or below a folder's descriptor."""
    name = _text(call.thread, call.arguments[places[-1]])
    folder = call.arguments[places[0]] & 0xFFFFFFFF if len(places) > 1 else _AT_FDCWD
    at = f"/proc/{call.thread}/" + ("cwd" if folder == _AT_FDCWD else f"fd/{folder}")
    return Path(os.path.abspath(os.path.join(os.readlink(at), name)))


def _text(thread: int, address: int) -> str:
    with open(f"/proc/{thread}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        found = b""
        while b"\0" not in found:
            found += memory.read(64)
    return os.fsdecode(found.partition(b"\0")[0])


_ON_DESCRIPTORS = {"write", "pwrite64", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs"}
# Where the paths stand in the arguments.
_ON_NAMES: Mapping[str, Sequence[tuple[int, ...]]] = {
    "mkdir": [(0,)],
    "rmdir": [(0,)],
    "unlink": [(0,)],
    "mkdirat": [(0, 1)],
    "unlinkat": [(0, 1)],
    "link": [(0,), (1,)],
    "linkat": [(0, 1), (2, 3)],
    "symlink": [(1,)],
    "symlinkat": [(1, 2)],
    "rename": [(0,), (1,)],
    "renameat": [(0, 1), (2, 3)],
    "renameat2": [(0, 1), (2, 3)],
}


def counts(events: Sequence[Event]) -> Iterator[tuple[int, bool]]:
    """Give after how many events the power may fail, and whether the work had returned by then."""
    returned = False
    for count in range(len(events) + 1):
        returned = returned or (count > 0 and isinstance(events[count - 1], Marked))
        yield count, returned
