"""What every registry promises about finding and listing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

import pytest

from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataset import DatasetRef
from skyfs.model.timespan import Timespan
from skyfs.registry import lookup
from skyfs.registry.datasets import NewDataset
from skyfs.registry.levels import LevelFilter
from skyfs.registry.lookup import Directory, Found

from .registry_sky import (
    CALIBRATIONS,
    CAMERA,
    DETECTORS,
    RUNS,
    TAGS,
    TYPES,
    Sky,
    location,
    visit_record,
)

_NAMES = ("a", "A", "b%", "b_", "b\\", "é", "É", "星", "ab", "a*", "10", "1%0")
_PATTERNS = (
    "*",
    "?",
    "a*",
    "A?",
    "b%",
    "b_",
    "b\\",
    "*%*",
    "é*",
    "?星",
    "1*",
    "1?",
    "**",
    "_",
    "%",
    "\\",
    "a*b",
    "x" * 60_000,
)


def _scatter(sky: Sky, rng: random.Random) -> None:
    """Insert datasets of all types at random, in all collections; some declared, some in two places."""
    names = [{"instrument": CAMERA, "name": name, "band": "g"} for name in _NAMES]
    sky.registry.records.insert("physical_filter", names)
    sky.registry.records.insert("visit", [visit_record(visit, day_obs=day) for visit, day in _visits()])
    refs = [ref for name in TYPES for ref in _refs(sky, name, rng)]
    sky.registry.datasets.insert([_placed(ref, rng) for ref in refs])
    for name in TAGS:
        chosen = {(ref.type.name, ref.data_id): ref for ref in rng.sample(refs, len(refs) // 2)}
        sky.registry.datasets.tag(chosen.values(), name)
    for name, begin in product(CALIBRATIONS, (0, 10, 20)):
        some = [ref for ref in rng.sample(refs, len(refs) // 2) if ref.type.calibration]
        chosen = {(ref.type.name, ref.data_id): ref for ref in some}
        sky.registry.datasets.certify(chosen.values(), name, Timespan(begin, begin + 10))


def _visits() -> Iterator[tuple[int, int]]:
    return ((number, 20250101 + number % 5) for number in (100, 101, 102, 110, 111, 1000, 1001, -7))


def _refs(sky: Sky, name: str, rng: random.Random) -> Iterator[DatasetRef]:
    axes: Mapping[str, Sequence[Any]] = {
        "visit": [number for number, _ in _visits()],
        "detector": DETECTORS,
        "physical_filter": _NAMES,
    }
    dimensions = TYPES[name][0]
    for run, values in product(RUNS, product(*(axes[dimension] for dimension in dimensions))):
        if rng.random() < 0.5:
            yield sky.ref(name, run, **dict(zip(dimensions, values, strict=True)))


def _placed(ref: DatasetRef, rng: random.Random) -> NewDataset:
    choice = rng.random()
    if choice < 0.3:
        return NewDataset(ref)
    more = (location(ref, f"other/{ref.id}"),) if choice < 0.6 else ()
    return NewDataset(ref, (location(ref), *more))


def _matches(ref: DatasetRef, filters: LevelFilter) -> bool:
    levels = dict(ref.data_id.levels)
    exact = all(levels[name] == value for name, value in filters.exact.items())
    return exact and all(_glob(str(levels[name]), pattern) for name, pattern in filters.like.items())


def _glob(text: str, pattern: str) -> bool:
    # Patterns know * and ? alone.
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def _random_filter(levels: Sequence[str], held: Sequence[DatasetRef], rng: random.Random) -> LevelFilter:
    """Ask for values that are there, mostly, at some of the levels."""
    values = dict(rng.choice(held).data_id.levels)
    exact = {name: values[name] for name in levels if rng.random() < 0.4}
    like = {name: rng.choice(_PATTERNS) for name in levels if name not in exact and rng.random() < 0.3}
    if exact and rng.random() < 0.1:
        name = rng.choice(list(exact))
        exact[name] = 424242 if isinstance(exact[name], int) else "nowhere"
    return LevelFilter(exact, like)


def _compare_level(
    found: Sequence[Directory], held: Sequence[Found], filters: LevelFilter, levels: Sequence[str], depth: int
) -> None:
    assert len(found) == len(set(found))
    right = {one for one in found if _in_like(dict(zip(levels, one.values, strict=False)), filters)}
    assert right == {
        Directory(one.collection, one.resolved.ref.type.name, one.resolved.ref.data_id.row[:depth])
        for one in held
        if _matches(one.resolved.ref, filters)
    }


class LookupSuite:
    """Finding datasets and listing directories."""

    @pytest.fixture(params=[1, 2])
    def scattered(self, sky: Sky, request: pytest.FixtureRequest) -> tuple[Sky, random.Random]:
        """Give datasets scattered over the sky."""
        rng = random.Random(request.param)  # noqa: S311 - not for secrets
        with sky.registry.transaction():
            _scatter(sky, rng)
        return sky, rng

    @pytest.mark.parametrize("page_rows", [7, 20_000])
    def test_answers_are_those_of_a_search_by_hand(
        self, scattered: tuple[Sky, random.Random], monkeypatch: pytest.MonkeyPatch, page_rows: int
    ) -> None:
        sky, rng = scattered
        everything = [one for _, one in sky.everything()]
        monkeypatch.setattr(lookup, "_PAGE_ROWS", page_rows)
        groups = [("calexp", "src"), ("src",), ("flat",), ("bias",), ("summary",)]
        for _ in range(40):
            names = rng.choice(groups)
            where = rng.sample([*RUNS, *TAGS, *CALIBRATIONS], rng.randint(1, 5))
            held = [
                one for one in everything if one.resolved.ref.type.name in names and one.collection in where
            ]
            if held:
                self._compare(sky, names, where, held, rng)

    def _compare(
        self, sky: Sky, names: Sequence[str], where: Sequence[str], held: Sequence[Found], rng: random.Random
    ) -> None:
        levels, declared = sky.entry(names[0]).group.levels, rng.random() < 0.5
        filters = _random_filter(levels, [one.resolved.ref for one in held], rng)
        snapshot = sky.registry.current()
        types, collections = (
            [snapshot.type(name) for name in names],
            [snapshot.collection(name) for name in where],
        )
        wanted = [
            one
            for one in held
            if _matches(one.resolved.ref, filters) and (declared or one.resolved.locations)
        ]
        found = list(sky.registry.lookup.datasets(snapshot, types, collections, filters, declared=declared))
        # Patterns let through more than asked, as far as case goes; never less.
        assert len(found) == len({(one.collection, one.resolved.ref) for one in found})
        assert _sorted(one for one in found if _matches(one.resolved.ref, filters)) == _sorted(wanted)
        for depth in range(len(levels) + 1):
            above = {name: value for name, value in filters.exact.items() if name in levels[:depth]}
            like = {name: value for name, value in filters.like.items() if name in levels[:depth]}
            found_above = sky.registry.lookup.directories(
                snapshot, types, collections, LevelFilter(above, like), depth, declared=declared
            )
            mine = [one for one in held if declared or one.resolved.locations]
            _compare_level(list(found_above), mine, LevelFilter(above, like), levels, depth)

    def test_answers_come_in_path_order(self, scattered: tuple[Sky, random.Random]) -> None:
        sky, _ = scattered
        for name, where in product(TYPES, (*RUNS, *TAGS, *CALIBRATIONS)):
            found = [one.resolved.ref for one in sky.found(name, [where])]
            keys = [(ref.data_id.row, ref.valid.begin_ns if ref.valid else None) for ref in found]
            assert keys == sorted(keys)
            snapshot = sky.registry.current()
            parts = (snapshot, [snapshot.type(name)], [snapshot.collection(where)], LevelFilter())
            for depth in range(len(snapshot.type(name).group.levels) + 1):
                values = [one.values for one in sky.registry.lookup.directories(*parts, depth)]
                assert values == sorted(values)

    def test_datasets_by_id(self, scattered: tuple[Sky, random.Random], statements: list[str]) -> None:
        sky, _ = scattered
        everything = {
            one.resolved.ref.id: one.resolved for _, one in sky.everything() if one.collection in RUNS
        }
        snapshot = sky.registry.current()
        statements.clear()
        assert sky.registry.lookup.by_id(snapshot, [*everything, *everything]) == everything
        assert len(statements) <= 3

    @pytest.mark.parametrize("where", [[RUNS[0]], [*RUNS, *TAGS]])
    def test_statements_of_a_question(
        self, scattered: tuple[Sky, random.Random], statements: list[str], where: list[str]
    ) -> None:
        sky, _ = scattered
        exact = {"instrument": CAMERA, "day_obs": 20250101, "visit": 100, "detector": 0}
        questions: list[tuple[dict[str, Any], dict[str, str]]] = [
            (exact, {}),
            ({"instrument": CAMERA}, {}),
            ({"detector": 20}, {"visit": "1*"}),
            ({}, {}),
        ]
        for given, like in questions:
            sky.found("calexp", where, like=like, **given)
            statements.clear()
            sky.found("calexp", where, like=like, **given)
            assert len(statements) == 1
        snapshot = sky.registry.current()
        types, collections = [snapshot.type("calexp")], [snapshot.collection(name) for name in where]
        for depth in range(5):
            statements.clear()
            list(
                sky.registry.lookup.directories(
                    sky.registry.current(), types, collections, LevelFilter(), depth
                )
            )
            assert len(statements) == 1

    def test_many_collections(self, sky: Sky) -> None:
        names = [f"many/{number}" for number in range(1_200)]
        with sky.registry.transaction():
            for name in names:
                sky.registry.collections.create(Collection(name, CollectionKind.TAGGED))
        ref = sky.put("bias", detector=0)
        sky.registry.datasets.tag([ref], names[0])
        sky.registry.datasets.tag([ref], names[-1])
        assert sorted(one.collection for one in sky.found("bias", names, detector=0)) == sorted(
            [names[0], names[-1]]
        )
        sky.registry.datasets.remove([ref])
        assert not sky.found("bias", names)

    def test_no_types_or_collections_give_nothing(self, sky: Sky) -> None:
        sky.put("bias", detector=0)
        snapshot, empty = sky.registry.current(), LevelFilter()
        types, collections = [snapshot.type("bias")], [snapshot.collection(RUNS[0])]
        for some, where in (([], collections), (types, []), ([], [])):
            assert not list(sky.registry.lookup.datasets(snapshot, some, where, empty))
            assert not list(sky.registry.lookup.directories(snapshot, some, where, empty, 1))

    def test_a_run_that_is_newer_than_the_snapshot(self, sky: Sky) -> None:
        old = sky.registry.current()
        sky.registry.collections.create(Collection("u/new", CollectionKind.RUN))
        ref = sky.put("bias", "u/new", detector=0)
        sky.registry.datasets.tag([ref], TAGS[0])
        filters = LevelFilter()
        (found,) = sky.registry.lookup.datasets(old, [old.type("bias")], [old.collection(TAGS[0])], filters)
        assert found.resolved.ref == ref
        assert sky.registry.lookup.by_id(old, [ref.id])[ref.id].ref == ref

    def test_a_new_collection_is_not_taken_for_one_that_was_removed(self, sky: Sky) -> None:
        sky.registry.collections.create(Collection("u/old", CollectionKind.RUN))
        old = sky.registry.current()
        sky.registry.collections.remove("u/old")
        sky.registry.collections.create(Collection("u/new", CollectionKind.RUN))
        sky.put("bias", "u/new", detector=0)
        where = [old.collection("u/old")]
        assert not list(sky.registry.lookup.datasets(old, [old.type("bias")], where, LevelFilter()))


def _in_like(values: Mapping[str, int | str], filters: LevelFilter) -> bool:
    return all(_glob(str(values[name]), pattern) for name, pattern in filters.like.items())


def _sorted(found: Iterator[Found] | Sequence[Found]) -> list[Found]:
    return sorted(
        found, key=lambda one: (one.collection, str(one.resolved.ref.id), str(one.resolved.ref.valid))
    )
