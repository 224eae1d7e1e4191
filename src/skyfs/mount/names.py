"""Names in a mount that can be written to: folders made and removed, files removed and renamed."""

from __future__ import annotations

import errno

from ..errors import BadPath, NotAllowed, NotFound, SkyfsError
from ..model.paths import parse
from .core import Core
from .drafts import Drafts
from .failures import Refusal
from .overlay import Backup, Folder, Overlay
from .scratch import ScratchFile, is_scratch

NO_REPLACE = 1  # the flag RENAME_NOREPLACE: a file that is there is left


class Names:
    """Changes names. Safe from several threads."""

    def __init__(self, core: Core, overlay: Overlay, drafts: Drafts) -> None:
        self._core = core
        self._overlay = overlay
        self._drafts = drafts
        self._noting = drafts.refusals.noting

    def is_scratch(self, path: str, *, folder: bool = False) -> bool:
        """Tell whether what is made at a path is never registered."""
        above, _, name = path.rpartition("/")
        return is_scratch(name, folder=folder) or self._overlay.holds_scratch(above)

    # -- folders ---------------------------------------------------------------------------------------

    def mkdir(self, path: str) -> None:
        """Remember a folder, and those above it."""
        if self._exists(path):
            raise Refusal(errno.EEXIST)
        if self.is_scratch(path, folder=True):
            self._overlay.remember(path.rpartition("/")[0])
            self._overlay.put(path, Folder(is_scratch=True))
            return
        with self._noting(path):
            self._core.editor.require_folder(parse(path))
        self._overlay.remember(path)

    def rmdir(self, path: str) -> None:
        """Forget a folder that is empty."""
        node = self._core.lookup(path)
        if not node.is_dir:
            raise Refusal(errno.ENOTDIR)
        if node.is_dataset or node.inner:
            raise Refusal(errno.EPERM)
        if self._overlay.children(path) or self._has_children(path):
            raise Refusal(errno.ENOTEMPTY)
        if self._overlay.pop(path) is None:
            raise Refusal(errno.EROFS)  # a service directory

    # -- files -----------------------------------------------------------------------------------------

    def unlink(self, path: str) -> None:
        """Remove a file: a dataset by the rules of its collection, of a backup the name only."""
        entry, draft = self._overlay.get(path), self._drafts.at(path)
        if isinstance(entry, ScratchFile | Backup):
            self._overlay.remember(path.rpartition("/")[0])
            self._overlay.pop(path)
            return
        if draft is not None and not self._exists(path):
            self._drafts.drop(draft)
            return
        self._core.lookup(path)  # a hidden dataset is not there
        with self._noting(path):
            self._core.editor.remove([parse(path)])
        self._overlay.remember(path.rpartition("/")[0])
        self._core.changed()

    def link(self, old: str, new: str) -> None:
        """Show a dataset in a TAGGED collection too."""
        node = self._core.lookup(old)
        with self._noting(new):
            self._core.editor.link(node, parse(new))
        self._core.changed()

    def rename(self, old: str, new: str, flags: int) -> None:
        """Give a file another name; to give a scratch file that of a dataset stores it."""
        if flags & ~NO_REPLACE:
            raise Refusal(errno.EINVAL)
        if old == new:
            return
        if flags and self._exists(new):
            raise Refusal(errno.EEXIST)
        entry = self._overlay.get(old)
        if isinstance(entry, Backup):
            self._rename_backup(entry, old, new)
        elif isinstance(entry, ScratchFile):
            self._rename_scratch(entry, old, new)
        elif self._drafts.at(old) is not None:
            raise Refusal(errno.EBUSY)
        elif self._core.lookup(old).is_dir:
            self._rename_folder(old, new)
        else:
            self._hide(old, new)

    # -- inside ----------------------------------------------------------------------------------------

    def _rename_scratch(self, scratch: ScratchFile, old: str, new: str) -> None:
        self._require_no_folder(new)
        if self.is_scratch(new):
            self._overlay.move(old, new)
            return
        self._drafts.store(scratch, new)
        self._overlay.remember(old.rpartition("/")[0])
        self._overlay.pop(old)

    def _rename_backup(self, backup: Backup, old: str, new: str) -> None:
        """Give a backup another scratch name, or the dataset its own back."""
        if new == backup.path and not self._exists(new):
            self._overlay.pop(old)
            return
        self._require_no_folder(new)
        if not self.is_scratch(new):
            raise Refusal(errno.EPERM)
        self._overlay.move(old, new)

    def _rename_folder(self, old: str, new: str) -> None:
        """Give a folder that only this mount knows another name."""
        if self._has_children(old) or self.is_scratch(old, folder=True) != self.is_scratch(new, folder=True):
            raise Refusal(errno.EPERM)
        if self._exists(new):
            self.rmdir(new)
        if not self.is_scratch(new, folder=True):
            with self._noting(new):
                self._core.editor.require_folder(parse(new))
        self._overlay.move(old, new)

    def _hide(self, old: str, new: str) -> None:
        """Show a dataset by a scratch name in its folder, as editors do before they write it anew."""
        node = self._core.lookup(old)
        same_folder = old.rpartition("/")[0] == new.rpartition("/")[0]
        with self._noting(old):
            if not (same_folder and self.is_scratch(new)):
                todo = "write it to the other path, then remove it here"
                raise NotAllowed(f"rename {old!r} to {new!r}", "a dataset keeps its path", todo)
            self._core.editor.require_stored(parse(old), node)
        self._require_no_folder(new)
        self._overlay.put(new, Backup(old, node))

    def _exists(self, path: str) -> bool:
        if isinstance(self._overlay.get(path), ScratchFile):
            return True
        try:
            self._core.lookup(path)
        except (Refusal, NotFound, BadPath):
            return False
        return True

    def _require_no_folder(self, path: str) -> None:
        try:
            node = self._core.lookup(path)
        except (Refusal, SkyfsError):
            return
        if node.is_dir:
            raise Refusal(errno.EISDIR)

    def _has_children(self, path: str) -> bool:
        """Tell whether the tree has something in a folder, for everybody."""
        try:
            return bool(self._core.tree.children(parse(path)))
        except (NotFound, BadPath):
            return False
