"""ASDF: trees of values and arrays, tables, images and exposures. Needs asdf and asdf-astropy."""

from __future__ import annotations

import importlib.util
import io
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from skyfs.abc.format import Format
from skyfs.abc.source import ByteSource
from skyfs.errors import BadArgument, BadContent, MissingPackage
from skyfs.model.selectors import Selector

from .array_part import section_slices
from .asdf_file import check_asdf
from .guards import Tolerance, reading, refuse_options, refuse_value, require_class, writing

if TYPE_CHECKING:
    import numpy as np
    from astropy.nddata import CCDData
    from astropy.table import Table

    from .exposure import Exposure

_COMPRESSIONS = {"none": "", "zlib": "zlib", "bzp2": "bzp2", "lz4": "lz4"}
# What the library itself adds to every tree.
_OWN_KEYS = ("asdf_library", "history")
_ARRAY, _TABLE = "data", "table"


class Asdf(Format):
    """ASDF files.

    Option ``compression``: none (default), zlib, bzp2, or lz4 when that package is installed.

    A tree may hold whatever the installed extensions know (quantities, times, models); what they do not know
    comes as mappings. No other file is ever read, and checksums of blocks are checked.
    """

    extensions = (".asdf",)
    storage_classes = ("Dict", "Exposure", "Image", "Table", "Array")

    def read(self, source: ByteSource, storage_class: str) -> object:
        """Read as dict (nested, with arrays), Table, array, CCDData or Exposure."""
        require_class("ASDF", storage_class, self.storage_classes)
        with _opened(source) as tree:
            return _of_class(tree, storage_class)

    def write(self, value: object, file: BinaryIO, options: Mapping[str, object]) -> None:
        """Write a mapping, Table, array, CCDData or Exposure."""
        refuse_options("ASDF", options, ("compression",))
        compression = options.get("compression", "none")
        if not isinstance(compression, str) or compression not in _COMPRESSIONS:
            raise BadArgument(
                f"option compression={compression!r}", todo=f"one of {', '.join(_COMPRESSIONS)}"
            )
        asdf = _load(compression)
        with Tolerance(), writing("ASDF"):
            memory = io.BytesIO()
            tree = _tree_of(value)
            asdf.AsdfFile(tree).write_to(memory, all_array_compression=_COMPRESSIONS[compression])
        file.write(memory.getbuffer())

    def check(self, source: ByteSource) -> None:
        """Check the tree and that every block is complete; reads the tree and headers of blocks."""
        check_asdf(source)

    def header(self, source: ByteSource) -> Mapping[str, object]:
        """Give the values at the top of the tree that are single ones."""
        with _opened(source, part=True) as tree:
            found = {str(key): plain_tree(tree[key]) for key in tree if _is_single(tree[key])}
        return {key: value for key, value in found.items() if key not in _OWN_KEYS}

    def cut(self, source: ByteSource, selectors: Sequence[Selector], file: BinaryIO) -> None:
        """Write a section of the image or array, or the rows and columns of the table, that are named."""
        from .table_cut import cut_whole
        from .whole_cut import is_section

        with _opened(source) as tree:
            part: object
            if is_section(selectors):
                part = _section(tree, selectors)
            else:
                part = cut_whole(cast("Table", _of_class(tree, "Table")), selectors, ".asdf")
        self.write(part, file, {})

    def read_component(self, source: ByteSource, storage_class: str, component: str) -> object:
        """Read a component of an Exposure without the others; of other classes, of the whole."""
        if storage_class != "Exposure":
            return getattr(self.read(source, storage_class), component, None)
        from .exposure import component_of
        from .image_tree import KIND, part_of_tree

        with _opened(source, part=True) as tree:
            if tree.get(KIND) != "Exposure":
                return component_of(cast("Exposure", _of_class(tree, storage_class)), component)
            return part_of_tree({key: tree[key] for key in tree}, component, plain_tree)


def plain_tree(node: Any) -> Any:  # noqa: ANN401 - anything that a tree holds
    """Give a tree of dict, list and plain values, with arrays that own their data."""
    import numpy as np
    from asdf.tags.core import ExternalArrayReference, NDArrayType

    if isinstance(node, NDArrayType | np.ndarray) and type(node) in (
        NDArrayType,
        np.ndarray,
        np.ma.MaskedArray,
    ):
        # In the byte order of the file.
        return np.array(node[()] if isinstance(node, NDArrayType) else node, subok=True)
    if isinstance(node, Mapping):
        return {key: plain_tree(value) for key, value in node.items()}
    if isinstance(node, str):
        return str.__str__(str(node))
    if isinstance(node, list | tuple) or type(node).__name__ == "TaggedList":
        return [plain_tree(item) for item in node]
    if isinstance(node, ExternalArrayReference):
        raise BadContent("the ASDF file is refused", "it has an array in another file")
    return node


@contextmanager
def _opened(source: ByteSource, *, part: bool = False) -> Iterator[Mapping[str, Any]]:
    """Open a file and give its tree; ``part``: arrays are read when they are touched."""
    check_asdf(source)
    asdf = _load()
    file = source.open() if part else io.BytesIO(source.read_all())
    with Tolerance(), reading("ASDF"), file:
        opened = asdf.open(
            file,
            memmap=False,
            lazy_load=part,
            validate_checksums=not part,
            ignore_unrecognized_tag=True,
            ignore_missing_extensions=True,
        )
        with opened:
            yield opened.tree


