"""Finding and reading datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..abc.source import ByteSource
from ..errors import BadDataId, NotFound, Unsupported
from ..model.dataid import coerce
from ..model.dataset import DatasetRef, Location, Resolved
from ..model.dimensions import Element
from ..model.paths import Address, parse
from ..model.timespan import Timespan, to_tai_ns
from .base import Base, Collections


class Asking(Base):
    """Finds and reads datasets."""

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
