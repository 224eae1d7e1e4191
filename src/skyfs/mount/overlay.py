"""What one mount alone shows: scratch files, folders that were made or emptied, backups of datasets."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from ..tree import Node
from .scratch import ScratchFile


@dataclass(slots=True, eq=False)
class Folder:
    """A folder that is remembered; all that is made in one for scratch files is a scratch file."""

    is_scratch: bool = False


@dataclass(slots=True, eq=False)
class Backup:
    """A dataset that was renamed to a scratch name: it is hidden at its own path, and shown by this name."""

    path: str
    node: Node


Entry = ScratchFile | Folder | Backup


class Overlay:
    """Entries by path, as the kernel spells it. Safe from several threads."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._names: dict[str, set[str]] = {}
        self._hidden: dict[str, str] = {}
        self._times_ns: dict[str, int] = {}
        self._lock = threading.RLock()

    def get(self, path: str) -> Entry | None:
        """Give what is at a path."""
        return self._entries.get(path)

    def children(self, path: str) -> dict[str, Entry]:
        """Give what is in a folder, by name."""
        folder = path.rstrip("/")
        with self._lock:
            return {name: self._entries[f"{folder}/{name}"] for name in self._names.get(folder, ())}

    def put(self, path: str, entry: Entry) -> None:
        """Place an entry; one that is there goes."""
        with self._lock:
            self.pop(path)
            self._place(path, entry)

    def pop(self, path: str) -> Entry | None:
        """Take an entry away; a scratch file stays open as long as somebody has it open."""
        with self._lock:
            entry = self._take(path)
            if isinstance(entry, ScratchFile):
                entry.path = None
                entry.let_go()
            elif isinstance(entry, Backup):
                self._hidden.pop(entry.path, None)
            return entry

    def move(self, old: str, new: str) -> None:
        """Give an entry another path, and all below it."""
        with self._lock:
            below = [path for path in self._entries if path.startswith(f"{old}/")]
            self.pop(new)
            for path in [old, *below]:
                entry = self._take(path)
                if entry is not None:
                    self._place(new + path[len(old) :], entry)

    # -- folders ---------------------------------------------------------------------------------------

    def is_folder(self, path: str) -> bool:
        """Tell whether this mount knows a folder there."""
        return isinstance(self._entries.get(path), Folder) or bool(self._names.get(path.rstrip("/")))

    def holds_scratch(self, path: str) -> bool:
        """Tell whether a folder is one for scratch files."""
        entry = self._entries.get(path)
        return isinstance(entry, Folder) and entry.is_scratch

    def remember(self, path: str) -> None:
        """Keep a folder, and those above it, when the last of what is in it goes."""
        with self._lock:
            while path and path not in self._entries:
                self._place(path, Folder())
                path = path.rpartition("/")[0]

    def set_time(self, path: str, mtime_ns: int) -> None:
        """Say when a folder was changed."""
        self._times_ns[path] = mtime_ns

    def time_of(self, path: str) -> int | None:
        """Give when a folder is said to have been changed; None when nobody said."""
        return self._times_ns.get(path)

    def dated_in(self, folder: str) -> set[str]:
        """Give the names of the folders in a folder that are said to have been changed."""
        places = (path.rpartition("/") for path in list(self._times_ns))
        return {name for above, _, name in places if above == folder}

    # -- hidden datasets -------------------------------------------------------------------------------

    def backup_of(self, path: str) -> str | None:
        """Give the name by which a hidden dataset is shown; None when it is not hidden."""
        return self._hidden.get(path)

    def hidden_in(self, folder: str) -> set[str]:
        """Give the names of the hidden datasets in a folder."""
        with self._lock:
            places = (path.rpartition("/") for path in self._hidden)
            return {name for above, _, name in places if above == folder}

    def close(self) -> None:
        """Let all go."""
        with self._lock:
            for path in list(self._entries):
                self.pop(path)

    def _place(self, path: str, entry: Entry) -> None:
        folder, _, name = path.rpartition("/")
        self._entries[path] = entry
        self._names.setdefault(folder, set()).add(name)
        if isinstance(entry, ScratchFile):
            entry.path = path
        elif isinstance(entry, Backup):
            self._hidden[entry.path] = path

    def _take(self, path: str) -> Entry | None:
        entry = self._entries.pop(path, None)
        if entry is not None:
            folder, _, name = path.rpartition("/")
            self._names[folder].discard(name)
            if not self._names[folder]:
                del self._names[folder]
            self._times_ns.pop(path, None)
        return entry
