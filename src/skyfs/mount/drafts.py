"""The datasets that are being written through one mount: committed when they are closed, or refused."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial

from ..abc.source import ByteSource
from ..errors import StoreError
from ..model.paths import parse
from ..tree import Node
from ..writing.writer import Draft
from .attributes import Owner
from .caller import Caller
from .core import Core
from .draft_file import DraftFile
from .failures import Refusal
from .handles import Handle
from .overlay import Backup, Overlay
from .refusals import Refusals
from .scratch import ScratchFile
from .written import WrittenSource

_COPY_BYTES = 1 << 20


class Drafts:
    """Drafts by path. Safe from several threads.

    Parameters
    ----------
    replace
        Whether they may take the place of datasets.
    """

    def __init__(self, core: Core, overlay: Overlay, *, replace: bool) -> None:
        self._core = core
        self._overlay = overlay
        self._replace = replace
        self._by_path: dict[str, DraftFile] = {}
        self._lock = threading.Lock()
        self.refusals = Refusals()

    def at(self, path: str) -> DraftFile | None:
        """Give the draft at a path, whoever writes it."""
        return self._by_path.get(path)

    def seen_by(self, path: str, caller: Caller | None) -> DraftFile | None:
        """Give the draft at a path to who writes it: its openers and their descendants.

        A caller without a number may be one of them.
        """
        draft = self._by_path.get(path)
        if draft is None or caller is None:
            return None
        known = caller.pid > 0 and 0 not in draft.leaders
        if known and not self._core.processes.descends(caller.pid, draft.leaders):
            return None
        if not draft.is_over:
            return draft
        with draft.lock:  # who wrote it waits for the commit: the dataset is there then, or the one before
            return None

    def begin(self, path: str, mode: int, caller: Caller, old: Node | None = None) -> DraftFile:
        """Begin the dataset at a path; ``old`` is the one that it begins with the bytes of."""
        self._require_free(path)
        draft = DraftFile(self._draft(path), mode, caller.uid, caller.gid)
        draft.path = path
        if old is not None:
            draft.show_as(old.inode)
            draft.begin_with(partial(self._core.tree.open_node, old), old.size, old.mtime_ns)
        with self._lock:
            if self._by_path.setdefault(path, draft) is draft:
                return draft
        draft.discard()
        raise Refusal(errno.EBUSY)

    def store(self, scratch: ScratchFile, path: str) -> None:
        """Store the bytes of a scratch file as the dataset at a path; its time is kept."""
        self._require_free(path)
        draft = self._draft(path)
        try:
            with self.refusals.noting(path):
                source = WrittenSource(scratch)
                for start in range(0, source.size, _COPY_BYTES):
                    draft.file.write(source.read(start, start + _COPY_BYTES))
        except BaseException:
            draft.discard()
            raise
        draft.mtime_ns = scratch.state().mtime_ns
        self._commit(path, draft.commit)

    # -- closing ---------------------------------------------------------------------------------------

    def flush(self, draft: DraftFile, number: int, handle: Handle, caller: Caller) -> None:
        """Commit when a descriptor is closed and nobody else has the file open, as far as can be seen."""
        with draft.lock:
            draft.unflushed.discard(number)
            if draft.is_over or not draft.changed or self._others_hold(draft, handle, caller):
                return
            self.finish(draft)

    def release(self, draft: DraftFile, number: int) -> None:
        """Commit, if that is left to do, when the last opener is gone; refusals are kept."""
        with draft.lock:
            draft.unflushed.discard(number)
            draft.opened -= 1
            if draft.opened or draft.is_over:
                return
            try:
                self.finish(draft)
            except Refusal:
                return  # noted already

    def finish(self, draft: DraftFile) -> None:
        """Store what was changed, now."""
        path = str(draft.path)
        try:
            if draft.changed:
                self._commit(path, partial(draft.commit, partial(self._stored, path)))
            else:
                draft.discard()
                self._retime(path, draft.explicit_ns)
        finally:
            self._forget(draft)

    def drop(self, draft: DraftFile) -> None:
        """Discard a draft whose name was removed; who has it open may close it."""
        self._forget(draft)
        draft.discard()
        draft.path = None

    def close(self) -> None:
        """Discard all that was not closed."""
        for draft in list(self._by_path.values()):
            self.refusals.add(
                str(draft.path), StoreError("write", "the mount ended before it was closed", "write it again")
            )
            self.drop(draft)

    # -- inside ----------------------------------------------------------------------------------------

    def _require_free(self, path: str) -> None:
        if path in self._by_path:
            raise Refusal(errno.EBUSY)

    def _draft(self, path: str) -> Draft:
        with self.refusals.noting(path):
            return self._core.editor.draft(parse(path), replace=self._replace)

    def _others_hold(self, draft: DraftFile, handle: Handle, caller: Caller) -> bool:
        """Tell whether somebody may write on: true when that cannot be told."""
        if draft.unflushed:
            return True
        leaders = draft.leaders | {self._core.processes.leader(caller.pid)}
        # Of a file that nothing was written to it is likelier that it was opened for somebody else.
        if not handle.wrote and self._core.processes.any_hold(draft.inodes):
            return True
        return self._core.processes.hold(leaders, draft.inodes)

    def _stored(self, path: str) -> ByteSource:
        return self._core.tree.open(parse(path))[1]

    def _retime(self, path: str, mtime_ns: int | None) -> None:
        if mtime_ns is not None:
            with self.refusals.noting(path):
                self._core.editor.retime(parse(path), mtime_ns)
            self._core.changed()

    def _commit(self, path: str, commit: Callable[[], object]) -> None:
        name = self._overlay.backup_of(path)
        kept = None if name is None else self._kept(name)
        try:
            with self.refusals.noting(path):
                commit()
        except BaseException:
            if kept is not None:
                kept.let_go()
            raise
        if name is not None and kept is not None:
            self._overlay.put(name, kept)
        self._core.changed()

    def _kept(self, name: str) -> ScratchFile | None:
        """Give a copy of a dataset that is shown as a backup: its bytes go when another takes its place."""
        backup = self._overlay.get(name)
        if not isinstance(backup, Backup):
            return None
        owner = Owner.of(self._core.tree.repository.root)
        kept = ScratchFile(0o644 & owner.mask, owner.uid, owner.gid)
        with self._core.tree.open_node(backup.node) as source:
            for start in range(0, source.size, _COPY_BYTES):
                kept.write(source.read(start, start + _COPY_BYTES), None)
        kept.set_times(None, backup.node.mtime_ns)
        return kept

    def _forget(self, draft: DraftFile) -> None:
        with self._lock:
            if draft.path is not None and self._by_path.get(draft.path) is draft:
                del self._by_path[draft.path]
