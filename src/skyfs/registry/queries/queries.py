"""Answers to questions, as rows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ...model.collection import CollectionKind
from ...model.dimensions import Element
from ..catalogue import CollectionEntry, TypeEntry
from ..constructs import UNLIMITED
from ..database import Database
from ..schema import Schema
from ..statement import Selection
from .participants import Member
from .plan import FEW, Plan
from .question import Question
from .shape import key, parameters
from .spool import Spool

PAGE_ROWS = 20_000
_MAX_KEPT = 1_000
_MANY_ROWS = 10**7
# Columns of a row before its levels.
_HEAD = 3

# Of a question without dimensions there is one answer, or none.
_ONE: sa.ColumnElement[Any] = sa.literal_column("1")

Row = tuple[Any, ...]
Params = dict[str, object]


@dataclass(frozen=True, slots=True)
class Part:
    """What one statement answers for: datasets of a collection, with bytes or declared.

    Attributes
    ----------
    rows
        How many there are.
    earlier
        Collections that come before in the search: what these have is left out.
    """

    collection: CollectionEntry
    stored: int
    rows: int
    earlier: tuple[CollectionEntry, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether its members have validity ranges."""
        return self.collection.collection.kind is CollectionKind.CALIBRATION


@dataclass(frozen=True, slots=True)
class _Prepared:
    selection: Selection
    paged: bool


