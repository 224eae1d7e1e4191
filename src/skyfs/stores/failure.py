"""Errors of the operating system, said in the words of the error tree."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from types import TracebackType

from skyfs.errors import Exists, NotFound, ReadOnly, SkyfsError, StoreError

_FULL = (StoreError, "free some space, then try again")
_FORBIDDEN = (StoreError, "check owner and mode of the file and of its folders")
_NO_LOCKS = (StoreError, "the filesystem must offer flock (Lustre: mount with -o flock)")

KINDS: Mapping[int, tuple[type[SkyfsError], str]] = {
    errno.ENOENT: (NotFound, ""),
    errno.EEXIST: (Exists, "bytes under a key never change: delete it first, or use another key"),
    errno.EROFS: (ReadOnly, ""),
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.ENOTDIR: (StoreError, "a folder of the key is a file"),
    errno.ELOOP: (StoreError, "a folder of the key is a symbolic link that cannot be followed"),
    errno.EXDEV: (StoreError, "adopt by copy or symlink: hard links cannot cross filesystems"),
    errno.EMLINK: (StoreError, "adopt by copy: the file has too many hard links"),
    errno.EOPNOTSUPP: (StoreError, "the filesystem must offer hard links and flock"),
    errno.ENAMETOOLONG: (StoreError, "use shorter names in the path template"),
    errno.EMFILE: (StoreError, "close some files, or raise the limit (ulimit -n)"),
    errno.ENFILE: (StoreError, "the machine has too many open files"),
    errno.EIO: (StoreError, "the disk is failing, or the network to it"),
    errno.ESTALE: (StoreError, "the file server lost the file: open it again"),
    errno.ENOLCK: _NO_LOCKS,
    errno.ENOSYS: _NO_LOCKS,
}
"""errno → error and advice; what is not here becomes StoreError."""


def translate(error: OSError, asked: str, *, missing: type[SkyfsError] = StoreError) -> SkyfsError:
    """Give the error of the tree for one of the operating system.

    ``missing`` is what ENOENT becomes: NotFound where a key is looked up, else StoreError.
    """
    kind, todo = KINDS.get(error.errno or 0, (StoreError, ""))
    found = error.strerror or str(error) or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        found = f"the disk is full ({found})"
    if kind is NotFound and missing is not NotFound:
        kind, todo = missing, "is the file or the root of the store mounted and present?"
    return kind(asked, found, todo)


class failing:  # noqa: N801 - reads as a statement: with failing("read", key, store)
    """Context in which an OSError leaves as an error that names verb, key and store."""

    __slots__ = ("_key", "_store", "_verb")

    def __init__(self, verb: str, key: str, store: str) -> None:
        self._verb, self._key, self._store = verb, key, store

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError) and not isinstance(error, SkyfsError):
            raise translate(error, f"{self._verb} {self._key!r} in store {self._store!r}") from error
