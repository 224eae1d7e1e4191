"""The tables.

::

    collection ──< chain                      dataset_type >── dimension_group
        │                                          │
        └──────< summary >─────────────────────────┘       how many of each type a collection holds
        │
    member_<group>   (type, collection, stored, levels...) → dataset     clustered in path order
    valid_<group>    the same with a validity range, for CALIBRATION collections
        │
    dataset ──< location >── artifact         where bytes lie; an artifact may hold many datasets
        └──< provenance                       which datasets it was made from

    record_<element>                          what is known of each dimension value
    overlap_<element>                         (cell, own) → identity: where on the sky its regions are
    attachment                                side tables, whose rows are record_<name>
    captured                                  header values of datasets
    symbol                                    texts that repeat: extensions, stores, folders

``member`` is clustered by (type, collection, stored, levels), so that finding one, listing a level, and all
of one visit are range scans. ``stored`` tells declared datasets from those with bytes: it stands before the
levels, because listings show only what has bytes, and must not walk over what has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from ..errors import BadDefinition
from ..model.dimensions import Column, DimensionGroup, Element, Universe
from .constructs import TEXT, Exactly

SCHEMA_VERSION = 3

# Stand for no bound in the columns of validity ranges and timespans: comparisons need no case for null then.
MIN_NS, MAX_NS = -(2**63), 2**63 - 1


class Bytes(sa.LargeBinary):
    """Bytes as the driver gives and takes them: SQLAlchemy's own type calls Python for each value."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Leave values alone."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Leave values alone."""


class Number(sa.types.UserDefinedType[float]):
    """An integer or a float, kept as what it is where the database can."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Give the type's name in SQL."""
        return "NUMERIC"

    def bind_expression(self, bindvalue: sa.BindParameter[float]) -> sa.ColumnElement[float]:
        """Send all digits."""
        return Exactly(bindvalue)


_COLUMN_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "int": sa.BigInteger(),
    "float": sa.Float(),
    "string": TEXT,
    "bool": sa.Boolean(),
    "bytes": Bytes(),
}
# SQLite gives an alias of the rowid only to a column declared INTEGER.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


# Names of columns beside those of dimensions.
_RESERVED = frozenset(
    {
        *("type_id", "collection_id", "stored", "dataset_id", "begin_ns", "end_ns"),
        *("timespan", "timespan_begin", "timespan_end", "region"),
    }
)


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, _Id, nullable=False)


@dataclass(frozen=True, slots=True)
class GroupTables:
    """The tables of one dimension group."""

    member: sa.Table
    valid: sa.Table


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables of a registry; those of groups and elements are made when first needed."""

    universe: Universe
    _groups: dict[tuple[int, tuple[str, ...]], GroupTables] = field(default_factory=dict)
    _records: dict[str, tuple[Element, sa.Table]] = field(default_factory=dict)
    _overlaps: dict[str, sa.Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse names that our own columns have."""
        for element in self.universe.elements.values():
            check_names(element)

    def __getitem__(self, name: str) -> sa.Table:
        return _FIXED.tables[name]

    def group(self, group_id: int, group: DimensionGroup) -> GroupTables:
        """Give the membership tables of a group."""
        # An id alone does not name a group: when a transaction fails, its id goes to another one.
        key = (group_id, group.required)
        if key not in self._groups:
            member = _membership(f"member_{group_id}", group, ())
            valid = _membership(f"valid_{group_id}", group, ("begin_ns", "end_ns"))
            self._groups[key] = GroupTables(member, valid)
        return self._groups[key]

    def records(self, element: Element) -> sa.Table:
        """Give the table of an element's records, or of a side table's rows."""
        kept = self._records.get(element.name)
        # A side table may be detached, and another one attached by its name.
        if kept is None or (kept[0] is not element and kept[0] != element):
            kept = self._records[element.name] = (element, _record_table(element, self.universe))
        return kept[1]

    def overlaps(self, element: Element) -> sa.Table:
        """Give the index of an element's regions: cells of the sphere → identities of records.

        Two regions can overlap only where they share a cell with ``own_a + own_b >= 1``
        (`skyfs.model.region_cells.covering`).
        """
        if element.name not in self._overlaps:
            keys = [_dimension_column(self.universe, name) for name in element.identity]
            self._overlaps[element.name] = sa.Table(
                f"overlap_{element.name}",
                sa.MetaData(),
                sa.Column("cell", sa.BigInteger, nullable=False),
                sa.Column("own", sa.Integer, nullable=False),
                *keys,
                sa.PrimaryKeyConstraint("cell", "own", *element.identity),
                sqlite_with_rowid=False,
            )
        return self._overlaps[element.name]


