"""Which datasets of a manifest need bytes, and where these will lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from ..model.dataid import DataId
from ..model.dataset import DatasetRef, DatasetType, Resolved
from ..model.ids import new_ids
from ..model.manifest_line import DatasetRow, DatasetsLine, FileRow
from ..model.template import file_key
from ..registry.catalogue import CollectionEntry, TypeEntry
from ..registry.manifest.arriving import OnConflict, agree, taken, wins
from ..registry.registry import Registry
from ..writing.routes import Route
from ..writing.writer import Writer
from .travelling import travelling


@dataclass(frozen=True, slots=True)
class Planned:
    """Lines of datasets: what will be put in, with files as they will be here; and what may be tried now.

    In ``line`` datasets that need no bytes have no files; in ``trial`` they have those that they had, to be
    compared with what is there.
    """

    line: DatasetsLine
    trial: DatasetsLine


class Planner:
    """Plans the files of arriving datasets, inside of a transaction that has all lines before them."""

    def __init__(self, registry: Registry, writer: Writer, conflict: OnConflict) -> None:
        self._registry = registry
        self._writer = writer
        self._conflict = conflict
        self._shared: dict[tuple[str, str], tuple[str, str]] = {}
        self._routes: dict[tuple[str, str], tuple[Route, ...]] = {}

    def plan(self, line: DatasetsLine) -> Planned:
        """Plan one line; raises as putting it in does, when its data IDs do not fit."""
        snapshot = self._registry.current()
        entry, run = snapshot.type(line.type_name), snapshot.collection(line.run)
        required = entry.group.required
        if any(len(row.values) != len(required) for row in line.rows):
            return Planned(line, line)  # putting it in tells why it cannot be
        given = [dict(zip(required, row.values, strict=True)) for row in line.rows]
        levels = self._registry.data_ids.complete_many(entry.group, given)
        refs = [
            DatasetRef(row.id, entry.type, DataId(entry.group, values), line.run)
            for row, values in zip(line.rows, levels, strict=True)
        ]
        needed = self._needed(entry, run, line.rows, refs)
        rows = [
            replace(row, files=self._files(ref, row, unique=needed[row.id]) if row.id in needed else ())
            for row, ref in zip(line.rows, refs, strict=True)
        ]
        tried = [own if own.files else row for own, row in zip(rows, line.rows, strict=True)]
        return Planned(replace(line, rows=tuple(rows)), replace(line, rows=tuple(tried)))

    def _needed(
        self, entry: TypeEntry, run: CollectionEntry, rows: Sequence[DatasetRow], refs: Sequence[DatasetRef]
    ) -> dict[UUID, bool]:
        """Give the ids of datasets whose bytes are wanted, and whether they take the place of another."""
        found: dict[UUID, bool] = {}
        there = self._registry.lookup.by_id(self._registry.current(), [row.id for row in rows])
        fresh = [ref.data_id.row for ref in refs if ref.id not in there]
        others = {} if self._conflict == "fail" else taken(self._registry, entry, run, fresh)
        for row, ref in zip(rows, refs, strict=True):
            known = there.get(row.id) or others.get(ref.data_id.row)
            if not row.files:
                continue
            if known is None or (known.ref.id == row.id and not known.locations):
                found[row.id] = False
            elif self._replaces(row, known):
                found[row.id] = True
        return found

    def _replaces(self, row: DatasetRow, known: Resolved) -> bool:
        same = known.ref.id == row.id and agree(row.files, known.locations)
        return not same and wins(self._registry, self._conflict, row.created_ms, known)

    def _files(self, ref: DatasetRef, row: DatasetRow, *, unique: bool) -> tuple[FileRow, ...]:
        found: list[FileRow] = []
        for file in travelling(row):
            if file.part is not None:
                store, key = self._shared_place(ref, file)
                found.append(replace(file, store=store, key=key, owned=True))
                continue
            for route in self.routes(ref.type, file):
                key = route.key(ref, unique=unique)
                found.append(replace(file, store=route.store, key=key, extension=route.extension, owned=True))
        return tuple(found)

    def routes(self, dataset_type: DatasetType, file: FileRow) -> Sequence[Route]:
        """Give where copies of a file go; a component goes to one store."""
        what = (dataset_type.name, file.extension)
        routes = self._routes.get(what)
        if routes is None:
            routes = self._routes[what] = self._writer.routes(dataset_type, file.extension)
        return routes if file.component is None else [replace(routes[0], component=file.component)]

    def shared_place(self, file: FileRow) -> tuple[str, str] | None:
        """Give store and key of a file with many datasets, when one of them needs it."""
        return self._shared.get((file.store, str(file.key)))

    def _shared_place(self, ref: DatasetRef, file: FileRow) -> tuple[str, str]:
        """Give where a file with many datasets will lie: the first of them decides."""
        own = (file.store, str(file.key))
        if own not in self._shared:
            store = self.routes(ref.type, file)[0].store
            name = os.path.basename(own[1])
            key = file_key([ref], name, file.extension)
            if (store, key) in self._shared.values() or self._registry.lookup.has_parts(store, key):
                key = file_key([ref], name, file.extension, UUID(bytes=new_ids(1)[0]))
            self._shared[own] = (store, key)
        return self._shared[own]