def _of_class(tree: Mapping[str, Any], storage_class: str) -> object:
    from astropy.table import Table

    if storage_class == "Dict":
        return {key: plain_tree(value) for key, value in tree.items() if key not in _OWN_KEYS}
    if storage_class == "Table":
        table = _only(tree, _TABLE, lambda value: isinstance(value, Table), "table")
        return table.copy()
    from .exposure import Exposure
    from .image_tree import KIND, PIXELS, tree_to_exposure, tree_to_image
    from .images import array_to_image

    kind = str(tree.get(KIND, ""))
    if storage_class == "Array":
        return plain_tree(_only(tree, PIXELS.get(kind, _ARRAY), _is_array, "array"))
    found: Any = {"Image": tree_to_image, "Exposure": tree_to_exposure}.get(kind)
    if found is not None:
        value = found(plain_tree(dict(tree)))
    else:
        value = array_to_image(plain_tree(_only(tree, _ARRAY, _is_array, "array")))
    if storage_class == "Exposure":
        return value if isinstance(value, Exposure) else Exposure.from_ccddata(value)
    return value.to_ccddata() if isinstance(value, Exposure) else value


def _section(tree: Mapping[str, Any], selectors: Sequence[Selector]) -> object:
    from .image_tree import KIND
    from .whole_cut import cut_image

    if not tree.get(KIND):
        array = cast("np.ndarray", _of_class(tree, "Array"))
        return array[section_slices(selectors, array.shape, ".asdf")]
    image = cast("CCDData", _of_class(tree, "Image"))
    return cut_image(lambda box: image[box], image.shape, selectors, ".asdf")


def _only(tree: Mapping[str, Any], key: str, wanted: Any, what: str) -> Any:  # noqa: ANN401
    """Give the item of a key, or else the only one of its kind at the top of the tree."""
    if key in tree and wanted(tree[key]):
        return tree[key]
    found = [value for value in tree.values() if wanted(value)]
    if len(found) != 1:
        names = ", ".join(str(name) for name in tree if name not in _OWN_KEYS) or "nothing"
        raise BadContent(f"no single {what} in the ASDF file", f"it has {names}", "read it as Dict")
    return found[0]


def _is_array(value: object) -> bool:
    import numpy as np
    from asdf.tags.core import NDArrayType

    return isinstance(value, NDArrayType) or type(value) in (np.ndarray, np.ma.MaskedArray)


def _is_single(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _tree_of(value: object) -> dict[str, object]:
    import numpy as np
    from astropy.nddata import CCDData
    from astropy.table import Table

    from .exposure import Exposure
    from .image_tree import exposure_to_tree, image_to_tree

    if isinstance(value, Table):
        # A copy is contiguous: of columns that are not, asdf 6.0 drops the mask.
        return {_TABLE: value.copy()}
    if isinstance(value, CCDData):
        return image_to_tree(value)
    if isinstance(value, Exposure):
        return exposure_to_tree(value)
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise BadArgument(f"an array of type {value.dtype}", "ASDF has no objects", "use plain types")
        return {_ARRAY: _contiguous(value)}
    if isinstance(value, Mapping):
        taken = [key for key in _OWN_KEYS if key in value]
        if taken:
            raise BadArgument(f"key {taken[0]!r}", "ASDF keeps it for itself", "rename it")
        stored: dict[str, object] = _storable(value, "$")
        return stored
    raise refuse_value("ASDF", value, "dict, astropy Table, numpy array, CCDData or Exposure")


def _storable(value: Any, where: str) -> Any:  # noqa: ANN401 - anything that a tree holds
    """Give what the library writes without remarks: lists for tuples, plain numbers for numpy's."""
    import numpy as np

    if isinstance(value, Mapping):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise BadArgument(f"key {wrong[0]!r} at {where}", "it is no text", "keys must be text")
        return {key: _storable(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    if isinstance(value, set | frozenset | bytes) or (
        isinstance(value, np.ndarray) and value.dtype.hasobject
    ):
        kind = type(value).__name__
        raise BadArgument(f"{kind} at {where}", "ASDF has no such values", "use numbers, text, lists, arrays")
    return _contiguous(value) if isinstance(value, np.ndarray) else value


def _contiguous(array: np.ndarray) -> np.ndarray:
    """Give an array whose mask asdf does not drop; a view of part of another would bring all of that."""
    return array.copy("C") if array.base is not None or not array.flags.forc else array


def _load(compression: str = "none") -> types.ModuleType:
    """Import asdf, and what it needs for a compression."""
    try:
        import asdf
        import asdf_astropy  # noqa: F401 - tables are its
    except ImportError as error:
        todo = "install them: pip install skyfs[asdf]"
        raise MissingPackage("ASDF files need asdf and asdf-astropy", str(error), todo) from error
    if compression == "lz4" and importlib.util.find_spec("lz4") is None:
        raise MissingPackage(
            "compression lz4 needs lz4", "it is not installed", "install it: pip install lz4"
        )
    loaded: types.ModuleType = asdf
    return loaded
