"""The repository: what exists and where its bytes lie, seen as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Self
from uuid import UUID

from .abc.source import ByteSource
from .abc.store import Store
from .config import Config
from .errors import BadArgument, BadDataId, NotAllowed, NotFound, Unsupported
from .finding import Finder
from .formats.catalog import Formats
from .ingesting import Ingester, IngestFile
from .model.collection import Collection, CollectionKind
from .model.dataid import DataId, coerce
from .model.dataset import DatasetRef, DatasetType, Location, Resolved
from .model.dimensions import Element
from .model.ids import new_ids
from .model.paths import Address, parse
from .model.timespan import Timespan, to_tai_ns
from .reading import Reader
from .registry.collections import writable_run
from .registry.levels import LevelFilter
from .registry.lookup import by_group
from .registry.registry import Registry
from .resolving import Resolver
from .writing import Policy, Target, Writer

Collections = str | Iterable[str] | None


class Repository:
    """A repository of datasets.

    Safe from several threads, and after a fork. Make one with `skyfs.create` or `skyfs.open`, and close it,
    or use it as a context manager.

    Attributes
    ----------
    root
        Its folder.
    config
        Its configuration.
    registry, stores, formats
        The rooms below, for those who need more than this door.
    collections_searched
        Where `get` and `find` look when no collections are named.
    run
        Where `put` writes when no RUN is named.
    """

    def __init__(
        self,
        root: Path,
        config: Config,
        registry: Registry,
        stores: Mapping[str, Store],
        formats: Formats,
        user: str,
    ) -> None:
        self.root = root
        self.config = config
        self.registry = registry
        self.stores = stores
        self.formats = formats
        self.user = user
        self.collections_searched: tuple[str, ...] = ()
        self.run: str | None = None
        policy = Policy(config.auto_register, user)
        self.reader = Reader(registry, stores, formats)
        self.writer = Writer(registry, stores, formats, policy)
        self.finder = Finder(registry)
        self.resolver = Resolver(registry, self.finder)

    @property
    def name(self) -> str:
        """The name by which ``skyfs://NAME/`` opens it."""
        return self.config.name

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self.registry.writable

    # -- definitions -----------------------------------------------------------------------------------

    def register(
        self,
        name: str,
        dimensions: Iterable[str],
        storage_class: str,
        *,
        calibration: bool = False,
        capture: Mapping[str, str] | None = None,
    ) -> DatasetType:
        """Register a dataset type; the same one again is no change.

        Parameters
        ----------
        name
            Letters, digits and ``_``.
        dimensions
            Names of dimensions; those that they require are added.
        storage_class
            What `get` gives: ``Image``, ``Table``, ``Dict``...
        calibration
            Whether its datasets can be certified for ranges of time.
        capture
            Values to read from the bytes at put: name → ``header:KEYWORD`` or ``json:/pointer``.

        Raises
        ------
        Conflict
            When the name is taken by a different type.
        BadDefinition
            When a dimension or storage class is unknown.
        """
        self.formats.storage_class(storage_class)
        group = self.registry.universe.group(dimensions)
        captured = tuple(sorted((capture or {}).items()))
        dataset_type = DatasetType(name, group, storage_class, calibration, captured)
        return self.registry.collections.register(dataset_type).type

    def insert(self, element: str, records: Iterable[Mapping[str, object]], *, replace: bool = False) -> int:
        """Insert dimension records in one transaction; give how many are new.

        Timespans are pairs of times of any kind (text is TAI); regions are of ``lsst.sphgeom``, or its bytes.

        Raises
        ------
        BadDefinition, BadDataId
            When a column is unknown or ill-typed, or what a record names is not recorded.
        Conflict
            When a different record is there and ``replace`` is False.
        """
        return self.registry.records.insert(element, records, replace=replace)

    def records(self, element: str, **conditions: object) -> Iterator[dict[str, object]]:
        """Give the records of an element whose columns equal the conditions, in order of identity."""
        found = self.registry.universe.element(element)
        return self.registry.records.select(
            element, {name: self._typed(found, name, value) for name, value in conditions.items()}
        )

    def _typed(self, element: Element, name: str, value: object) -> object:
        """Give a condition's value the type of its column, as text is what paths and command lines have."""
        if element.is_dimension and name in (element.name, element.key.name):
            return coerce(element, value)
        if name in element.identity or name in element.implies:
            return coerce(self.registry.universe.element(name), value)
        column = next((one for one in (*element.keys, *element.metadata) if one.name == name), None)
        if column is None or not isinstance(value, str) or column.type not in _FROM_TEXT:
            return value
        try:
            return _FROM_TEXT[column.type](value)
        except (KeyError, ValueError):
            raise BadDataId(
                f"{element.name}.{name}={value!r}", "not of its type", f"{column.type} is wanted"
            ) from None

    def types(self, pattern: str = "*") -> list[DatasetType]:
        """Give the dataset types whose names match a glob, sorted."""
        entries = self.registry.current().types
        return [entries[name].type for name in _matching(entries, pattern)]

    def collections(self, pattern: str = "*") -> list[Collection]:
        """Give the collections whose names match a glob (``*`` crosses ``/``), sorted."""
        entries = self.registry.current().collections
        return [entries[name].collection for name in _matching(entries, pattern)]

    def create_collection(self, name: str, kind: CollectionKind | str, *, doc: str = "") -> Collection:
        """Create a RUN, TAGGED or CALIBRATION collection; the same again is no change."""
        parsed = CollectionKind(kind)
        owner = self.user if parsed is CollectionKind.RUN else ""
        return self.registry.collections.create(Collection(name, parsed, owner=owner, doc=doc)).collection

    def chain(self, name: str, children: Iterable[str]) -> None:
        """Give a CHAINED collection its search order, making it when it is new."""
        self.registry.collections.set_chain(name, list(children))

    def lock(self, run: str, *, locked: bool = True) -> None:
        """Lock a RUN: nobody may write to it or remove from it. ``locked=False`` unlocks."""
        self._require_owner(run, "lock")
        self.registry.collections.set_locked(run, locked=locked)

    # -- reading ---------------------------------------------------------------------------------------

    def find(
        self, type_name: str, *, collections: Collections = None, time: object = None, **data_id: object
    ) -> DatasetRef:
        """Find one dataset in the first of the collections that has it.

        Parameters
        ----------
        type_name
            The dataset type.
        collections
            Names to search in order; chains are followed. Default: those the repository was opened with.
        time
            For calibrations: a time, or a pair (begin, end), at which it must be valid. A visit or an
            exposure in the data ID tells the time as well.
        **data_id
            Values of its dimensions; alternate keys (``full_name="S29"``) are taken too.

        Raises
        ------
        NotFound
            When there is none.
        Ambiguous
            When several calibrations match.
        BadDataId
            When the data ID is incomplete, unknown or contradicts itself.
        """
        return self.resolve(type_name, collections=collections, time=time, **data_id).ref

    def resolve(
        self, type_name: str, *, collections: Collections = None, time: object = None, **data_id: object
    ) -> Resolved:
        """Find one dataset as `find` does, with where its bytes lie."""
        return self.finder.find(type_name, self._searched(collections), data_id, time=_span(time))

    def get(
        self,
        dataset: str | DatasetRef | Resolved,
        *,
        collections: Collections = None,
        time: object = None,
        component: str | None = None,
        slices: object = None,
        as_: type | str | None = None,
        **data_id: object,
    ) -> object:
        """Read a dataset.

        Parameters
        ----------
        dataset
            A dataset type (with a data ID), a reference, or a path that begins with ``/``.
        component
            Read only this part of a composite.
        slices
            Read only this part of an array; numpy meaning.
        as_
            Give another Python type: a type, or ``"pandas"``, ``"arrow"``, ``"numpy"``.

        Raises
        ------
        NotFound, NoBytes, Ambiguous, BadDataId
            As `find`.
        BadContent
            When the bytes are damaged.
        """
        if slices is not None:
            raise Unsupported("get(slices=)", "this version reads whole datasets", "slice what get() gives")
        resolved = self._resolved(dataset, collections, time, data_id)
        value = self.reader.read(resolved, as_=as_ if component is None else None)
        if component is None:
            return value
        return self.formats.component(value, resolved.ref.type.storage_class, component)

    def open_bytes(self, resolved: Resolved) -> tuple[Location, ByteSource]:
        """Open the stored bytes of a dataset; the caller closes the source."""
        return self.reader.open(resolved)

    def path(self, ref: DatasetRef) -> str:
        """Give the canonical path of a dataset in its RUN."""
        found = self.registry.lookup.by_id(self.registry.current(), [ref.id]).get(ref.id)
        if found is None:
            raise NotFound(f"dataset {ref.id}", "it is not in this repository")
        extension = self.reader.places(found)[0].extension if found.locations else ""
        keys = [(name, str(value)) for name, value in found.ref.data_id.levels]
        return str(Address.dataset(found.ref.run, found.ref.type.name, keys, extension))

    # -- writing ---------------------------------------------------------------------------------------

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
            The format; default: the configured one of the type or storage class.
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
        entry = self.registry.current().type(type_name)
        storage_class = entry.type.storage_class
        extension = self.formats.extension_for(storage_class, type_name) if extension is None else extension
        ids = tuple(one.id if isinstance(one, DatasetRef) else one for one in inputs)
        target = Target(type_name, self._run(run), data_id, extension, ids, replace)
        with self.writer.file(target, check=False) as (file, committed):
            self.formats.write(value, file, extension, storage_class, type_name)
        return committed[0]

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
        return Ingester(self.root, self.writer, self.formats).ingest(
            list(files), type_name, self._run(run), mode=mode, replace=replace
        )

    def declare(
        self, type_name: str, data_ids: Iterable[Mapping[str, object]], *, run: str | None = None
    ) -> list[DatasetRef]:
        """Register datasets whose bytes come later; they are found, but not listed until then."""
        entry = self.registry.current().type(type_name)
        run_name = self._run(run)
        rows = self.registry.data_ids.complete_many(entry.group, data_ids)
        ids = new_ids(len(rows))
        with self.transaction():
            owner = Collection(run_name, CollectionKind.RUN, owner=self.user)
            self.registry.datasets.declare(
                entry, writable_run(self.registry.collections.create(owner)), rows, ids
            )
        return [_declared_ref(entry.type, row, uuid, run_name) for row, uuid in zip(rows, ids, strict=True)]

    def transaction(self) -> AbstractContextManager[None]:
        """Run the body as one change: all that is done inside, or nothing."""
        return self.writer.transaction()

    def tag(self, refs: Iterable[DatasetRef], collection: str) -> None:
        """Add datasets to a TAGGED collection, making it when it is new."""
        with self.transaction():
            self.create_collection(collection, CollectionKind.TAGGED)
            self.registry.datasets.tag(refs, collection)

    def untag(self, refs: Iterable[DatasetRef], collection: str) -> None:
        """Take datasets out of a TAGGED collection; they stay in their RUN."""
        with self.transaction():
            self.registry.datasets.untag(refs, collection)

    def certify(
        self, refs: Iterable[DatasetRef], collection: str, begin: object = None, end: object = None
    ) -> None:
        """Add calibrations to a CALIBRATION collection, valid from ``begin`` up to, not including, ``end``.

        Times are astropy Times, datetimes, ISO text (TAI) or TAI nanoseconds; None is no bound.
        """
        with self.transaction():
            self.create_collection(collection, CollectionKind.CALIBRATION)
            self.registry.datasets.certify(refs, collection, Timespan.of(begin, end))

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
        for run in {ref.run for ref in wanted}:
            self._require_owner(run, "remove from")
        with self.transaction():
            found = self.registry.lookup.by_id(self.registry.current(), [ref.id for ref in wanted])
            missing = [ref for ref in wanted if ref.id not in found]
            if missing:
                raise NotFound(f"remove {missing[0].type.name} {missing[0].data_id!r}", "it is gone already")
            self.writer.remove(list(found.values()))

    def remove_run(self, run: str, *, unlink: bool = False) -> None:
        """Remove a RUN with all its datasets.

        Raises
        ------
        NotAllowed
            When it is in a chain and ``unlink`` is False, or you are neither owner nor administrator.
        """
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
                everything = LevelFilter({}, {})
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

    def recover(self) -> int:
        """Undo what writers that died have left behind; give how many files were taken away."""
        return sum(store.recover(partial(self._holds, name)) for name, store in self.stores.items())

    def _holds(self, store: str, key: str) -> bool:
        return self.registry.lookup.holds(self.registry.current(), store, key)

    def close(self) -> None:
        """Let go of connections and files."""
        self.registry.close()
        for store in self.stores.values():
            store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return (
            f"<skyfs.Repository {self.name!r} at {str(self.root)!r}{'' if self.writable else ', read-only'}>"
        )

    # -- inside ----------------------------------------------------------------------------------------

    def _searched(self, collections: Collections) -> Sequence[str]:
        if collections is None:
            if not self.collections_searched:
                raise BadArgument(
                    "which collections?", "none are named", "give collections=, here or to skyfs.open"
                )
            return self.collections_searched
        return [collections] if isinstance(collections, str) else list(collections)

    def _run(self, run: str | None) -> str:
        if run is None and self.run is None:
            raise BadArgument("which RUN?", "none is named", "give run=, here or to skyfs.open")
        return str(self.run if run is None else run)

    def _resolved(
        self,
        dataset: str | DatasetRef | Resolved,
        collections: Collections,
        time: object,
        given: Mapping[str, object],
    ) -> Resolved:
        if isinstance(dataset, Resolved):
            return dataset
        if isinstance(dataset, str) and dataset.startswith("/"):
            return self.resolver.dataset(parse(dataset)).resolved
        if isinstance(dataset, DatasetRef):
            found = self.registry.lookup.by_id(self.registry.current(), [dataset.id])
            if dataset.id not in found:
                raise NotFound(f"{dataset.type.name} {dataset.data_id!r}", "it was removed")
            return found[dataset.id]
        return self.resolve(dataset, collections=collections, time=time, **given)

    def _require_owner(self, run: str, verb: str) -> None:
        collection = self.registry.current().collection(run).collection
        if verb != "lock":
            writable_run(self.registry.current().collection(run))
        if collection.owner and self.user not in (collection.owner, *self.config.admins):
            raise NotAllowed(
                f"{verb} the RUN {run!r}", f"it belongs to {collection.owner}, you are {self.user}"
            )


_FROM_TEXT: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False, "1": True, "0": False}.__getitem__,
}


def _declared_ref(dataset_type: DatasetType, row: tuple[int | str, ...], uuid: bytes, run: str) -> DatasetRef:
    """Give the reference of a dataset from the values of its rows."""
    return DatasetRef(UUID(bytes=uuid), dataset_type, DataId(dataset_type.group, row), run)


def _span(time: object) -> Timespan | None:
    if time is None:
        return None
    if isinstance(time, Timespan):
        return time
    if isinstance(time, tuple | list) and len(time) == 2:
        return Timespan.of(*time)
    moment = to_tai_ns(time)
    return None if moment is None else Timespan(moment, moment + 1)


def _matching(names: Iterable[str], pattern: str) -> list[str]:
    return sorted(name for name in names if fnmatchcase(name, pattern))
