"""The names of datasets: their canonical paths, and file names outside of the tree."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from ..model.paths import Address
from ..model.quoting import encode_name, encode_value
from ..model.selectors import Selector
from ..reading.resolver import Named


def dataset_path(named: Named, service: tuple[str, ...] = ()) -> str:
    """Give the canonical path of a dataset in the collection it was looked for in.

    ``service`` is the service directory that shows it: ``(".hive",)``, ``(".where", expression)``.
    """
    return service_path(service) + (_in_hive(named) if service == (".hive",) else _plain(named))


def service_path(service: tuple[str, ...]) -> str:
    """Give the path of a service directory; empty for the tree itself."""
    return str(Address(service=service)) if service else ""


def _plain(named: Named) -> str:
    ref = named.resolved.ref
    levels = _levels(named)
    if levels:
        return f"/{_collection(named)}/{_type(named)}{levels}{named.extension}"
    folder = "" if named.component is None else f"/{_type(named)}"
    return f"/{_collection(named)}{folder}/{ref.type.name}{named.extension}"


def _in_hive(named: Named) -> str:
    ref = named.resolved.ref
    levels = _levels(named)
    folder = f"/{_type(named)}" if levels or named.component is not None else ""
    return f"/{_collection(named)}{folder}{levels}/{ref.type.name}{named.extension}"


def _collection(named: Named) -> str:
    return "/".join(map(encode_name, named.collection.split("/")))


def _type(named: Named) -> str:
    name = named.resolved.ref.type.name
    return name if named.component is None else f"{name}.{named.component}"


def _levels(named: Named) -> str:
    ref = named.resolved.ref
    levels = "".join(f"/{name}={encode_value(str(value))}" for name, value in ref.data_id.levels)
    return levels if ref.valid is None else f"{levels}/valid={ref.valid}"


def filename(named: Named, extension: str, selectors: Sequence[Selector] = ()) -> str:
    """Give the file name of a dataset outside of the tree, unique among those of its type and collection.

    Only the first text value may hold ``_``, which also stands between the values, so that no two data IDs
    give one name. A part has a digest of its selectors: CFITSIO takes brackets in a file's name as its own.
    """
    ref = named.resolved.ref
    values = [encode_value(str(value)) for value in ref.data_id.values_required]
    texts = [index for index, value in enumerate(ref.data_id.values_required) if isinstance(value, str)]
    for index in texts[1:]:
        values[index] = values[index].replace("_", "%5F")
    if ref.valid is not None:
        values.append(str(ref.valid))
    if selectors:
        values.append(f"part-{blake2b(''.join(map(str, selectors)).encode(), digest_size=6).hexdigest()}")
    return "_".join((ref.type.name, *values)) + (named.extension or extension)
