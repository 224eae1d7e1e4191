"""What a mounted tree answers to each request, without knowing FUSE.

Every method takes the path as the kernel spells it and raises `Refusal`, never anything else.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..abc.source import ByteSource
from ..errors import IsDirectory, NotFound
from ..model.paths import parse
from ..tree import Listed, Node, Tree
from .failures import Refusal, answering, log
from .handles import Handle, Handles, identity
from .listing import Listing, Listings
from .nodes import Entry, Freshness, NodeCache
from .requests import Requests

PREFIX = "user.skyfs."
_NAME_MAX = 255
_BLOCK = 512  # of st_blocks, whatever the block size is
_PREFERRED_BLOCK = 1 << 17  # FUSE's reads are of this many bytes unless read-ahead is raised
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_APPEND


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom all files belong, and what its folder permits to whom: no mount widens that."""

    uid: int
    gid: int
    mask: int

    @classmethod
    def of(cls, root: str | os.PathLike[str]) -> Owner:
        """Take them from a folder."""
        found = os.stat(root)
        return cls(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode) & 0o777)


@dataclass(frozen=True, slots=True)
class Writing:
    """How a mount can be written to.

    Attributes
    ----------
    replace
        Whether writing where a dataset exists puts another in its place.
    """

    replace: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the thread (as the daemon sees its number; 0: unknown), its user and group, and its umask."""

    pid: int = 0
    uid: int = 0
    gid: int = 0
    umask: int = 0


class Operations:
    """The requests of a kernel, answered from a tree. Safe from several threads.

    Parameters
    ----------
    tree
        What is mounted.
    clock
        Seconds of a monotonic clock.
    stamp
        Gives a value that differs after each commit to the registry; None when that is unknown.
    writing
        How it can be written to; None: not at all.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        clock: Callable[[], float] = time.monotonic,
        stamp: Callable[[], object] = lambda: None,
        writing: Writing | None = None,
    ) -> None:
        self._writing = writing
        self._tree = tree
        self._root = tree.repository.root
        self._owner = Owner.of(self._root)
        self._freshness = Freshness(clock, stamp)
        self._nodes = NodeCache(self._freshness)
        self._listings = Listings(self._freshness)
        self.handles = Handles()
        self.requests = Requests()
        self.refusals: Sequence[Mapping[str, object]] = ()

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self.handles)

    @property
    def sample(self) -> str:
        """Path of a file that lies where the repository's files lie."""
        return os.path.join(self._root, "skyfs.yaml")

    def follow(self) -> None:
        """Serve an engine that tells contents of one path apart, and calls `look` several times a second."""
        self.handles.apart = True
        self._freshness.follow()

    def look(self) -> bool:
        """Tell whether the repository may have been changed since the last call, by whomever."""
        return self._freshness.look()

    # -- names -----------------------------------------------------------------------------------------

    @answering
    def getattr(self, path: str, number: int | None = None) -> Mapping[str, int]:
        """Give the attributes of a path, or of an open file: times in nanoseconds."""
        if number is not None:
            return self.attributes(_current(self.handles.get(number)).node)
        listed = self._listed(path)
        if listed is None:
            entry = self._entry(path)
            found, lasts = self._stat(entry), not (entry.node.is_dir or entry.node.is_volatile)
        else:
            found, lasts = self.attributes(listed), not listed.is_dir
        if lasts:
            self.handles.tell(path, (found["st_ino"], found["st_size"], found["st_mtime"]))
        return found

    @answering
    def readdir(self, path: str) -> Iterator[tuple[str, dict[str, int]]]:
        """Give the names in a folder with their kinds and inodes."""
        listing = self._listing(path)
        return ((one.name, {"st_mode": self._mode(one), "st_ino": one.inode}) for one in listing)

    @answering
    def listing(self, path: str) -> Listing:
        """Give what a folder holds; of entries with the size -1 only `getattr` gives the attributes."""
        return self._listing(path)

    @answering
    def access(self, path: str, mode: int) -> None:
        """Refuse writing; the kernel checks the rest by the attributes."""
        if mode & os.W_OK:
            raise Refusal(errno.EROFS)
        self._entry(path)

    @answering
    def statfs(self, path: str) -> Mapping[str, int]:  # noqa: ARG002 - it is the same everywhere
        """Give the state of the filesystem that the repository lies on; nothing can be written here."""
        found = os.statvfs(self._root)
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_files", "f_ffree")
        return {name: getattr(found, name) for name in names} | {
            "f_bavail": 0,
            "f_favail": 0,
            "f_flag": os.ST_RDONLY | os.ST_NOSUID,
            "f_namemax": _NAME_MAX,
        }

    def attributes(self, node: Node | Listed) -> dict[str, int]:
        """Give the attributes of a node, or of an entry of a listing whose size is known."""
        return {
            "st_mode": self._mode(node),
            "st_ino": node.inode,
            "st_nlink": 2 if node.is_dir else 1,
            "st_uid": self._owner.uid,
            "st_gid": self._owner.gid,
            "st_size": node.size,
            "st_blocks": -(-node.size // _BLOCK),
            "st_blksize": _PREFERRED_BLOCK,
            "st_atime": node.mtime_ns,
            "st_mtime": node.mtime_ns,
            "st_ctime": node.mtime_ns,
        }

    # -- bytes -----------------------------------------------------------------------------------------

    @answering
    def open(self, path: str, flags: int) -> tuple[int, Handle]:
        """Open a file; the number is valid until `release`."""
        if flags & _WRITING:
            raise Refusal(errno.EROFS)
        node = self._entry(path).node
        if not node.is_dir and not self.handles.is_told(path, node):
            # The kernel would cut the new content to the old one's size. By this answer it asks for it again.
            self._forget(path)
            raise Refusal(errno.ESTALE)
        return self.handles.add(path, node, self._opened(path, node))

    @answering
    def read(self, number: int, size: int, offset: int) -> bytes:
        """Give bytes of an open file; fewer only at its end."""
        handle = _current(self.handles.get(number))
        stop = min(offset + size, handle.node.size)
        if offset < 0 or stop <= offset:
            return b""
        data = handle.source.read(offset, stop)
        if len(data) != stop - offset:
            log.error("%s: %d bytes at %d instead of %d", handle.node.path, len(data), offset, stop - offset)
            raise Refusal(errno.EIO)
        return data

    @answering
    def release(self, number: int) -> None:
        """Close a file."""
        self.handles.remove(number)

    # -- extended attributes ---------------------------------------------------------------------------

    @answering
    def listxattr(self, path: str) -> list[str]:
        """Give the names of the extended attributes of a dataset."""
        return list(self._extended(path))

    @answering
    def getxattr(self, path: str, name: str) -> bytes:
        """Give the value of an extended attribute, as text."""
        if not name.startswith("user."):
            # `ls -l` asks each file for its security labels and access lists: there are none, for any.
            raise Refusal(errno.EOPNOTSUPP)
        found = self._extended(path).get(name) if name.startswith(PREFIX) else None
        if found is None:
            raise Refusal(errno.ENODATA)
        return found

    # -- all that would write --------------------------------------------------------------------------

    def refuse(self, *_: object) -> int:
        """Answer any request to change something."""
        raise Refusal(errno.EROFS)

    def close(self) -> None:
        """Close the files that are still open."""
        self.handles.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _listing(self, path: str) -> Listing:
        folder = path.rstrip("/")
        found = self._listings.get(folder)
        if found is None:
            now = self._freshness.now()
            found = Listing(self._tree.entries(parse(path)))
            self._listings.put(folder, found, now)
        return found

    def _listed(self, path: str) -> Listed | None:
        """Give what a listing tells of a path, when its folder was listed lately and the size is known."""
        folder, _, name = path.rpartition("/")
        listing = self._listings.get(folder) if name else None
        found = None if listing is None else listing.find(name)
        return None if found is None or found.size < 0 else found

    def _forget(self, path: str) -> None:
        self._nodes.drop(path)
        self._listings.drop(path.rpartition("/")[0])

    def _entry(self, path: str) -> Entry:
        found = self._nodes.get(path)
        if found is not None:
            return found
        if any(len(part.encode(errors="surrogateescape")) > _NAME_MAX for part in path.split("/")):
            raise Refusal(errno.ENAMETOOLONG)
        now = self._freshness.now()
        return self._nodes.put(path, self._found(path), now)

    def _stat(self, entry: Entry) -> Mapping[str, int]:
        found = entry.stat
        if found is None:
            found = entry.stat = self.attributes(entry.node)
        return found

    def _found(self, path: str) -> Node:
        try:
            return self._tree.lookup(parse(path))
        except IsDirectory:
            # An extension on a path that stops before its last key: there is neither file nor folder.
            raise Refusal(errno.ENOENT) from None

    def _opened(self, path: str, node: Node) -> ByteSource:
        try:
            # The kernel knows size and pages of the stored file: it must not get those of one made instead.
            return _whole(self._tree.open_node(node, as_stored=True), node)
        except NotFound as error:
            # Removed or replaced since it was looked up, or lost.
            self._forget(path)
            if identity(self._entry(path).node) != identity(node):
                raise Refusal(errno.ESTALE) from None
            log.error("%s", error)
            raise Refusal(errno.EIO) from None

    def _extended(self, path: str) -> Mapping[str, bytes]:
        entry = self._entry(path)
        if entry.extended is None:
            values = self._tree.attributes(entry.node).items()
            entry.extended = {PREFIX + key: _text(value) for key, value in values if value is not None}
        return entry.extended

    def _mode(self, node: Node | Listed) -> int:
        kind, permissions = (stat.S_IFDIR, 0o555) if node.is_dir else (stat.S_IFREG, 0o444)
        return kind | permissions & self._owner.mask


def _current(handle: Handle) -> Handle:
    """Refuse a file whose path has another content by now.

    The kernel has one size and one set of pages for a path: going on would mix the two contents.
    """
    if handle.superseded:
        raise Refusal(errno.ESTALE)
    return handle


def _whole(source: ByteSource, node: Node) -> ByteSource:
    """Refuse bytes that are not as many as listed: the kernel would fill up with zeros, or cut off."""
    if source.size != node.size:
        source.close()
        log.error("%s: its bytes are %d instead of %d", node.path, source.size, node.size)
        raise Refusal(errno.EIO)
    return source


def _text(value: object) -> bytes:
    return str(value).encode()
