"""Many small files of a repository on S3 through its filesystem, beside s3fs given the keys.

nginx answers S3's GET. Both sides take turns. skyfs looks the paths up, and checks every digest; the disk
cache is off, or on and cold.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import s3fs
import yaml
from fsspec import AbstractFileSystem
from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target

import skyfs
from skyfs.testing.servers import http_server
from skyfs.writing.ingester import IngestFile

FILE_BYTES = 20_000
OURS, THEIRS, CACHED = "skyfs", "s3fs given the keys", "skyfs, cold disk cache"
TARGET = 1.15


def paths(count: int) -> list[str]:
    """Give the paths of datasets."""
    return [f"/r/blob/instrument=C/detector={number}" for number in range(count)]


def make(root: Path, bucket: Path, count: int) -> None:
    """Make a repository whose store is the folder that the server shows as a bucket."""
    with skyfs.create(root, stores=[{"name": "far", "url": str(bucket)}]) as repo:
        repo.insert("instrument", [{"name": "C"}])
        repo.insert("detector", [{"instrument": "C", "id": n, "full_name": f"D{n}"} for n in range(count)])
        repo.register("blob", ["detector"], "Bytes")
        files = []
        for number in range(count):
            file = root.parent / f"{number}"
            file.write_bytes(os.urandom(FILE_BYTES))
            files.append(IngestFile(file, {"instrument": "C", "detector": number}, ""))
        repo.ingest(files, "blob", run="r", mode="move")


def move_to_s3(root: Path, options: dict[str, Any], cache: Path | None) -> None:
    """Let the configuration say that the store is on S3."""
    config = yaml.safe_load((root / "skyfs.yaml").read_text())
    store = {"name": "far", "url": "s3://bench", "options": options, "cache": cache is not None}
    config |= {"stores": [store], "cache": {"folder": str(cache or "")}}
    (root / "skyfs.yaml").write_text(yaml.safe_dump(config))


def ours(root: Path, options: dict[str, Any], what: str, count: int, *, cached: bool = False) -> float:
    """Give the seconds that ``cat`` or ``get`` of all paths takes."""
    with tempfile.TemporaryDirectory() as name:
        move_to_s3(root, options, Path(name) / "cache" if cached else None)
        with skyfs.open(root) as repo:
            return timed(skyfs.filesystem(repo), paths(count), what, Path(name))


def theirs(s3: AbstractFileSystem, what: str, count: int) -> float:
    """Give the same of s3fs."""
    with tempfile.TemporaryDirectory() as name:
        return timed(s3, [f"bench{path}" for path in paths(count)], what, Path(name))


def timed(fs: AbstractFileSystem, asked: list[str], what: str, folder: Path) -> float:
    begun = time.perf_counter()
    if what == "cat":
        assert len(fs.cat(asked)) == len(asked)
    else:
        fs.get(asked, [str(folder / "out" / str(number)) for number in range(len(asked))])
    taken = time.perf_counter() - begun
    assert what == "cat" or len(os.listdir(folder / "out")) == len(asked)
    return taken


def measure(asked: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    count = asked.files
    with tempfile.TemporaryDirectory(dir=asked.folder) as name, http_server(Path(name)) as server:
        folder = Path(name)
        (folder / "bench").mkdir()
        root, options = folder / "sky", {"endpoint_url": server.url, "key": "testing", "secret": "testing"}
        make(root, folder / "bench", count)
        # With as many connections as ours, which is its best.
        s3 = s3fs.S3FileSystem(**options, config_kwargs={"max_pool_connections": 64})
        rows = []
        for what, shown in (("cat", "fs.cat of 1000 files of 20 kB"), ("get", "fs.get of the same")):
            sides: dict[str, Callable[[], float]] = {
                OURS: partial(ours, root, options, what, count),
                THEIRS: partial(theirs, s3, what, count),
                CACHED: partial(ours, root, options, what, count, cached=True),
            }
            rows.append(Row(shown, "s", in_turns(sides, asked.rounds), (Target("ratio", TARGET),)))
    yield Table("doors", (OURS, THEIRS, CACHED), tuple(rows), (Ratio("ratio", OURS, (THEIRS,)),))


def in_turns(sides: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Give the median seconds of each side."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, act in sides.items():
            times[side].append(act())
    return {side: statistics.median(found) for side, found in times.items()}


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1, "files": 20}, libraries=["s3fs", "fsspec"])
    program.option("--rounds", type=int, default=5)
    program.option("--files", type=int, default=1000)
    program.run(measure)
