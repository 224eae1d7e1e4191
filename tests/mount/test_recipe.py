"""Recipes of mounts."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

import skyfs
from skyfs.errors import BadConfig, NotFound
from skyfs.mount.options import MountOptions
from skyfs.mount.recipe import parse_recipe, read_recipe
from skyfs.mount.session import start

from .conftest import Mounting

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_example() -> None:
    recipe = read_recipe("demo", CHECKOUT / "mountpoints")
    assert recipe.repository == "demo"
    assert recipe.folder == CHECKOUT / "mountpoints" / "demo"
    assert recipe.options == MountOptions(
        ("SkyCam/raw/all", "SkyCam/runs/simulated"),
        overrides={"cache": {"folder": "~/.cache/skyfs", "quota": "10 GiB"}},
    )


def test_the_documented_keys_are_the_known_ones(tmp_path: Path) -> None:
    text = (CHECKOUT / "mountpoints" / "README.md").read_text()
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    with pytest.raises(BadConfig) as caught:
        parse_recipe({"%": 1}, tmp_path / "x.yaml")
    assert set(caught.value.todo.removeprefix("there are ").split(", ")) == documented


def test_defaults(tmp_path: Path) -> None:
    recipe = parse_recipe({"repository": "dr1"}, tmp_path / "x.yaml")
    assert (recipe.options, recipe.folder) == (MountOptions(), tmp_path / "x")


def test_all_keys(tmp_path: Path) -> None:
    text = """
        repository: dr1
        collections: [a, b/c]
        overrides: {on_missing: fail, durability: process}
        writable: true
        replace: true
        cache: {directory: ./kept, quota: 3 GB}
        engine: libfuse
        allow_other: true
    """
    options = parse_recipe(yaml.safe_load(text), tmp_path / "x.yaml").options
    cache = {"folder": str(tmp_path / "kept"), "quota": "3 GB"}
    overrides = {"on_missing": "fail", "durability": "process", "cache": cache}
    assert options == MountOptions(
        ("a", "b/c"), allow_other=True, writable=True, replace=True, engine="libfuse", overrides=overrides
    )


def test_overrides_and_cache_take_effect(tmp_path: Path, mounting: Mounting) -> None:
    far = {"name": "far", "url": "elsewhere", "cache": True}
    with skyfs.create(tmp_path / "sky", stores=[far], options={"cache": {"group": True}}) as repo:
        repo.register("note", [], "Text")
        repo.put("hello", "note", run="r")
    folder = mounting.folder()
    values = {
        "repository": "./sky",
        "overrides": {"durability": "process"},
        "cache": {"directory": "./kept", "quota": "5 MB"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(values))
    recipe = read_recipe(tmp_path / "mine.yaml")
    start(recipe.repository, folder, recipe.options)
    config = (folder / ".repo" / "config.yaml").read_text()
    assert "durability: process  # argument" in config
    assert "cache:  # argument" in config
    assert "name: sky  # file" in config
    section = yaml.safe_load(config)["cache"]
    assert section == {"folder": str(tmp_path / "kept"), "quota": 5_000_000, "group": True}
    assert not (tmp_path / "kept").exists(), "nothing is made before something is kept"
    (note,) = (folder / "r").iterdir()
    assert [note.read_bytes() for _ in range(2)] == [b"hello"] * 2
    assert len([path for path in (tmp_path / "kept" / "content").rglob("c*") if path.is_file()]) == 1


@pytest.mark.parametrize(
    ("given", "meant"),
    [("dr1", "dr1"), ("/data/sky", "/data/sky"), ("file:///a/b", "file:///a/b"), ("~/sky", "~/sky")],
)
def test_repositories_are_taken_as_given(tmp_path: Path, given: str, meant: str) -> None:
    assert parse_recipe({"repository": given}, tmp_path / "x.yaml").repository == meant


def test_relative_repositories_are_beside_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "near.yaml"
    path.write_text(yaml.safe_dump({"repository": "./sky", "allow_other": True}))
    recipe = read_recipe(str(path))
    assert Path(recipe.repository) == tmp_path / "sky"
    assert recipe.options.allow_other


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"repository": "a", "collection": ["b"]}, "did you mean collections"),
        ({"repository": "a", 3: 4}, "unknown key 3"),
        ({"collections": ["b"]}, "no repository"),
        ({"repository": 3}, "str is wanted"),
        ({"repository": "a", "collections": "b"}, "list is wanted"),
        ({"repository": "a", "collections": []}, "leave it out"),
        ({"repository": "a", "collections": [1]}, "a list of names"),
        ({"repository": "a", "writable": "no"}, "bool is wanted"),
        ({"repository": "a", "cache": {"size": 1}}, "directory and quota"),
        ({"repository": "a", "replace": True}, "writable: true"),
        ({"repository": "a", "engine": "fast"}, "auto, native, libfuse"),
        ({"repository": "a", "overrides": {"name": "b"}}, "edit skyfs.yaml"),
        ({"repository": "a", "overrides": {"admins": ["me"]}}, "edit skyfs.yaml"),
        ({"repository": "a", "overrides": {"cach": {}}}, "did you mean cache"),
        ({"repository": "a", "overrides": {"cache": 3}}, "Mapping is wanted"),
        ({"repository": "a", "cache": {"quota": "much"}}, "is no size"),
        ({"repository": "a", "cache": {"quota": 1}, "overrides": {"cache": {"quota": 2}}}, "twice"),
        ({"repository": "a", "overrides": {"formats": {"x": date(2026, 1, 1)}}}, "quote dates"),
    ],
)
def test_bad_recipes(tmp_path: Path, values: dict[str, object], says: str) -> None:
    with pytest.raises(BadConfig, match=says) as caught:
        parse_recipe(values, tmp_path / "x.yaml")
    assert "x.yaml" in str(caught.value)


def test_no_such_recipe(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("repository: a\n")
    with pytest.raises(NotFound, match="there are other"):
        read_recipe("mine", tmp_path)
