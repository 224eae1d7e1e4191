"""The engine that works wherever there is a libfuse: FUSE through mfusepy."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import ModuleType
from typing import Any

from ..errors import MissingPackage, StoreError
from .caller import Caller
from .handles import Handle
from .nodes import KERNEL_S
from .operations import Operations
from .serving import SUBTYPE, Serving

# Sequential reads come in pieces of this many bytes, where the kernel allows it.
_READ_AHEAD_BYTES = 1 << 20
_THREADS = 10
_Times = tuple[int | None, int | None] | None

# What libfuse 3 does anyway: writes of more than a page, and opening that cuts a file in one request.
_OLD_OPTIONS = {"big_writes": True, "atomic_o_trunc": True}
# What a time is when it is left as it is, or is now: <sys/stat.h>.
_NOW, _OMIT = (1 << 30) - 1, (1 << 30) - 2


def load() -> ModuleType:
    """Give mfusepy, or fusepy, which has the same interface.

    Raises
    ------
    MissingPackage
        When there is neither, or no libfuse.
    """
    for name in ("mfusepy", "fuse"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except OSError as error:
            raise MissingPackage("mount", f"{name}: {error}", "as root: apt-get install fuse3") from None
    raise MissingPackage("mount", "no mfusepy", "python -m pip install 'skyfs[mount]'")


def run(operations: Operations, serving: Serving) -> None:
    """Mount and serve until it is unmounted.

    Raises
    ------
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel, or fusermount3, refuses.
    """
    fuse = load()
    known = fuse.__name__ == "mfusepy"
    engine = (Engine if known else CallableEngine)(
        operations, lambda: serving.ready("libfuse"), fuse.fuse_get_context
    )
    if not os.path.exists("/dev/fuse"):
        raise MissingPackage(
            "mount", "there is no /dev/fuse", "load the kernel's module, or give it to the container"
        )
    try:
        (_binding(fuse) if known else fuse.FUSE)(
            engine,
            serving.folder,
            raw_fi=True,  # the third positional argument: never passed by position
            foreground=True,
            nothreads=False,
            **_options(serving),
            **(_OLD_OPTIONS if _version(fuse) < (3, 0) else {}),
            **_threads(fuse),
        )
    except RuntimeError as error:
        if engine.was_ready:
            return  # a signal ended it, after unmounting
        todo = (
            "allow_other needs user_allow_other in /etc/fuse.conf"
            if serving.allow_other
            else "its own message says why"
        )
        raise StoreError(f"mount at {serving.folder!r}", f"FUSE gave up with {error}", todo) from None
    finally:
        operations.close()


def _options(serving: Serving) -> dict[str, object]:
    """Give the mount options.

    The kernel forgets attributes and names after a moment, and the absence of a name at once. It keeps pages
    only as far as each open says (``keep_cache``), so neither ``kernel_cache`` nor ``auto_cache`` is set.
    Where files are written it keeps nothing: a file that is being written is not there for everybody.
    """
    kept_s = 0 if serving.writable else KERNEL_S
    return {
        "fsname": f"skyfs:{serving.name}",
        "subtype": SUBTYPE,
        "ro": not serving.writable,
        "nosuid": True,
        "nodev": True,
        "default_permissions": True,
        "allow_other": serving.allow_other,
        "use_ino": True,
        "hard_remove": True,  # else libfuse renames what is open instead of removing it
        "attr_timeout": kept_s,
        "entry_timeout": kept_s,
        "negative_timeout": 0,
    }


def _binding(fuse: ModuleType) -> type:
    """Give mfusepy's class with the arguments that it leaves out: open files, flags, times that stay."""

    class Binding(fuse.FUSE):  # type: ignore[name-defined]
        def rename_fuse_3(self, old: bytes, new: bytes, flags: int) -> None:
            self.operations.rename(self._text(old), self._text(new), flags)

        def truncate_fuse_3(self, path: bytes | None, length: int, fip: Any) -> None:  # noqa: ANN401
            self.operations.truncate(self._text(path), length, fip.contents if fip else None)

        def utimens_fuse_2(self, path: bytes | None, buffer: Any) -> None:  # noqa: ANN401
            self.utimens_fuse_3(path, buffer, None)

        def utimens_fuse_3(self, path: bytes | None, buffer: Any, fip: Any) -> None:  # noqa: ANN401
            times = (buffer.contents.actime, buffer.contents.modtime) if buffer else None
            ns = None if times is None else tuple(map(_time_ns, times))
            self.operations.utimens(self._text(path), ns, fip.contents if fip else None)

        def _text(self, path: bytes | None) -> str:
            return "" if path is None else path.decode(self.encoding, self.errors)

    return Binding


