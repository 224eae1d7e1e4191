"""What a mounted tree answers to each request, without knowing FUSE.

Every method takes the path as the kernel spells it and raises `Refusal`, never anything else.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping

from ..abc.source import ByteSource
from ..errors import BadPath, IsDirectory, NotFound
from ..model.paths import parse
from ..tree import Listed, Node, Tree
from ..tree.editing import Editor
from .attributes import Attributes, Owner
from .caller import UNKNOWN, Caller
from .changes import WRITES, Changes, Writing
from .core import Core
from .failures import Refusal, answering, log
from .handles import Handle, Handles, identity
from .listing import Listing, Listings
from .nodes import Entry, Freshness, NodeCache
from .processes import Processes
from .refusals import Refused
from .requests import Requests
from .written import Written

PREFIX = "user.skyfs."
REFUSED = f"{PREFIX}refused"
_NAME_MAX = 255

__all__ = ["Caller", "Operations", "Owner", "Writing"]


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
    processes
        Tells which processes have a file open; default: what ``/proc`` says.
    """

    def __init__(
        self,
        tree: Tree,
        *,
        clock: Callable[[], float] = time.monotonic,
        stamp: Callable[[], object] = lambda: None,
        writing: Writing | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._tree = tree
        self._root = tree.repository.root
        self._attributes = Attributes(Owner.of(self._root), writable=writing is not None)
        self._freshness = Freshness(clock, stamp)
        self._nodes = NodeCache(self._freshness)
        self._listings = Listings(self._freshness)
        self.handles = Handles()
        self.requests = Requests()
        self._changes: Changes | None = None
        if writing is not None:
            core = Core(
                tree,
                Editor(tree),
                self.handles,
                self._attributes,
                processes or Processes(),
                lookup=lambda path: self._entry(path).node,
                changed=self._freshness.clear,
            )
            self._changes = Changes(core, writing)

    @property
    def open_files(self) -> int:
        """How many files are open."""
        return len(self.handles)

    @property
    def sample(self) -> str:
        """Path of a file that lies where the repository's files lie."""
        return os.path.join(self._root, "skyfs.yaml")

    @property
    def writable(self) -> bool:
        """Whether anything can be changed."""
        return self._changes is not None

    def refusals(self) -> list[Refused]:
        """Give the last files that were not stored, and why; the latest last."""
        return [] if self._changes is None else self._changes.refusals.all()

    def follow(self) -> None:
        """Serve an engine that tells contents of one path apart, and calls `look` several times a second."""
        self.handles.apart = True
        self._freshness.follow()

    def look(self) -> bool:
        """Tell whether the repository may have been changed since the last call, by whomever."""
        return self._freshness.look()

    # -- names -----------------------------------------------------------------------------------------

    @answering
    def getattr(
        self, path: str, number: int | None = None, caller: Caller | None = None
    ) -> Mapping[str, int]:
        """Give the attributes of a path, or of an open file: times in nanoseconds.

        A file that is being written is there for those who write it: others are told by ``caller``.
        """
        if number is not None:
            handle = self.handles.get(number)
            if handle.written is not None:
                return self._attributes.of_written(handle.written)
            return self._attributes.of(_current(handle).node)
        written = self._written(path, caller)
        if written is not None:
            return self._attributes.of_written(written)
        listed = self._listed(path)
        if listed is None:
            entry = self._entry(path)
            found, lasts = self._stat(entry), not (entry.node.is_dir or entry.node.is_volatile)
        else:
            found, lasts = self._attributes.of(listed), not listed.is_dir
        if lasts:
            self.handles.tell(path, (found["st_ino"], found["st_size"], found["st_mtime"]))
        return found if self._changes is None else self._changes.dated(path, found)

    @answering
    def readdir(self, path: str) -> Iterator[tuple[str, dict[str, int]]]:
        """Give the names in a folder with their kinds and inodes."""
        listing = self._listing(path)
        return ((one.name, {"st_mode": self._attributes.mode(one), "st_ino": one.inode}) for one in listing)

    @answering
    def listing(self, path: str) -> Listing:
        """Give what a folder holds; of entries with the size -1 only `getattr` gives the attributes."""
        return self._listing(path)

    def attributes(self, listed: Listed) -> Mapping[str, int]:
        """Give the attributes of an entry of a listing whose size is known."""
        return self._attributes.of(listed)

    @answering
    def access(self, path: str, mode: int) -> None:
        """Refuse writing where nothing can be written; the kernel checks the rest by the attributes."""
        if mode & os.W_OK and self._changes is None:
            raise Refusal(errno.EROFS)
        if self._written(path, None) is None:
            self._entry(path)

    # -- files that are being written --------------------------------------------------------------------

    @answering
    def token(self, path: str, caller: Caller | None = None) -> int:
        """Give the number of the file that is being written at a path; 0 when there is none.

        A dataset that is being written is there for its writers only.
        """
        written = self._written(path, caller)
        return 0 if written is None else written.token

    @answering
    def attributes_of(self, token: int) -> Mapping[str, int]:
        """Give the attributes of a file that is being written; ESTALE when it is gone."""
        return self._attributes.of_written(self._by_token(token))

    @answering
    def path_of(self, token: int) -> str:
        """Give where a file is that is being written; ENOENT when its name was removed."""
        path = self._by_token(token).path
        if path is None:
            raise Refusal(errno.ENOENT)
        return path

    @answering
    def statfs(self, path: str) -> Mapping[str, int]:  # noqa: ARG002 - it is the same everywhere
        """Give the state of the filesystem that the repository lies on."""
        found = os.statvfs(self._root)
        free = self._changes is not None
        names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_files", "f_ffree")
        return {name: getattr(found, name) for name in names} | {
            "f_bavail": found.f_bavail if free else 0,
            "f_favail": found.f_favail if free else 0,
            "f_flag": os.ST_NOSUID | (0 if free else os.ST_RDONLY),
            "f_namemax": _NAME_MAX,
        }

    # -- bytes -----------------------------------------------------------------------------------------

    @answering
    def open(self, path: str, flags: int, caller: Caller = UNKNOWN) -> tuple[int, Handle]:
        """Open a file; the number is valid until `release`."""
        if self._changes is None and flags & (WRITES | os.O_APPEND):
            raise Refusal(errno.EROFS)
        opened = None if self._changes is None else self._changes.open(path, flags, caller)
        if opened is not None:
            return opened
        node = self._entry(path).node
        if not node.is_dir and not self.handles.is_told(path, node):
            # The kernel would cut the new content to the old one's size. By this answer it asks for it again.
            self._forget(path)
            raise Refusal(errno.ESTALE)
        return self.handles.add(path, node, self._opened(path, node))

    @answering
    def create(self, path: str, flags: int, mode: int, caller: Caller = UNKNOWN) -> tuple[int, Handle]:
        """Make a file, and open it: a dataset that is there when it is closed, or a scratch file."""
        return self._may_change().create(path, flags, mode, caller)

    @answering
    def read(self, number: int, size: int, offset: int) -> bytes:
        """Give bytes of an open file; fewer only at its end."""
        handle = _current(self.handles.get(number))
        if handle.written is not None:
            return handle.written.read(size, offset)
        stop = min(offset + size, handle.node.size)
        if offset < 0 or stop <= offset:
            return b""
        data = handle.source.read(offset, stop)
        if len(data) != stop - offset:
            log.error("%s: %d bytes at %d instead of %d", handle.node.path, len(data), offset, stop - offset)
            raise Refusal(errno.EIO)
        return data

    @answering
    def write(self, number: int, data: bytes | memoryview, offset: int) -> int:
        """Write to an open file: all of it."""
        return self._may_change().write(number, data, offset)

    @answering
    def fallocate(self, number: int, mode: int, offset: int, length: int) -> None:
        """Take the disk that a range of a scratch file needs."""
        self._may_change().allocate(number, mode, offset, length)

    @answering
    def fsync(self, number: int) -> None:
        """Grant it: what survives a loss of power is what was committed."""
        self.handles.get(number)

    @answering
    def flush(self, number: int, caller: Caller = UNKNOWN) -> None:
        """Hear that a descriptor is closed: with the last a dataset is stored, or refused."""
        if self._changes is not None:
            self._changes.flush(number, caller)

    @answering
    def release(self, number: int) -> None:
        """Close a file; what was written and is no dataset yet becomes one."""
        handle = self.handles.remove(number)
        if self._changes is not None:
            self._changes.release(number, handle)

    # -- changes -----------------------------------------------------------------------------------------

    @answering
    def truncate(self, path: str, size: int, number: int | None = None) -> None:
        """Cut a file, or make it longer with zeros."""
        self._may_change().truncate(path, size, number)

    @answering
    def utimens(
        self, path: str, atime_ns: int | None, mtime_ns: int | None, number: int | None = None
    ) -> None:
        """Say when a file was changed; None leaves a time as it is."""
        self._may_change().set_times(path, atime_ns, mtime_ns, number)

    @answering
    def chmod(self, path: str, mode: int, number: int | None = None) -> None:
        """Change the permissions of a file that is being written; of others nothing is changed."""
        self._may_change().set_mode(path, mode, number)

    @answering
    def chown(self, path: str, uid: int, gid: int, number: int | None = None) -> None:
        """Change the owner of a file that is being written, -1 leaves it; of others nothing is changed."""
        self._may_change().set_owner(path, uid, gid, number)

    @answering
    def mkdir(self, path: str, mode: int, caller: Caller = UNKNOWN) -> None:  # noqa: ARG002 - folders have the repository's
        """Make a folder, which this mount alone remembers."""
        self._may_change().names.mkdir(path)

    @answering
    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self._may_change().names.rmdir(path)

    @answering
    def unlink(self, path: str) -> None:
        """Remove a file: a dataset by the rules of its collection."""
        self._may_change().names.unlink(path)

    @answering
    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Give a file another name; ``flags`` are those of renameat2(2)."""
        self._may_change().names.rename(old, new, flags)

    @answering
    def link(self, old: str, new: str) -> None:
        """Show a dataset in a TAGGED collection too."""
        self._may_change().names.link(old, new)

    @answering
    def symlink(self, *_: object) -> None:
        """Refuse: there are no links here."""
        self._may_change()
        raise Refusal(errno.EPERM)

    @answering
    def setxattr(self, path: str, name: str, value: bytes, flags: int) -> None:  # noqa: ARG002 - none is kept
        """Refuse: what is known of datasets is in the registry."""
        self._may_change()
        raise Refusal(errno.EOPNOTSUPP)

    @answering
    def removexattr(self, path: str, name: str) -> None:  # noqa: ARG002 - none is kept
        """Refuse, as `setxattr`."""
        self._may_change()
        raise Refusal(errno.EOPNOTSUPP)

    # -- extended attributes ---------------------------------------------------------------------------

    @answering
    def listxattr(self, path: str) -> list[str]:
        """Give the names of the extended attributes of a dataset, or of a folder in which one was refused."""
        if self._written(path, UNKNOWN) is not None:
            return []
        return list(self._extended(path))

    @answering
    def getxattr(self, path: str, name: str) -> bytes:
        """Give the value of an extended attribute, as text."""
        if not name.startswith("user."):
            # `ls -l` asks each file for its security labels and access lists: there are none, for any.
            raise Refusal(errno.EOPNOTSUPP)
        known = name.startswith(PREFIX) and self._written(path, UNKNOWN) is None
        found = self._extended(path).get(name) if known else None
        if found is None:
            raise Refusal(errno.ENODATA)
        return found

    def close(self) -> None:
        """Close the files that are still open; what was not stored is discarded."""
        if self._changes is not None:
            self._changes.close()
        self.handles.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _listing(self, path: str) -> Listing:
        folder = path.rstrip("/")
        found = self._listings.get(folder)
        if found is None:
            now = self._freshness.now()
            found = self._read_listing(path)
            self._listings.put(folder, found, now)
        return found if self._changes is None else self._changes.listed(folder, found)

    def _read_listing(self, path: str) -> Listing:
        try:
            return Listing(self._tree.entries(parse(path)))
        except (NotFound, BadPath):
            if self._changes is None or not self._entry(path).node.is_dir:
                raise
            return Listing(())  # it is known to this mount alone

    def _listed(self, path: str) -> Listed | None:
        """Give what a listing tells of a path, when its folder was listed lately and the size is known."""
        folder, _, name = path.rpartition("/")
        listing = self._listings.get(folder) if name else None
        if listing is None or (self._changes is not None and self._changes.knows(path)):
            return None
        found = listing.find(name)
        return None if found is None or found.size < 0 else found

    def _forget(self, path: str) -> None:
        self._nodes.drop(path)
        self._listings.drop(path.rpartition("/")[0])

    def _may_change(self) -> Changes:
        if self._changes is None:
            raise Refusal(errno.EROFS)
        return self._changes

    def _written(self, path: str, caller: Caller | None) -> Written | None:
        return None if self._changes is None else self._changes.written(path, caller)

    def _by_token(self, token: int) -> Written:
        found = None if self._changes is None else self._changes.by_token(token)
        if found is None:
            raise Refusal(errno.ESTALE)
        return found

    def _entry(self, path: str) -> Entry:
        own = None if self._changes is None else self._changes.node(path)
        if own is not None:
            return Entry(own, self._freshness.now())
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
            found = entry.stat = self._attributes.of(entry.node)
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
        refused = None if self._changes is None else self._changes.refusals.of_folder(path.rstrip("/"))
        return entry.extended if refused is None else {**entry.extended, REFUSED: _text(refused)}


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
    return str(value).encode("utf-8", "surrogateescape")  # reasons have the paths of refused files
