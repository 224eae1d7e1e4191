"""Documents mean what PyYAML's safe loader takes them for."""

from __future__ import annotations

from datetime import date, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from skyfs.errors import BadContent
from skyfs.importing.document import parse

_TIMES = st.datetimes(min_value=datetime(1900, 1, 1)) | st.dates(min_value=date(1900, 1, 1))  # noqa: DTZ001
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff"))
    | st.sampled_from(["null", "0x1f", "1:30", "yes", "~", "=", "2025-01-01", "1e5", "012", "!tag", "&a"])
    | _TIMES
)
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner))


@given(value=st.lists(_VALUES, min_size=1), flow=st.booleans())
def test_dumped_values_come_back(value: list[object], flow: bool) -> None:  # noqa: FBT001 - hypothesis
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    assert parse(text, "it") == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "[0o17, 0b11, 1_000, .5, +.inf, 1:30, 1:30.5, 017, on, Off, NULL, '', \"\\t\"]",
        "[2025-01-02, 2025-01-02 03:04:05.5, 2025-01-02T03:04:05Z, 2025-01-02 03:04:05 +01:00]",
        "[!!str 5, !!int '7', !!float '1', !!bool 'yes', !!null '', !!timestamp '2025-01-02', ! 12]",
        "{a: !!map {b: 1}, c: !!seq [1], d: &x [1, {e: 2}], f: *x, g: &y text, h: *y}",
        "a: |\n  two\n  lines\nb: >\n  folded\n  text\n",
    ],
)
def test_scalars_tags_and_aliases(text: str) -> None:
    assert parse(text, "it") == yaml.safe_load(text)


def test_tags_that_only_the_full_loader_has_are_refused() -> None:
    for tag in ("!!python/name:os.system", "!!python/tuple", "!!set", "!!omap", "!!merge", "!x"):
        for node in ("''", "[]", "{}"):
            with pytest.raises(BadContent, match="line 2: the tag"):
                parse(f"[1,\n{tag} {node}]", "it")


@pytest.mark.parametrize("scalar", ["!!int x", "!!bool x", "!!float x", "!!timestamp x", "2025-02-30"])
def test_scalars_that_are_not_what_they_say_are_refused(scalar: str) -> None:
    with pytest.raises(BadContent, match="line 2"):
        parse(f"a:\n  {scalar}", "it")
