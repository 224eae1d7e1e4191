"""The engine that works wherever there is a libfuse: FUSE through mfusepy."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import ModuleType
from typing import Any

from ..errors import MissingPackage, StoreError
from .handles import Handle
from .nodes import KERNEL_S
from .operations import Operations
from .serving import SUBTYPE, Serving

# Sequential reads come in pieces of this many bytes, where the kernel allows it.
_READ_AHEAD_BYTES = 1 << 20
_THREADS = 10
_WRITING = (
    "chmod", "chown", "create", "fallocate", "link", "mkdir", "mknod", "removexattr", "rename", "rmdir",
    "setxattr", "symlink", "truncate", "unlink", "utimens", "write",
)  # fmt: skip


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
    engine = (Engine if fuse.__name__ == "mfusepy" else CallableEngine)(
        operations, lambda: serving.ready("libfuse")
    )
    if not os.path.exists("/dev/fuse"):
        raise MissingPackage(
            "mount", "there is no /dev/fuse", "load the kernel's module, or give it to the container"
        )
    try:
        fuse.FUSE(
            engine,
            serving.folder,
            raw_fi=True,  # the third positional argument: never passed by position
            foreground=True,
            nothreads=False,
            **_options(serving.name, allow_other=serving.allow_other),
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


def _options(name: str, *, allow_other: bool) -> dict[str, object]:
    """Give the mount options.

    The kernel forgets attributes and names after a moment, and the absence of a name at once. It keeps pages
    only as far as each open says (``keep_cache``), so neither ``kernel_cache`` nor ``auto_cache`` is set.
    """
    return {
        "fsname": f"skyfs:{name}",
        "subtype": SUBTYPE,
        "ro": True,
        "nosuid": True,
        "nodev": True,
        "default_permissions": True,
        "allow_other": allow_other,
        "use_ino": True,
        "attr_timeout": KERNEL_S,
        "entry_timeout": KERNEL_S,
        "negative_timeout": 0,
    }


def _threads(fuse: ModuleType) -> dict[str, object]:
    """Give the number of threads to a libfuse that knows the options, and warns when they are left out."""
    version = (getattr(fuse, "fuse_version_major", 2), getattr(fuse, "fuse_version_minor", 0))
    return {"max_threads": _THREADS, "max_idle_threads": _THREADS} if version >= (3, 12) else {}


class Engine:
    """Translates between the binding's signatures and `Operations`; what is not here is never asked."""

    use_ns = True

    def __init__(self, operations: Operations, ready: Callable[[], None]) -> None:
        self._operations = operations
        self._ready = ready
        self.was_ready = False
        for name in _WRITING:
            setattr(self, name, operations.refuse)

    def init_with_config(self, connection: Any, config: Any) -> None:  # noqa: ANN401, ARG002 - C structures
        if connection is not None:
            connection.max_readahead = max(connection.max_readahead, _READ_AHEAD_BYTES)
        self.init("/")

    def init(self, path: str) -> None:  # noqa: ARG002 - fusepy knows this one only
        self.was_ready = True
        self._ready()

    def getattr(self, path: str, fi: Any = None) -> Mapping[str, int]:  # noqa: ANN401
        return self._operations.getattr(path, fi.fh if fi is not None and fi.fh else None)

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int] | None, int]]:  # noqa: ARG002
        dots: list[tuple[str, dict[str, int] | None, int]] = [(".", None, 0), ("..", None, 0)]
        # One after the other: 10^6 at once would take 500 MB.
        return chain(dots, ((name, kind, 0) for name, kind in self._operations.readdir(path)))

    def open(self, path: str, fi: Any) -> int:  # noqa: ANN401
        number, handle = self._operations.open(path, fi.flags)
        fi.fh = number
        _set_caching(fi, handle)
        return 0

    def read(self, path: str, size: int, offset: int, fi: Any) -> bytes:  # noqa: ANN401, ARG002
        return self._operations.read(fi.fh, size, offset)

    def release(self, path: str, fi: Any) -> int:  # noqa: ANN401, ARG002
        self._operations.release(fi.fh)
        return 0

    def access(self, path: str, amode: int) -> int:
        self._operations.access(path, amode)
        return 0

    def statfs(self, path: str) -> dict[str, int]:
        return dict(self._operations.statfs(path))

    def getxattr(self, path: str, name: str, position: int = 0) -> bytes:  # noqa: ARG002
        return self._operations.getxattr(path, name)

    def listxattr(self, path: str) -> list[str]:
        return self._operations.listxattr(path)


class CallableEngine(Engine):
    """The same for fusepy, which calls it with the name of the operation."""

    def __call__(self, name: str, *arguments: Any) -> Any:  # noqa: ANN401
        return getattr(self, name)(*arguments)


def _set_caching(fi: Any, handle: Handle) -> None:  # noqa: ANN401 - a C structure
    fi.keep_cache = int(handle.keep_cache)
    fi.direct_io = int(handle.direct)
