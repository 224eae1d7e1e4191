"""What `Tree.entries` lists is what `Tree.children` does and `Tree.lookup` finds, in every kind of folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.nddata import CCDData
from zarr.storage import MemoryStore

import skyfs
from skyfs.errors import InvalidQuery, NotDirectory, NotFound
from skyfs.formats.exposure import Exposure
from skyfs.model.paths import parse
from skyfs.registry import leaves
from skyfs.repository import Repository
from skyfs.testing.filesystem_sample import Sample, fill
from skyfs.testing.statements import statements_run
from skyfs.tree import Tree

NIGHT = "instrument=Cam/day_obs=20260101"
TOPS = (
    "/",
    "/.hive",
    "/.repo",
    "/.records",
    "/.by-id",
    "/.where",
    "/.where/visit = 101 AND detector < 3",
    "/.where/detector = 1",
    "/.where/instrument = 'Cam'",
    "/.where/band = 'i'",
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    root = tmp_path_factory.mktemp("entries") / "sky"
    with skyfs.create(root, options={"durability": "process"}) as repository:
        sample = fill(repository)
        repository.chain("two", ["best", "Cam/runs/a", "Cam/runs/b"])
        repository.declare("calexp", [{"instrument": "Cam", "visit": 103, "detector": 21}], run="Cam/raw")
        yield sample


def at(detector: int) -> dict[str, Any]:
    return {"instrument": "Cam", "detector": detector}


def image(seed: int) -> CCDData:
    return CCDData(np.random.default_rng(seed).normal(size=(8, 8)), unit="adu")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository with several stores of different formats, components, Zarr, and types in memory."""
    folder = tmp_path_factory.mktemp("stores")
    places: list[dict[str, Any]] = [
        {"name": "near", "url": "near", "formats": {"image": {"extension": ".npy"}}, "types": ["*", "!ram*"]},
        {"name": "far", "url": "far", "types": ["*", "!ram*"]},
        {"name": "ram", "url": "memory://", "types": ["ram*"]},
    ]
    formats = {"types": {"exposure": {"disassemble": True}}}
    options = {"durability": "process", "formats": formats}
    with skyfs.create(folder / "sky", stores=places, options=options) as repo:
        repo.insert("instrument", [{"name": "Cam"}])
        repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(12)])
        kinds = {
            "image": "Image",
            "ram": "Dict",
            "metrics": "Dict",
            "cube": "ZarrGroup",
            "exposure": "Exposure",
        }
        for name, kind in kinds.items():
            repo.register(name, ["detector"], kind)
        repo.register("alone", [], "Dict")
        for n in range(12):
            repo.put(image(n), "image", run="u/a", **at(n))
            repo.put({"n": n}, "ram", run="u/a", **at(n))
            pixels = np.full((4, n + 2), 1.0, "f4")
            repo.put(Exposure(pixels, None, pixels), "exposure", run="u/a", **at(n))
        repo.put({"n": 0}, "metrics", run="u/a", **at(3))
        repo.put({"n": 0}, "alone", run="u/a")
        made = zarr.create_group(MemoryStore())
        made.create_array("flux", data=np.zeros((4, 4)))
        repo.put(made, "cube", run="u/a", **at(3))
        repo.chain("all", ["u/a"])
        yield repo


def folders(tree: Tree, path: str) -> Iterator[str]:
    """Give a folder and all below it."""
    yield path
    for node in tree.children(parse(path)):
        if node.is_dir:
            yield from folders(tree, node.path)


def check(tree: Tree, path: str) -> int:
    """Compare the two ways of listing all folders below one; give how many entries they have."""
    count = 0
    for folder in folders(tree, path):
        nodes = tree.children(parse(folder))
        entries = list(tree.entries(parse(folder)))
        assert sorted(entries) == sorted(node.listed for node in nodes), folder
        count += len(entries)
        for node in nodes:
            if os.path.dirname(node.path) == folder.rstrip("/"):
                assert tree.lookup(parse(node.path)).listed == node.listed
    return count


@pytest.mark.parametrize("path", TOPS)
def test_the_sample(sample: Sample, path: str) -> None:
    assert check(Tree(sample.repository), path) or path in ("/.by-id", "/.where")


@pytest.mark.parametrize("path", ["/", "/.hive", "/.where/detector > 2", "/u/a/exposure.image"])
def test_several_stores(stores: Repository, path: str) -> None:
    assert check(Tree(stores), path) > 12


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("path", ["/", "/.where/detector = 1 OR detector = 21"])
def test_answers_of_several_pages(
    sample: Sample, stores: Repository, monkeypatch: pytest.MonkeyPatch, rows: int, path: str
) -> None:
    monkeypatch.setattr(leaves, "_PAGE_ROWS", rows)
    monkeypatch.setattr(leaves, "_LEAST_ROWS", rows)
    monkeypatch.setattr(leaves, "_IDS_PER_READ", rows)
    monkeypatch.setattr(leaves, "_COLLECTIONS_PER_READ", 2)
    assert check(Tree(sample.repository), path) > 20
    # An exposure has six places: a page of 14 would end with a part of the third.
    monkeypatch.setattr(leaves, "_PAGE_ROWS", rows + 13)
    assert check(Tree(stores), "/") > 20


def test_only_some_collections(sample: Sample) -> None:
    tree = Tree(sample.repository, ["Cam/runs", "two"])
    assert [one.name for one in tree.entries(parse("/"))] == ["Cam", "two"]
    assert check(tree, "/") > 20
    with pytest.raises(NotFound):
        list(tree.entries(parse("/best")))


def test_the_first_of_a_chain_is_listed(sample: Sample) -> None:
    tree = Tree(sample.repository)
    level = f"{NIGHT}/visit=101"
    listed = {one.name: one.inode for one in tree.entries(parse(f"/two/calexp/{level}"))}
    first = {one.name: one.inode for one in tree.entries(parse(f"/best/calexp/{level}"))}
    assert sorted(listed) == ["detector=1.json", "detector=2.json", "detector=21.json"]
    assert first.items() < listed.items()
    other = {one.name: one.inode for one in tree.entries(parse(f"/Cam/runs/b/calexp/{level}"))}
    assert other.keys() < listed.keys()
    assert not other.items() & listed.items()


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nothing", NotFound),
        ("/Cam/runs/a/calexp/instrument=Cam/day_obs=1", NotFound),
        (f"/Cam/runs/a/calexp/{NIGHT}/visit=101/detector=1.json", NotDirectory),
        ("/Cam/runs/a/summary.json", NotDirectory),
        ("/.where/exposre = 1", InvalidQuery),
    ],
)
def test_what_cannot_be_listed(sample: Sample, path: str, error: type[Exception]) -> None:
    tree = Tree(sample.repository)
    for listing in (tree.entries, tree.children):
        with pytest.raises(error):
            list(listing(parse(path)))


@pytest.mark.parametrize("count", [2, 12])
def test_a_folder_of_any_length_is_one_statement(stores: Repository, count: int) -> None:
    run = f"many/{count}"
    for n in range(count):
        stores.put({"n": n}, "metrics", run=run, **at(n))
    tree = Tree(stores)
    folder = parse(f"/{run}/metrics/instrument=Cam")
    list(tree.entries(folder))
    with statements_run() as seen:
        assert len(list(tree.entries(folder))) == count
    on_disk = [one for one in seen if "artifact" in one]
    assert len(on_disk) == 1, seen
