"""Finding and reading datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from ..abc.source import ByteSource
from ..errors import BadArgument, BadDataId, NotFound
from ..formats.slicing import refuse_text, sliced
from ..model.dataid import coerce
from ..model.dataset import DatasetRef, Location, Resolved, at_home
from ..model.dimensions import Element
from ..model.paths import Address, parse
from ..model.query import Binary, Expression, IsNull, Literal, Name
from ..model.selectors import Selector
from ..model.timespan import Timespan, to_tai_ns
from ..querying import DataIdQuery, DatasetQuery, RecordQuery
from ..querying.conditions import Asked
from ..reading.resolver import Named
from .base import Base, Collections
from .naming import collections_named, types_named


class Asking(Base):
    """Finds and reads datasets."""

    def query(
        self,
        dataset_type: str | Iterable[str],
        *,
        collections: Collections = None,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        find_first: bool = True,
        exclude: Iterable[object] | None = None,
        **data_id: object,
    ) -> DatasetQuery:
        """Ask for datasets; nothing is read before the answer is iterated over.

        Parameters
        ----------
        dataset_type
            A name, a glob, or several. Types that are kept in memory are asked for by themselves: beside
            stored ones they are left out.
        collections
            Names or globs to search in order; chains are followed. Default: those the repository was opened
            with.
        where
            An expression: ``visit.exposure_time > 30 AND band IN ('g', 'r')``.
        bind
            Values of its ``:names``: numbers, texts, times, sky coordinates, regions, UUIDs, and inside of IN
            sequences of them.
        find_first
            Give of each data ID only what the first collection has; False: all.
        exclude
            What to leave out: paths, ids or references; or the name of a file that lists paths or ids.
        **data_id
            Values of dimensions.

        Raises
        ------
        InvalidQuery
            When the expression is not well formed, or names what there is not; the message has the place.
        NotFound
            When a type or collection does not exist.
        """
        known = self.registry.current()
        types = types_named(known, dataset_type)
        kept = [name for name in types if self._in_memory(name) is not None]
        if kept and self.elided is not None and len(kept) == len(types):
            searched = self.elided.collections(known, self._searched(collections))
            how: dict[str, Any] = {"where": where, "bind": bind, "find_first": find_first, "exclude": exclude}
            return self.elided.repository.query(types, collections=searched, **{**data_id, **how})
        query = DatasetQuery(
            self.registry,
            Asked(where, bind, data_id),
            types=tuple(name for name in types if name not in kept),
            collections=collections_named(known, self._searched(collections)),
            find_first=find_first,
            excluded=self._ids(exclude),
            looks=self.looks,
        )
        query.question()
        return query

    def data_ids(
        self,
        dimensions: Iterable[str],
        *,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        order_by: str | Iterable[str] | None = None,
        **data_id: object,
    ) -> DataIdQuery:
        """Ask which data IDs are possible by the records, whether or not there are datasets.

        Dimensions with regions are joined where these overlap, exposures and visits by their definition.
        Parameters and errors are those of `query`.
        """
        group = self.registry.universe.group([dimensions] if isinstance(dimensions, str) else dimensions)
        query = DataIdQuery(
            self.registry, Asked(where, bind, data_id, _names(order_by)), group=group, looks=self.looks
        )
        query.question()
        return query

    def records(
        self,
        element: str,
        *,
        where: str | None = None,
        bind: Mapping[str, object] | None = None,
        order_by: str | Iterable[str] | None = None,
        **conditions: object,
    ) -> RecordQuery:
        """Ask for the records of an element, or the rows of a side table, in order of identity.

        Conditions are values of dimensions, or of the records' own columns. Other parameters and errors are
        those of `query`.
        """
        side = self.registry.current().sides.get(element)
        found = side or self.registry.universe.element(element)
        own = {name: value for name, value in conditions.items() if _is_column(found, name)}
        demands = tuple(_demand(found, name, self._typed(found, name, value)) for name, value in own.items())
        given = {name: value for name, value in conditions.items() if name not in own}
        asked = Asked(where, bind, given, _names(order_by), demands=demands)
        query = RecordQuery(self.registry, asked, element=found, looks=self.looks)
        query.question()
        return query

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
        elided = self._in_memory(type_name)
        looks = self.looks if elided is None else elided.repository.looks
        return at_home(self.resolve(type_name, collections=collections, time=time, **data_id).ref, looks)

    def resolve(
        self, type_name: str, *, collections: Collections = None, time: object = None, **data_id: object
    ) -> Resolved:
        """Find one dataset as `find` does, with where its bytes lie."""
        elided = self._in_memory(type_name)
        if elided is not None:
            searched = elided.collections(self.registry.current(), self._searched(collections))
            return elided.repository.resolve(type_name, collections=searched, time=time, **data_id)
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
            A dataset type (with a data ID), a reference, or a path that begins with ``/``; of a path with
            a component or selectors, that part is given.
        component
            Read only this part of a composite.
        slices
            Read only this part of an array or image, or rows of a table: numpy's basic indexing,
            ``np.s_[y0:y1, x0:x1]``.
        as_
            Give another Python type: a type, or ``"pandas"``, ``"arrow"``, ``"numpy"``.

        Raises
        ------
        NotFound, NoBytes, Ambiguous, BadDataId
            As `find`.
        BadArgument
            When there is no such component, or slices or selectors do not fit.
        Unsupported
            When such a dataset has no slices, or no selectors cut it.
        BadContent
            When the bytes are damaged.
        """
        refuse_text(slices)
        selectors: tuple[Selector, ...] = ()
        if isinstance(dataset, str) and dataset.startswith("/"):
            address = parse(dataset)
            named = self._at(address)
            dataset, selectors = named.resolved, address.selectors
            component = component or named.component
        resolved = self._resolved(dataset, collections, time, data_id)
        if not selectors and component is None:
            if slices is None:
                return self.reader.read(resolved, as_=as_)
            return self.reader.read_slices(resolved, slices, as_=as_)
        if selectors:
            value = self.parter.read(resolved, component, selectors)
        else:
            value = self.reader.read_component(resolved, str(component))
        if value is None:
            return None
        return self.formats.convert_to(value if slices is None else sliced(value, slices), as_)

    def open_bytes(self, resolved: Resolved) -> tuple[Location, ByteSource]:
        """Open the stored bytes of a dataset; the caller closes the source."""
        return self.reader.open(resolved)

    def _resolved(
        self,
        dataset: str | DatasetRef | Resolved,
        collections: Collections,
        time: object,
        given: Mapping[str, object],
    ) -> Resolved:
        if isinstance(dataset, Resolved):
            return dataset
        if isinstance(dataset, DatasetRef):
            elided = self._in_memory(dataset.type.name)
            if elided is not None:
                return elided.repository._resolved(dataset, None, None, {})  # noqa: SLF001 - its own class
            found = self.registry.lookup.by_id(self.registry.current(), [dataset.id])
            if dataset.id not in found:
                raise NotFound(f"{dataset.type.name} {dataset.data_id!r}", "it was removed")
            return found[dataset.id]
        return self.resolve(dataset, collections=collections, time=time, **given)

    def _at(self, address: Address) -> Named:
        try:
            return self.resolver.dataset(address)
        except NotFound:
            if self.elided is None:
                raise
            return self.elided.repository.resolver.dataset(address)

    def _ids(self, exclude: Iterable[object] | None) -> frozenset[UUID]:
        if exclude is None:
            return frozenset()
        if isinstance(exclude, str | Path):
            exclude = _lines(Path(exclude))
        return frozenset(self._id(one) for one in exclude)

    def _id(self, one: object) -> UUID:
        if isinstance(one, UUID):
            return one
        if isinstance(one, DatasetRef):
            return one.id
        text = str(one)
        if text.startswith("/"):
            return self.resolver.dataset(parse(text)).resolved.ref.id
        try:
            return UUID(text)
        except ValueError:
            raise BadArgument(
                f"exclude {text!r}", "neither a path nor an id", "paths begin with '/'"
            ) from None


