"""Side tables of a repository."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import BadDataId, BadDefinition
from ..writing.columns import Columns
from .base import Base


class Attaching(Base):
    """Attaches tables with more columns about dimension values."""

    def attach(
        self, name: str, table: object, on: str | Iterable[str], *, replace: bool = False, **data_id: object
    ) -> int:
        """Attach a table: expressions call its columns ``name.column``, and `records` gives its rows.

        Again with the same columns, it adds rows. A data ID without a row has no values.

        Parameters
        ----------
        name
            Letters, digits and ``_``; not that of a dimension or dataset type.
        table
            An astropy Table, pandas DataFrame, pyarrow Table, list of mappings, or mapping of columns. Its
            columns are of int, float, string or bool; a column for each of ``on`` tells what a row is about.
        on
            Dimensions; those that they require are added.
        replace
            Change rows that are there.
        **data_id
            Values that all rows have in common: ``instrument="HSC"``.

        Returns
        -------
        int
            How many rows are new.

        Raises
        ------
        BadDataId
            When a row is about something that is not recorded; nothing is changed then.
        Conflict
            When the name is taken, the table has other columns, or a different row is there and ``replace``
            is False.
        BadDefinition
            When a column is missing, or its values are of no such type.
        BadArgument
            When it is no table, or has no rows.
        """
        universe = self.registry.universe
        group = universe.group([on] if isinstance(on, str) else on)
        key = universe.dependency_order(group.required)
        columns = Columns.of(table)
        double = [one for one in data_id if one in columns.values or one not in key]
        if double:
            raise BadDataId(
                f"attach {name!r} with {double[0]}=",
                "a column, or none of its key",
                f"its key is {', '.join(key)}",
            )
        missing = [one for one in key if one not in columns.values and one not in data_id]
        if missing:
            todo = f"add the column, or give {missing[0]}=... for all rows"
            raise BadDefinition(f"attach {name!r}", f"no column {missing[0]!r}", todo)
        types = {one: columns.type(one) for one in columns.values if one not in key}
        return self.registry.sides.attach(name, key, types, columns.rows(data_id), replace=replace)

    def detach(self, name: str) -> None:
        """Remove a side table with all its rows.

        Raises
        ------
        NotFound
            When none of that name is attached.
        """
        self.registry.sides.detach(name)

    def attachments(self) -> list[str]:
        """Give the names of the side tables, sorted."""
        return sorted(self.registry.current().sides)
