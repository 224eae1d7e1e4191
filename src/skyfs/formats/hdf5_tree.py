"""Nested mappings ↔ groups of HDF5.

Arrays are datasets, single values attributes, lists datasets or groups.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skyfs.errors import BadArgument, BadContent

from .hdf5_file import load, members, read_dataset
from .hdf5_layout import Layout

if TYPE_CHECKING:
    import h5py

# Marks what is read as a list; arrays stay arrays.
_LIST = "skyfs_list"
# Attributes share one block of 64 KiB; longer text goes to a dataset.
_LONGEST_ATTRIBUTE = 4096
# Links may make one thing a member of many groups, and these of many others.
_MAX_REPEATS = 1000


def write_tree(group: h5py.Group, tree: Mapping[Any, object], layout: Layout, where: str = "$") -> None:
    """Write a mapping into a group.

    Raises
    ------
    BadArgument
        When a key is not text, or a value has no place in HDF5; the message says where.
    """
    for key, value in tree.items():
        place = f"{where}.{key}"
        name = escape(key, where)
        if isinstance(value, Mapping):
            write_tree(group.create_group(name, track_order=True), value, layout, place)
        elif isinstance(value, list | tuple):
            _write_list(group, name, value, layout, place)
        elif isinstance(value, np.ndarray) and value.ndim:
            layout.create(group, name, storable(value, place))
        else:
            _write_scalar(group, name, value, place)


def read_tree(
    group: h5py.Group,
    *,
    skip: Collection[str] = (),
    arrays: Callable[[h5py.Dataset], np.ndarray] = read_dataset,
) -> dict[str, object]:
    """Read a group with all below it; attributes and members become items alike.

    Attributes of datasets are passed over; of a member and an attribute of one name the member is given.

    Parameters
    ----------
    group
        Usually the root.
    skip
        Names of its members that are left out, unread.
    arrays
        How datasets are read.
    """
    return _Reader(arrays).mapping(group, skip)


def escape(key: object, where: str = "$") -> str:
    """Give the name in the file of a key: slashes part names there, and a dot is the group itself."""
    if not isinstance(key, str) or "\0" in key or not key:
        raise BadArgument(f"key {key!r} at {where}", "HDF5 has no such name", "keys are text of some length")
    quoted = key.replace("%", "%25").replace("/", "%2F")
    return "%2E" if quoted == "." else quoted


def unescape(name: str) -> str:
    """Give the key of a name in the file."""
    name.encode("utf-8")
    return name.replace("%2E", ".").replace("%2F", "/").replace("%25", "%")


def storable(array: np.ndarray, where: str) -> np.ndarray:
    """Give an array as HDF5 can hold it: text in UTF-8.

    Raises
    ------
    BadArgument
        When it is masked, or holds objects or times.
    """
    if isinstance(array, np.ma.MaskedArray):
        raise BadArgument(f"masked array at {where}", "HDF5 has no masks", "fill it, or write a table")
    if array.dtype.kind == "U":
        encoded = np.char.encode(array, "utf-8") if array.size else array.astype("S1")
        kind = load().string_dtype("utf-8", max(encoded.dtype.itemsize, 1))
        return encoded.astype(f"S{max(encoded.dtype.itemsize, 1)}").astype(kind)
    if array.dtype.hasobject or array.dtype.kind in "mM":
        raise BadArgument(f"array of {array.dtype} at {where}", "HDF5 has no such values", "convert it")
    return np.ascontiguousarray(array) if array.ndim else array


def read_scalar(value: object) -> object:
    """Give an attribute, or a dataset without axes, as a plain value."""
    if isinstance(value, load().Empty):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, np.generic):
        return read_scalar(value.item())
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            if not all(isinstance(item, str) for item in value.reshape(-1)):
                raise BadContent("an HDF5 attribute is refused", "it holds references or lists of any length")
            return [read_scalar(item) for item in value.reshape(-1)]
        return read_scalar(value[()]) if value.ndim == 0 else value
    if isinstance(value, str):
        # h5py makes half characters of bytes that are no UTF-8.
        value.encode("utf-8")
        return value
    if isinstance(value, int | float | complex | bool):
        return value
    raise BadContent("an HDF5 attribute is refused", f"it is a {type(value).__name__}")


def _write_list(
    group: h5py.Group, name: str, items: list[object] | tuple[object, ...], layout: Layout, where: str
) -> None:
    kinds = {type(item) for item in items}
    if len(kinds) == 1 and kinds <= {int, float, bool, str} and "" not in items:
        array = np.array(items)
        if array.dtype.kind != "O" and array.tolist() == list(items):
            layout.create(group, name, storable(array, where)).attrs[_LIST] = True
            return
    inner = group.create_group(name, track_order=True)
    inner.attrs[_LIST] = True
    write_tree(inner, {str(index): item for index, item in enumerate(items)}, layout, where)


def _write_scalar(group: h5py.Group, name: str, value: object, where: str) -> None:
    h5py = load()
    if isinstance(value, np.ndarray | np.generic):
        value = value.item() if value.dtype.kind in "biufcU" else value
    if value is None:
        group.attrs[name] = h5py.Empty("i1")
    elif isinstance(value, str):
        if "\0" in value or len(value) > _LONGEST_ATTRIBUTE:
            # Bytes of UTF-8 can hold every text.
            array = np.frombuffer(value.encode("utf-8") or b"\0", np.uint8)
            group.create_dataset(name, data=array).attrs["encoding"] = "utf-8"
        else:
            group.attrs[name] = value
    elif isinstance(value, int | float | complex):
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise BadArgument(f"value at {where}", f"{value} does not fit into 64 bits", "write it as text")
        group.attrs[name] = value
    else:
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        raise BadArgument(f"value at {where}", f"HDF5 has no {kind}", "use numbers, text, lists and arrays")


class _Reader:
    """Counts what it has read."""

    def __init__(self, arrays: Callable[[h5py.Dataset], np.ndarray]) -> None:
        self._arrays = arrays
        self._seen: set[int] = set()
        self._repeats = 0

    def mapping(self, group: h5py.Group, skip: Collection[str] = ()) -> dict[str, object]:
        found: dict[str, object] = {
            unescape(name): read_scalar(value) for name, value in group.attrs.items() if name != _LIST
        }
        for name, value in members(group, skip):
            found[unescape(name)] = self._value(value)
        return found

    def _value(self, value: h5py.Group | h5py.Dataset) -> object:
        self._count(value)
        if isinstance(value, load().Dataset):
            array = self._arrays(value)
            if value.attrs.get("encoding") == "utf-8":
                return array.tobytes().decode("utf-8")
            if array.ndim == 0:
                return read_scalar(array[()])
            return array.tolist() if _LIST in value.attrs else array
        if _LIST in value.attrs:
            return _in_order(self.mapping(value))
        return self.mapping(value)

    def _count(self, value: h5py.Group | h5py.Dataset) -> None:
        address = load().h5o.get_info(value.id).addr
        self._repeats += address in self._seen
        self._seen.add(address)
        if self._repeats > _MAX_REPEATS:
            found = f"its links repeat what is in it more than {_MAX_REPEATS} times"
            raise BadContent("the HDF5 file is refused", found)


def _in_order(items: Mapping[str, object]) -> list[object]:
    """Give the items of a list that is stored as a group."""
    numbers: Iterable[int] = range(len(items))
    missing = [number for number in numbers if str(number) not in items]
    if missing:
        raise BadContent(
            "cannot read a list in the HDF5 file", f"item {missing[0]} of {len(items)} is missing"
        )
    return [items[str(number)] for number in numbers]
