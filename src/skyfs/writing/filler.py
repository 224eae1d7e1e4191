"""Filling the files of new datasets: in one store or several, in the format that each wants."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Protocol

from ..abc.source import ByteSource
from ..abc.store import Adoption, Batch, Content, Store
from ..errors import NotFound
from ..formats.catalog import Formats
from ..registry.captured import Values
from .capturing import capture
from .planner import Plan
from .routes import Route

_COPY_BYTES = 1 << 22


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

    def undo(self) -> None:
        """Take all back."""
        self.unit.undo()

    def create(self, route: Route, key: str) -> BinaryIO:
        """Give the file of a route, to be written."""
        return self._batch(route.store).create(key)

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
            with self.create(route, key) as file:
                what = (route.extension, route.storage_class, _named(plan, route))
                self._formats.write(content, file, *what, route.options)
                found = capture(self._formats, plan.ref.type.capture, FileSource(file), route.extension)
            captured = {**dict(found), **captured}
        return list(captured.items())  # type: ignore[arg-type]

    def copy(self, files: Sequence[tuple[Route, str]], source: ByteSource, extension: str) -> None:
        """Write bytes to files, in the format of each."""
        for route, key in files:
            with self.create(route, key) as file:
                if route.own_format:
                    to = (route.storage_class, route.extension)
                    self._formats.convert(source, extension, *to, file, route.options)
                else:
                    _copy(source, file)

    def adopt(self, plan: Plan, path: str, how: Adoption) -> None:
        """Take a local file in as the first file of a plan; the others are copies of it, or made of it."""
        (first, key), *others = plan.files
        self._batch(first.store).adopt(key, path, how)
        for route, own_key in others:
            if not route.own_format:
                self._batch(route.store).adopt(own_key, path, Adoption.COPY)
                continue
            with open(path, "rb") as given, self.create(route, own_key) as file:
                to = (route.storage_class, route.extension)
                self._formats.convert(FileSource(given), first.extension, *to, file, route.options)

    def publish(self) -> Mapping[tuple[str, str], Content]:
        """Make all durable and readable; give what each (store, key) holds."""
        return {
            (name, key): content
            for name, batch in self._batches.items()
            for key, content in batch.publish().items()
        }

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