class Queries:
    """Runs questions. Plans and statements are kept for each shape of question."""

    def __init__(self, database: Database, schema: Schema) -> None:
        self._database = database
        self._schema = schema
        self._kept: dict[Hashable, _Prepared] = {}
        summary = schema["summary"]
        self._summary = Selection(
            sa.select(summary.c.collection_id, summary.c.stored, summary.c.datasets).where(
                summary.c.type_id == sa.bindparam("type_id")
            )
        )

    # -- data IDs and records --------------------------------------------------------------------------

    def data_ids(self, question: Question, limit: int | None) -> Iterator[Row]:
        """Give the values of the levels of all data IDs."""

        def select(plan: Plan) -> sa.Select[Any]:
            columns = [plan.tables.values[name] for name in question.group.levels]
            return _ordered(plan, question, columns or [_ONE])

        width = len(question.group.levels)
        for row in self._spooled(question, ("data_ids",), select, limit):
            yield row[:width]

    def count_data_ids(self, question: Question) -> int:
        """Count data IDs."""

        def select(plan: Plan) -> sa.Select[Any]:
            return _counted(plan, [plan.tables.values[name] for name in question.group.required] or [_ONE])

        return self._number(question, ("count data_ids",), select)

    def records(self, question: Question, element: Element, limit: int | None) -> Iterator[Row]:
        """Give the records of an element, all columns of its table."""

        def select(plan: Plan) -> sa.Select[Any]:
            table = plan.tables.records[element.name]
            return _ordered(plan, question, list(table.c), [table.c[name] for name in element.identity])

        yield from self._spooled(question, ("records", element.name), select, limit)

    def count_records(self, question: Question, element: Element) -> int:
        """Count records."""

        def select(plan: Plan) -> sa.Select[Any]:
            table = plan.tables.records[element.name]
            return _counted(plan, [table.c[name] for name in element.identity])

        return self._number(question, ("count records", element.name), select)

    def _spooled(self, question: Question, what: Hashable, select: Any, limit: int | None) -> Iterator[Row]:  # noqa: ANN401
        prepared = self._prepare((what, *_shape(question)), lambda: (select(self._plan(question)), False))
        params = _params(question) | {"limit": UNLIMITED if limit is None else limit}
        spool = Spool()
        self._database.stream(prepared.selection, params, spool)
        for rows in spool.pages():
            yield from rows

    def _number(self, question: Question, what: Hashable, select: Any) -> int:  # noqa: ANN401
        prepared = self._prepare((what, *_shape(question)), lambda: (select(self._plan(question)), False))
        return int(self._database.select(prepared.selection, _params(question))[0][0])

    # -- datasets --------------------------------------------------------------------------------------

    def parts(self, entry: TypeEntry, searched: Sequence[CollectionEntry], *, find_first: bool) -> list[Part]:
        """Split the collections that hold a type into what single statements answer for."""
        held: dict[int, dict[int, int]] = {}
        for collection_id, stored, rows in self._database.select(self._summary, {"type_id": entry.id}):
            held.setdefault(collection_id, {})[stored] = rows
        holding = [one for one in searched if one.id in held]
        found: list[Part] = []
        for index, one in enumerate(holding):
            earlier = tuple(holding[:index]) if find_first else ()
            here = held[one.id]
            found += [Part(one, stored, here[stored], earlier) for stored in sorted(here, reverse=True)]
        return found

    def datasets(
        self, question: Question, entry: TypeEntry, part: Part, limit: int | None, *, timed: bool
    ) -> Iterator[Sequence[Row]]:
        """Give pages of (collection, RUN, UUID, levels..., [begin, end], columns to sort by...)."""
        shape = ("datasets", *_shape(question), *_part_shape(entry, part), part.rows > FEW, timed)

        def prepare(*, after: bool) -> _Prepared:
            def make() -> tuple[sa.Select[Any], bool]:
                plan = self._plan(question, _member(entry, part, timed=timed))
                return _datasets(plan, question, part, entry, after=after)

            return self._prepare((*shape, after), make)

        prepared = prepare(after=False)
        params = _params(question) | _part_params(entry, part)
        if prepared.paged and not question.order:
            yield from self._pages(prepare, params, limit, len(_keys(entry, part)))
            return
        spool = Spool()
        self._database.stream(
            prepared.selection, params | {"limit": UNLIMITED if limit is None else limit}, spool
        )
        yield from spool.pages()

    def _pages(
        self, prepare: Callable[..., _Prepared], params: Params, limit: int | None, n_keys: int
    ) -> Iterator[Sequence[Row]]:
        """Go on after the last row of each page, along the key of the members."""
        left, after = limit, False
        while True:
            wanted = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
            rows = self._database.select(prepare(after=after).selection, params | {"limit": wanted})
            if rows:
                yield rows
            left = None if left is None else left - len(rows)
            if len(rows) < wanted or left == 0:
                return
            params, after = params | {f"after_{n}": rows[-1][_HEAD + n] for n in range(n_keys)}, True

    def count_datasets(self, question: Question, entry: TypeEntry, part: Part, *, timed: bool) -> int:
        """Count datasets."""
        if not question.conditions and not part.earlier:
            return part.rows
        shape = ("count", *_shape(question), *_part_shape(entry, part), part.rows > FEW, timed)

        def make() -> tuple[sa.Select[Any], bool]:
            plan = self._plan(question, _member(entry, part, timed=timed))
            members = _members(plan)
            columns = [members.c.collection_id, members.c.dataset_id]
            columns += [members.c.begin_ns] if part.valid else []
            plan.tables.conditions += _not_earlier(plan, part, entry)
            return _counted(plan, columns), False

        prepared = self._prepare(shape, make)
        params = _params(question) | _part_params(entry, part)
        return int(self._database.select(prepared.selection, params)[0][0])

    # -- inside ----------------------------------------------------------------------------------------

    def _plan(self, question: Question, member: Member | None = None) -> Plan:
        return Plan(self._schema, question, self._record_rows, member)

    def _prepare(self, shape: Hashable, make: Any) -> _Prepared:  # noqa: ANN401
        found = self._kept.get(shape)
        if found is None:
            statement, paged = make()
            found = _Prepared(Selection(statement), paged)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[shape] = found
        return found

    def _record_rows(self, element: Element) -> float:
        """Tell about how many records an element has."""
        return max(1.0, self._database.about_rows(self._schema.records(element)))


def _shape(question: Question) -> tuple[Hashable, ...]:
    vocabulary = question.vocabulary
    kind = None if vocabulary.dataset is None else vocabulary.dataset.name
    return (
        question.group.required,
        kind,
        tuple(vocabulary.sides.items()),
        tuple(key(condition) for condition in question.conditions),
        tuple((one.name.parts, one.descending) for one in question.order),
        tuple(question.fixed),
    )


def _part_shape(entry: TypeEntry, part: Part) -> tuple[Hashable, ...]:
    earlier = [one.collection.kind is CollectionKind.CALIBRATION for one in part.earlier]
    return entry.tables.member.name, part.valid, part.stored, tuple(earlier)


def _params(question: Question) -> Params:
    found: Params = {}
    for index, condition in enumerate(question.conditions):
        found |= {f"c{index}_{name}": value for name, value in parameters(condition).items()}
    if question.vocabulary.dataset is not None:
        found |= {f"h_{name}": name for name, _ in question.vocabulary.dataset.capture}
    return found


def _part_params(entry: TypeEntry, part: Part) -> Params:
    found: Params = {"type_id": entry.id, "collection_id": part.collection.id}
    return found | {f"earlier_{index}": one.id for index, one in enumerate(part.earlier)}


