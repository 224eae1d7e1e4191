"""An export, put into a repository as one change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from ..errors import BadContent, Conflict
from ..formats.catalog import Formats
from ..model.dataid import DataId, Value
from ..model.dataset import DatasetRef, Resolved
from ..registry.catalogue import TypeEntry
from ..registry.registry import Registry
from ..writing.ingester import Ingester, IngestFile
from ..writing.writer import Writer
from .defining import Definer
from .entries import AssociationsEntry, DatasetsEntry, Export, is_component
from .files import Files
from .migration import migrate
from .naming import naming
from .result import Imported


class Importer:
    """Puts an export in: all of it, or nothing."""

    def __init__(
        self, registry: Registry, writer: Writer, ingester: Ingester, formats: Formats, user: str
    ) -> None:
        self._registry = registry
        self._writer = writer
        self._ingester = ingester
        self._definer = Definer(registry, formats, user)

    def run(self, export: Export, files: Files, mode: str) -> Imported:
        """Import an export; see `Repository.import_export`."""
        migrate(export, self._registry.universe)
        with self._writer.transaction():
            records = self._definer.records(export)
            collections = self._definer.collections(export.collections)
            types, mapped = self._definer.types(export.types)
            datasets = _Datasets(self._registry, self._ingester, files, mode)
            datasets.put(export.datasets)
            associations = sum(datasets.associate(entry) for entry in export.associations)
        return Imported(
            records,
            collections,
            types,
            datasets.ingested,
            datasets.declared,
            datasets.unchanged,
            associations,
            len(datasets.components),
            mapped,
            files.left(),
        )


class _Datasets:
    """The datasets of one import, inside of its transaction."""

    def __init__(self, registry: Registry, ingester: Ingester, files: Files, mode: str) -> None:
        self._registry = registry
        self._ingester = ingester
        self._files = files
        self._mode = mode
        self._refs: dict[UUID, DatasetRef] = {}
        self.components: set[UUID] = set()
        self.ingested = self.declared = self.unchanged = 0

    def put(self, entries: Sequence[DatasetsEntry]) -> None:
        """Declare all datasets, then take the files in that are there."""
        for entry in entries:
            if is_component(entry.type_name):
                self.components.update(entry.ids)
        whole = [entry for entry in entries if not is_component(entry.type_name)]
        self._files.note(whole)
        for entry in whole:
            with naming(entry.where):
                self._put(entry)

    def associate(self, entry: AssociationsEntry) -> int:
        """Tag or certify datasets of the export or of the repository; give how many."""
        count = 0
        with naming(entry.where):
            for span, ids in entry.ids:
                refs = self._refs_of([uuid for uuid in ids if uuid not in self.components])
                if span is None:
                    self._registry.datasets.tag(refs, entry.collection)
                else:
                    self._registry.datasets.certify(refs, entry.collection, span)
                count += len(refs)
        return count

    def _refs_of(self, ids: Sequence[UUID]) -> list[DatasetRef]:
        missing = [uuid for uuid in ids if uuid not in self._refs]
        there = self._registry.lookup.by_id(self._registry.current(), missing) if missing else {}
        for uuid in missing:
            if uuid not in there:
                todo = "the export is damaged, or was made without the dataset"
                raise BadContent(f"dataset {uuid}", "neither in the export nor in the repository", todo)
            self._refs[uuid] = there[uuid].ref
        return [self._refs[uuid] for uuid in ids]

    def _put(self, entry: DatasetsEntry) -> None:
        snapshot = self._registry.current()
        known = snapshot.type(entry.type_name)
        run = snapshot.collection(entry.run)
        rows = self._registry.data_ids.complete_many(known.group, entry.data_ids)
        there = self._registry.lookup.by_id(snapshot, entry.ids)
        new = self._new(entry, known, rows, there)
        empty = {uuid for uuid, resolved in there.items() if not resolved.locations}
        taken = self._files.of(entry, known.type.storage_class, new.keys() | empty)
        later = {uuid: ref for uuid, ref in new.items() if uuid not in taken}
        if later:
            levels, ids = [ref.data_id.row for ref in later.values()], [uuid.bytes for uuid in later]
            self._registry.datasets.declare(known, run, levels, ids)
        if taken:
            self._ingest(entry, taken)
        self.ingested += len(taken)
        self.declared += len(later)
        self.unchanged += len(there.keys() - taken.keys())

    def _ingest(self, entry: DatasetsEntry, taken: Mapping[UUID, IngestFile]) -> None:
        files = list(taken.values())
        refs = self._ingester.ingest(files, entry.type_name, entry.run, mode=self._mode, replace=False)
        for uuid, ref in zip(taken, refs, strict=True):
            # One that was declared keeps its id when it gets bytes.
            if ref.id != uuid:
                raise Conflict(f"dataset {uuid} as {ref}", f"that data ID has the id {ref.id}")

    def _new(
        self,
        entry: DatasetsEntry,
        known: TypeEntry,
        rows: Sequence[tuple[Value, ...]],
        there: Mapping[UUID, Resolved],
    ) -> dict[UUID, DatasetRef]:
        """Give the datasets that are new; those whose ids are there must be the same."""
        new: dict[UUID, DatasetRef] = {}
        for uuid, row in zip(entry.ids, rows, strict=True):
            ref = DatasetRef(uuid, known.type, DataId(known.group, row), entry.run)
            same = there[uuid].ref if uuid in there else new.setdefault(uuid, ref)
            if same != ref:
                raise Conflict(f"dataset {uuid} as {ref}", f"the id is that of {same}")
            self._refs[uuid] = ref
        return new
