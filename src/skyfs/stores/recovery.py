"""Finishing or undoing what dead writers of a local store left."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from skyfs.abc.store import Claims

from .folders import Folders, drop_source
from .intent import Intent, Mark, keys_of, touched_by, unfinished
from .journal import JOURNALS, STAGING, SUFFIX
from .keys import folder_of


def recover(folders: Folders, committed: Callable[[str], bool]) -> int:
    """Go over the journals whose lock can be had; give how many keys were undone."""
    # Listed before the journals: a live writer makes its journal first, so it has one by then.
    staged = names(folders, STAGING)
    with ExitStack() as stack:
        live, dead = survey(folders, stack, held=set())
        undone = sum(
            _Recovery(folders, committed, set(live), set(dead)).run(name, content)
            for name, content in dead.items()
        )
    for name in staged:
        if not os.path.lexists(folders.path(f"{JOURNALS}/{name}{SUFFIX}")):
            sweep(folders, name)
    folders.prune([STAGING, JOURNALS])
    return undone


def survey(folders: Folders, stack: ExitStack, *, held: set[str]) -> tuple[set[str], dict[str, bytes]]:
    """Give the keys that live writers are about to write, and the locked journals of dead ones.

    Journals in ``held`` are locked already, by ourselves, and left out. Those of another user that we may
    only read count as alive: their owner recovers them.
    """
    live: set[str] = set()
    dead: dict[str, bytes] = {}
    for file_name in names(folders, JOURNALS):
        name = file_name.removesuffix(SUFFIX)
        opened = None if name in held else _open(folders.path(f"{JOURNALS}/{file_name}"))
        if opened is None:
            continue
        descriptor, ours = opened
        stack.callback(os.close, descriptor)
        if not ours or not _lock(descriptor):
            live |= keys_of(unfinished(_content(descriptor)))
        elif os.fstat(descriptor).st_nlink:
            dead[name] = _content(descriptor)
    return live, dead


def claims(folders: Folders) -> Claims:
    """Tell what writers are about to do, and what dead ones left; nothing is changed."""
    live: set[str] = set()
    dead: set[str] = set()
    writers = 0
    for file_name in names(folders, JOURNALS):
        opened = _open(folders.path(f"{JOURNALS}/{file_name}"))
        if opened is None:
            continue
        descriptor, ours = opened
        try:
            is_dead = ours and _lock(descriptor) and os.fstat(descriptor).st_nlink > 0
            keys = touched_by(unfinished(_content(descriptor)))
        finally:
            os.close(descriptor)
        writers += is_dead
        (dead if is_dead else live).update(keys)
    return Claims(frozenset(live), frozenset(dead), writers)


def _open(path: str) -> tuple[int, bool] | None:
    for flags, ours in ((os.O_RDWR, True), (os.O_RDONLY, False)):
        try:
            return os.open(path, flags | os.O_CLOEXEC), ours
        except FileNotFoundError:
            return None  # ended meanwhile
        except PermissionError:
            continue
    return None


@dataclass(slots=True)
class _Recovery:
    """The recovery of one dead writer's journal; ``held`` are all journals that we have locked."""

    folders: Folders
    committed: Callable[[str], bool]
    live: set[str]
    held: set[str]
    removed: list[tuple[str, str]] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)

    def run(self, name: str, content: bytes) -> int:
        """Finish or undo all batches of the journal, then remove it; give how many keys were undone."""
        intents = unfinished(content)
        undone = sum(self._settle(intent) for intent in intents)
        self.folders.sync(self.folders.prune(self.touched))
        self._give_back()
        # A key that a live writer claims is decided when that writer has ended; so is this journal.
        if not self.live & keys_of(intents):
            sweep(self.folders, name)
            os.unlink(self.folders.path(f"{JOURNALS}/{name}{SUFFIX}"))
        return undone

    def _settle(self, intent: Intent) -> int:
        kept = {key for _, key in intent.files if key in self.live or self.committed(key)}
        marks = dict(intent.marks)
        for staging, key in intent.files:
            if key not in kept:
                self._undo(staging, key, marks.get(key))
        for key, path, mark in intent.sources:
            if key in kept and key not in self.live and self._lies_there(key, marks.get(key)):
                drop_source(path, mark)
        for key, mark in intent.deletions:
            if key not in self.live and not self.committed(key):
                self.folders.unlink_marked(key, mark)
                self.touched.add(folder_of(key))
        return len(intent.files) - len(kept)

    def _lies_there(self, key: str, mark: Mark | None) -> bool:
        """Tell whether a key holds what this writer put there: another may have been faster."""
        found = self.folders.lstat(key)
        return found is not None and Mark.of(found) == mark

    def _undo(self, staging: str, key: str, mark: Mark | None) -> None:
        if self.folders.unlink_same(key, staging):
            self.removed.append((staging, key))
        elif mark is not None and not os.path.lexists(self.folders.path(staging)):
            self.folders.unlink_marked(key, mark)
        self.touched.add(folder_of(key))

    def _give_back(self) -> None:
        """Restore what a live writer linked just before we removed it.

        Only files adopted by hard link can be mistaken so: two writers then link one inode to one key.
        """
        if not self.removed:
            return
        with ExitStack() as stack:
            live, _ = survey(self.folders, stack, held=self.held)
        for staging, key in self.removed:
            if key in live:
                self._link(staging, key)
        self.live |= live

    def _link(self, staging: str, key: str) -> None:
        source, name = self.folders.path(staging), key.rpartition("/")[2]
        with suppress(FileExistsError):
            self.folders.within(
                folder_of(key),
                set(),
                lambda folder: os.link(source, name, dst_dir_fd=folder, follow_symlinks=False),
            )


def sweep(folders: Folders, name: str) -> None:
    """Remove a writer's staging folder."""
    staging = folders.path(f"{STAGING}/{name}")
    for entry in names(folders, f"{STAGING}/{name}"):
        with suppress(FileNotFoundError):
            os.unlink(f"{staging}/{entry}")
    with suppress(FileNotFoundError, NotADirectoryError):
        os.rmdir(staging)


def names(folders: Folders, folder: str) -> list[str]:
    """Give the names in a private folder; none when it is not there."""
    try:
        return os.listdir(folders.path(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()
