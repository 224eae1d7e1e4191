"""Taking files that exist already into the staging folder of a local store."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from skyfs.abc.store import Adoption
from skyfs.errors import StoreError

from .intent import Mark
from .staged import StagedFile, copy, digest_of, open_regular, require_regular

# The reasons why a file cannot be linked although it may be copied; the last three are what
# filesystems without hard links, and Linux's protected_hardlinks, say.
_COPY_INSTEAD = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP}


@dataclass(slots=True)
class Entry:
    """One file of a batch.

    Attributes
    ----------
    staging
        Key of the file in the staging folder.
    raw
        The file that the caller writes, for `Batch.create`.
    sha256
        The digest, when it is known already.
    mark
        State of the bytes when they were digested; they must not change until they are published.
    source
        Path and state of the file that MOVE takes away.
    how
        How it was adopted; None for a created file.
    """

    staging: str
    raw: StagedFile | None = None
    sha256: bytes | None = None
    mark: Mark | None = None
    source: tuple[str, Mark] | None = None
    how: Adoption | None = None


def adopt(path: str, staging: str, target: str, how: Adoption, mode: int) -> Entry:
    """Make ``target``, the absolute path of the staging key, from the file at ``path``."""
    asked = f"adoption of {path!r} by {how.value}"
    if "\0" in path:
        raise StoreError(asked, "the path has a NUL character", "give the path of a file")
    require_regular(os.stat(path), asked)
    if how is Adoption.SYMLINK:
        os.symlink(os.path.abspath(path), target)
        return Entry(staging, how=how)
    if how is Adoption.COPY:
        return Entry(staging, sha256=_copy(path, target, mode, asked)[0], how=how)
    real = os.path.realpath(path) if os.path.islink(path) else path
    if how is Adoption.LINK:
        os.link(real, target, follow_symlinks=False)
        return Entry(staging, how=how)
    return _move(real, staging, target, mode, asked)


def _move(real: str, staging: str, target: str, mode: int, asked: str) -> Entry:
    if not os.access(os.path.dirname(real), os.W_OK):
        raise StoreError(asked, "its folder cannot be written, so it cannot be taken away", "adopt by copy")
    try:
        os.link(real, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _COPY_INSTEAD:
            raise
        sha256, mark = _copy(real, target, mode, asked)
        return Entry(staging, sha256=sha256, source=(real, mark), how=Adoption.MOVE)
    sha256, mark = _digest(target, asked)
    return Entry(staging, sha256=sha256, mark=mark, source=(real, mark), how=Adoption.MOVE)


def _digest(path: str, asked: str) -> tuple[bytes, Mark]:
    descriptor = open_regular(path, asked)
    try:
        before = Mark.of(os.fstat(descriptor))
        sha256 = digest_of(descriptor)
        require_same(before, Mark.of(os.fstat(descriptor)), asked)
    finally:
        os.close(descriptor)
    return sha256, before


def _copy(path: str, target: str, mode: int, asked: str) -> tuple[bytes, Mark]:
    source = open_regular(path, asked)
    try:
        before = os.fstat(source)
        copied = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            size, sha256 = copy(source, copied)
            read = Mark(before.st_ino, size, os.fstat(source).st_mtime_ns)
            require_same(Mark.of(before), read, asked)
            os.utime(copied, ns=(before.st_atime_ns, before.st_mtime_ns))
        finally:
            os.close(copied)
    finally:
        os.close(source)
    return sha256, read


def require_same(before: Mark, after: Mark, asked: str) -> None:
    """Raise StoreError when a file was written while it was taken in."""
    if before != after:
        raise StoreError(asked, "it changed while it was read", "adopt it when its writer has finished")
