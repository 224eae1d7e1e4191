"""A batch of a local store: staged, written down, linked, and settled or taken back."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import BinaryIO

from skyfs.abc.store import Adoption, Batch, Content, Store
from skyfs.config.durable import sync_path
from skyfs.errors import Exists, SkyfsError, StoreError

from .adoption import Entry, adopt, require_same
from .batch_state import State, require_state
from .failure import failing, translate
from .folders import SYNC_EACH_MAX, Folders, drop_source, sync_filesystem
from .intent import Intent, Mark
from .journal import Journal
from .keys import check_key, folder_of
from .staged import StagedFile, buffered, digest_of

# What filesystems without hard links say (FAT, some in FUSE): no file can get its name in one step there.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)


class LocalBatch(Batch):
    """The commit protocol of a local store.

    A MOVE of a symbolic link takes the file it points to, and leaves the link. MOVE and LINK keep mode and
    owner of their file; created and copied files get those of the store.
    """

    def __init__(self, store: Store, folders: Folders, journal: Journal) -> None:
        self._store = store  # kept alive: the journal is closed when its store goes
        self._name, self._folders, self._journal = store.name, folders, journal
        self._entries: dict[str, Entry] = {}
        self._files: list[BinaryIO] = []
        self._deletions: dict[str, Mark] = {}
        self._linked: list[str] = []
        self._touched: set[str] = set()
        self._number = 0
        self._state = State.FILLING

    def create(self, key: str) -> BinaryIO:
        self._require_free(key)
        with failing("write", key, self._name):
            staging = self._journal.new_file()
            usable = self._journal.require_usable
            path = self._folders.path(staging)
            raw = StagedFile(path, self._folders.file_mode, key, self._name, usable)
        # Of many, so many descriptors would stay open.
        raw.kept = len(self._entries) < SYNC_EACH_MAX
        self._entries[key] = Entry(staging, raw=raw)
        file = buffered(raw)
        self._files.append(file)
        return file

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._require_free(key)
        with failing(f"adoption of {path!r} by {how.value} as", key, self._name):
            staging = self._journal.new_file()
            target = self._folders.path(staging)
            try:
                self._entries[key] = adopt(path, staging, target, how, self._folders.file_mode)
            except BaseException:
                with suppress(OSError):
                    os.unlink(target)
                raise

    def delete(self, key: str) -> None:
        self._require(State.FILLING)
        check_key(key, self._name)
        with failing("delete", key, self._name):
            found = self._folders.lstat(key)
        if found is not None:
            self._deletions[key] = Mark.of(found)

    def publish(self) -> Mapping[str, Content]:
        self._require(State.FILLING)
        self._state = State.PUBLISHING
        if not self._entries and not self._deletions:
            self._state = State.PUBLISHED
            return {}
        try:
            contents = self._seal()
            self._write_down()
            self._link()
        except BaseException:
            with suppress(OSError):
                self._take_back()
            raise
        self._state = State.PUBLISHED
        return contents

    def settle(self) -> None:
        if self._state is not State.SETTLING:
            self._require(State.PUBLISHED)
        self._state = State.SETTLING
        failures = [*self._drop_sources(), *self._delete()]
        if failures:
            raise failures[0]
        self._end()

    def undo(self) -> None:
        if self._state is State.OVER:
            return
        if self._state is State.SETTLING:
            self._require(State.PUBLISHED)
        self._journal.require_usable()
        for file in self._files:
            with suppress(OSError):  # what does not fit on the disk is not wanted
                file.close()
        with failing("undo", self._some_key(), self._name):
            self._take_back()
        self._end()

    # -- filling

    def _require(self, state: State) -> None:
        self._journal.require_usable()
        require_state(self._state, state, self._name)

    def _require_free(self, key: str) -> None:
        self._require(State.FILLING)
        check_key(key, self._name)
        found = "this batch writes it already" if key in self._entries else ""
        with failing("write", key, self._name), suppress(FileNotFoundError):
            os.lstat(self._folders.path(key))
            found = "something lies under that key"
        if found:
            asked = f"write {key!r} in store {self._name!r}"
            raise Exists(asked, found, "delete it first, or use another key")

    # -- publishing

    @property
    def _sync_each(self) -> bool:
        """Whether files are synced one by one: of many, the filesystem is synced once."""
        return self._folders.durable and len(self._entries) <= SYNC_EACH_MAX

    def _seal(self) -> dict[str, Content]:
        """Close and digest all files."""
        contents: dict[str, Content] = {}
        for file in self._files:
            file.close()
        for key, entry in self._entries.items():
            with failing("write", key, self._name):
                contents[key] = self._seal_one(entry, key)
        return contents

    def _seal_one(self, entry: Entry, key: str) -> Content:
        path, raw = self._folders.path(entry.staging), entry.raw
        if raw is not None and raw.failed is not None:
            asked = f"publish {key!r} in store {self._name!r}"
            raise StoreError(asked, f"an earlier {raw.failed}", "begin a new batch")
        state = os.stat(path) if raw is None or not raw.kept else raw.state()
        if entry.mark is not None:
            require_same(entry.mark, Mark.of(state), f"adoption of {key!r}")
        sha256 = entry.sha256 if raw is None else raw.sha256(state.st_size) or _read_again(path)
        return Content(state.st_size, sha256, state.st_mtime_ns)

    def _write_down(self) -> None:
        intent = Intent(
            tuple((entry.staging, key) for key, entry in self._entries.items()),
            tuple((key, *entry.source) for key, entry in self._entries.items() if entry.source),
            tuple(self._deletions.items()),
            marks=tuple(self._marks()),
        )
        with failing("write the journal for", self._some_key(), self._name):
            self._number = self._journal.append(intent)
            self._sync_staged()

    def _sync_staged(self) -> None:
        """Make the journal and the bytes durable: both before anything gets its final name."""
        if not self._folders.durable:
            return
        if not self._sync_each and sync_filesystem(self._folders.root or "/"):
            return
        for entry in self._entries.values():
            if entry.raw is not None and entry.raw.kept:
                entry.raw.sync()
            elif entry.how is not Adoption.SYMLINK:
                sync_path(self._folders.path(entry.staging))
        self._journal.sync()

    def _marks(self) -> Iterator[tuple[str, Mark]]:
        for key, entry in self._entries.items():
            yield key, Mark.of(os.lstat(self._folders.path(entry.staging)))

    def _link(self) -> None:
        by_folder: dict[str, list[str]] = {}
        for key in self._entries:
            by_folder.setdefault(folder_of(key), []).append(key)
        for folder, keys in by_folder.items():
            with failing("write in folder", folder, self._name):
                self._folders.within(folder, self._touched, partial(self._link_in, keys))
            self._touched.add(folder)
        with failing("sync after writing", self._some_key(), self._name):
            self._folders.sync(self._touched)

    def _link_in(self, keys: list[str], folder: int) -> None:
        """Link these keys, taking them off the list: the folder may vanish between two of them."""
        while keys:
            key = keys[-1]
            self._linked.append(key)  # before the link: an interrupt after it must find it here
            try:
                self._link_one(key, folder)
            except OSError:
                self._linked.pop()
                raise
            keys.pop()

    def _link_one(self, key: str, folder: int) -> None:
        staged = self._folders.path(self._entries[key].staging)
        try:
            os.link(staged, key.rpartition("/")[2], dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            raise  # the folder was pruned; it is made again
        except OSError as error:
            asked = f"write {key!r} in store {self._name!r}"
            if error.errno in _NO_LINKS:
                found = f"its filesystem makes no hard link: {error.strerror}"
                raise StoreError(
                    asked, found, "put the store on one that does (ext4, xfs, NFS...)"
                ) from error
            raise translate(error, asked) from error

    # -- settling and taking back

    def _drop_sources(self) -> Iterator[SkyfsError]:
        for key, entry in self._entries.items():
            if entry.source is not None:
                try:
                    drop_source(*entry.source)
                except OSError as error:
                    yield translate(error, f"removal of {entry.source[0]!r}, moved to {key!r}")

    def _delete(self) -> Iterator[SkyfsError]:
        by_folder: dict[str, dict[str, Mark]] = {}
        for key, mark in self._deletions.items():
            folder, _, name = key.rpartition("/")
            by_folder.setdefault(folder, {})[name] = mark
        for folder, marks in by_folder.items():
            try:
                failed = self._folders.unlink_all_marked(folder, marks)
            except OSError as error:
                failed = {next(iter(marks)): error}
            for name, reason in failed.items():
                key = f"{folder}/{name}" if folder else name
                yield translate(reason, f"delete {key!r} in store {self._name!r}")
        try:
            self._folders.sync(self._folders.prune(by_folder))
        except OSError as error:
            yield translate(error, f"sync after deleting in store {self._name!r}")

    def _take_back(self) -> None:
        for key in self._linked:
            self._folders.unlink_same(key, self._entries[key].staging)
        self._linked.clear()
        if self._touched:
            folders = {folder_of(key) for key in self._entries}
            self._folders.sync(self._folders.prune(folders))

    def _end(self) -> None:
        for entry in self._entries.values():
            if entry.raw is not None:
                entry.raw.release()
            with suppress(OSError):  # recovery sweeps what stays
                os.unlink(self._folders.path(entry.staging))
        if self._number:
            self._journal.end(self._number)
        self._state = State.OVER

    def _some_key(self) -> str:
        return next(iter(self._entries or self._deletions), "")


def _read_again(path: str) -> bytes:
    """Digest what was not written in order."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return digest_of(descriptor)
    finally:
        os.close(descriptor)
