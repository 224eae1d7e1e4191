"""Types, collections and records of a repository."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model.capture import check_capture
from ..model.dataset import DatasetType
from .base import Base
from .naming import matching


class Defining(Base):
    """Defines what a repository may hold."""

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
            Values to read from the bytes when a dataset is stored: name → ``header:KEYWORD`` or
            ``json:/pointer``. Queries call them ``type.name``.

        Raises
        ------
        Conflict
            When the name is taken by a different type.
        BadDefinition
            When a dimension or storage class is unknown, or a value to capture is not well named.
        """
        for value, source in (capture or {}).items():
            check_capture(value, source)
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

    def types(self, pattern: str = "*") -> list[DatasetType]:
        """Give the dataset types whose names match a glob, sorted."""
        entries = self.registry.current().types
        return [entries[name].type for name in matching(entries, pattern)]
