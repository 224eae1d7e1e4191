"""The functions and the arithmetic of row filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from skyfs.errors import BadArgument

from .row_values import Kind, Value, aligned, nulls

# Names of numpy's functions, and from which to which argument they have a value.
_REAL: Mapping[str, tuple[str, float, float]] = {
    **{
        name: (name, -float("inf"), float("inf"))
        for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp")
    },
    **{name: (name, -float("inf"), float("inf")) for name in ("arctan", "floor", "ceil")},
    "arcsin": ("arcsin", -1.0, 1.0),
    "arccos": ("arccos", -1.0, 1.0),
    "sqrt": ("sqrt", 0.0, float("inf")),
    "log": ("log", 5e-324, float("inf")),
    "log10": ("log10", 5e-324, float("inf")),
}


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Count: of integers an integer, as in C; of anything else a real number. Text is joined by +."""
    if left.kind == right.kind == "text" and operator == "+":
        return Value("text", np.char.add(*aligned(left, right)), nulls(left, right))
    if left.kind == right.kind == "bits" and operator in "&|":
        a, b = padded(left, right)
        return Value("bits", a & b if operator == "&" else a | b)
    if operator == "*" and "bool" in (left.kind, right.kind):
        left, right = _counted(left), _counted(right)
    if not (left.is_number and right.is_number):
        raise BadArgument(f"bad row filter: {operator}", f"it does not take {left.said()} and {right.said()}")
    if operator in ("&", "|", "^^"):
        return _masked(operator, left, right)
    if left.kind == right.kind == "long":
        return _of_integers(operator, left, right)
    return _of_reals(operator, left, right)


def _counted(value: Value) -> Value:
    return Value("long", value.data.astype(np.int64), value.null) if value.kind == "bool" else value


def _masked(operator: str, left: Value, right: Value) -> Value:
    if "double" in (left.kind, right.kind):
        raise BadArgument(f"bad row filter: {operator}", "it takes integers", "(int) x makes one")
    a, b = aligned(left, right)
    data = a & b if operator == "&" else a | b if operator == "|" else a ^ b
    return Value("long", data, nulls(left, right))


