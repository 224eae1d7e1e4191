"""Python values → the values that JSON and YAML have."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol, cast

from skyfs.errors import BadArgument


class _Listable(Protocol):
    """What numpy scalars and arrays offer."""

    def tolist(self) -> object: ...


def plain(value: object, where: str = "$", *, finite: bool) -> object:
    """Give a copy made of dict, list, str, int, float, bool and None only.

    Tuples become lists; numpy scalars and arrays become numbers and lists. The order of keys is kept.

    Parameters
    ----------
    value
        Nested mappings, lists, tuples, numpy arrays and scalars.
    where
        Place of the value, for messages.
    finite
        Whether NaN and infinities are refused (JSON has none).

    Raises
    ------
    BadArgument
        When a key is not text, or a value is of another type; the message says where.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Subclasses (enums, numpy.str_ below) become what they are based on.
        return int(value)
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, float):
        return _number(float(value), where, finite=finite)
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, f"{where}.{key}", finite=finite) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]", finite=finite) for index, item in enumerate(value)]
    if type(value).__module__ == "numpy":
        return _from_numpy(value, where, finite=finite)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise BadArgument(
        f"value at {where}", f"a {kind} has no plain form", "use numbers, text, lists and mappings"
    )


def _from_numpy(value: object, where: str, *, finite: bool) -> object:
    import numpy as np

    if isinstance(value, np.ma.MaskedArray) or not isinstance(value, np.ndarray | np.bool_ | np.number):
        raise BadArgument(
            f"value at {where}", f"a numpy {type(value).__name__} has no plain form", "convert it"
        )
    if value.dtype.kind not in "biufOU":
        raise BadArgument(f"value at {where}", f"numpy type {value.dtype} has no plain form", "convert it")
    listed = cast("_Listable", value).tolist()
    if type(listed) is type(value):
        # longdouble scalars give themselves.
        return _number(float(cast("float", value)), where, finite=finite)
    return plain(listed, where, finite=finite)


def _number(value: float, where: str, *, finite: bool) -> float:
    if finite and not math.isfinite(value):
        raise BadArgument(f"value at {where}", f"JSON has no {value}", "use None, or write YAML")
    return value


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise BadArgument(f"key {key!r} at {where}", f"it is a {type(key).__name__}", "keys must be text")
    return _text(key, where)


def _text(value: str, where: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadArgument(f"text at {where}", f"it is no Unicode: {error.reason}") from error
    return str.__str__(value)
