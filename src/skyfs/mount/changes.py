"""What a mount that can be written to answers to requests that change something."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakValueDictionary

from ..errors import BadPath, NotFound
from ..model.paths import parse
from ..tree import Listed, Node
from .caller import UNKNOWN, Caller
from .core import Core
from .draft_file import DraftFile
from .drafts import Drafts
from .failures import Refusal
from .handles import Handle
from .listing import Listing
from .names import Names
from .overlay import Backup, Overlay
from .scratch import ScratchFile
from .written import Written

WRITES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC


@dataclass(frozen=True, slots=True)
class Writing:
    """How a mount can be written to.

    Attributes
    ----------
    replace
        Whether writing where a dataset exists puts another in its place.
    """

    replace: bool = False


class Changes:
    """Changes a tree, and what this mount alone shows of it. Safe from several threads."""

    def __init__(self, core: Core, writing: Writing) -> None:
        self._core = core
        self._written: WeakValueDictionary[int, Written] = WeakValueDictionary()
        self.overlay = Overlay()
        self.drafts = Drafts(core, self.overlay, replace=writing.replace)
        self.refusals = self.drafts.refusals
        self.names = Names(core, self.overlay, self.drafts)

    # -- looking ---------------------------------------------------------------------------------------

    def written(self, path: str, caller: Caller | None) -> Written | None:
        """Give the file that is being written at a path, as far as the caller sees it."""
        entry = self.overlay.get(path)
        found = entry if isinstance(entry, ScratchFile) else self.drafts.seen_by(path, caller)
        if found is not None:
            self._written[found.token] = found  # a backup's bytes become a scratch file without being opened
        return found

    def node(self, path: str) -> Node | None:
        """Give what this mount alone shows at a path: a folder or a backup; None when that is the tree's.

        Raises
        ------
        NotFound
            When what the tree has there is hidden.
        """
        entry = self.overlay.get(path)
        if isinstance(entry, Backup):
            return entry.node
        if self.overlay.backup_of(path) is not None:
            raise NotFound(f"nothing at {path!r}", "the dataset was renamed in this mount")
        return self._core.tree.folder(path) if self.overlay.is_folder(path) else None

    def knows(self, path: str) -> bool:
        """Tell whether this mount shows something else at a path than the tree."""
        return self.overlay.get(path) is not None or self.overlay.backup_of(path) is not None

    def listed(self, folder: str, listing: Listing) -> Listing:
        """Give what is in a folder: what the tree has, and what this mount adds and hides."""
        own, hidden = self.overlay.children(folder), self.overlay.hidden_in(folder)
        dated = self.overlay.dated_in(folder)
        if not own and not hidden and not dated:
            return listing
        taken = hidden | {name for name, entry in own.items() if isinstance(entry, ScratchFile)}
        shown = {one.name: one for one in listing if one.name not in taken}
        for name, entry in own.items():
            if isinstance(entry, ScratchFile):
                shown[name] = Listed(name, is_dir=False, inode=entry.inode, size=-1, mtime_ns=0)
            elif name not in shown:
                node = entry.node if isinstance(entry, Backup) else self._core.tree.folder(f"{folder}/{name}")
                shown[name] = node.listed._replace(name=name)
        shown |= {name: shown[name]._replace(size=-1) for name in dated if name in shown}
        return Listing(shown.values())

    def dated(self, path: str, found: Mapping[str, int]) -> Mapping[str, int]:
        """Give the attributes of a node with the time that a folder is said to have."""
        said_ns = self.overlay.time_of(path)
        return found if said_ns is None else {**found, "st_mtime": said_ns, "st_ctime": said_ns}

    def by_token(self, token: int) -> Written | None:
        """Give a file that is being written, or still open; None when it is gone."""
        found = self._written.get(token)
        return None if found is None or found.is_gone else found

    # -- bytes -----------------------------------------------------------------------------------------

    def create(self, path: str, flags: int, mode: int, caller: Caller) -> tuple[int, Handle]:
        """Make a file that the kernel saw none of, and open it."""
        if self.written(path, caller) is not None or self._exists(path):
            if flags & os.O_EXCL:
                raise Refusal(errno.EEXIST)
            opened = self.open(path, flags | os.O_WRONLY, caller)
            if opened is not None:
                return opened
        if self.names.is_scratch(path):
            scratch = ScratchFile(mode, caller.uid, caller.gid)
            self.overlay.put(path, scratch)
            return self._add(path, scratch, flags, caller)
        return self._add(path, self.drafts.begin(path, mode, caller), flags, caller)

    def open(self, path: str, flags: int, caller: Caller) -> tuple[int, Handle] | None:
        """Open a file that is being written, or a dataset to be replaced; None for one that is read."""
        written = self.written(path, caller)
        if written is None and flags & WRITES:
            written = self._replacing(path, caller)
        if written is None:
            return None
        if flags & os.O_TRUNC:
            with self.refusals.noting(path):
                written.truncate(0)
        return self._add(path, written, flags, caller)

    def _exists(self, path: str) -> bool:
        try:
            self._core.lookup(path)
        except (Refusal, NotFound, BadPath):
            return False
        return True

    def write(self, number: int, data: bytes | memoryview, offset: int) -> int:
        """Write to an open file."""
        handle = self._core.handles.get(number)
        if handle.written is None:
            raise Refusal(errno.EBADF)
        with handle.written.lock, self.refusals.noting(handle.path):
            handle.wrote = True
            handle.written.unflushed.add(number)
            return handle.written.write(data, None if handle.appends else offset)

    def truncate(self, path: str, size: int, number: int | None) -> None:
        """Cut a file, or make it longer; a dataset that is not open is replaced at once."""
        written = self._addressed(path, number)
        if written is not None:
            with self.refusals.noting(path):
                written.truncate(size)
            return
        draft = self._replacing(path, UNKNOWN)
        try:
            with self.refusals.noting(path):
                draft.truncate(size)
        except BaseException:
            self.drafts.drop(draft)
            raise
        self.drafts.finish(draft)

    def allocate(self, number: int, mode: int, offset: int, length: int) -> None:
        """Take the disk that a range needs."""
        written = self._core.handles.get(number).written
        if written is None or mode != 0:
            raise Refusal(errno.EOPNOTSUPP)
        written.allocate(offset, length)

    def flush(self, number: int, caller: Caller) -> None:
        """Store a dataset when the last descriptor is closed that it was written by."""
        handle = self._core.handles.get(number)
        if isinstance(handle.written, DraftFile):
            self.drafts.flush(handle.written, number, handle, caller)

    def release(self, number: int, handle: Handle) -> None:
        """Let go of a file that was closed."""
        written = handle.written
        if isinstance(written, DraftFile):
            self.drafts.release(written, number)
        elif isinstance(written, ScratchFile):
            with written.lock:
                written.opened -= 1
            written.let_go()

    # -- attributes ------------------------------------------------------------------------------------

    def set_times(self, path: str, atime_ns: int | None, mtime_ns: int | None, number: int | None) -> None:
        """Say when a file was changed; of a folder it is remembered by this mount."""
        written = self._addressed(path, number)
        if written is not None:
            written.set_times(atime_ns, mtime_ns)
            return
        node = self._core.lookup(path) if number is None else self._core.handles.get(number).node
        if mtime_ns is None:
            return
        if node.is_dir and not node.is_dataset:
            self.overlay.set_time(path, mtime_ns)
            return
        with self.refusals.noting(path):
            self._core.editor.retime(parse(path), mtime_ns)
        self._core.changed()

    def set_mode(self, path: str, mode: int, number: int | None) -> None:
        """Remember the permissions of a file that is being written; those of others are the repository's."""
        written = self._addressed(path, number)
        if written is not None:
            written.mode = mode & 0o7777
        elif number is None:
            self._core.lookup(path)

    def set_owner(self, path: str, uid: int, gid: int, number: int | None) -> None:
        """Remember the owner of a file that is being written; that of others is the repository's."""
        written = self._addressed(path, number)
        if written is not None:
            written.uid = written.uid if uid < 0 else uid
            written.gid = written.gid if gid < 0 else gid
        elif number is None:
            self._core.lookup(path)

    def close(self) -> None:
        """Discard what is not stored."""
        self.drafts.close()
        for number, handle in self._core.handles.close().items():
            self.release(number, handle)
        self.overlay.close()

    # -- inside ----------------------------------------------------------------------------------------

    def _addressed(self, path: str, number: int | None) -> Written | None:
        """Give the file that is being written which a request is about.

        The kernel names by path, without a number, what a descriptor was given for: so drafts are found.
        """
        if number is not None:
            return self._core.handles.get(number).written
        entry = self.overlay.get(path)
        return entry if isinstance(entry, ScratchFile) else self.drafts.at(path)

    def _replacing(self, path: str, caller: Caller) -> DraftFile:
        """Begin what takes the place of a dataset, with its bytes."""
        node = self._core.lookup(path)
        if node.is_dir:
            raise Refusal(errno.EISDIR)
        if isinstance(self.overlay.get(path), Backup):
            raise Refusal(errno.EPERM)
        return self.drafts.begin(path, 0o644, caller, node)

    def _add(self, path: str, written: Written, flags: int, caller: Caller) -> tuple[int, Handle]:
        self._written[written.token] = written
        is_draft = isinstance(written, DraftFile)
        number, handle = self._core.handles.add_written(
            path, written, direct=is_draft, appends=bool(flags & os.O_APPEND)
        )
        with written.lock:
            written.opened += 1
            if isinstance(written, DraftFile):
                written.leaders.add(self._core.processes.leader(caller.pid))
                written.unflushed.add(number)
        return number, handle
