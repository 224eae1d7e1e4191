"""Folders of a local store: entered only inside its root, made and pruned while others do the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from skyfs.config.durable import sync_path
from skyfs.errors import StoreError

from .intent import Mark
from .keys import folder_of

_T = TypeVar("_T")

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RETRIES = 1000  # a concurrent pruner can take a new folder away only as often as it deletes a last file
SYNC_EACH_MAX = 4
"""Above so many files or folders, one sync of the filesystem is cheaper than one sync each (ext4)."""


class Folders:
    """The folder tree under one root. Holds no state besides settings; safe from several threads.

    Folders are named relative to the root, the root by the empty string.
    """

    def __init__(self, root: str, *, shared: bool, durable: bool) -> None:
        self.root = os.path.abspath(root).rstrip("/")
        self.folder_mode = 0o777 if shared else 0o700
        self.file_mode = 0o666 if shared else 0o600
        self.durable = durable
        self._inside = os.path.realpath(self.root or "/").rstrip("/") + "/"

    def path(self, key: str) -> str:
        """Give the absolute path of a key or folder."""
        return f"{self.root}/{key}"

    def make_root(self) -> None:
        """Make the root, and what is missing above it, with the same permissions as what goes into it."""
        missing, path = [], self.root
        while not os.path.isdir(path):
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(path, self.folder_mode)

    def enter(self, folder: str) -> int:
        """Open a folder that exists; the caller closes the descriptor.

        Symbolic links are followed as long as they stay inside the root: what is done through the
        descriptor cannot leave it, even when somebody swaps a folder for a link meanwhile.
        """
        descriptor = os.open(self.path(folder), _OPEN)
        try:
            self._refuse_outside(descriptor, folder)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def make(self, folder: str, made: set[str]) -> int:
        """Open a folder, making what is missing; parents of what was made are added to ``made``."""
        try:
            return self.enter(folder)
        except FileNotFoundError:
            if not folder:
                raise
        above_name, _, name = folder.rpartition("/")
        above = self.make(above_name, made)
        try:
            if self._mkdir(name, above):
                made.add(above_name)
            return os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)

    def within(self, folder: str, made: set[str], act: Callable[[int], _T]) -> _T:
        """Do something in a folder that is made when missing; again when a pruner took it away meanwhile."""
        for _ in range(_RETRIES):
            try:
                descriptor = self.make(folder, made)
            except FileNotFoundError:
                os.stat(self.root or "/")  # says so when the root itself is gone
                continue
            try:
                return act(descriptor)
            except FileNotFoundError:
                if os.fstat(descriptor).st_nlink:
                    raise
            finally:
                os.close(descriptor)
        raise StoreError(f"folder {folder!r}", "it vanishes as often as it is made", "stop what deletes it")

    def unlink(self, key: str) -> None:
        """Remove one file or symbolic link; one that is gone is no error."""
        try:
            descriptor = self.enter(folder_of(key))
        except FileNotFoundError:
            return
        try:
            os.unlink(key.rpartition("/")[2], dir_fd=descriptor)
        except FileNotFoundError:
            pass
        finally:
            os.close(descriptor)

    def unlink_same(self, key: str, staging: str) -> bool:
        """Remove a key if it is the very file that lies in staging; tell whether it was."""
        found = self.lstat(key)
        if found is None or not _same(found, self.path(staging)):
            return False
        self.unlink(key)
        return True

    def unlink_marked(self, key: str, mark: Mark) -> None:
        """Remove a key if it is still the file that was marked: another may have been written since."""
        folder, _, name = key.rpartition("/")
        for error in self.unlink_all_marked(folder, {name: mark}).values():
            raise error

    def unlink_all_marked(self, folder: str, marks: Mapping[str, Mark]) -> dict[str, OSError]:
        """Remove names of a folder that are still the files that were marked; give what cannot be removed.

        Another file may have been written under a name since.
        """
        failed: dict[str, OSError] = {}
        try:
            descriptor = self.enter(folder)
        except (FileNotFoundError, NotADirectoryError):
            return failed
        try:
            for name, mark in marks.items():
                try:
                    if Mark.of(os.stat(name, dir_fd=descriptor, follow_symlinks=False)) == mark:
                        os.unlink(name, dir_fd=descriptor)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    failed[name] = error
        finally:
            os.close(descriptor)
        return failed

    def lstat(self, key: str) -> os.stat_result | None:
        """Give the state of a key inside the root, links not followed; None when nothing is there."""
        try:
            descriptor = self.enter(folder_of(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.stat(key.rpartition("/")[2], dir_fd=descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        finally:
            os.close(descriptor)

    def prune(self, folders: Iterable[str]) -> set[str]:
        """Remove those folders that are empty, and their parents that become so, but never the root.

        Returns the folders that remain, where a name went away.
        """
        remaining: set[str] = set()
        for folder in folders:
            current = folder
            while current and self._rmdir(current):
                remaining.discard(current)
                current = folder_of(current)
            remaining.add(current)
        return remaining

    def sync(self, folders: Iterable[str]) -> None:
        """Make the names in these folders durable; those that are gone are left out."""
        names = set(folders) if self.durable else set()
        if len(names) > SYNC_EACH_MAX and sync_filesystem(self.root or "/"):
            return
        for name in names:
            try:
                sync_path(self.path(name))
            except FileNotFoundError:
                continue

    def _mkdir(self, name: str, above: int) -> bool:
        try:
            os.mkdir(name, self.folder_mode, dir_fd=above)
        except FileExistsError:
            return False
        return True

    def _rmdir(self, folder: str) -> bool:
        above, _, name = folder.rpartition("/")
        try:
            descriptor = self.enter(above)
        except OSError as error:
            return isinstance(error, FileNotFoundError)
        try:
            os.rmdir(name, dir_fd=descriptor)
        except OSError as error:
            return isinstance(error, FileNotFoundError)
        finally:
            os.close(descriptor)
        return True

    def _refuse_outside(self, descriptor: int, folder: str) -> None:
        try:
            real = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            real = os.path.realpath(self.path(folder))
        if not f"{real}/".startswith(self._inside):
            raise StoreError(
                f"write in folder {folder!r} under {self.root!r}",
                f"a symbolic link leads out of the root, to {real!r}",
                "replace the link by a folder, or give that place a store of its own",
            )


def drop_source(path: str, mark: Mark) -> None:
    """Remove a moved file's source, unless it was written or replaced since it was taken in."""
    with suppress(FileNotFoundError):
        if Mark.of(os.lstat(path)) == mark:
            os.unlink(path)


def _same(found: os.stat_result, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(found, os.lstat(path))
    return False


def sync_filesystem(path: str) -> bool:
    """Make all that lies on the filesystem of ``path`` durable; False where the system cannot."""
    import ctypes

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)
    return True
