"""Hypothesis strategies for the values of the model: all that the grammar of paths can spell.

::

    @given(addresses())
    def test_round_trip(address):
        assert parse(str(address)) == address
"""

from __future__ import annotations

from hypothesis import reject
from hypothesis import strategies as st

from skyfs.errors import BadPath
from skyfs.model.paths import Address
from skyfs.model.quoting import encode_name, encode_value
from skyfs.model.selectors import (
    AxisRange,
    Box,
    Circle,
    Columns,
    Hdu,
    HduName,
    RowFilter,
    Section,
    Selector,
)

# Characters that some layer gives a meaning to, besides all others.
_TRICKY = st.sampled_from(
    [*"/=%[]*?:.~#&+ '\"\\\n\t\0\x7f\x85", "é", "Å", "星", "🔭", ".a", "..", "%41", ".5"]
)
_CHARACTERS = st.characters(exclude_categories=["Cs"])


def texts(min_size: int = 1, max_size: int = 60) -> st.SearchStrategy[str]:
    """Any text with a UTF-8 form, often with characters that paths, globs or shells give a meaning to."""
    pieces = st.lists(_CHARACTERS | _TRICKY, min_size=min_size, max_size=max_size)
    return pieces.map(lambda found: "".join(found)[:max_size])


def values() -> st.SearchStrategy[str]:
    """Values of dimensions, short enough to be spelled."""
    return texts().filter(lambda text: len(encode_value(text).encode()) <= 180)


def names() -> st.SearchStrategy[str]:
    """Parts of collection names."""

    def fits(text: str) -> bool:
        return text[0] != "." and not set(text) & set("=/") and len(encode_name(text).encode()) <= 255

    return texts().filter(fits)


def collections(*, max_parts: int = 4) -> st.SearchStrategy[str]:
    """Names of collections."""
    return st.lists(names(), min_size=1, max_size=max_parts).map("/".join)


def identifiers() -> st.SearchStrategy[str]:
    """Names of dataset types, components and keys."""
    return st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,15}", fullmatch=True)


def extensions() -> st.SearchStrategy[str]:
    """Extensions of files: one or two."""
    known = st.sampled_from([".fits", ".fits.gz", ".parquet", ".json", ".zarr", ".fits.fz", ".x1"])
    return known | st.from_regex(r"(\.[a-z][a-z0-9]{0,5}){1,2}", fullmatch=True)


def keys(*, min_size: int = 1) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """Keys and values, each key once."""
    pairs = st.tuples(identifiers(), values())
    return st.lists(pairs, min_size=min_size, max_size=5, unique_by=lambda pair: pair[0]).map(tuple)


# -- selectors -----------------------------------------------------------------------------------------

_PIXELS = st.integers(1, 10**6)
_DEGREES = st.floats(0, 360, exclude_max=True).map(lambda value: value + 0.0)
_SIZES = st.floats(0, 180, exclude_min=True)
_WORDS = st.sampled_from(
    ["flux", "err", "flux/err", "#row", "[x", "x]", "'a]b'", '"it\'s"', "5.0", "%", "é", "(a)"]
)
_OPERATORS = st.sampled_from([" > ", "<=", " == ", " != ", " && ", " || ", ".gt."])


def _axes() -> st.SearchStrategy[AxisRange]:
    steps = st.just(1) | st.integers(1, 99)
    whole = st.builds(AxisRange, step=steps, reverse=st.booleans())
    return whole | st.builds(AxisRange, _PIXELS, _PIXELS, steps)


def hdus() -> st.SearchStrategy[Selector]:
    """Selectors of a whole HDU."""
    numbered: st.SearchStrategy[Selector] = st.integers(0, 999_999_999).map(Hdu)
    extnames = st.from_regex(
        r"[A-Za-z_][\w-]{0,12}", fullmatch=True, alphabet=st.characters(max_codepoint=127)
    )
    return numbered | st.builds(HduName, extnames, st.none() | st.integers(0, 99))


def parts() -> st.SearchStrategy[Selector]:
    """Selectors of a part of an HDU."""
    columns = st.from_regex(r"-?[A-Za-z_*?#][A-Za-z0-9_*?#.-]{0,8}", fullmatch=True)
    filters = st.tuples(_WORDS, _OPERATORS, _WORDS).map("".join)
    return st.one_of(
        st.lists(_axes(), min_size=1, max_size=4).map(lambda axes: Section(tuple(axes))),
        st.lists(columns, min_size=1, max_size=4).map(lambda names: Columns(tuple(names))),
        filters.map(RowFilter),
        st.builds(Circle, _DEGREES, st.floats(-90, 90), _SIZES),
        st.builds(Box, _DEGREES, st.floats(-90, 90), st.floats(0, 360, exclude_min=True), _SIZES),
    )


def selectors() -> st.SearchStrategy[tuple[Selector, ...]]:
    """All that may follow an extension: an HDU, parts of it, or nothing."""
    first: st.SearchStrategy[list[Selector]] = st.lists(hdus(), max_size=1)
    return st.tuples(first, st.lists(parts(), max_size=2)).map(lambda both: (*both[0], *both[1]))


# -- addresses -----------------------------------------------------------------------------------------

_NO_SELECTORS: st.SearchStrategy[tuple[Selector, ...]] = st.just(())


@st.composite
def addresses(draw: st.DrawFn) -> Address:
    """Addresses of every kind: prefixes, datasets, components, inner names, service directories."""
    try:
        return draw(st.one_of(_prefixes(), _datasets(), _services()))
    except BadPath:
        reject()  # too long as a part: the characters of an expression are encoded as up to 12 bytes


@st.composite
def _prefixes(draw: st.DrawFn) -> Address:
    service = draw(st.sampled_from([(), (".hive",)]) | texts(1, 20).map(lambda text: (".where", text)))
    head = tuple(draw(st.lists(names(), max_size=5)))
    if draw(st.booleans()):
        leaf = draw(identifiers()) + draw(extensions())
        return Address((*head, leaf), selectors=draw(selectors()), service=service)
    return Address(head, service=service)


@st.composite
def _datasets(draw: st.DrawFn) -> Address:
    service = draw(st.sampled_from([(), (".hive",)]) | texts(1, 20).map(lambda text: (".where", text)))
    named = draw(identifiers()) + draw(st.just("") | identifiers().map(lambda name: f".{name}"))
    head = (*draw(collections()).split("/"), named)
    extension = draw(st.just("") | extensions())
    inner: tuple[str, ...] = ()
    if extension and draw(st.booleans()):
        inner = draw(st.sampled_from([(), ("zarr.json",), (".zattrs",), ("0", "c", "1"), ("a b%", "é.fits")]))
    chosen = draw(selectors() if extension and not inner else _NO_SELECTORS)
    return Address(head, draw(keys()), extension, chosen, service, inner)


@st.composite
def _services(draw: st.DrawFn) -> Address:
    head, service = draw(
        st.sampled_from(
            [
                ((), ".repo"),
                (("config.yaml",), ".repo"),
                (("018f3a5e-0000-7000-8000-000000000000.fits",), ".by-id"),
                (("visit.parquet",), ".records"),
                ((), ".records"),
                ((), ".where"),
                ((), ".hive"),
            ]
        )
    )
    return Address(head, selectors=draw(selectors() if head else _NO_SELECTORS), service=(service,))