def _member(entry: TypeEntry, part: Part, *, timed: bool) -> Member:
    table = entry.tables.valid if part.valid else entry.tables.member
    # Of many their number does not matter: the plan is kept.
    return Member(table, entry.group, part.rows if part.rows <= FEW else _MANY_ROWS, part.stored, timed)


def _members(plan: Plan) -> sa.FromClause:
    if plan.members is None:
        raise LookupError("members")
    return plan.members


def _keys(entry: TypeEntry, part: Part) -> list[str]:
    return [*entry.group.levels, *(["begin_ns"] if part.valid else [])]


def _datasets(
    plan: Plan, question: Question, part: Part, entry: TypeEntry, *, after: bool
) -> tuple[sa.Select[Any], bool]:
    members = _members(plan)
    paged = plan.members_first and not plan.distinct
    order = plan.order(question.order)
    conditions = [*plan.conditions(), *_not_earlier(plan, part, entry)]
    dataset = plan.need_dataset()
    names = [*_keys(entry, part), *(["end_ns"] if part.valid else [])]
    columns = [
        members.c.collection_id,
        dataset.c.run_id,
        dataset.c.uuid,
        *(members.c[name] for name in names),
    ]
    if after:
        row = [members.c[name] for name in _keys(entry, part)]
        last: list[sa.BindParameter[Any]] = [sa.bindparam(f"after_{index}") for index in range(len(row))]
        conditions.append(sa.tuple_(*row) > sa.tuple_(*last))
    labelled = [column.label(f"s{index}") for index, (column, _) in enumerate(order)]
    found = sa.select(*columns, *labelled).select_from(plan.source()).where(*conditions)
    found = found.distinct() if plan.distinct else found
    by: list[sa.ColumnElement[Any]] = [
        _directed(column, down=down) for column, (_, down) in zip(labelled, order, strict=True)
    ]
    if by or paged:
        by += [members.c[name] for name in _keys(entry, part)]
    return found.order_by(*by).limit(sa.bindparam("limit")), paged


def _not_earlier(plan: Plan, part: Part, entry: TypeEntry) -> list[sa.ColumnElement[bool]]:
    """Leave out what an earlier collection of the search has, at the times asked for."""
    members, found = _members(plan), []
    for index, one in enumerate(part.earlier):
        valid = one.collection.kind is CollectionKind.CALIBRATION
        other = (entry.tables.valid if valid else entry.tables.member).alias(f"e_{index}")
        same = [other.c[name] == members.c[name] for name in ("type_id", *entry.group.levels)]
        same.append(other.c.collection_id == sa.bindparam(f"earlier_{index}", type_=sa.BigInteger()))
        spans = plan.spans() or ([(members.c.begin_ns, members.c.end_ns)] if part.valid else [])
        if valid:
            for begin, end in spans:
                same += [other.c.begin_ns < end, begin < other.c.end_ns]
        kinds = [other.c.stored == sa.literal_column(kind) for kind in ("0", "1")]
        found += [~sa.exists().where(*same, kind) for kind in kinds]
    return found


def _ordered(
    plan: Plan,
    question: Question,
    columns: Sequence[sa.ColumnElement[Any]],
    identity: Sequence[sa.ColumnElement[Any]] = (),
) -> sa.Select[Any]:
    order = plan.order(question.order)
    by: list[sa.ColumnElement[Any]] = [_directed(column, down=down) for column, down in order]
    conditions = plan.conditions()
    found = sa.select(*columns).select_from(plan.source()).where(*conditions)
    identity = [column for column in identity or columns if column is not _ONE]
    if plan.distinct:
        # What is sorted by may be of other dimensions: of several values any one.
        by = [_directed(sa.func.min(column), down=down) for column, down in order]
        found = found.group_by(*identity) if identity else found.distinct()
    return found.order_by(*by, *identity).limit(sa.bindparam("limit"))


def _directed(column: sa.ColumnElement[Any], *, down: bool) -> sa.ColumnElement[Any]:
    """Sort by a column; what has no value is less than any, whatever the database thinks of it."""
    return column.desc().nulls_last() if down else column.asc().nulls_first()


def _counted(plan: Plan, identity: Iterable[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    conditions = plan.conditions()
    if not plan.distinct:
        return sa.select(sa.func.count()).select_from(plan.source()).where(*conditions)
    labelled = [column.label(f"k{index}") for index, column in enumerate(identity)]
    some = sa.select(*labelled).select_from(plan.source()).where(*conditions).distinct()
    return sa.select(sa.func.count()).select_from(some.subquery())