def check_names(element: Element) -> None:
    """Refuse names of columns that are taken, or that our own columns have."""
    columns = [
        *element.identity,
        *element.alternates,
        *element.implies,
        *(column.name for column in element.metadata),
    ]
    taken = [name for name in columns if name in _RESERVED or columns.count(name) > 1]
    if taken:
        raise BadDefinition(f"element {element.name!r}", f"the column {taken[0]!r} is taken", "rename it")


def _declare_names(metadata: sa.MetaData) -> None:
    sa.Table(
        "meta",
        metadata,
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
    )
    sa.Table("symbol", metadata, sa.Column("id", _Id, primary_key=True), sa.Column("text", TEXT, unique=True))
    sa.Table(
        "dimension_group",
        metadata,
        sa.Column("id", _Id, primary_key=True),
        sa.Column("dimensions", TEXT, nullable=False, unique=True),
    )
    sa.Table(
        "dataset_type",
        metadata,
        sa.Column("id", _Id, primary_key=True),
        sa.Column("name", TEXT, nullable=False, unique=True),
        _key("group_id"),
        sa.Column("storage_class", TEXT, nullable=False),
        sa.Column("calibration", sa.Boolean, nullable=False),
        sa.Column("immutable", sa.Boolean, nullable=False),
        sa.Column("capture", TEXT, nullable=False),
    )
    sa.Table(
        "attachment",
        metadata,
        sa.Column("name", TEXT, primary_key=True),
        # The element that its rows are records of, as JSON.
        sa.Column("definition", TEXT, nullable=False),
    )


