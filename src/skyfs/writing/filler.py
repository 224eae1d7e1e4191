"""Filling the files of new datasets: in one store or several, in the format that each wants."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO, Protocol, TypeVar
from uuid import UUID

from ..abc.source import ByteSource
from ..abc.store import Adoption, Batch, Content, Store
from ..errors import Exists, NotFound
from ..formats.catalog import Formats
from ..model.dataset import DatasetRef
from ..registry.captured import Values
from .capturing import capture
from .planner import Plan
from .routes import Route

_COPY_BYTES = 1 << 22
_T = TypeVar("_T")


class Batches(Protocol):
    """What settles or undoes batches together."""

    batches: list[Batch]

    def add(self, batch: Batch) -> Batch:
        """Take a batch in."""

    def undo(self) -> None:
        """Take all back."""


class Filler:
    """One batch for each store that is written to, begun when first needed.

    Parameters
    ----------
    unit
        Takes the batches in.
    begun
        Go on with the batches of this one.
    """

    def __init__(
        self, stores: Mapping[str, Store], formats: Formats, unit: Batches, begun: Filler | None = None
    ) -> None:
        self._stores = stores
        self._formats = formats
        self.unit = unit
        self._batches: dict[str, Batch] = {} if begun is None else begun._batches  # noqa: SLF001 - its own class
        self._marked: dict[tuple[UUID, str, str], str] = {} if begun is None else begun._marked  # noqa: SLF001 - as above

    def undo(self) -> None:
        """Take all back."""
        self.unit.undo()

    def create(self, route: Route, key: str, ref: DatasetRef | None = None) -> BinaryIO:
        """Give the file of a route, to be written; that of the dataset ``ref`` under a free key."""
        batch = self._batch(route.store)
        return batch.create(key) if ref is None else self._begin(ref, route, key, batch.create)

    def key(self, ref: DatasetRef, store: str, key: str) -> str:
        """Give under which key a dataset's file was written that was to have ``key``."""
        return self._marked.get((ref.id, store, key), key)

    def write(self, plan: Plan, value: object) -> Values:
        """Write an object to all files of a plan; give what is captured from the first that has it."""
        parts: Mapping[str, tuple[str, object]] = {}
        if any(route.component is not None for route, _ in plan.files):
            parts = self._formats.disassemble(plan.ref.type.storage_class, value)
        captured: dict[str, object] = {}
        for route, key in plan.files:
            if route.component is None:
                content = value
            elif route.component in parts:
                content = parts[route.component][1]
            else:
                continue
            with self.create(route, key, plan.ref) as file:
                what = (route.extension, route.storage_class, _named(plan, route))
                self._formats.write(content, file, *what, route.options)
                found = capture(self._formats, plan.ref.type.capture, FileSource(file), route.extension)
            captured = {**dict(found), **captured}
        return list(captured.items())  # type: ignore[arg-type]

    def copy(
        self,
        files: Sequence[tuple[Route, str]],
        source: ByteSource,
        extension: str,
        ref: DatasetRef | None = None,
    ) -> None:
        """Write bytes to files, in the format of each; ``ref`` as `create` has it."""
        for route, key in files:
            with self.create(route, key, ref) as file:
                if route.own_format:
                    to = (route.storage_class, route.extension)
                    self._formats.convert(source, extension, *to, file, route.options)
                else:
                    _copy(source, file)

    def adopt(self, plan: Plan, path: str, how: Adoption) -> None:
        """Take a local file in as the first file of a plan; the others are copies of it, or made of it."""
        first = plan.files[0][0]
        for route, key in plan.files:
            if route is first or not route.own_format:
                self._adopt(plan, route, key, path, how if route is first else Adoption.COPY)
                continue
            with open(path, "rb") as given, self.create(route, key, plan.ref) as file:
                to = (route.storage_class, route.extension)
                self._formats.convert(FileSource(given), first.extension, *to, file, route.options)

    def publish(self) -> Mapping[tuple[str, str], Content]:
        """Make all durable and readable; give what each (store, key) holds."""
        return {
            (name, key): content
            for name, batch in self._batches.items()
            for key, content in batch.publish().items()
        }

    def _adopt(self, plan: Plan, route: Route, key: str, path: str, how: Adoption) -> None:
        batch = self._batch(route.store)
        if plan.target.part is None:
            self._begin(plan.ref, route, key, lambda free: batch.adopt(free, path, how))
        else:
            batch.adopt(key, path, how)

    def _begin(self, ref: DatasetRef, route: Route, key: str, begin: Callable[[str], _T]) -> _T:
        """Begin a file under its key; if that is taken, under one with the dataset's id in it.

        The registry says what a data ID holds. Under a key may lie what this transaction removes when it
        ends, or what a dead writer left.
        """
        try:
            return begin(key)
        except Exists:
            marked = route.key(ref, unique=True)
            if marked == key:
                raise
            self._marked[ref.id, route.store, key] = marked
            return begin(marked)

    def _batch(self, name: str) -> Batch:
        batch = self._batches.get(name)
        if batch is None:
            store = self._stores.get(name)
            if store is None:
                raise NotFound(f"write to store {name!r}", "the repository has no such store")
            batch = self._batches[name] = self.unit.add(store.begin())
        return batch


class FileSource(ByteSource):
    """An open file as a source, such as one that is being written; whoever opened the file closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    @property
    def size(self) -> int:
        return self._file.seek(0, io.SEEK_END)

    def read(self, start: int, stop: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(stop - start, 0))


def _named(plan: Plan, route: Route) -> str:
    """Give the name by which options are configured: of the type, or of a component of it."""
    name = plan.ref.type.name
    return name if route.component is None else f"{name}.{route.component}"


def _copy(source: ByteSource, file: BinaryIO) -> None:
    file.writelines(source.read(start, start + _COPY_BYTES) for start in range(0, source.size, _COPY_BYTES))
