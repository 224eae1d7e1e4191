"""Zarr: groups of chunked arrays, each dataset one zip file of them, which paths show as a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import BinaryIO

from skyfs.abc.contents import Contents
from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent

from .buffer import HeldContents
from .guards import reading, require_class, writing
from .unpacking import bunzip2, gunzip
from .zarr_views import view_npy
from .zip_contents import ZipContents, read_zip
from .zip_writing import pack

_ROOTS = ("zarr.json", ".zgroup", ".zarray")
_MAX_METADATA = 16 << 20
_VIEWS = (".fits", ".fit", ".fits.fz", ".npy")
# Of these nothing can be read without the rest.
_PACKED = {".fits.gz": gunzip, ".fits.bz2": bunzip2}


class Zarr(Format):
    """Zarr in a zip file; version 3 is written, 2 and 3 are read.

    Writer options: ``chunks`` and ``shards`` (lists of integers, for arrays of that many dimensions; others
    get what zarr thinks best), ``compressor`` (``zstd``, ``blosc``, ``gzip`` or ``none``), ``level``,
    ``consolidated`` (true, the default: the root has the metadata of all, so that opening is one read).
    Without options chunks are copied as they are encoded.
    """

    extensions = (".zarr", ".zarr.zip")
    storage_classes = ("ZarrGroup", "Array")

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read a group (an array, when the root is one) into memory to read, or the only array's values."""
        require_class("Zarr", storage_class, self.storage_classes)
        from . import zarr_read

        contents = _checked(source)
        with reading("Zarr"):
            if storage_class == "Array":
                return zarr_read.read_values(contents, source, ...)
            return zarr_read.read_copy(contents, source)

    def read_slices(self, source: ByteSource, storage_class: str, slices: object) -> object:
        """Read a part of the only array, from the chunks (of shards: the inner chunks) that it touches."""
        require_class("Zarr", storage_class, self.storage_classes)
        from . import zarr_read

        contents = _checked(source)
        with reading("Zarr"):
            return zarr_read.read_values(contents, source, slices)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a group, an array, or numpy's."""
        from . import zarr_write

        chosen = zarr_write.parse_options(options)
        with writing("Zarr"):
            zarr_write.write_zip(value, file, chosen)

    def check(self, source: ByteSource) -> None:
        """Check the zip's directory and the root's metadata."""
        _checked(source)

    def shows(self, extension: str) -> bool:
        """Tell whether `contents` takes an extension: Zarr itself, FITS and NPY."""
        return extension in self.extensions or extension in _VIEWS or extension in _PACKED

    def contents(self, source: ByteSource, extension: str) -> Contents:
        """Find the files of a zip, or those that a FITS or NPY file would be as Zarr."""
        if extension in self.extensions:
            return _checked(source)
        if extension not in (*_VIEWS, *_PACKED):
            raise BadArgument(f"a {extension!r} file as Zarr", todo=f"one of {' '.join(_VIEWS)}")
        if extension == ".npy":
            return view_npy(source)
        from .zarr_fits import view_fits

        if extension not in _PACKED:
            return view_fits(source)
        data = _PACKED[extension](source)
        return HeldContents(view_fits(data), data.read_all())

    def pack(self, contents: Contents, source: ByteSource, file: BinaryIO) -> None:
        """Write all files as a zip."""
        paths = [entry.path for entry in contents.files()]
        pack(((path, contents.open(source, path).read_all()) for path in _metadata_first(paths)), file)


def _metadata_first(paths: list[str]) -> list[str]:
    return sorted(paths, key=lambda path: (path.rpartition("/")[2] != "zarr.json", path))


def _checked(source: ByteSource) -> ZipContents:
    """Read the directory of a zip that holds Zarr.

    Raises
    ------
    BadContent
        When it is damaged, no Zarr, or would have code run (the codec ``pickle`` of version 2).
    """
    contents = read_zip(source)
    top = {entry.name for entry in contents.children("")}
    root = next((name for name in _ROOTS if name in top), None)
    if root is None:
        found = f"its top has {', '.join(sorted(top)[:4]) or 'nothing'}"
        raise BadContent("the zip file holds no Zarr", found, "zarr.json must lie at its top")
    if not isinstance(_metadata(contents, source, root), dict):
        raise BadContent("the zip file holds no Zarr", f"{root} is no JSON object")
    for entry in contents.files() if root != "zarr.json" else ():
        if entry.name == ".zarray":
            _refuse_code(_metadata(contents, source, entry.path), entry.path)
    return contents


def _metadata(contents: ZipContents, source: ByteSource, path: str) -> object:
    entry = contents.entry(path)
    if entry.is_dir or entry.size > _MAX_METADATA:
        raise BadContent(f"{path!r} in the zip file is refused", f"it has {entry.size} bytes of metadata")
    with reading("Zarr"):
        return json.loads(contents.open(source, path).read_all())


def _refuse_code(metadata: object, path: str) -> None:
    if not isinstance(metadata, dict):
        raise BadContent(f"{path!r} in the zip file is damaged", "it is no JSON object")
    filters = metadata.get("filters") or []
    codecs = [*(filters if isinstance(filters, list) else []), metadata.get("compressor")]
    if any(isinstance(codec, dict) and codec.get("id") == "pickle" for codec in codecs):
        raise BadContent(f"{path!r} in the zip file is refused", "its values are pickled, which is code")