def _of_integers(operator: str, left: Value, right: Value) -> Value:
    a, b = aligned(left, right)
    if operator in ("/", "%"):
        # Towards zero, as C does; numpy rounds down. Of numbers beyond 2**53 a float would lose the end.
        zero = b == 0
        safe = np.where(zero, 1, b)
        rest = np.fmod(a, safe)
        return Value("long", rest if operator == "%" else (a - rest) // safe, _also(nulls(left, right), zero))
    if operator == "**":
        power = np.trunc(np.power(a.astype(np.float64), b.astype(np.float64)))
        return Value("long", np.nan_to_num(power).astype(np.int64), nulls(left, right))
    data = a + b if operator == "+" else a - b if operator == "-" else a * b
    return Value("long", data, nulls(left, right))


def _of_reals(operator: str, left: Value, right: Value) -> Value:
    a, b = (one.astype(np.float64) for one in aligned(left, right))
    null = nulls(left, right)
    if operator in ("/", "%"):
        zero = b == 0
        safe = np.where(zero, 1.0, b)
        data = a / safe
        data = a - b * np.trunc(data) if operator == "%" else data
        return Value("double", data, _also(null, zero))
    if operator == "**":
        return Value("double", np.power(a, b), null)
    return Value("double", a + b if operator == "+" else a - b if operator == "-" else a * b, null)


def _also(null: np.ndarray | None, more: np.ndarray) -> np.ndarray:
    return more if null is None else null | more


def _number(function: str, value: Value) -> Value:
    if not value.is_number:
        raise BadArgument(f"{function}() in a row filter", f"it takes numbers, not {value.said()}")
    return value


def _reals(function: str, *values: Value) -> list[np.ndarray]:
    for value in values:
        _number(function, value)
    return [one.astype(np.float64) for one in aligned(*values)]


def _texts(function: str, *values: Value) -> list[np.ndarray]:
    for value in values:
        if value.kind != "text":
            raise BadArgument(
                f"{function}() in a row filter", f"it takes text, not {value.said()}", "quote it"
            )
    return aligned(*values)


def padded(left: Value, right: Value) -> tuple[np.ndarray, np.ndarray]:
    """Give bits aligned to the right."""
    width = max(left.data.shape[1], right.data.shape[1])
    return to_width(left.data, width), to_width(right.data, width)


def to_width(bits: np.ndarray, width: int) -> np.ndarray:
    """Put zeros in front."""
    return np.pad(bits, ((0, 0), (width - bits.shape[1], 0)))


# -- of one argument -----------------------------------------------------------------------------------


def _real(name: str) -> Callable[..., Value]:
    numpy_name, least, most = _REAL[name]

    def real(value: Value) -> Value:
        (data,) = _reals(name, value)
        outside = (data < least) | (data > most)
        inside = np.where(outside, 1.0, data)
        return Value("double", getattr(np, numpy_name)(inside), _also(nulls(value), outside))

    return real


def _round(value: Value) -> Value:
    (data,) = _reals("round", value)
    return Value("double", np.floor(data + 0.5), value.null)


def _absolute(value: Value) -> Value:
    return Value(_number("abs", value).kind, abs(value.data), value.null)


def _negative(value: Value) -> Value:
    return Value(_number("-", value).kind, -value.data, value.null)


def _to_int(value: Value) -> Value:
    if value.kind == "double":
        return Value("long", np.nan_to_num(np.trunc(value.data)).astype(np.int64), value.null)
    return Value("long", _number("(int)", _counted(value)).data, value.null)


def _to_float(value: Value) -> Value:
    return Value("double", _reals("(float)", _counted(value))[0], value.null)


def _is_null(value: Value) -> Value:
    shape = value.data.shape
    return Value("bool", np.zeros(shape, bool) if value.null is None else np.broadcast_to(value.null, shape))


def _length(value: Value) -> Value:
    return Value("long", np.char.str_len(_texts("strlen", value)[0]).astype(np.int64), value.null)


# -- of the elements of a vector -----------------------------------------------------------------------


def _vector(value: Value) -> tuple[np.ndarray, np.ndarray]:
    """Give elements and which of them are defined; a plain column is vectors of one."""
    data = value.data if value.is_vector else value.data[..., None]
    null = (
        np.zeros(value.data.shape, bool)
        if value.null is None
        else np.broadcast_to(value.null, value.data.shape)
    )
    return data, ~(null if value.is_vector else null[..., None])


def _folded(name: str) -> Callable[..., Value]:
    def folded(value: Value) -> Value:
        kind: Kind = value.kind
        value = _number(name, _counted(value))
        data, valid = _vector(value)
        none = np.asarray(~valid.any(axis=-1))
        if name in ("min", "max"):
            worst = _extreme(data.dtype, largest=name == "min")
            found = np.where(valid, data, worst)
            return Value(value.kind, found.min(axis=-1) if name == "min" else found.max(axis=-1), none)
        if name == "sum":
            # CFITSIO's sum of nothing is undefined, but for truth values, which it counts.
            return Value(value.kind, np.where(valid, data, 0).sum(axis=-1), None if kind == "bool" else none)
        reals = np.where(valid, data, np.nan).astype(np.float64)
        return Value("double", *_statistic(name, reals, valid))

    return folded


def _extreme(dtype: np.dtype, *, largest: bool) -> float | int:
    if dtype.kind == "f":
        return np.inf if largest else -np.inf
    limits = np.iinfo(dtype)
    return int(limits.max if largest else limits.min)


def _statistic(name: str, data: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = valid.sum(axis=-1)
    if name == "median":
        # Of an even number the lower of the two in the middle, as in CFITSIO; NaN is sorted to the end.
        middle = np.maximum((count - 1) // 2, 0)[..., None]
        return np.take_along_axis(np.sort(data, axis=-1), middle, -1)[..., 0], count == 0
    mean = np.nansum(data, axis=-1) / np.maximum(count, 1)
    if name == "average":
        return mean, count == 0
    squares = np.nansum((data - mean[..., None]) ** 2, axis=-1)
    return np.sqrt(squares / np.maximum(count - 1, 1)) * (count > 1), count == 0


def _count_elements(value: Value) -> Value:
    return Value("long", np.asarray(value.data.shape[1] if value.is_vector else 1, np.int64))


def _count_valid(value: Value) -> Value:
    return Value("long", _vector(value)[1].sum(axis=-1).astype(np.int64))


def _element(value: Value, *indices: Value) -> Value:
    if any(one.kind != "long" or one.data.ndim for one in indices):
        raise BadArgument("v[...] in a row filter", "not a constant integer", "write v[2], from 1")
    data = value.data if value.is_vector else value.data[..., None]
    axes = value.axes or (data.shape[-1],)
    asked = [int(one.data) for one in indices]
    if len(asked) != len(axes) or not all(1 <= one <= axis for one, axis in zip(asked, axes, strict=True)):
        found = f"its elements are {' × '.join(map(str, axes))}"
        raise BadArgument(f"v{asked} in a row filter", found, "the first is v[1], of an array v[1,1]")
    number = 1 + sum((one - 1) * math.prod(axes[:index]) for index, one in enumerate(asked))
    null = None if value.null is None else np.broadcast_to(value.null, value.data.shape)
    null = null if null is None or not value.is_vector else null[:, number - 1]
    if value.kind == "bits":
        return Value("bool", data[:, number - 1])
    return Value(value.kind, data[..., number - 1], null)


# -- of several ----------------------------------------------------------------------------------------


def _choice(condition: Value, first: Value, second: Value) -> Value:
    if condition.kind != "bool":
        raise BadArgument("bad row filter: ?:", f"{condition.said()} before the ?", "write x != 0 ? ...")
    kind = _common("?:", first, second)
    which, a, b = aligned(condition, first, second)
    null_a, null_b = (
        np.broadcast_to(_spread(value.null, data), data.shape) for value, data in ((first, a), (second, b))
    )
    null = np.where(which, null_a, null_b)
    of_condition = nulls(condition)
    if of_condition is not None:
        null = null | _spread(of_condition, which)
    return Value(kind, np.where(which, a, b), null)


def _spread(null: np.ndarray | None, like: np.ndarray) -> np.ndarray:
    if null is None:
        return np.zeros((), bool)
    return null[:, None] if null.ndim == 1 and like.ndim == 2 else null


def _common(function: str, first: Value, second: Value) -> Kind:
    if first.kind == second.kind and first.kind != "bits":
        return first.kind
    for one, other in ((first, second), (second, first)):
        if other.data.ndim == 0 and other.null is not None and other.kind == "long":
            return one.kind
    if first.is_number and second.is_number:
        return "double" if "double" in (first.kind, second.kind) else "wide"
    raise BadArgument(f"bad row filter: {function}", f"{first.said()} and {second.said()} do not go together")


def _default(value: Value, instead: Value) -> Value:
    return _choice(_is_null(value), instead, value)


def _set_null(what: Value, value: Value) -> Value:
    a, b = aligned(_number("setnull", what), _number("setnull", value))
    return Value(value.kind, b, _also(nulls(value), a == b))


def _extreme_of_two(name: str) -> Callable[..., Value]:
    def extreme(first: Value, second: Value) -> Value:
        """Of two; of what is undefined, the other one."""
        kind = _common(name, _number(name, first), _number(name, second))
        a, b = aligned(first, second)
        null_a, null_b = _spread(first.null, a), _spread(second.null, b)
        best = np.minimum(a, b) if name == "min" else np.maximum(a, b)
        return Value(kind, np.where(null_a, b, np.where(null_b, a, best)), null_a & null_b)

    folded = _folded(name)
    return lambda *values: folded(*values) if len(values) == 1 else extreme(*values)


def _arctan2(y: Value, x: Value) -> Value:
    return Value("double", np.arctan2(*_reals("arctan2", y, x)), nulls(y, x))


def _near(first: Value, second: Value, tolerance: Value) -> Value:
    a, b, limit = _reals("near", first, second, tolerance)
    return Value("bool", abs(a - b) < limit, nulls(first, second, tolerance))


def _angular_separation(*values: Value) -> Value:
    """Degrees between two places on the sky, by the haversine formula."""
    ra1, dec1, ra2, dec2 = (np.radians(one) for one in _reals("angsep", *values))
    half = np.sin((dec2 - dec1) / 2) ** 2 + np.cos(dec1) * np.cos(dec2) * np.sin((ra2 - ra1) / 2) ** 2
    return Value("double", np.degrees(2 * np.arcsin(np.sqrt(np.clip(half, 0, 1)))), nulls(*values))


def _circle(*values: Value) -> Value:
    x0, y0, radius, x, y = _reals("circle", *values)
    return Value("bool", (x - x0) ** 2 + (y - y0) ** 2 <= radius**2, nulls(*values))


def _turned(name: str, values: tuple[Value, ...]) -> tuple[np.ndarray, ...]:
    """Give where the points lie in the figure's own axes, and its two sizes."""
    x0, y0, width, height, angle_deg, x, y = _reals(name, *values)
    angle = np.radians(angle_deg)
    dx, dy = x - x0, y - y0
    return dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle), width, height


def _box(*values: Value) -> Value:
    x, y, width, height = _turned("box", values)
    return Value("bool", (abs(x) <= width / 2) & (abs(y) <= height / 2), nulls(*values))


def _ellipse(*values: Value) -> Value:
    x, y, width, height = _turned("ellipse", values)
    return Value("bool", (x / width) ** 2 + (y / height) ** 2 <= 1, nulls(*values))


def _find_text(text: Value, part: Value) -> Value:
    found = np.char.find(*_texts("strstr", text, part)).astype(np.int64) + 1
    return Value("long", found, _also(nulls(text, part), found == 0))


def _part_of_text(text: Value, position: Value, length: Value) -> Value:
    (whole,) = _texts("strmid", text)
    if any(one.kind != "long" or one.data.ndim for one in (position, length)) or int(position.data) < 0:
        raise BadArgument("strmid() in a row filter", "not two constant integers", "strmid(s, 1, 3), from 1")
    start, count = int(position.data), max(int(length.data), 0)
    flat = [str(one)[start - 1 : start - 1 + count] if start else "" for one in np.ravel(whole)]
    data = np.array(flat, dtype=np.str_).reshape(whole.shape)
    return Value("text", data, text.null)


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    **{name: _real(name) for name in _REAL},
    **{name: _folded(name) for name in ("sum", "average", "median", "stddev")},
    **{name: _extreme_of_two(name) for name in ("min", "max")},
    "abs": _absolute,
    "neg": _negative,
    "round": _round,
    "(int)": _to_int,
    "(float)": _to_float,
    "isnull": _is_null,
    "strlen": _length,
    "nelem": _count_elements,
    "nvalid": _count_valid,
    "[]": _element,
    "?": _choice,
    "defnull": _default,
    "setnull": _set_null,
    "arctan2": _arctan2,
    "near": _near,
    "angsep": _angular_separation,
    "circle": _circle,
    "box": _box,
    "ellipse": _ellipse,
    "strstr": _find_text,
    "strmid": _part_of_text,
}
"""What `skyfs.model.row_filter` calls by name, but for comparisons and logic."""