def _declare_collections(metadata: sa.MetaData) -> None:
    sa.Table(
        "collection",
        metadata,
        sa.Column("id", _Id, primary_key=True),
        sa.Column("name", TEXT, nullable=False, unique=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("doc", TEXT, nullable=False),
        # RUNs are many, the others few: what a dataset is tagged in is looked for in those alone.
        sa.Index("collection_kinds", "kind"),
        # Who still has the catalogue of a moment ago must not take a new collection for one that was removed.
        sqlite_autoincrement=True,
    )
    sa.Table(
        "chain",
        metadata,
        sa.Column("parent_id", _Id, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        _key("child_id"),
    )
    summary = [sa.Column(name, _Id, nullable=False) for name in ("collection_id", "type_id")]
    stored = sa.Column("stored", sa.Integer, nullable=False)
    key = sa.PrimaryKeyConstraint("collection_id", "type_id", "stored")
    number = sa.Column("datasets", sa.BigInteger, nullable=False)
    sa.Table("summary", metadata, *summary, stored, number, key, sqlite_with_rowid=False)


def _declare_datasets(metadata: sa.MetaData) -> None:
    sa.Table(
        "dataset",
        metadata,
        sa.Column("id", _Id, primary_key=True),
        sa.Column("uuid", Bytes, nullable=False, unique=True),
        _key("type_id"),
        _key("run_id"),
        # Milliseconds since 1970, UTC.
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        # The required values as a JSON list without its brackets: the way back from an id to its members.
        sa.Column("data_id", TEXT, nullable=False),
    )
    sa.Table(
        "captured",
        metadata,
        sa.Column("dataset_id", _Id),
        sa.Column("name_id", _Id),
        # One of the two: numbers and texts compare with their own kind only. Of true and false both.
        sa.Column("number", Number),
        sa.Column("text", TEXT),
        sa.PrimaryKeyConstraint("dataset_id", "name_id"),
        sqlite_with_rowid=False,
    )


def _declare_places(metadata: sa.MetaData) -> None:
    sa.Table(
        "artifact",
        metadata,
        sa.Column("id", _Id, primary_key=True),
        _key("store_id"),
        # No folder and no name: the key is what the template makes of the dataset.
        sa.Column("folder_id", _Id),
        sa.Column("name", TEXT),
        _key("extension_id"),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("mtime_ns", sa.BigInteger, nullable=False),
        sa.Column("sha256", Bytes),
        # Whether skyfs may delete the file.
        sa.Column("owned", sa.Boolean, nullable=False),
        # Whether it must be found by its name: it holds parts, and others may come later; or a store's own
        # template named it.
        sa.Column("parts", sa.Boolean, nullable=False),
        # How many datasets lie in it, counted, so that no index from artifacts to datasets is needed.
        sa.Column("datasets", sa.Integer, nullable=False),
        sa.Index(
            "artifact_parts",
            "folder_id",
            "name",
            "store_id",
            unique=True,
            sqlite_where=sa.text("parts"),
            postgresql_where=sa.text("parts"),
        ),
    )
    sa.Table(
        "location",
        metadata,
        sa.Column("dataset_id", _Id),
        sa.Column("artifact_id", _Id),
        # For a component of a dataset that is stored as several files: its name, a symbol.
        sa.Column("component_id", _Id),
        # For one of many datasets in a file: its HDU, the size of the file's primary HDU, where the HDU
        # begins, and the size and digest of what is served.
        sa.Column("part", sa.Integer),
        sa.Column("part_head", sa.BigInteger),
        sa.Column("part_start", sa.BigInteger),
        sa.Column("part_size", sa.BigInteger),
        sa.Column("part_sha256", Bytes),
        sa.PrimaryKeyConstraint("dataset_id", "artifact_id"),
        sqlite_with_rowid=False,
    )
    sa.Table(
        "provenance",
        metadata,
        sa.Column("dataset_id", _Id),
        # A UUID, not an id: what a dataset was made from stays known when the input is gone.
        sa.Column("input", Bytes),
        sa.PrimaryKeyConstraint("dataset_id", "input"),
        sa.Index("provenance_outputs", "input"),
        sqlite_with_rowid=False,
    )


def _membership(name: str, group: DimensionGroup, validity: tuple[str, ...]) -> sa.Table:
    levels = [
        sa.Column(level, sa.BigInteger if kind is int else TEXT, nullable=False)
        for level, kind in zip(group.levels, group.types, strict=True)
    ]
    key = ["type_id", "collection_id", "stored", *group.levels, *validity[:1]]
    return sa.Table(
        name,
        sa.MetaData(),
        _key("type_id"),
        _key("collection_id"),
        sa.Column("stored", sa.Integer, nullable=False),
        *levels,
        *(sa.Column(bound, sa.BigInteger, nullable=False) for bound in validity),
        _key("dataset_id"),
        sa.PrimaryKeyConstraint(*key),
        sqlite_with_rowid=False,
    )


def _record_table(element: Element, universe: Universe) -> sa.Table:
    grouping = universe.grouping.get(element.name, ())
    columns = [_dimension_column(universe, name) for name in element.identity]
    columns += [_column(column) for column in element.keys[1:]]
    columns += [_dimension_column(universe, name, nullable=name not in grouping) for name in element.implies]
    columns += [_column(column) for column in element.metadata]
    if element.temporal:
        columns += [sa.Column(f"timespan_{end}", sa.BigInteger) for end in ("begin", "end")]
    if element.spatial:
        columns.append(sa.Column("region", Bytes))
    constraints: list[sa.schema.SchemaItem] = [sa.PrimaryKeyConstraint(*element.identity)]
    constraints += [sa.UniqueConstraint(*element.requires, alternate) for alternate in element.alternates]
    # Blanks, because no name of an element has them: the name is nobody else's.
    constraints += [
        sa.Index(f"record {element.name} {level}", *element.requires, level, element.name)
        for level in grouping
    ]
    return sa.Table(f"record_{element.name}", sa.MetaData(), *columns, *constraints)


def _column(column: Column) -> sa.Column[object]:
    return sa.Column(column.name, _COLUMN_TYPES[column.type], nullable=column.nullable)


def _dimension_column(universe: Universe, name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, _COLUMN_TYPES[universe.element(name).key.type], nullable=nullable)


def fixed_tables() -> list[sa.Table]:
    """Give the tables that every registry has, each after those that it refers to."""
    return _FIXED.sorted_tables


def _declare() -> sa.MetaData:
    metadata = sa.MetaData()
    for declare in (_declare_names, _declare_collections, _declare_datasets, _declare_places):
        declare(metadata)
    return metadata


# Declared once: it takes half of what opening a registry takes.
_FIXED = _declare()
