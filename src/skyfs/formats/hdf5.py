"""HDF5: tables, arrays, nested mappings, images and exposures. Needs h5py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, BinaryIO

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, Unsupported
from skyfs.model.selectors import Selector

from .guards import Tolerance, refuse_value, require_class, writing
from .hdf5_file import open_file, read_dataset, write_file
from .hdf5_layout import Layout

if TYPE_CHECKING:
    import h5py
    from astropy.table import Table

_DATA = "data"


class Hdf5(Format):
    """HDF5 files.

    Options: ``compression`` (none by default, gzip, lzf), ``level`` of gzip, ``chunks`` (lengths of a chunk's
    axes in numpy's order), ``shuffle`` (true when compressed), ``checksum``; of tables also ``layout``:
    columns (default; a dataset each) or rows (one dataset of records, which astropy's Table.read takes).

    Tables and arrays of other programs are read when there is one. Nothing outside of the file is read.
    """

    extensions = (".h5", ".hdf5")
    storage_classes = ("Dict", "Exposure", "Image", "Table", "Array")

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as dict (nested, with arrays), Table, array, CCDData or Exposure."""
        require_class("HDF5", storage_class, self.storage_classes)
        with Tolerance(), open_file(source) as file:
            return _read(file, storage_class)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a mapping, Table, array, CCDData or Exposure."""
        from astropy.table import Table

        layout = Layout.parse(options, ("layout",))
        rows = options.get("layout", "columns")
        if rows not in ("columns", "rows"):
            raise BadArgument(f"option layout={rows!r}", todo="columns or rows")
        if "layout" in options and not isinstance(value, Table):
            raise BadArgument("option layout", "it is for tables", "leave it out")
        with Tolerance(), writing("HDF5"), write_file(file) as opened:
            _write(opened, value, layout, rows=rows == "rows")

    def check(self, source: ByteSource) -> None:
        """Check the superblock, which says how long the file should be."""
        with open_file(source, part=True):
            pass

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the attributes of the root group that are single values."""
        from .hdf5_tree import read_scalar, unescape

        with open_file(source, part=True) as file:
            found = {unescape(name): read_scalar(value) for name, value in file.attrs.items()}
        return {key: value for key, value in found.items() if isinstance(value, str | int | float | bool)}

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read part of an array or image, of chunked ones the chunks that it touches; or rows of a table."""
        with Tolerance(), open_file(source, part=True) as file:
            if storage_class == "Table":
                from .hdf5_table import read_rows

                return read_rows(file, slices)
            from .hdf5_image import read_array_part, read_image_part

            if storage_class == "Array":
                return read_array_part(file, slices)
            if storage_class == "Image":
                return read_image_part(file, slices)
        raise Unsupported(f"slices={slices!r} of {storage_class} in HDF5", "it has none", "read the whole")

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write a section of the image or only array, or the rows and columns of the table that are named."""
        from .hdf5_table import read_table
        from .table_cut import cut_whole
        from .whole_cut import is_section

        with Tolerance(), open_file(source, part=True) as opened:
            part: object
            if is_section(selectors):
                from .hdf5_image import read_section

                part = read_section(opened, selectors)
            else:
                part = cut_whole(read_table(opened), selectors, self.extensions[0])
        self.write(part, file, {})

    def read_component(self, source: ByteSource, storage_class: str, component: str) -> object:
        """Read a component of an Exposure without the others; of other classes, of the whole."""
        if storage_class != "Exposure":
            return getattr(self.read(source, storage_class), component, None)
        from .hdf5_image import read_component

        with Tolerance(), open_file(source, part=True) as file:
            return read_component(file, component)

    def read_columns(self, source: ByteSource, columns: Sequence[str], rows: slice = slice(None)) -> Table:
        """Read some columns of a table, and of them some rows; as astropy Table.

        Raises
        ------
        BadArgument
            When there is no such column.
        """
        from .hdf5_table import read_table

        with Tolerance(), open_file(source, part=True) as file:
            return read_table(file, columns, rows)


def _read(file: h5py.File, storage_class: str) -> object:
    from .hdf5_image import only_array, read_exposure, read_image
    from .hdf5_table import read_table
    from .hdf5_tree import read_tree

    readers: dict[str, Callable[[h5py.File], object]] = {
        "Dict": read_tree,
        "Table": read_table,
        "Array": lambda opened: read_dataset(only_array(opened)),
        "Image": read_image,
        "Exposure": read_exposure,
    }
    return readers[storage_class](file)


def _write(file: h5py.File, value: object, layout: Layout, *, rows: bool) -> None:
    import numpy as np
    from astropy.nddata import CCDData
    from astropy.table import Table

    from .exposure import Exposure
    from .hdf5_table import write_columns, write_rows
    from .hdf5_tree import storable, write_tree
    from .image_tree import exposure_to_tree, image_to_tree

    if isinstance(value, Table):
        (write_rows if rows else write_columns)(file, value, layout)
    elif isinstance(value, CCDData):
        write_tree(file, image_to_tree(value), layout)
    elif isinstance(value, Exposure):
        write_tree(file, exposure_to_tree(value), layout)
    elif isinstance(value, np.ndarray):
        layout.create(file, _DATA, storable(value, "the array"))
    elif isinstance(value, Mapping):
        write_tree(file, value, layout)
    else:
        raise refuse_value("HDF5", value, "dict, astropy Table, numpy array, CCDData or Exposure")