def _time_ns(found: Any) -> int | None:  # noqa: ANN401 - a C structure
    if found.tv_nsec == _OMIT:
        return None
    return time.time_ns() if found.tv_nsec == _NOW else found.tv_sec * 10**9 + found.tv_nsec


def _threads(fuse: ModuleType) -> dict[str, object]:
    """Give the number of threads to a libfuse that knows the options, and warns when they are left out."""
    return {"max_threads": _THREADS, "max_idle_threads": _THREADS} if _version(fuse) >= (3, 12) else {}


def _version(fuse: ModuleType) -> tuple[int, int]:
    """Give the version of libfuse."""
    return getattr(fuse, "fuse_version_major", 2), getattr(fuse, "fuse_version_minor", 0)


class Engine:
    """Translates between the binding's signatures and `Operations`; what is not here is never asked.

    To libfuse nothing means 0: done.
    """

    use_ns = True
    # To libfuse 2: open files may have no path any more, and one of the two times may be left as it is.
    flag_nullpath_ok = True
    flag_utime_omit_ok = True

    def __init__(
        self,
        operations: Operations,
        ready: Callable[[], None],
        context: Callable[[], tuple[int, int, int]] = lambda: (0, 0, 0),
    ) -> None:
        self._operations = operations
        self._ready = ready
        self._context = context
        self.was_ready = False

    def init_with_config(self, connection: Any, config: Any) -> None:  # noqa: ANN401, ARG002 - C structures
        """Begin: set what libfuse 3 asks for beyond `init`."""
        if connection is not None:
            connection.max_readahead = max(connection.max_readahead, _READ_AHEAD_BYTES)
        self.init("/")

    def init(self, path: str) -> None:  # noqa: ARG002 - fusepy knows this one only
        """Begin to serve."""
        self.was_ready = True
        self._ready()

    def getattr(self, path: str, fi: Any = None) -> Mapping[str, int]:  # noqa: ANN401
        """Give the attributes of a path, or of an open file."""
        # The kernel asks for the attributes of an open file as for those of a path.
        return self._operations.getattr(path, _number(fi), self._caller())

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int] | None, int]]:  # noqa: ARG002
        """Give the entries of a folder, one after the other."""
        dots: list[tuple[str, dict[str, int] | None, int]] = [(".", None, 0), ("..", None, 0)]
        # One after the other: 10^6 at once would take 500 MB.
        return chain(dots, ((name, kind, 0) for name, kind in self._operations.readdir(path)))

    def open(self, path: str, fi: Any) -> None:  # noqa: ANN401
        """Open a file; its number goes into ``fi``."""
        _set(fi, *self._operations.open(path, fi.flags, self._caller()))

    def create(self, path: str, mode: int, fi: Any) -> None:  # noqa: ANN401
        """Make a file and open it."""
        _set(fi, *self._operations.create(path, fi.flags, mode, self._caller()))

    def read(self, path: str, size: int, offset: int, fi: Any) -> bytes:  # noqa: ANN401, ARG002
        """Give bytes of an open file."""
        return self._operations.read(fi.fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fi: Any) -> int:  # noqa: ANN401, ARG002
        """Write to an open file."""
        return self._operations.write(fi.fh, data, offset)

    def truncate(self, path: str, length: int, fi: Any = None) -> None:  # noqa: ANN401
        """Set the size of a file."""
        self._operations.truncate(path, length, _number(fi))

    def fallocate(self, path: str, mode: int, offset: int, length: int, fi: Any) -> None:  # noqa: ANN401, ARG002
        """Take the disk that a range of a file needs."""
        self._operations.fallocate(fi.fh, mode, offset, length)

    def fsync(self, path: str, datasync: int, fi: Any) -> None:  # noqa: ANN401, ARG002
        """Make what was written to an open file durable."""
        self._operations.fsync(fi.fh)

    def flush(self, path: str, fi: Any) -> None:  # noqa: ANN401, ARG002
        """Tell that a descriptor of an open file was closed."""
        self._operations.flush(fi.fh, self._caller())

    def release(self, path: str, fi: Any) -> None:  # noqa: ANN401, ARG002
        """Forget an open file: its last descriptor was closed."""
        self._operations.release(fi.fh)

    def access(self, path: str, amode: int) -> None:
        """Refuse what may not be done with a path."""
        self._operations.access(path, amode)

    def statfs(self, path: str) -> dict[str, int]:
        """Give the state of the filesystem."""
        return dict(self._operations.statfs(path))

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:  # noqa: ARG002
        """Give an extended attribute."""
        return self._operations.getxattr(path, name)

    def listxattr(self, path: str) -> list[str]:
        """Give the names of the extended attributes."""
        return self._operations.listxattr(path)

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> None:  # noqa: ARG002
        """Set an extended attribute."""
        self._operations.setxattr(path, name, value, options)

    def removexattr(self, path: str, name: str) -> None:
        """Remove an extended attribute."""
        self._operations.removexattr(path, name)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permissions of a path."""
        self._operations.chmod(path, mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        """Set the owner of a path."""
        self._operations.chown(path, uid, gid)

    def utimens(self, path: str, times: _Times = None, fi: Any = None) -> None:  # noqa: ANN401
        """Set the times of a path; without times, to now."""
        atime_ns, mtime_ns = (time.time_ns(),) * 2 if times is None else times
        self._operations.utimens(path, atime_ns, mtime_ns, _number(fi))

    def mkdir(self, path: str, mode: int) -> None:
        """Make a folder."""
        self._operations.mkdir(path, mode, self._caller())

    def rmdir(self, path: str) -> None:
        """Remove a folder."""
        self._operations.rmdir(path)

    def unlink(self, path: str) -> None:
        """Remove a file."""
        self._operations.unlink(path)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a path."""
        self._operations.rename(old, new, flags)

    def link(self, target: str, source: str) -> None:
        """Make a hard link: into a TAGGED collection, a tag."""
        self._operations.link(source, target)

    def symlink(self, target: str, source: str) -> None:
        """Make a symbolic link."""
        self._operations.symlink(source, target)

    def mknod(self, path: str, mode: int, dev: int) -> None:  # noqa: ARG002
        """Refuse devices and pipes; files are made by `create`."""
        self._operations.symlink(path)

    def _caller(self) -> Caller:
        uid, gid, pid = self._context()
        return Caller(pid, uid, gid)


class CallableEngine(Engine):
    """The same for fusepy, which calls it with the name of the operation."""

    def __call__(self, name: str, *arguments: Any) -> Any:  # noqa: ANN401
        return getattr(self, name)(*arguments)


def _number(fi: Any) -> int | None:  # noqa: ANN401 - a C structure, or None
    """Give the number of the open file that a request is about."""
    return fi.fh if fi is not None and fi.fh else None


def _set(fi: Any, number: int, handle: Handle) -> None:  # noqa: ANN401 - a C structure
    """Tell libfuse, and by it the kernel, of a file that was opened."""
    fi.fh = number
    fi.keep_cache = int(handle.keep_cache)
    fi.direct_io = int(handle.direct)
