"""Packed listings, and what requests they answer."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skyfs
from skyfs.mount import listing
from skyfs.mount.failures import Refusal
from skyfs.mount.listing import Listing, Listings
from skyfs.mount.nodes import FRESH_S, Freshness
from skyfs.mount.operations import Operations
from skyfs.repository import Repository
from skyfs.testing.statements import statements_run
from skyfs.tree import Listed, Tree

from .conftest import Sky, define, raw_path

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
NUMBERS = st.integers(-1, 2**62)
ENTRIES = st.lists(
    st.builds(Listed, NAMES, st.booleans(), st.integers(0, 2**63 - 1), NUMBERS, NUMBERS),
    unique_by=lambda one: one.name,
)


@given(ENTRIES, NAMES)
def test_a_listing_is_the_list_that_it_was_made_of(entries: list[Listed], other: str) -> None:
    made = Listing(iter(entries))
    assert list(made) == entries
    assert len(made) == len(entries)
    assert [made.entry(number) for number in range(len(made))] == entries
    by_name = {one.name: one for one in entries}
    assert {name: made.find(name) for name in [*by_name, other]} == {
        name: by_name.get(name) for name in [*by_name, other]
    }
    for number in (-1, len(entries)):
        with pytest.raises(IndexError):
            made.entry(number)


@pytest.mark.parametrize("step", [1, -1])
def test_a_long_listing(step: int) -> None:
    names = [f"exposure={number:06d}.fits" for number in range(20_000)][::step]
    made = Listing(
        Listed(name, number % 2 == 0, number, number, -number) for number, name in enumerate(names)
    )
    assert made.find("exposure=000007.fits") == made.entry(7 if step == 1 else 19_992)
    assert made.find("exposure=020000.fits") is None
    assert made.find("\udcff\ud800") is None
    assert made.nbytes <= 20_000 * (48 + len(names[0]))


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_listings_are_kept_up_to_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    freshness = Freshness(Clock(), lambda: 1)
    kept = Listings(freshness)
    small, large = (
        Listing(Listed(f"{number:03d}", bool(number), number, 0, 0) for number in range(count))
        for count in (1, 300)
    )
    monkeypatch.setattr(listing, "KEPT_BYTES", large.nbytes)
    for path in ("/a", "/b", "/c"):
        kept.put(path, small, freshness.now())
    assert kept.get("/a") is small
    kept.put("/d", large, freshness.now())
    assert [kept.get(path) for path in ("/a", "/b", "/c", "/d")] == [None, None, None, large]
    kept.put("/e", small, freshness.now())
    assert [kept.get(path) for path in ("/d", "/e")] == [None, small]
    kept.drop("/e")
    assert kept.get("/e") is None


# -- requests --------------------------------------------------------------------------------------------


def refused(request: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        request()
    return caught.value.errno or 0


@pytest.fixture
def operations(tree: Tree) -> Operations:
    return Operations(tree)


def test_a_listing_has_what_getattr_answers(operations: Operations, tree: Tree) -> None:
    found = 0
    waiting = ["/", "/.hive", "/.repo", "/.records", "/.where/detector = 1"]
    while waiting:
        folder = waiting.pop()
        alone = Operations(tree)  # it was told of no listing
        for one in operations.listing(folder):
            path = f"{folder.rstrip('/')}/{one.name}"
            wanted = alone.getattr(path)
            told = (wanted["st_ino"], stat.S_ISDIR(wanted["st_mode"]))
            assert (one.inode, one.is_dir) == told
            if one.size >= 0:
                assert operations.attributes(one) == operations.getattr(path) == wanted
                found += 1
            else:
                assert operations.getattr(path)["st_size"] > 0
            waiting += [path] if one.is_dir else []
    assert found > 100


def test_what_has_to_be_made_is_not_made_for_a_listing(
    operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("skyfs.tree.node.Content._all")
    assert {one.size for one in operations.listing("/.records")} == {-1}
    assert len(list(operations.readdir("/.repo"))) == 3


def test_listing_again_asks_nothing(operations: Operations) -> None:
    folder = os.path.dirname(raw_path())
    first = operations.listing(folder)
    with statements_run() as seen:
        assert operations.listing(f"{folder}/") is first
        names = [name for name, _ in operations.readdir(folder)]
        sizes = [operations.getattr(f"{folder}/{name}")["st_size"] for name in names]
    assert not seen
    assert sizes == [one.size for one in first]


def test_what_cannot_be_listed(operations: Operations) -> None:
    assert refused(lambda: operations.listing(raw_path())) == errno.ENOTDIR
    assert refused(lambda: operations.listing("/nothing")) == errno.ENOENT
    assert refused(lambda: operations.listing("/.where/exposre = 1")) == errno.EINVAL


PUT = "/r/metrics/instrument=HSC/day_obs=20131102/exposure=903334.json"


def put(repo: Repository, value: object, *, replace: bool = False) -> None:
    repo.put(value, "metrics", run="r", instrument="HSC", exposure=903334, replace=replace)


def test_a_listing_is_made_again_when_something_was_committed(empty: Repository) -> None:
    put(empty, {"a": 1})
    clock, state = Clock(), [1]
    operations = Operations(Tree(empty), clock=clock, stamp=lambda: state[0])
    folder = os.path.dirname(PUT)
    first = operations.listing(folder)
    put(empty, {"a": 1, "more": 2}, replace=True)
    clock.now_s += FRESH_S
    assert operations.getattr(PUT)["st_size"] == first.entry(0).size
    state[0] = 2
    assert operations.getattr(PUT)["st_size"] > first.entry(0).size
    assert operations.listing(folder).entry(0).size > first.entry(0).size


def test_a_dataset_replaced_after_the_listing_is_stale_once(empty: Repository) -> None:
    put(empty, {"a": 1})
    operations = Operations(Tree(empty), clock=Clock())
    operations.listing(os.path.dirname(PUT))
    before = operations.getattr(PUT)
    put(empty, {"a": 1, "more": 2}, replace=True)
    assert refused(lambda: operations.open(PUT, os.O_RDONLY)) == errno.ESTALE
    after = operations.getattr(PUT)
    assert (before["st_ino"], before["st_size"]) != (after["st_ino"], after["st_size"])
    number, _ = operations.open(PUT, os.O_RDONLY)
    assert b"more" in operations.read(number, 100, 0)
    operations.release(number)


def test_no_listing_widens_the_permissions_of_the_repository(filled: Sky) -> None:
    filled.root.chmod(0o750)
    try:
        with skyfs.open(filled.root) as repo:
            operations = Operations(Tree(repo))
            modes = {kind["st_mode"] for _, kind in operations.readdir(os.path.dirname(raw_path()))}
            assert modes == {stat.S_IFREG | 0o440} == {operations.getattr(raw_path())["st_mode"]}
    finally:
        filled.root.chmod(0o700)


@pytest.mark.parametrize("count", [2, 40])
def test_statements_do_not_grow_with_the_folder(tmp_path: Path, count: int) -> None:
    with skyfs.create(tmp_path / "sky", options={"durability": "process"}) as repo:
        define(repo)
        common = {"instrument": "HSC", "physical_filter": "HSC-I", "day_obs": 20131102}
        ids = range(1, count + 1)
        repo.insert("exposure", [{**common, "id": n, "obs_id": f"o{n}", "group": str(n)} for n in ids])
        with repo.transaction():
            for number in ids:
                repo.put({"n": number}, "metrics", run="r", instrument="HSC", exposure=number)
        repo.chain("all", ["r"])
        tree = Tree(repo)
        folders = [
            f"{top}/metrics/instrument=HSC/day_obs=20131102"
            for top in ("/r", "/all", "/.where/exposure > 0/r")
        ]
        for folder in folders:
            Operations(tree).listing(folder)
        counts = []
        for folder in folders:
            with statements_run() as seen:
                assert len(Operations(tree).listing(folder)) == count
            counts.append(len(seen))
    assert counts == [1, 1, 4]
