"""A batch of a far store: spooled, written down, uploaded under the final keys, and settled or taken back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from skyfs.abc.store import Adoption, Batch, Content, Store
from skyfs.errors import Exists, SkyfsError, StoreError, Transient

from .adoption import require_same
from .batch_state import State, require_state
from .failure import failing, translate
from .folders import Folders, drop_source
from .intent import Intent, Mark
from .journal import Journal
from .keys import check_key
from .remote_connection import Connection
from .remote_loop import AT_ONCE, each, run
from .remote_requests import Upload, Uploads
from .staged import StagedFile, buffered, digest_of, open_regular

_LARGE_AT_ONCE = 8
LARGE_BYTES = 8 << 20


@dataclass(slots=True)
class _Entry:
    """One key that is written.

    Attributes
    ----------
    token
        By which the object will be known as this batch's: also the key of its spool file.
    path
        Of the local file with the bytes.
    raw
        The spool file, for what is created.
    content, mark
        What the file holds, and its state then: it must not change until it is uploaded.
    moved
        Whether the file is taken away in the end.
    state
        ``waiting``, ``tried`` (may lie there or not), ``there``.
    """

    token: str
    path: str
    raw: StagedFile | None = None
    content: Content | None = None
    mark: Mark | None = None
    moved: bool = False
    state: str = "waiting"


class RemoteBatch(Batch):
    """The commit protocol of a far store.

    Objects are put with the condition that none is there, so of two writers one gets Exists. Each carries a
    token, so that undoing and recovery delete only what this batch put there. When `publish` raises
    Transient, it may be called again and goes on where it was. LINK and SYMLINK are refused; a file that is
    adopted by COPY must stay as it is until `publish` has ended.
    """

    def __init__(self, store: Store, connection: Connection, folders: Folders, journal: Journal) -> None:
        self._store = store  # kept alive: the journal is closed when its store goes
        self._name, self._connection, self._folders, self._journal = store.name, connection, folders, journal
        self._entries: dict[str, _Entry] = {}
        self._files: list[BinaryIO] = []
        self._removals: dict[str, str] = {}
        self._number = 0
        self._state = State.FILLING

    def create(self, key: str) -> BinaryIO:
        self._require_free(key)
        with failing("write", key, self._name):
            self._folders.make_root()
            token = self._journal.new_file()
            path, usable = self._folders.path(token), self._journal.require_usable
            raw = StagedFile(path, self._folders.file_mode, key, self._name, usable)
        self._entries[key] = _Entry(token, path, raw=raw)
        file = buffered(raw)
        self._files.append(file)
        return file

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._require_free(key)
        asked = f"adoption of {path!r} by {how.value} as {key!r} in store {self._name!r}"
        if how in (Adoption.LINK, Adoption.SYMLINK):
            raise StoreError(asked, "a store far away cannot hold links", "adopt by copy or move")
        if "\0" in path:
            raise StoreError(asked, "the path has a NUL character", "give the path of a file")
        real = os.path.realpath(path)
        with failing(f"adoption of {path!r} by {how.value} as", key, self._name):
            if how is Adoption.MOVE and not os.access(os.path.dirname(real), os.W_OK):
                raise StoreError(asked, "its folder cannot be written", "adopt by copy")
            content, mark = _read(real, asked)
            self._folders.make_root()
            token = self._journal.new_file()
        moved = how is Adoption.MOVE
        self._entries[key] = _Entry(token, real, content=content, mark=mark, moved=moved)

    def delete(self, key: str) -> None:
        self._require(State.FILLING)
        check_key(key, self._name)
        identity = self._ask("delete", key, self._uploads().identify(key))
        if identity:
            self._removals[key] = identity

    def publish(self) -> Mapping[str, Content]:
        if self._state is not State.PUBLISHING:
            self._require(State.FILLING)
            self._seal()
        contents = {key: entry.content for key, entry in self._entries.items() if entry.content}
        self._state = State.PUBLISHING
        try:
            if not self._number and (self._entries or self._removals):
                self._write_down()
            failures = run(each(self._try_upload, list(self._entries), _at_once(self._entries.values())))
        except BaseException:
            self._state = State.OVER
            with suppress(SkyfsError):
                self._take_back()
            raise
        for failure in filter(None, failures):
            raise failure
        self._state = State.PUBLISHED
        return contents

    def settle(self) -> None:
        if self._state is not State.SETTLING:
            self._require(State.PUBLISHED)
        self._state = State.SETTLING
        failures: list[SkyfsError] = []
        for key, entry in self._entries.items():
            if entry.moved and entry.mark is not None:
                try:
                    drop_source(entry.path, entry.mark)
                except OSError as error:
                    failures.append(translate(error, f"removal of {entry.path!r}, moved to {key!r}"))
        failures += filter(None, run(each(self._remove, self._removals.items())))
        if failures:
            raise failures[0]
        self._end()

    def undo(self) -> None:
        if self._state is State.OVER and not self._entries:
            return
        if self._state is State.SETTLING:
            self._require(State.PUBLISHED)
        self._journal.require_usable()
        for file in self._files:
            with suppress(OSError):  # what does not fit on the disk is not wanted
                file.close()
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
        if not found and self._ask("write", key, self._uploads().identify(key)):
            found = "bytes lie under that key"
        if found:
            asked = f"write {key!r} in store {self._name!r}"
            raise Exists(asked, found, "delete it first, or use another key")

    # -- publishing

    def _seal(self) -> None:
        """Close and digest all files."""
        for file in self._files:
            file.close()
        for key, entry in self._entries.items():
            if entry.raw is None:
                continue
            if entry.raw.failed is not None:
                asked = f"publish {key!r} in store {self._name!r}"
                raise StoreError(asked, f"an earlier {entry.raw.failed}", "begin a new batch")
            with failing("write", key, self._name), open(entry.path, "rb") as spool:
                state = os.fstat(spool.fileno())
                sha256 = entry.raw.sha256(state.st_size) or digest_of(spool.fileno())
            entry.mark = Mark.of(state)
            entry.content = Content(state.st_size, sha256, state.st_mtime_ns)

    def _write_down(self) -> None:
        entries = self._entries.items()
        intent = Intent(
            files=tuple((entry.token, key) for key, entry in entries),
            sources=tuple(
                (key, entry.path, entry.mark) for key, entry in entries if entry.moved and entry.mark
            ),
            removals=tuple(self._removals.items()),
        )
        with failing("write the journal for", self._some_key(), self._name):
            self._folders.make_root()
            self._number = self._journal.append(intent)
            self._journal.sync()

    async def _try_upload(self, key: str) -> Transient | None:
        """Give what may pass: no reason to stop the others, so that the next try is of the rest alone."""
        try:
            await self._upload(key)
        except Transient as error:
            return error
        return None

    async def _upload(self, key: str) -> None:
        entry = self._entries[key]
        if entry.state == "there" or entry.content is None or entry.mark is None:
            return
        uploads, asked = self._uploads(), f"write {key!r} in store {self._name!r}"
        entry.state = "tried"
        try:
            with self._connection.asking("write", key):
                descriptor = open_regular(entry.path, asked)
                try:
                    require_same(entry.mark, Mark.of(os.fstat(descriptor)), asked)
                    size, mtime_ns = entry.content.size, entry.content.mtime_ns
                    await uploads.upload(key, Upload(descriptor, size, mtime_ns, entry.token), self._gate())
                    require_same(entry.mark, Mark.of(os.fstat(descriptor)), asked)
                finally:
                    os.close(descriptor)
        except Exists:
            # Our own, when an earlier try arrived although its answer was lost.
            with self._connection.asking("write", key):
                if not (await uploads.identify(key)).startswith(f"{entry.token} "):
                    entry.state = "waiting"
                    raise
        entry.state = "there"

    # -- settling and taking back

    async def _remove(self, removal: tuple[str, str]) -> SkyfsError | None:
        try:
            with self._connection.asking("delete", removal[0]):
                await self._uploads().remove(*removal)
        except SkyfsError as error:
            return error
        return None

    def _take_back(self) -> None:
        async def take_back(key: str) -> None:
            token = self._entries[key].token
            with self._connection.asking("undo", key):
                identity = await self._uploads().identify(key)
                if identity.startswith(f"{token} "):
                    await self._uploads().remove(key, identity)
            self._entries[key].state = "waiting"

        run(each(take_back, [key for key, entry in self._entries.items() if entry.state != "waiting"]))

    def _end(self) -> None:
        for entry in self._entries.values():
            if entry.raw is not None:
                with suppress(OSError):  # recovery sweeps what stays
                    os.unlink(entry.path)
        if self._number:
            self._journal.end(self._number)
        self._entries.clear()
        self._state = State.OVER

    # -- asking

    def _uploads(self) -> Uploads:
        return cast("Uploads", self._connection.requests())

    def _ask(self, verb: str, key: str, work: Coroutine[Any, Any, str]) -> str:
        with self._connection.asking(verb, key):
            return run(work)

    def _gate(self) -> asyncio.Semaphore:
        if self._gate_of_batch is None:
            self._gate_of_batch = asyncio.Semaphore(_LARGE_AT_ONCE)
        return self._gate_of_batch

    _gate_of_batch: asyncio.Semaphore | None = None

    def _some_key(self) -> str:
        return next(iter(self._entries or self._removals), "")


def _read(path: str, asked: str) -> tuple[Content, Mark]:
    """Digest a file that is to be adopted."""
    descriptor = open_regular(path, asked)
    try:
        before = os.fstat(descriptor)
        sha256 = digest_of(descriptor)
        require_same(Mark.of(before), Mark.of(os.fstat(descriptor)), asked)
    finally:
        os.close(descriptor)
    return Content(before.st_size, sha256, before.st_mtime_ns), Mark.of(before)


def _at_once(entries: Iterable[_Entry]) -> int:
    """Give how many files are uploaded at once: large ones wait for one another anyway."""
    large = any(entry.content is not None and entry.content.size > LARGE_BYTES for entry in entries)
    return _LARGE_AT_ONCE if large else AT_ONCE