_FROM_TEXT: Mapping[str, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "bool": {"true": True, "false": False, "1": True, "0": False}.__getitem__,
}


def _span(time: object) -> Timespan | None:
    if time is None:
        return None
    if isinstance(time, Timespan):
        return time
    if isinstance(time, tuple | list) and len(time) == 2:
        return Timespan.of(*time)
    moment = to_tai_ns(time)
    return None if moment is None else Timespan(moment, moment + 1)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found = (error.strerror if isinstance(error, OSError) else None) or str(error)
        todo = "name a file with a path or an id a line"
        raise BadArgument(f"exclude={str(path)!r}", found, todo) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _names(order_by: str | Iterable[str] | None) -> tuple[str, ...]:
    if order_by is None:
        return ()
    return (order_by,) if isinstance(order_by, str) else tuple(order_by)


def _is_column(element: Element, name: str) -> bool:
    """Tell whether a name is of the records' own columns: what identifies a record may be a dimension's."""
    return (
        any(column.name == name for column in (*element.keys, *element.metadata)) or name in element.implies
    )


def _demand(element: Element, name: str, value: object) -> Expression:
    """Give the condition that a column of an element has a value."""
    column = Name((element.name, name))
    if value is None:
        return IsNull(column)
    if not isinstance(value, int | float | str | bool):
        raise BadDataId(f"{element.name}.{name}={value!r}", type(value).__name__, "give a number or a text")
    return Binary("=", column, Literal(value))
