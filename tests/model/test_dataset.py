"""Dataset types and references, collections: names that paths can spell, texts for people."""

from __future__ import annotations

import pickle
import uuid

import pytest
from hypothesis import given

from skyfs.errors import BadDefinition, BadPath
from skyfs.model.collection import Collection, CollectionKind, check_collection_name
from skyfs.model.dataid import DataId
from skyfs.model.dataset import DatasetRef, DatasetType, Location, Resolved
from skyfs.model.dimensions import Universe
from skyfs.model.paths import Address, parse
from skyfs.model.timespan import Timespan
from skyfs.testing import strategies as sky

ID = uuid.UUID("018f3a5e-1234-7abc-8def-0123456789ab")


@pytest.fixture
def ref(universe: Universe) -> DatasetRef:
    group = universe.group(["visit", "detector"])
    calexp = DatasetType("calexp", group, "Exposure")
    return DatasetRef(ID, calexp, DataId(group, ("HSC", 20131102, 903334, 20)), "HSC/runs/RC2")


def test_texts_are_short(ref: DatasetRef) -> None:
    data_id = "{instrument: 'HSC', visit: 903334, detector: 20}"
    assert str(ref) == f"calexp {data_id} in 'HSC/runs/RC2'"
    assert repr(ref) == f"DatasetRef(calexp {data_id} in 'HSC/runs/RC2', id={ID})"
    assert str(ref.type) == "calexp"
    assert repr(ref.type) == "DatasetType(calexp [instrument, visit, detector], 'Exposure')"
    certified = DatasetRef(ref.id, ref.type, ref.data_id, ref.run, Timespan.of("2013-11-01", None))
    assert str(certified) == f"{ref}, valid 20131101T000000--max"


def test_values_pickle_and_hash(ref: DatasetRef) -> None:
    resolved = Resolved(ref, (Location("local", "a.fits", ".fits", 10, 0, b"\0" * 32),))
    again = pickle.loads(pickle.dumps(resolved))  # noqa: S301 - our own bytes
    assert again == resolved
    assert hash(again) == hash(resolved)


@pytest.mark.parametrize("name", ["calexp", "_x", "A1", "x" * 255])
def test_names_of_types(universe: Universe, name: str) -> None:
    assert DatasetType(name, universe.group(["visit"]), "Bytes").name == name


@pytest.mark.parametrize(
    "name", ["", "1a", "a b", "a.b", "é", "a\n", "a-b", "a/b", "a=b", ".a", "x" * 256, "\ud800"]
)
def test_bad_names_of_types(universe: Universe, name: str) -> None:
    with pytest.raises(BadDefinition, match="bad dataset type") as caught:
        DatasetType(name, universe.group(["visit"]), "Bytes")
    str(caught.value).encode()


def test_a_type_without_dimensions_may_begin_with_a_digit(universe: Universe) -> None:
    assert DatasetType("2024_notes", universe.group([]), "Text").name == "2024_notes"
    for name in ("", "a.b", "é", "a b"):
        with pytest.raises(BadDefinition):
            DatasetType(name, universe.group([]), "Text")


@pytest.mark.parametrize("name", ["HSC/runs/RC2", "u/me", "a b/c:d*?", "é/星", "v1.2.x", "x" * 255, "100%"])
def test_names_of_collections(name: str) -> None:
    assert check_collection_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a/..",
        "a=b",
        "a/b=c",
        "a\0",
        "\ud800",
        "x" * 256,
        "é" * 128,
        "%" * 86,
    ],
)
def test_bad_names_of_collections(name: str) -> None:
    with pytest.raises(BadDefinition, match="bad collection name") as caught:
        check_collection_name(name)
    str(caught.value).encode()


@given(sky.texts(0, 40))
def test_a_collection_name_is_what_paths_can_spell(name: str) -> None:
    try:
        check_collection_name(name)
    except BadDefinition:
        if "\0" not in name:
            with pytest.raises(BadPath):
                Address.dataset(name, "t", [("k", "v")])
        return
    assert parse(str(Address.dataset(name, "t", [("k", "v")]))).collection == name


def test_kinds_of_collections_are_their_names() -> None:
    assert [str(kind) for kind in CollectionKind] == ["RUN", "TAGGED", "CALIBRATION", "CHAINED"]
    assert Collection("a", CollectionKind("RUN")).kind is CollectionKind.RUN
