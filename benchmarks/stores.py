"""Far stores beside s3fs given the keys: many small files, and one huge one.

Both sides ask the same server in turn, in one run. nginx answers S3's GET (a path is bucket and key), and is
so fast that the clients are what is measured; ``--moto`` measures against moto, a slow server in Python. The
huge file is copied by processes of their own; their peak of memory is held against a bare interpreter's. Ours
checks every digest, s3fs none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target

from skyfs.abc.store import Expected
from skyfs.stores.remote import RemoteStore
from skyfs.testing.servers import http_server, s3_server

BUCKET = "bench"
OURS, THEIRS = "skyfs", "s3fs"
COPY = str(Path(__file__).resolve().parent / "sides" / "stores_copy.py")
MIB = 1 << 20
KEY = {"key": "testing", "secret": "testing"}
# s3fs with as many connections as ours, which is its best.
CONFIG = {"config_kwargs": {"max_pool_connections": 64}}


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    with (
        tempfile.TemporaryDirectory(dir=options.folder) as folder,
        (moto if options.moto else nginx)(Path(folder)) as server,
    ):
        put, given = server
        rows = [*small_files(put, given, options), *huge_file(put, given, options)]
    name = "with moto" if options.moto else "stores"
    yield Table(name, (OURS, THEIRS), tuple(rows), (Ratio("ratio", OURS, (THEIRS,)),))


Put = Callable[[str, bytes], None]


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[Put, dict[str, Any]]]:
    """Serve a folder as a bucket."""
    (folder / BUCKET).mkdir()
    with http_server(folder) as server:
        yield (lambda key, data: _write(folder / BUCKET / key, data)), {"endpoint_url": server.url, **KEY}


@contextmanager
def moto(_: Path) -> Iterator[tuple[Put, dict[str, Any]]]:
    """Serve a bucket from memory."""
    import s3fs

    with s3_server() as server:
        server.bucket(BUCKET)
        fs = s3fs.S3FileSystem(**server.options)
        yield (lambda key, data: fs.pipe_file(f"{BUCKET}/{key}", data)), dict(server.options)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def small_files(put: Put, given: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """Copy many small files to disk, and read them into memory."""
    import s3fs

    files = {f"{number:05}.fits": os.urandom(options.file_bytes) for number in range(options.files)}
    for key, data in files.items():
        put(key, data)
    store = RemoteStore(f"s3://{BUCKET}", name="far", options=given)
    fs = s3fs.S3FileSystem(**given, **CONFIG)
    items = [(key, Expected(len(data), hashlib.sha256(data).digest())) for key, data in files.items()]
    paths = [f"{BUCKET}/{key}" for key in files]

    def our_copy(folder: str) -> None:
        failed = store.copy_many([(*item, f"{folder}/{item[0]}") for item in items], lambda _: None)
        assert failed == [None] * len(items)

    def our_read(_: str) -> None:
        assert store.read_many(items, lambda _: None) == list(files.values())

    def their_read(_: str) -> None:
        assert fs.cat(paths) == dict(zip(paths, files.values(), strict=True))

    copies = alternate(
        our_copy, lambda folder: fs.get(paths, [f"{folder}/{key}" for key in files]), options.rounds
    )
    reads = alternate(our_read, their_read, options.rounds)
    store.close()
    count = f"{options.files} files of {options.file_bytes / 1000:.0f} kB"
    for where, found in (("disk", copies), ("memory", reads)):
        yield Row(f"{count}, to {where}", "s", found, (Target("ratio", 1.15),))


def alternate(ours: Callable[[str], None], theirs: Callable[[str], None], rounds: int) -> dict[str, float]:
    """Let both work in turn, after one round that does not count; give the medians in seconds."""
    taken: dict[int, list[float]] = {0: [], 1: []}
    for turn in range(rounds + 1):
        for number, work in enumerate((ours, theirs) if turn % 2 else (theirs, ours)):
            with tempfile.TemporaryDirectory() as folder:
                begun = time.perf_counter()
                work(folder)
                if turn:
                    taken[number if turn % 2 else 1 - number].append(time.perf_counter() - begun)
    return {OURS: statistics.median(taken[0]), THEIRS: statistics.median(taken[1])}


def huge_file(put: Put, given: dict[str, Any], options: argparse.Namespace) -> Iterator[Row]:
    """Copy one huge file to disk, in processes of their own."""
    data = os.urandom(MIB) * options.huge_mib
    put("huge.fits", data)
    size, sha256 = len(data), hashlib.sha256(data).hexdigest()
    del data
    taken: dict[str, list[float]] = {OURS: [], THEIRS: []}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(max(3, options.rounds // 2)):
            for side, seconds in taken.items():
                asked = {
                    "side": side,
                    "bucket": BUCKET,
                    "given": given,
                    "target": f"{folder}/huge",
                    "size": size,
                    "sha256": sha256,
                }
                found = worker(asked)
                seconds.append(found["seconds"])
                memory[side] = max(memory.get(side, 0), found["mib"])
    medians = {side: statistics.median(seconds) for side, seconds in taken.items()}
    yield Row(f"{options.huge_mib} MiB to disk", "s", medians, (Target("ratio", 1.05),))
    yield Row("memory for it above a bare interpreter's", "MiB", memory, (Target(OURS, 200),))


def worker(asked: dict[str, Any]) -> dict[str, float]:
    """Run one copy in a process of its own."""
    command = [sys.executable, COPY, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    bare = subprocess.run([sys.executable, "-c", _PEAK], capture_output=True, check=True)
    found["mib"] -= float(bare.stdout)
    Path(asked["target"]).unlink()
    return found


# Of this program alone: what ru_maxrss tells begins with the peak of the parent that forked it.
_PEAK = """
for line in open('/proc/self/status'):
    if line.startswith('VmHWM'):
        print(int(line.split()[1]) / 1024)
"""


if __name__ == "__main__":
    few = {"files": 20, "huge_mib": 4, "rounds": 1}
    program = Program(__doc__, quick=few, libraries=["s3fs", "fsspec"])
    program.option("--files", type=int, default=1000)
    program.option("--file-bytes", type=int, default=20_000)
    program.option("--huge-mib", type=int, default=1024)
    program.option("--rounds", type=int, default=7)
    program.option("--moto", action="store_true", help="a slow server that is S3 in more than GET")
    program.run(measure)
