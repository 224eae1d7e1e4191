"""Many small files of a repository on S3 through its filesystem, beside s3fs given the keys.

``python benchmarks/doors.py [ROUNDS]``

nginx answers S3's GET. Both sides take turns. skyfs looks the paths up, and checks every digest; the disk
cache is off, or on and cold.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import s3fs
import yaml
from fsspec import AbstractFileSystem

import skyfs
from skyfs.testing.servers import http_server
from skyfs.writing.ingester import IngestFile

FILES, FILE_BYTES = 1000, 20_000
PATHS = [f"/r/blob/instrument=C/detector={number}" for number in range(FILES)]


def make(root: Path, bucket: Path) -> None:
    """Make a repository whose store is the folder that the server shows as a bucket."""
    with skyfs.create(root, stores=[{"name": "far", "url": str(bucket)}]) as repo:
        repo.insert("instrument", [{"name": "C"}])
        repo.insert("detector", [{"instrument": "C", "id": n, "full_name": f"D{n}"} for n in range(FILES)])
        repo.register("blob", ["detector"], "Bytes")
        files = []
        for number in range(FILES):
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


def ours(root: Path, options: dict[str, Any], what: str, *, cached: bool = False) -> float:
    """Give the seconds that ``cat`` or ``get`` of all paths takes."""
    with tempfile.TemporaryDirectory() as name:
        move_to_s3(root, options, Path(name) / "cache" if cached else None)
        with skyfs.open(root) as repo:
            return timed(skyfs.filesystem(repo), PATHS, what, Path(name))


def theirs(s3: AbstractFileSystem, what: str) -> float:
    """Give the same of s3fs."""
    with tempfile.TemporaryDirectory() as name:
        return timed(s3, [f"bench{path}" for path in PATHS], what, Path(name))


def timed(fs: AbstractFileSystem, paths: list[str], what: str, folder: Path) -> float:
    begun = time.perf_counter()
    if what == "cat":
        assert len(fs.cat(paths)) == FILES
    else:
        fs.get(paths, [str(folder / "out" / str(number)) for number in range(FILES)])
    taken = time.perf_counter() - begun
    assert what == "cat" or len(os.listdir(folder / "out")) == FILES
    return taken


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name, http_server(Path(name)) as server:
        folder = Path(name)
        (folder / "bench").mkdir()
        root, options = folder / "sky", {"endpoint_url": server.url, "key": "testing", "secret": "testing"}
        make(root, folder / "bench")
        # With as many connections as ours, which is its best.
        s3 = s3fs.S3FileSystem(**options, config_kwargs={"max_pool_connections": 64})
        for what in ("cat", "get"):
            sides: dict[str, Callable[[], float]] = {
                "skyfs": partial(ours, root, options, what),
                "s3fs": partial(theirs, s3, what),
                "skyfs, cold cache": partial(ours, root, options, what, cached=True),
            }
            times: dict[str, list[float]] = {side: [] for side in sides}
            for _ in range(rounds):
                for side, measure in sides.items():
                    times[side].append(measure())
            medians = {side: statistics.median(found) for side, found in times.items()}
            ratio = medians["skyfs"] / medians["s3fs"]
            shown = ", ".join(f"{side} {median:.2f} s" for side, median in medians.items())
            print(f"{what} of {FILES} files: {shown}; ratio {ratio:.2f} (target 1.15)")


if __name__ == "__main__":
    main()
