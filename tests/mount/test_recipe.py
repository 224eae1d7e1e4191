"""Recipes of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from skyfs.errors import BadConfig, NotFound, SkyfsError, Unsupported
from skyfs.mount.recipe import parse_recipe, read_recipe
from skyfs.mount.session import MountOptions

CHECKOUT = Path(__file__).resolve().parents[2]


def test_the_example() -> None:
    recipe = read_recipe("demo", CHECKOUT / "mountpoints")
    assert recipe.repository == "demo"
    assert recipe.folder == CHECKOUT / "mountpoints" / "demo"
    assert recipe.options == MountOptions(("SkyCam/raw/all", "SkyCam/runs/simulated"), allow_other=False)
    assert recipe.cache == {"directory": "~/.cache/skyfs", "quota": "10 GiB"}


def test_the_documented_keys_are_the_known_ones(tmp_path: Path) -> None:
    text = (CHECKOUT / "mountpoints" / "README.md").read_text()
    documented = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    with pytest.raises(BadConfig) as caught:
        parse_recipe({"%": 1}, tmp_path / "x.yaml")
    assert set(caught.value.todo.removeprefix("there are ").split(", ")) == documented


def test_defaults(tmp_path: Path) -> None:
    recipe = parse_recipe({"repository": "dr1"}, tmp_path / "x.yaml")
    assert (recipe.options, recipe.cache, recipe.folder) == (MountOptions(), {}, tmp_path / "x")


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
    ("values", "kind", "says"),
    [
        ({"repository": "a", "collection": ["b"]}, BadConfig, "did you mean collections"),
        ({"repository": "a", 3: 4}, BadConfig, "unknown key 3"),
        ({"collections": ["b"]}, BadConfig, "no repository"),
        ({"repository": 3}, BadConfig, "str is wanted"),
        ({"repository": "a", "collections": "b"}, BadConfig, "list is wanted"),
        ({"repository": "a", "collections": []}, BadConfig, "leave it out"),
        ({"repository": "a", "collections": [1]}, BadConfig, "a list of names"),
        ({"repository": "a", "writable": "no"}, BadConfig, "bool is wanted"),
        ({"repository": "a", "cache": {"size": 1}}, BadConfig, "directory and quota"),
        ({"repository": "a", "writable": True}, Unsupported, "for reading only"),
        ({"repository": "a", "replace": True}, Unsupported, "for reading only"),
    ],
)
def test_bad_recipes(tmp_path: Path, values: dict[str, object], kind: type[SkyfsError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        parse_recipe(values, tmp_path / "x.yaml")
    assert "x.yaml" in str(caught.value)


def test_no_such_recipe(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("repository: a\n")
    with pytest.raises(NotFound, match="there are other"):
        read_recipe("mine", tmp_path)
