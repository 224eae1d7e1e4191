"""Random requests to the core of a mount, and to a model that is a few dictionaries."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

import skyfs
from skyfs.mount.failures import Refusal
from skyfs.mount.operations import Operations, Writing
from skyfs.tree import Tree

from .core import CREATE, WRITER, Openers, names, read

DATASETS = ("/r/notes", "/r/other", "/s/notes")
SCRATCH = ("/r/.x", "/r/notes~", "/s/#y#")
PATHS = st.sampled_from(DATASETS + SCRATCH)
BYTES = st.binary(max_size=40)


class File:
    """An open file of the model: its path, its bytes, and whether they are others than before."""

    def __init__(self, path: str, data: bytes, *, changed: bool) -> None:
        self.path, self.data, self.changed = path, bytearray(data), changed


class WritingMachine(RuleBasedStateMachine):
    """A mount with one writer, whose every answer is foretold."""

    replace = False

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.repo = skyfs.create(Path(self._folder.name) / "sky", options={"durability": "process"})
        self.repo.register("notes", [], "Bytes")
        self.repo.register("other", [], "Bytes")
        writing = Writing(replace=self.replace)
        self.operations = Operations(Tree(self.repo), writing=writing, processes=Openers())
        self.stored: dict[str, bytes] = {}
        self.scratch: dict[str, File] = {}
        self.open: dict[int, File] = {}

    @initialize()
    def begin(self) -> None:
        self.operations.mkdir("/r", 0o755)
        self.operations.mkdir("/s", 0o755)

    def teardown(self) -> None:
        self.operations.close()
        self.repo.close()
        self._folder.cleanup()

    def answers(self, number: int, request: Callable[[], object]) -> None:
        """Ask for something, and compare the errno: 0 when it is granted."""
        answer = 0
        try:
            request()
        except Refusal as refusal:
            answer = refusal.errno or -1
        assert answer == number

    def draft(self, path: str) -> File | None:
        return next((file for file in self.open.values() if file.path == path and path in DATASETS), None)

    # -- files -----------------------------------------------------------------------------------------

    @rule(path=PATHS)
    def create(self, path: str) -> None:
        """Open with O_CREAT and O_TRUNC, as the kernel asks for a name that it does not find."""
        if path in DATASETS and self.draft(path) is None and path in self.stored and not self.replace:
            self.answers(errno.EEXIST, lambda: self.operations.create(path, CREATE, 0o644, WRITER))
            return
        number, handle = self.operations.create(path, CREATE, 0o644, WRITER)
        assert handle.direct == (path in DATASETS)
        file = self.draft(path) if path in DATASETS else self.scratch.get(path)
        if file is None:
            file = File(path, b"", changed=True)
        file.data[:], file.changed = b"", True
        self.open[number] = file
        if path in SCRATCH:
            self.scratch[path] = file

    @precondition(lambda self: self.replace)
    @rule(path=st.sampled_from(DATASETS))
    def open_to_change(self, path: str) -> None:
        file = self.draft(path)
        if file is None and path not in self.stored:
            self.answers(errno.ENOENT, lambda: self.operations.open(path, os.O_RDWR, WRITER))
            return
        number, _ = self.operations.open(path, os.O_RDWR, WRITER)
        self.open[number] = file or File(path, self.stored[path], changed=False)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), content=BYTES, offset=st.integers(0, 50))
    def write(self, data: st.DataObject, content: bytes, offset: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        file = self.open[number]
        assert self.operations.write(number, content, offset) == len(content)
        file.changed = True
        if content:
            file.data.extend(bytes(max(offset - len(file.data), 0)))
            file.data[offset : offset + len(content)] = content

    @precondition(lambda self: self.open)
    @rule(data=st.data(), size=st.integers(0, 60))
    def truncate(self, data: st.DataObject, size: int) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        file = self.open[number]
        self.operations.truncate(file.path, size, number)
        file.changed = True
        del file.data[size:]
        file.data.extend(bytes(size - len(file.data)))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.open)))
        file = self.open.pop(number)
        last = all(other is not file for other in self.open.values())
        self.operations.flush(number, WRITER)
        self.operations.release(number)
        if last and file.path in DATASETS and file.changed:
            self.stored[file.path] = bytes(file.data)

    # -- names -----------------------------------------------------------------------------------------

    @rule(path=PATHS)
    def unlink(self, path: str) -> None:
        file = self.draft(path)
        if path in self.scratch:
            self.answers(0, lambda: self.operations.unlink(path))
            del self.scratch[path]
        elif path in self.stored and file is None:
            self.answers(0, lambda: self.operations.unlink(path))
            del self.stored[path]
        elif file is None:
            self.answers(errno.ENOENT, lambda: self.operations.unlink(path))

    @rule(old=st.sampled_from(SCRATCH), new=PATHS)
    def rename(self, old: str, new: str) -> None:
        def request() -> None:
            self.operations.rename(old, new)

        file = self.scratch.get(old)
        if file is None:
            if old != new:
                self.answers(errno.ENOENT, request)
        elif new in SCRATCH:
            self.answers(0, request)
            self.scratch[new] = self.scratch.pop(old)
            file.path = new
        elif self.draft(new) is not None:
            self.answers(errno.EBUSY, request)
        elif new in self.stored and not self.replace:
            self.answers(errno.EEXIST, request)
        else:
            self.answers(0, request)
            self.stored[new] = bytes(self.scratch.pop(old).data)

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def others_see_what_is_stored(self) -> None:
        shown = {f"/{run}/{name}" for run in "rs" for name in names(self.operations, f"/{run}")}
        assert shown == set(self.stored) | set(self.scratch)
        for path, expected in self.stored.items():
            if self.draft(path) is None:
                assert read(self.operations, path) == expected
        for path, file in self.scratch.items():
            assert read(self.operations, path) == bytes(file.data)

    @invariant()
    def writers_read_what_they_wrote(self) -> None:
        for number, file in self.open.items():
            assert self.operations.read(number, 1000, 0) == bytes(file.data)
            assert self.operations.getattr("/x", number)["st_size"] == len(file.data)

    @invariant()
    def the_repository_holds_the_same(self) -> None:
        found = {
            f"/{run}/{name}": self.repo.get(name, collections=run)
            for run, name in (path[1:].split("/") for path in self.stored)
        }
        assert found == self.stored
        assert len(self.operations.handles) == len(self.open)


class ReplacingMachine(WritingMachine):
    """The same where datasets are replaced."""

    replace = True


WritingMachine.TestCase.settings = ReplacingMachine.TestCase.settings = settings(
    max_examples=6,
    stateful_step_count=25,  # some 10 s: each has a repository of its own
)
TestWriting = WritingMachine.TestCase
TestReplacing = ReplacingMachine.TestCase
