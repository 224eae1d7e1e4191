"""Tables that are read whole, whatever part of them is wanted: ECSV, CSV, VOTable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.model.selectors import Selector

from .column_choice import require_table_selectors

if TYPE_CHECKING:
    from astropy.table import Table


class CutsWhole(Format):
    """A format of one table, which is read whole, cut and written again."""

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write the rows and columns that the selectors name."""
        require_table_selectors(selectors, self.extensions[0])
        from .table_cut import cut_whole

        table = self.read(source, "Table")
        self.write(cut_whole(cast("Table", table), selectors, self.extensions[0]), file, {})
