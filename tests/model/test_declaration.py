"""Universes that are not well formed: each a BadDefinition that says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyfs.errors import BadDefinition
from skyfs.model.dimensions import Universe

INT = {"name": "id", "type": "int"}
KEYS = {"keys": [INT]}


def universe(**elements: Any) -> dict[str, Any]:  # noqa: ANN401 - what YAML may hold
    return {"elements": elements}


BAD = [
    # shapes
    ([], "universe: [] is no mapping"),
    ("x", "universe: 'x' is no mapping"),
    ({"element": {}}, "unknown key 'element'"),
    ({1: 2}, "unknown key 1"),
    ({"elements": []}, "elements: [] is no mapping"),
    ({"elements": {1: KEYS}}, "1 is no name"),
    ({"elements": {"a": []}}, "element 'a': [] is no mapping"),
    ({"version": "8"}, "version: '8'"),
    ({"version": True}, "version: True"),
    ({"version": -1}, "version: -1"),
    ({"name": 5}, "name: 5"),
    ({"namespace": []}, "namespace: []"),
    (universe(a=KEYS | {"key": []}), "unknown key 'key'"),
    (universe(a=KEYS | {"doc": 5}), "doc: 5"),
    (universe(a=KEYS | {"spatial": "yes"}), "spatial: 'yes'"),
    (universe(a=KEYS | {"temporal": 1}), "temporal: 1"),
    (universe(a=KEYS | {"requires": "b"}), "bad requires of element 'a': str 'b'"),
    (universe(a=KEYS | {"requires": [1]}), "1 is no name"),
    (universe(a=KEYS | {"implies": {"b": 1}}), "bad implies of element 'a'"),
    (universe(a={"keys": {"name": "id"}}), "bad keys of element 'a'"),
    (universe(a={"keys": ["id"]}), "column of element 'a': 'id' is no mapping"),
    (universe(a={"keys": [{"name": "id", "type": "int", "size": 3}]}), "unknown key 'size'"),
    (universe(a={"keys": [{"name": "id", "type": "int", "length": "3"}]}), "length: '3'"),
    (universe(a={"keys": [{"name": "id", "type": "int", "length": -3}]}), "length: -3"),
    (universe(a=KEYS | {"metadata": [{"name": "x", "type": "int", "nullable": "no"}]}), "nullable: 'no'"),
    # names
    (universe(A=KEYS), "bad element name 'A'"),
    ({"elements": {"a b": KEYS}}, "bad element name 'a b'"),
    ({"elements": {"1a": KEYS}}, "bad element name '1a'"),
    ({"elements": {"a\n": KEYS}}, r"bad element name 'a\n'"),
    ({"elements": {"": KEYS}}, "bad element name ''"),
    ({"elements": {"é": KEYS}}, "bad element name 'é'"),
    (universe(valid=KEYS), "bad element name 'valid'"),
    (universe(htm7=KEYS), "bad element name 'htm7'"),
    (universe(healpix9=KEYS), "bad element name 'healpix9'"),
    (universe(a={"keys": [{"name": "I", "type": "int"}]}), "name 'I'"),
    (universe(a={"keys": [{"type": "int"}]}), "name ''"),
    # keys and columns
    (universe(a={}), "neither keys nor requires"),
    (universe(a=None), "neither keys nor requires"),
    (universe(a=KEYS, b={"implies": ["a"]}), "neither keys nor requires"),
    (universe(a={"keys": [{"name": "id", "type": "float"}]}), "a primary key of type float"),
    (universe(a={"keys": [{"name": "id", "type": "hash"}]}), "a primary key of type bytes"),
    (universe(a={"keys": [{"name": "id"}]}), "type '' of 'id'"),
    (universe(a={"keys": [{"name": "id", "type": "Int"}]}), "type 'Int' of 'id'"),
    (universe(a={"keys": [INT, INT]}), "the column 'id' is taken"),
    (universe(a=KEYS | {"metadata": [INT]}), "the column 'id' is taken"),
    (universe(a=KEYS | {"metadata": [{"name": "region", "type": "int"}]}), "the column 'region' is taken"),
    (
        universe(a=KEYS | {"metadata": [{"name": "timespan", "type": "int"}]}),
        "the column 'timespan' is taken",
    ),
    (universe(id=KEYS, b=KEYS | {"requires": ["id"]}), "the column 'id' is taken"),
    (universe(a=KEYS, b=KEYS | {"requires": ["a"], "implies": ["a"]}), "the column 'a' is taken"),
    (
        universe(a=KEYS, b=KEYS | {"implies": ["a"], "metadata": [{"name": "a", "type": "int"}]}),
        "'a' is taken",
    ),
    # references
    (universe(a=KEYS | {"requires": ["b"]}), "no such element 'b'"),
    (universe(a=KEYS | {"implies": ["htm7"]}), "no such element 'htm7'"),
    (universe(a=KEYS, b=KEYS | {"requires": ["a", "a"]}), "'a' stands twice"),
    (universe(a=KEYS, b=KEYS | {"implies": ["a", "a"]}), "'a' stands twice"),
    (universe(a=KEYS | {"requires": ["a"]}), "a circle: a -> a"),
    (universe(a=KEYS | {"requires": ["b"]}, b=KEYS | {"implies": ["a"]}), "a circle: a -> b -> a"),
    (universe(a=KEYS, b={"requires": ["a"]}, c=KEYS | {"requires": ["b"]}), "'b' has no key"),
    (universe(a=KEYS, b={"requires": ["a"]}, c=KEYS | {"implies": ["b"]}), "'b' has no key"),
    (
        universe(a=KEYS, b=KEYS | {"requires": ["a"]}, c=KEYS | {"implies": ["b"]}),
        "it implies 'b', whose 'a'",
    ),
    # paths
    (universe(a=KEYS) | {"path_order": ["b"]}, "no such element 'b'"),
    (universe(a=KEYS) | {"path_order": ["a", "a"]}, "'a' stands twice"),
    (universe(a=KEYS) | {"path_order": "a"}, "bad path_order"),
    (universe(a=KEYS, b={"requires": ["a"]}) | {"path_order": ["b"]}, "'b' has no key"),
    (universe(a=KEYS, b=KEYS) | {"grouping": {"a": ["b"]}}, "a does not imply b"),
    (universe(a=KEYS) | {"grouping": {"a": ["b"]}}, "no such element 'b'"),
    (universe(a=KEYS) | {"grouping": {"b": ["a"]}}, "no such element 'b'"),
    (universe(a=KEYS) | {"grouping": {"a": ["a"]}}, "'a' stands twice"),
    (universe(a=KEYS) | {"grouping": ["a"]}, "grouping: ['a'] is no mapping"),
    (universe(a=KEYS) | {"grouping": {"a": "b"}}, "bad grouping of 'a'"),
    (universe(a=KEYS, b=KEYS | {"implies": ["a"]}) | {"grouping": {"b": ["a", "a"]}}, "'a' stands twice"),
]


@pytest.mark.parametrize(
    ("mapping", "names"), BAD, ids=[f"{number} {names}" for number, (_, names) in enumerate(BAD)]
)
def test_bad_universes(mapping: Any, names: str) -> None:  # noqa: ANN401 - what YAML may hold
    with pytest.raises(BadDefinition) as caught:
        Universe.from_mapping(mapping)
    assert names in str(caught.value)
    assert len(str(caught.value)) < 600


def test_long_chains_are_no_matter() -> None:
    count = 2_000
    chain = {f"e{number}": KEYS | {"requires": [f"e{number + 1}"]} for number in range(count)}
    found = Universe.from_mapping(universe(**chain, **{f"e{count}": KEYS}))
    assert next(iter(found.elements)) == f"e{count}"
    assert len(found.group(["e0"]).required) == count + 1
    with pytest.raises(BadDefinition, match="circle"):
        Universe.from_mapping(universe(**chain, **{f"e{count}": KEYS | {"requires": ["e0"]}}))


def test_deep_rubbish_is_shown_short() -> None:
    deep: object = "x"
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(BadDefinition) as caught:
        Universe.from_mapping(universe(a=KEYS | {"requires": deep, "doc": 10**5_000}))
    assert len(str(caught.value)) < 600
    with pytest.raises(BadDefinition, match="doc"):
        Universe.from_mapping(universe(a=KEYS | {"doc": 10**5_000}))


# Random YAML, most of it built of words that mean something.
WORDS = st.sampled_from(
    ["a", "b", "c", "id", "name", "int", "string", "float", "hash", "valid", "htm7", "region", "A", ""]
)
KNOWN = st.sampled_from(
    [
        *("name", "namespace", "version", "path_order", "grouping", "elements"),
        *(
            "doc",
            "keys",
            "requires",
            "implies",
            "metadata",
            "spatial",
            "temporal",
            "type",
            "length",
            "nullable",
        ),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | WORDS
    | st.just(b"x")
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | KNOWN | st.integers(0, 3), inner, max_size=5)
    ),
    max_leaves=20,
)
COLUMNS = st.fixed_dictionaries(
    {"name": WORDS, "type": WORDS}, optional={"nullable": st.booleans(), "doc": JSON}
)
NAMES = st.lists(st.sampled_from("abcd"), max_size=2)
ELEMENT = st.fixed_dictionaries(
    {"keys": st.just([INT]) | st.lists(COLUMNS, max_size=2)},
    optional={
        "requires": NAMES,
        "implies": NAMES,
        "metadata": st.lists(COLUMNS, max_size=2),
        "spatial": JSON,
    },
)
UNIVERSES = st.fixed_dictionaries(
    {"elements": st.dictionaries(st.sampled_from("abcd"), ELEMENT, max_size=4)},
    optional={"path_order": NAMES, "grouping": st.dictionaries(st.sampled_from("abcd"), NAMES, max_size=2)},
)


def check(mapping: Any) -> None:  # noqa: ANN401 - what YAML may hold
    message = ""
    try:
        found = Universe.from_mapping(mapping)
    except BadDefinition as error:
        message = str(error)
    if message:
        assert len(message) < 2_000
        return
    seen: list[str] = []
    for name, element in found.elements.items():
        assert {*element.requires, *element.implies} <= set(seen)
        if element.is_dimension:
            group = found.group([name])
            assert set(group.required) == set(element.identity)
            assert set(group.levels) == {*group.required, *(level for level, _ in group.grouping)}
            assert set(group.implied).isdisjoint(group.required)
        seen.append(name)


@given(JSON | UNIVERSES | UNIVERSES)
def test_any_mapping(mapping: object) -> None:
    check(mapping)


@pytest.mark.long
@pytest.mark.timeout(1200)
@settings(settings.get_profile("long"))
@given(JSON | UNIVERSES | UNIVERSES)
def test_any_mapping_campaign(mapping: object) -> None:
    check(mapping)
