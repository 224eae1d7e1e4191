"""Every error that skyfs raises on purpose.

::

    SkyfsError                      code              also a            errno
    ├─ BadPath                      bad-path          ValueError        EINVAL
    ├─ BadDataId                    bad-data-id       ValueError        EINVAL
    ├─ BadDefinition                bad-definition    ValueError        EINVAL
    ├─ BadConfig                    bad-config        ValueError        EINVAL
    ├─ BadContent                   bad-content       ValueError        EIO
    ├─ BadArgument                  bad-argument      ValueError        EINVAL
    ├─ UnknownFormat                unknown-format    ValueError        EINVAL
    ├─ InvalidQuery                 invalid-query     ValueError        EINVAL
    ├─ Ambiguous                    ambiguous         LookupError       EINVAL
    ├─ Conflict                     conflict          ValueError        EEXIST
    ├─ NotFound                     not-found         FileNotFoundError ENOENT
    │  └─ NoBytes                   no-bytes          FileNotFoundError ENODATA
    ├─ Exists                       exists            FileExistsError   EEXIST
    ├─ IsDirectory                  is-directory      IsADirectoryError EISDIR
    ├─ NotDirectory                 not-directory     NotADirectoryError ENOTDIR
    ├─ NotAllowed                   not-allowed       PermissionError   EPERM
    │  ├─ ReadOnly                  read-only         PermissionError   EROFS
    │  └─ Locked                    locked            PermissionError   EPERM
    ├─ StoreError                   store             OSError           EIO
    │  ├─ Transient                 transient         OSError           EIO
    │  ├─ InDoubt                   in-doubt          OSError           EIO
    │  └─ WrongBytes                wrong-bytes       OSError           EIO
    ├─ VersionError                 version           ValueError        EINVAL
    ├─ MissingPackage               missing-package   ImportError       ENOSYS
    └─ Unsupported                  unsupported       ValueError        EOPNOTSUPP

A message says what was asked, what was found, and what to do. ``code`` never changes.
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterable
from difflib import get_close_matches

# Of each of the three parts of a message: names come from files, and may be as long as these.
_MOST_SHOWN = 1000
_END_SHOWN = 100
_MOST_NAMED = 20


class SkyfsError(Exception):
    """Base of all errors of skyfs.

    Parameters
    ----------
    asked
        What was asked for, or the whole message when the other two are left out.
    found
        What was there instead.
    todo
        What the user can do about it.
    """

    code = "skyfs"
    errno: int | None = errno.EIO

    def __init__(self, asked: str, found: str = "", todo: str = "") -> None:
        self.asked, self.found, self.todo = asked, found, todo
        super().__init__(str(self))
        # Builtin OSErrors carry their errno in a slot; fill it, so that FUSE and fsspec see it.
        self.errno = type(self).errno

    def __str__(self) -> str:
        """Give one line, of bounded length, that a terminal or a log can show whatever is named in it."""
        asked, found, todo = map(_one_line, (self.asked, self.found, self.todo))
        return asked + (f": {found}" if found else "") + (f" ({todo})" if todo else "")

    def __reduce__(self) -> tuple[type[SkyfsError], tuple[str, str, str]]:
        return type(self), (self.asked, self.found, self.todo)


def _one_line(text: str) -> str:
    """Give a text without what would end a line of a log, and cut when it is long."""
    if len(text) > _MOST_SHOWN:
        text = f"{text[: _MOST_SHOWN - _END_SHOWN]} ... {text[-_END_SHOWN:]}"
    return printable(text)


def printable(text: str) -> str:
    """Escape what a terminal would obey, and what turns or hides the text around it."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def nearest(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """Suggest the names that are most like one that nobody knows, else say ``otherwise`` or what there is."""
    names = sorted(known)
    near = get_close_matches(name, names, 3)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return some_of(names) if otherwise is None else otherwise


def some_of(names: Iterable[str]) -> str:
    """Name some of those that there are; nothing when there are none."""
    first = sorted(names)
    shown = first[:_MOST_NAMED] + ["..."] * (len(first) > _MOST_NAMED)
    return f"there are {', '.join(shown)}" if shown else ""


def look_for(path: str | os.PathLike[str]) -> str:
    """Say what to do about a file of this machine that is not there."""
    return f"see what there is: ls {shlex.quote(os.path.dirname(os.fspath(path)) or '.')}"


class BadPath(SkyfsError, ValueError):
    """The text is not a path of the grammar."""

    code = "bad-path"
    errno = errno.EINVAL


class BadDataId(SkyfsError, ValueError):
    """A data ID has unknown, missing, ill-typed or contradicting values."""

    code = "bad-data-id"
    errno = errno.EINVAL


class BadDefinition(SkyfsError, ValueError):
    """A universe, dataset type, collection or record is not well formed."""

    code = "bad-definition"
    errno = errno.EINVAL


class BadConfig(SkyfsError, ValueError):
    """A configuration file or argument has unknown keys or ill-typed values."""

    code = "bad-config"
    errno = errno.EINVAL


class BadContent(SkyfsError, ValueError):
    """The bytes are not what their extension says: truncated, damaged, another format."""

    code = "bad-content"
    errno = errno.EIO


class BadArgument(SkyfsError, ValueError):
    """An argument of a call is of the wrong kind or does not go with the others."""

    code = "bad-argument"
    errno = errno.EINVAL


class UnknownFormat(SkyfsError, ValueError):
    """No format has the extension, or none can hold the Python object."""

    code = "unknown-format"
    errno = errno.EINVAL


class InvalidQuery(SkyfsError, ValueError):
    """A query expression cannot be parsed, or does not fit the repository."""

    code = "invalid-query"
    errno = errno.EINVAL


class Ambiguous(SkyfsError, LookupError):
    """More than one dataset answers where one is wanted."""

    code = "ambiguous"
    errno = errno.EINVAL


class Conflict(SkyfsError, ValueError):
    """The name is taken by something different."""

    code = "conflict"
    errno = errno.EEXIST


class NotFound(SkyfsError, FileNotFoundError):
    """Nothing of that name exists."""

    code = "not-found"
    errno = errno.ENOENT


class NoBytes(NotFound):
    """The dataset is declared, but its bytes are not stored."""

    code = "no-bytes"
    errno = errno.ENODATA


class Exists(SkyfsError, FileExistsError):
    """A dataset of that type and data ID is there already."""

    code = "exists"
    errno = errno.EEXIST


class IsDirectory(SkyfsError, IsADirectoryError):
    """A file was asked for, and the path is a directory."""

    code = "is-directory"
    errno = errno.EISDIR


class NotDirectory(SkyfsError, NotADirectoryError):
    """A directory was asked for, and the path is a file."""

    code = "not-directory"
    errno = errno.ENOTDIR


class NotAllowed(SkyfsError, PermissionError):
    """The rules of the repository forbid it."""

    code = "not-allowed"
    errno = errno.EPERM


class ReadOnly(NotAllowed):
    """The repository, store or path was opened for reading only."""

    code = "read-only"
    errno = errno.EROFS


class Locked(NotAllowed):
    """The RUN is locked."""

    code = "locked"


class StoreError(SkyfsError, OSError):
    """A store could not read or write: the message names store and key."""

    code = "store"
    errno = errno.EIO


class Transient(StoreError):
    """A store failed in a way that may pass: a timeout, a cut connection, a busy server."""

    code = "transient"


class InDoubt(StoreError):
    """Connection or disk failed while a change was committed: it is there as a whole, or not at all."""

    code = "in-doubt"


class WrongBytes(StoreError):
    """What lies in a store has not the size or the digest that the registry knows."""

    code = "wrong-bytes"


class VersionError(SkyfsError, ValueError):
    """The repository has a schema that this version of skyfs does not know."""

    code = "version"
    errno = errno.EINVAL


class MissingPackage(SkyfsError, ImportError):
    """An optional package is not installed."""

    code = "missing-package"
    errno = errno.ENOSYS


class Unsupported(SkyfsError, ValueError):
    """The thing is well formed, but cannot be done here."""

    code = "unsupported"
    errno = errno.EOPNOTSUPP
