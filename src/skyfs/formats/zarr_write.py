"""Groups and arrays → zip files of Zarr version 3. This module imports zarr."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import MemoryStore

from skyfs.errors import BadArgument

from .guards import refuse_options, refuse_value
from .zip_writing import pack

if TYPE_CHECKING:
    from zarr.abc.store import Store
    from zarr.core.array_spec import ArraySpec

    AnyArray = zarr.Array[Any]

_COMPRESSORS = ("zstd", "blosc", "gzip", "none")
_KNOWN = ("chunks", "shards", "compressor", "level", "consolidated")
_DEFAULT_LEVELS = {"zstd": 3, "blosc": 5, "gzip": 6}
_MAX_LEVELS = {"zstd": 22, "blosc": 9, "gzip": 9}
# How an array is named when it is put where a group is wanted.
_ONLY_ARRAY = "data"
_ROOT = "zarr.json"


@dataclass(frozen=True, slots=True)
class Options:
    """How arrays are encoded; without any of the first four they are copied as they are."""

    chunks: tuple[int, ...] | None = None
    shards: tuple[int, ...] | None = None
    compressor: str | None = None
    level: int | None = None
    consolidated: bool = True

    @property
    def encode(self) -> bool:
        """Whether arrays are encoded anew."""
        return any(one is not None for one in (self.chunks, self.shards, self.compressor, self.level))


class TimelessGzip(GzipCodec):
    """The codec gzip without the time in each chunk: one array would have other bytes every second."""

    def _encode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        data = gzip.compress(chunk_bytes.to_bytes(), self.level, mtime=0)
        return chunk_spec.prototype.buffer.from_bytes(data)

    async def _encode_single(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        return await asyncio.to_thread(self._encode_sync, chunk_bytes, chunk_spec)


def parse_options(options: Mapping[str, object]) -> Options:
    """Read writer options.

    Raises
    ------
    BadArgument
        When one is unknown or has a value that it cannot have.
    """
    refuse_options("Zarr", options, _KNOWN)
    compressor, level = options.get("compressor"), options.get("level")
    if compressor is not None and compressor not in _COMPRESSORS:
        raise BadArgument(f"option compressor={compressor!r}", todo=f"one of {', '.join(_COMPRESSORS)}")
    if level is not None:
        most = _MAX_LEVELS.get(str(compressor or "zstd"))
        if not isinstance(level, int) or most is None or not 0 <= level <= most:
            raise BadArgument(f"option level={level!r}", todo=f"an integer from 0 to {most or 0}")
    consolidated = options.get("consolidated", True)
    if not isinstance(consolidated, bool):
        raise BadArgument(f"option consolidated={consolidated!r}", todo="true or false")
    return Options(
        _sizes(options, "chunks"),
        _sizes(options, "shards"),
        None if compressor is None else str(compressor),
        level,
        consolidated,
    )


def write_zip(value: object, file: BinaryIO, options: Options) -> None:
    """Write a group, array or numpy array.

    Raises
    ------
    BadArgument
        When it is something else, or holds objects.
    """
    node = _encoded(value, options)
    store: Store = node.store_path.store
    prefix = f"{node.path}/" if node.path else ""
    keys = sync(_keys(store, prefix))
    metadata = dict(_read(store, prefix, (key for key in keys if _is_metadata(key))))
    if options.consolidated:
        metadata[_ROOT] = _consolidated(metadata)
    chunks = _read(store, prefix, (key for key in keys if not _is_metadata(key)))
    pack(itertools.chain(metadata.items(), chunks), file)


def array_to_group(array: AnyArray | np.ndarray) -> zarr.Group:
    """Give a group that holds an array, under its own name or ``data``."""
    name = array.basename if isinstance(array, zarr.Array) else ""
    group = zarr.create_group(MemoryStore())
    _copy_array(array, group, name or _ONLY_ARRAY, Options())
    return group


def dataset_to_group(dataset: Any) -> zarr.Group:  # noqa: ANN401 - xarray.Dataset, which may not be installed
    """Give the group that xarray writes."""
    store = MemoryStore()
    dataset.to_zarr(store, zarr_format=3, consolidated=False)
    return zarr.open_group(store, mode="r")


def array_to_values(array: AnyArray) -> np.ndarray:
    """Give the values."""
    return np.asarray(array[...])


def _sizes(options: Mapping[str, object], name: str) -> tuple[int, ...] | None:
    value = options.get(name)
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(n, int) and n > 0 for n in value):
        raise BadArgument(f"option {name}={value!r}", todo="a list of positive integers, one for each axis")
    return tuple(value)


def _encoded(value: object, options: Options) -> zarr.Group | AnyArray:
    """Give a node of version 3 that is encoded as the options say."""
    if isinstance(value, np.ndarray):
        return _copy_array(value, zarr.create_group(MemoryStore()), _ONLY_ARRAY, options)
    if not isinstance(value, zarr.Group | zarr.Array):
        raise refuse_value("Zarr", value, "zarr.Group, zarr.Array and numpy.ndarray")
    if value.metadata.zarr_format == 3 and not options.encode:
        return value
    target = zarr.create_group(MemoryStore())
    if isinstance(value, zarr.Array):
        return _copy_array(value, target, _ONLY_ARRAY, options)
    _copy_group(value, target, options)
    return target


def _copy_group(group: zarr.Group, target: zarr.Group, options: Options) -> None:
    target.attrs.update(dict(group.attrs))
    for name, node in sorted(group.members()):
        if isinstance(node, zarr.Array):
            _copy_array(node, target, name, options)
        else:
            _copy_group(node, target.create_group(name), options)


def _copy_array(array: AnyArray | np.ndarray, group: zarr.Group, name: str, options: Options) -> AnyArray:
    if isinstance(array, np.ma.MaskedArray):
        raise BadArgument("a masked array", "Zarr has no masks", "fill it")
    if array.dtype.hasobject and isinstance(array, np.ndarray):
        raise BadArgument(f"an array of type {array.dtype}", "objects have no encoding", "use plain types")
    kept: dict[str, Any] = {}
    if isinstance(array, zarr.Array):
        names = getattr(array.metadata, "dimension_names", None)
        kept = {"attributes": dict(array.attrs), "dimension_names": names}
        kept |= {} if array.fill_value is None else {"fill_value": array.fill_value}
    new = group.create_array(name, shape=array.shape, dtype=array.dtype, **kept, **_encoding(array, options))
    step = new.shards or new.chunks
    for corner in itertools.product(*map(range, (0,) * new.ndim, new.shape, step)):
        block = tuple(slice(first, first + size) for first, size in zip(corner, step, strict=True))
        new[block] = array[block]
    return new


def _encoding(array: AnyArray | np.ndarray, options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(array, zarr.Array) and options.chunks is None and options.shards is None:
        found = {"chunks": array.chunks, "shards": array.shards}
    for name in ("chunks", "shards"):
        sizes = getattr(options, name)
        if sizes is not None and len(sizes) == array.ndim:
            found[name] = sizes
    if options.compressor == "none":
        found["compressors"] = None
    elif options.compressor is not None or options.level is not None:
        compressor = options.compressor or "zstd"
        level = _DEFAULT_LEVELS[compressor] if options.level is None else options.level
        makers: dict[str, Any] = {
            "zstd": lambda: ZstdCodec(level=level),
            "blosc": lambda: BloscCodec(cname="zstd", clevel=level, shuffle="bitshuffle"),
            "gzip": lambda: TimelessGzip(level=level),
        }
        found["compressors"] = [makers[compressor]()]
    return found


def _is_metadata(key: str) -> bool:
    return key.rpartition("/")[2] == _ROOT


def _read(store: Store, prefix: str, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Give keys below a prefix with their bytes, one after the other."""
    for key in keys:
        found = sync(store.get(key, default_buffer_prototype()))
        if found is not None:
            yield key.removeprefix(prefix), found.to_bytes()


async def _keys(store: Store, prefix: str) -> list[str]:
    return sorted([key async for key in store.list_prefix(prefix)])


def _consolidated(files: Mapping[str, bytes]) -> bytes:
    """Give the root's metadata, with that of all below it when it is a group."""
    root = json.loads(files[_ROOT])
    if root.get("node_type") != "group":
        return files[_ROOT]
    below = {
        path.removesuffix(f"/{_ROOT}"): json.loads(data)
        for path, data in files.items()
        if path.endswith(f"/{_ROOT}")
    }
    for metadata in below.values():
        metadata.pop("consolidated_metadata", None)
    root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": below}
    return json.dumps(root, indent=2).encode()
