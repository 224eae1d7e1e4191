"""Files that nothing tells of → datasets: what their paths say, and what these cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from ..config import Config
from ..errors import BadDataId, SkyfsError
from ..formats.catalog import Formats
from ..model.batches import batches
from ..model.collection import Collection, CollectionKind
from ..model.dataid import Value, coerce
from ..model.dimensions import DimensionGroup, Element
from ..model.ids import new_ids
from ..model.manifest_line import (
    MAX_ROWS,
    CollectionLine,
    DatasetRow,
    DatasetsLine,
    FileRow,
    Line,
    TypeLine,
)
from ..model.template import Spelled, Template
from ..registry.levels import LevelFilter
from ..registry.registry import Registry
from .files import Files
from .spool import Spool

_NEUTRAL: Mapping[str, object] = {"int": 0, "float": 0.0, "string": "", "bool": False, "bytes": b""}


@dataclass(slots=True)
class Placed:
    """What came of the files.

    Attributes
    ----------
    unplaced
        (store, key, why) of files that are no dataset.
    made_up
        Columns of records that must not be empty, and that no path tells: ``patch.cell_x``.
    records
        How many records were made of nothing but their keys, by element.
    types
        Types whose storage class was guessed from an extension.
    """

    datasets: int = 0
    unplaced: list[tuple[str, str, str]] = field(default_factory=list)
    made_up: set[str] = field(default_factory=set)
    records: dict[str, int] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)


class FromPaths:
    """Registers files by their paths, inside of a transaction.

    Parameters
    ----------
    apply
        Puts a line into the registry.
    owner
        Whom new RUNs belong to.
    """

    def __init__(
        self, registry: Registry, config: Config, formats: Formats, apply: Callable[[Line], None], owner: str
    ) -> None:
        self._registry = registry
        self._templates = {store.name: Template(store.template) for store in config.stores}
        self._owned = {store.name: store.writable is not False for store in config.stores}
        self._formats = formats
        self._apply = apply
        self._owner = owner
        self.placed = Placed()

    def register(self, files: Files, *, all_is_told: bool) -> Placed:
        """Register all that nobody has taken.

        Where manifests tell all that ever was, files in stores that are only read are left: datasets that
        were removed leave theirs behind.
        """
        spool = Spool()
        try:
            for store, key, stat in files.left():
                spelled = self._templates[store].spelled(key)
                if all_is_told and not self._owned[store]:
                    self._leave(store, key, "no manifest tells of it, and the store is only read")
                elif spelled is None:
                    self._leave(store, key, "its path is not that of a dataset")
                else:
                    spool.add(spelled, store, key, stat, owned=self._owned[store])
            self._add_types(spool)
            for some in batches(spool.datasets(), MAX_ROWS):
                for spelled, found in some:
                    self._try(spelled, found)
        finally:
            spool.close()
        return self.placed

    def _leave(self, store: str, key: str, why: str) -> None:
        self.placed.unplaced.append((store, key, why))

    def _add_types(self, spool: Spool) -> None:
        universe = self._registry.universe
        for name, keys, extension, whole in spool.types():
            if name in self._registry.current().types or not whole or not all(map(universe.has, keys)):
                continue
            if not keys and not (extension and self._formats.knows(extension)):
                continue  # any file of any name would be a type
            levels = {level for key in keys for level in universe.grouping.get(key, ())}
            group = universe.group(key for key in keys if key not in levels)
            self._apply(TypeLine(name, group.required, self._formats.storage_class_for(extension)))
            self.placed.types.append(name)

    def _try(self, spelled: Spelled, files: list[FileRow]) -> None:
        try:
            with self._registry.transaction():
                self._add(spelled, files)
        except SkyfsError as error:
            for file in files:
                self._leave(file.store, str(file.key), str(error))
        else:
            self.placed.datasets += 1

    def _add(self, spelled: Spelled, files: list[FileRow]) -> None:
        entry = self._registry.current().type(spelled.type_name)
        values = self._values(entry.group, spelled)
        if spelled.run not in self._registry.current().collections:
            self._apply(CollectionLine(Collection(spelled.run, CollectionKind.RUN, owner=self._owner)))
        for name in self._registry.universe.dependency_order(entry.group.required):
            self._record(self._registry.universe.element(name), values)
        row = self._registry.data_ids.with_grouping(
            entry.group, {name: values[name] for name in entry.group.levels if name in values}
        )
        uuid = self._id(spelled, dict(zip(entry.group.levels, row, strict=True)))
        created_ms = max(file.mtime_ns for file in files) // 10**6
        required = tuple(values[name] for name in entry.group.required)
        made = DatasetRow(uuid, created_ms, required, files=tuple(files))
        self._apply(DatasetsLine(spelled.type_name, spelled.run, (made,)))

    def _values(self, group: DimensionGroup, spelled: Spelled) -> dict[str, Value]:
        element = self._registry.universe.element
        values = {name: coerce(element(name), text) for name, text in spelled.keys}
        missing = [name for name in group.required if name not in values]
        if missing:
            what = f"a {spelled.type_name} in {spelled.run!r}"
            raise BadDataId(what, f"its path names no {missing[0]}", "move it to the path of a dataset")
        return values

    def _id(self, spelled: Spelled, levels: Mapping[str, Value]) -> UUID:
        """Give the id in the path; that of what is declared at this place; or a new one."""
        snapshot = self._registry.current()
        entry, run = snapshot.type(spelled.type_name), snapshot.collection(spelled.run)
        exact = LevelFilter(levels)
        for one in self._registry.lookup.datasets(snapshot, [entry], [run], exact, declared=True):
            if not one.resolved.locations:
                return one.resolved.ref.id
        return UUID(bytes=new_ids(1)[0]) if spelled.id is None else spelled.id

    def _record(self, element: Element, values: Mapping[str, Value]) -> None:
        """Add a record, with as much of it as paths tell, when there is none."""
        key = tuple(values[name] for name in element.identity)
        if self._registry.records.exists(element, key):
            return
        record: dict[str, object] = dict(zip(element.identity, key, strict=True))
        record |= {name: values[name] for name in element.implies if name in values}
        for column in (*element.keys[1:], *element.metadata):
            if not column.nullable:
                record[column.name] = _NEUTRAL[column.type]
                self.placed.made_up.add(f"{element.name}.{column.name}")
        self._registry.records.insert(element, [record])
        if not element.key_only:
            self.placed.records[element.name] = self.placed.records.get(element.name, 0) + 1


def not_in_paths() -> Iterator[str]:
    """Give what is in no path."""
    yield "tags, validity ranges and chains"
    yield "provenance and captured values"
    yield "side tables, and all columns of records but their keys"
    yield "what was declared without bytes; owners, locks and words about collections"
    yield "the ids of most datasets (they have new ones), and which of types are calibrations"
    yield "digests: the first full check fills them in"
