"""Repositories with several stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.repository import Repository

Make = Callable[..., Repository]


def define_camera(repo: Repository) -> None:
    """Record an instrument with three detectors, and dataset types."""
    repo.insert("instrument", [{"name": "Cam"}])
    repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(3)])
    repo.insert("physical_filter", [{"instrument": "Cam", "name": "Cam r", "band": "r"}])
    repo.register("metrics", ["detector"], "Dict")
    repo.register("image", ["detector"], "Image")
    repo.register("src", ["detector"], "Table")
    repo.register("calexp", ["detector"], "Exposure")
    repo.register("summary", [], "Exposure")
    repo.register("filters", ["physical_filter"], "Dict")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a repository with given stores and options; it is closed at the end."""
    made: list[Repository] = []

    def act(stores: list[dict[str, Any]], **options: object) -> Repository:
        options = {"durability": "process", **options}
        repo = skyfs.create(tmp_path / "sky", name="sky", stores=stores, options=options)
        made.append(repo)
        define_camera(repo)
        return repo

    yield act
    for repo in made:
        repo.close()


def at(detector: int = 0) -> dict[str, Any]:
    """Give a data ID."""
    return {"instrument": "Cam", "detector": detector}


def files(folder: Path) -> list[str]:
    """Give the relative paths of all files below a folder but skyfs's own."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != ".skyfs")
