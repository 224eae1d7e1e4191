"""Hostile YAML as a repository's configuration, recipe of a mount, index, universe, records or export."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import skyfs
from skyfs.cli import main
from skyfs.errors import BadConfig
from skyfs.mount.recipe import read_recipe

from .conftest import Target
from .hostile import Attack, all_refused, harmless
from .texts import NAMES
from .yamls import DOCUMENTS, VALUES

KEYS = ("skyfs", "name", "registry", "stores", "on_missing", "cache", "auto_register", "durability", "shared")
MORE_KEYS = ("admins", "formats")
STORE_KEYS = ("options", "writable", "types", "formats", "cache", "retries", "mirrors", "latency_s")
RECIPE_KEYS = ("collections", "overrides", "writable", "replace", "cache", "engine", "allow_other")
# What is a name, an empty section or a number that the key may have.
FITTING = {
    *((key, value) for key in ("collections", "overrides", "cache", "formats") for value in ("{}", "~")),
    *(("registry", value) for value in ('"a\\nb"', '"\\e[31m"', '"\\u202E"')),
    ("collections", "!!set {a, b}"),
}


RECORD = "{{dataset_id: [8a4ff7a2-3f2b-4c2c-9b0d-0d7a2a6b6f10], data_id: [{{}}], path: {}, formatter: null}}"


def configurations() -> Iterator[tuple[str, str]]:
    """Give hostile configurations with their names."""
    for key in (*KEYS, *MORE_KEYS):
        rest = "".join(f"{one}: {value}\n" for one, value in (("skyfs", 1), ("name", "sky")) if one != key)
        for value in VALUES:
            if (key, value) not in FITTING:
                yield f"{key}: {value}", f"{rest}{key}: {value}\n"
    for key in STORE_KEYS:
        for value in VALUES:
            store = f"stores:\n- name: local\n  url: data\n- name: far\n  url: s3://b\n  {key}: {value}\n"
            yield f"store {key}: {value}", f"skyfs: 1\nname: sky\n{store}"
    for text in DOCUMENTS:
        yield text, text


def recipes() -> Iterator[tuple[str, str]]:
    """Give hostile recipes with their names."""
    for key in RECIPE_KEYS:
        for value in VALUES:
            if (key, value) not in FITTING:
                yield f"recipe {key}: {value}", f"repository: sky\n{key}: {value}\n"
    for text in DOCUMENTS:
        yield f"recipe {text}", text


def _written(path: Path, call: Callable[[], object], texts: Iterator[tuple[str, str]]) -> Iterator[Attack]:
    def attempt(text: str) -> object:
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        return call()

    return ((name, partial(attempt, text)) for name, text in texts)


def test_configurations(tmp_path: Path) -> None:
    root = tmp_path / "sky"
    skyfs.create(root).close()
    before = (root / "registry.sqlite3").read_bytes()

    def opened() -> None:
        skyfs.open(root).close()

    fitting = {"store types: ~", "store cache: ~", "store writable: ~", "store options: {1: 2}"}
    texts = ((name, text) for name, text in configurations() if name not in fitting)
    assert harmless(_written(root / "skyfs.yaml", opened, texts)) > 500
    assert (root / "registry.sqlite3").read_bytes() == before
    made = {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.parent.name != "manifests"
    }
    assert made == {"sky", "sky/data", "sky/manifests", "sky/registry.sqlite3", "sky/skyfs.yaml"}


@pytest.mark.parametrize(
    "registry", ["../other/registry.sqlite3", "/etc/passwd", ".", "..", "a/b", "\0", "x" * 300]
)
def test_a_registry_is_a_file_of_its_repository(tmp_path: Path, registry: str) -> None:
    skyfs.create(tmp_path / "other").close()
    skyfs.create(tmp_path / "sky").close()
    config = yaml.safe_dump({"skyfs": 1, "name": "sky", "registry": registry})
    (tmp_path / "sky" / "skyfs.yaml").write_text(config, encoding="utf-8")
    with pytest.raises(BadConfig, match="not a file name"):
        skyfs.open(tmp_path / "sky")
    with pytest.raises(BadConfig, match="not a file name"):
        skyfs.create(tmp_path / "new", registry=registry)
    assert not (tmp_path / "new").exists()


def test_recipes(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    assert all_refused(_written(path, partial(read_recipe, path), recipes())) > 200


def test_indices(home: Path) -> None:
    path = home / "index.yaml"
    texts = [(text, text) for text in (*DOCUMENTS, *(f"sky: {value}\n" for value in VALUES))]
    assert all_refused(_written(path, lambda: skyfs.open("sky"), iter(texts))) > 60


def test_universes(tmp_path: Path) -> None:
    default = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
    known = yaml.safe_load(default)
    path = tmp_path / "universe.yaml"

    def texts() -> Iterator[tuple[str, str]]:
        for key in ("elements", "grouping", "path_order", "version"):
            rest = yaml.safe_dump({one: value for one, value in known.items() if one != key})
            for value in VALUES:
                yield f"{key}: {value}", f"{rest}{key}: {value}\n"
        for text in DOCUMENTS:
            yield text, text

    def create() -> None:
        try:
            skyfs.create(tmp_path / "new", universe=path).close()
        finally:
            shutil.rmtree(tmp_path / "new", ignore_errors=True)

    assert harmless(_written(path, create, texts())) > 100


def test_records_of_the_command_line(target: Target, tmp_path: Path) -> None:
    files = [(".yaml", text) for text in DOCUMENTS]
    files += [(".yaml", f"- {{name: {value}}}") for value in VALUES if value[0] not in "'\"2"]
    files += [
        (".json", text) for text in ("[" * 100_000, "[1", '[{"name": 1}]', '[{"hash": "zz"}]', "NaN", "{}")
    ]
    files += [
        (".csv", text) for text in ('name\n"' + "x" * 200_000, "name\na,b,c\n", "\0", "name\n\0\n", "id\n9\n")
    ]
    for number, (extension, text) in enumerate(files):
        path = tmp_path / f"records{number}{extension}"
        path.write_text(text, encoding="utf-8", errors="surrogatepass")
        done = CliRunner().invoke(main, ["-r", str(target.repository.root), "insert", "skymap", str(path)])
        assert done.exit_code in (1, 2), text[:80]
        assert "a mistake in skyfs" not in done.stderr, (text[:80], done.stderr)
        assert done.stderr.count("\n") == 1, text[:80]


def test_exports(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "export.yaml"
    head = "description: Butler Data Repository Export\nversion: 1.0.2\nuniverse_version: 8\n"
    head += "universe_namespace: daf_butler\ndata:\n"
    entries = [
        "- {{type: {}}}",
        "- {{type: run, name: {}}}",
        "- {{type: collection, collection_type: CHAINED, name: okay, children: [{}]}}",
        "- {{type: collection, collection_type: {}, name: okay}}",
        "- {{type: dataset_type, name: {}, dimensions: [visit], storage_class: Dict, is_calibration: false}}",
        "- {{type: dataset_type, name: okay, dimensions: [{}], storage_class: Dict, is_calibration: false}}",
        "- {{type: dimension, element: {}, records: [{{name: x}}]}}",
        "- {{type: dataset, dataset_type: calexp, run: {}, records: [{{dataset_id: [1], data_id: [{{}}]}}]}}",
        "- {{type: dataset, dataset_type: summary, run: okay, records: [" + RECORD + "]}}",
    ]
    texts = [(text, text) for text in DOCUMENTS]
    bad = [f"'{name}'" for name in NAMES if name.isprintable() and "'" not in name]
    for entry in entries[3:]:
        # Types with a dot are components, which are passed over.
        named = "dataset_type, name: {}" in entry
        given = [value for value in (*VALUES, *bad[:30]) if not (named and "." in value)]
        texts += [(f"{entry} {value[:40]}", f"{head}{entry.format(value)}\n") for value in given]
    texts += [(f"run {name[:40]}", f"{head}- {{type: run, name: {name}}}\n") for name in bad if "/" in name]
    call = partial(target.repository.import_export, path)
    assert all_refused(_written(path, call, iter(texts))) > 300
    files = [(name, partial(target.repository.import_export, name)) for name in NAMES]
    assert all_refused(files) == len(files)
