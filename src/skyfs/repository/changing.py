"""Storing, tagging and removing datasets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from ..errors import NotAllowed, NotFound
from ..model.collection import Collection, CollectionKind
from ..model.dataid import DataId
from ..model.dataset import DatasetRef, DatasetType, at_home
from ..model.ids import new_ids
from ..registry.collections import writable_run
from ..registry.levels import LevelFilter
from ..registry.lookup import by_group
from ..writing.ingester import Ingester, IngestFile
from ..writing.planner import Target
from .base import Base


class Changing(Base):
    """Stores, tags and removes datasets."""

    def put(
        self,
        value: object,
        type_name: str,
        *,
        run: str | None = None,
        inputs: Iterable[DatasetRef | UUID] = (),
        extension: str | None = None,
        replace: bool = False,
        **data_id: object,
    ) -> DatasetRef:
        """Write an object as a new dataset; when this returns it is stored and durable.

        Parameters
        ----------
        value
            An object of the type's storage class, or one that converts to it.
        run
            The RUN; made when it is new. Default: the one the repository was opened with.
        inputs
            The datasets that it was made from; recorded as provenance.
        extension
            The format; default: the configured one of the type or storage class. A store with a format of
            its own keeps to that.
        replace
            Put it in the place of one that is there.

        Raises
        ------
        Exists
            When there is one of that data ID and ``replace`` is False.
        NotFound
            When the type, or a value of the data ID, is not recorded.
        BadArgument
            When the object does not convert to the storage class.
        """
        elided = self._in_memory(type_name)
        if elided is not None:
            data_id = elided.prepare(type_name, data_id)
            how: dict[str, Any] = {"inputs": inputs, "extension": extension, "replace": replace}
            return elided.repository.put(value, type_name, run=self._run(run), **{**data_id, **how})
        snapshot = self.registry.current()
        storage_class = snapshot.type(type_name).type.storage_class
        chosen = self.formats.extension_for(storage_class, type_name) if extension is None else extension
        ids = tuple(one.id if isinstance(one, DatasetRef) else one for one in inputs)
        target = Target(type_name, self._run(run), data_id, chosen, ids, replace)
        made = self.writer.put(value, target, asked=extension is not None, snapshot=snapshot)
        return at_home(made, self.looks)

    def ingest(
        self,
        files: Iterable[IngestFile],
        type_name: str,
        *,
        run: str | None = None,
        mode: str = "auto",
        replace: bool = False,
    ) -> list[DatasetRef]:
        """Take existing files in as datasets, all of them or none.

        Parameters
        ----------
        files
            Paths with data IDs; an extension, when it is not the file name's.
        mode
            ``copy`` (also ``auto``, but for files inside of the repository, which stay), ``move``, ``link``
            (hard link), ``symlink``, ``direct`` (stay where they are).

        Raises
        ------
        Exists
            When one is there already.
        BadContent
            When a file is truncated, or not of the format its extension says.
        StoreError
            When a file cannot be read.
        """
        if self.elided is not None:
            self.elided.refuse("ingest", type_name)
        return Ingester(self.root, self.writer, self.formats).ingest(
            list(files), type_name, self._run(run), mode=mode, replace=replace
        )

    def declare(
        self, type_name: str, data_ids: Iterable[Mapping[str, object]], *, run: str | None = None
    ) -> list[DatasetRef]:
        """Register datasets whose bytes come later; they are found, but not listed until then."""
        entry = self.registry.current().type(type_name)
        if self.elided is not None:
            self.elided.refuse("declare", type_name)
        run_name = self._run(run)
        rows = self.registry.data_ids.complete_many(entry.group, data_ids)
        ids = new_ids(len(rows))
        with self.transaction():
            owner = Collection(run_name, CollectionKind.RUN, owner=self.user)
            self.registry.datasets.declare(
                entry, writable_run(self.registry.collections.create(owner)), rows, ids
            )
        return [_declared_ref(entry.type, row, uuid, run_name) for row, uuid in zip(rows, ids, strict=True)]

    # -- removing --------------------------------------------------------------------------------------

    def remove(self, refs: Iterable[DatasetRef]) -> None:
        """Remove datasets, with their bytes where skyfs owns them, from everywhere.

        Raises
        ------
        NotAllowed
            When you are neither owner of the RUN nor administrator.
        Locked
            When a RUN is locked.
        """
        wanted = list(refs)
        kept = [ref for ref in wanted if self._in_memory(ref.type.name) is not None]
        if kept and self.elided is not None:
            self.elided.repository.remove(kept)
            wanted = [ref for ref in wanted if self._in_memory(ref.type.name) is None]
        for run in {ref.run for ref in wanted}:
            self._require_owner(run, "remove from")
        with self.transaction():
            found = self.registry.lookup.by_id(self.registry.current(), [ref.id for ref in wanted])
            missing = [ref for ref in wanted if ref.id not in found]
            if missing:
                raise NotFound(f"remove {missing[0].type.name} {missing[0].data_id!r}", "it is gone already")
            self.writer.remove(list(found.values()))

    def retime(self, ref: DatasetRef, mtime_ns: int) -> None:
        """Say when the bytes of a dataset were made (UTC nanoseconds since 1970).

        Raises
        ------
        NotAllowed
            When its bytes are not skyfs's own, or are a part of a larger file; or when you are neither owner
            of the RUN nor administrator.
        Locked
            When the RUN is locked.
        """
        held = self._in_memory(ref.type.name)
        if held is not None:
            held.repository.retime(ref, mtime_ns)
            return
        self._require_owner(ref.run, "change times in")
        with self.transaction():
            self.registry.datasets.retime(ref, mtime_ns)

    def remove_run(self, run: str, *, unlink: bool = False) -> None:
        """Remove a RUN with all its datasets.

        Raises
        ------
        NotAllowed
            When it is in a chain and ``unlink`` is False, or you are neither owner nor administrator.
        """
        if self.elided is not None and run in self.elided.repository.registry.current().collections:
            self.elided.repository.remove_run(run)
            if run not in self.registry.current().collections:
                return
        self._require_owner(run, "remove")
        parents = self.registry.collections.parents(run)
        if parents and not unlink:
            raise NotAllowed(
                f"remove the RUN {run!r}", f"it is in the chain {parents[0]!r}", "use unlink=True"
            )
        with self.transaction():
            snapshot = self.registry.current()
            entry = snapshot.collection(run)
            for types in by_group(snapshot.types.values()).values():
                everything = LevelFilter()
                found = self.registry.lookup.datasets(snapshot, types, [entry], everything, declared=True)
                self.writer.remove([one.resolved for one in found])
            self.registry.collections.remove(run, unlink=unlink)

    def remove_collection(self, name: str, *, unlink: bool = False) -> None:
        """Remove a collection that is no RUN; its datasets stay in their RUNs."""
        entry = self.registry.current().collection(name)
        if entry.collection.kind is CollectionKind.RUN:
            raise NotAllowed(f"remove the collection {name!r}", "it is a RUN", "use remove_run")
        with self.transaction():
            self.registry.datasets.clear(name)
            self.registry.collections.remove(name, unlink=unlink)


def _declared_ref(dataset_type: DatasetType, row: tuple[int | str, ...], uuid: bytes, run: str) -> DatasetRef:
    """Give the reference of a dataset from the values of its rows."""
    return DatasetRef(UUID(bytes=uuid), dataset_type, DataId(dataset_type.group, row), run)
