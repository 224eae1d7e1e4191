"""How fast a check reads, beside bare reads of the same files; and what it costs for each dataset.

All sides read all files in one run, in turns, from the disk (the kernel's copies are dropped before): the
check with two workers; bare reads in two threads, into a buffer; and the same with sha256, which tells what
the machine leaves for that. On S3 (moto) the others are four threads that get whole objects. The last line is
about a registry of many declared datasets: how long the rules take, and by how much memory grows.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting.program import Program
from reporting.table import Ratio, Row, Table, Target

import skyfs
from skyfs.repository import Repository
from skyfs.testing.servers import S3Server, s3_server
from skyfs.writing.ingester import IngestFile

MIB = 1 << 20
TARGET = 0.8
CHECK, BARE, DIGESTED = "check", "bare reads", "reads with sha256"
RATIOS = (Ratio("share of bare", CHECK, (BARE,)), Ratio("share of those with sha256", CHECK, (DIGESTED,)))


@dataclass(frozen=True, slots=True)
class Figure:
    """One question: seconds of the check, of bare reads, of reads with digests; and how much was read."""

    what: str
    ours: float
    floor: float
    digested: float
    size: int

    def row(self) -> Row:
        """Give it as megabytes in a second."""
        seconds = {CHECK: self.ours, BARE: self.floor, DIGESTED: self.digested}
        found = {side: self.size / one / 1e6 for side, one in seconds.items()}
        return Row(self.what, "MB/s", found, (Target("share of bare", at_least=TARGET),))


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    figures = []
    near_dir = options.folder or Path.cwd()
    with tempfile.TemporaryDirectory(dir=near_dir) as folder:
        figures.append(near(Path(folder) / "large", options.large, 64 * MIB, options.rounds))
        figures.append(near(Path(folder) / "small", options.small, 20_000, options.rounds))
    with tempfile.TemporaryDirectory() as folder, s3_server() as server:
        figures.append(far(Path(folder) / "far", server, options.far, options.rounds))
    yield Table("bytes", (CHECK, BARE, DIGESTED), tuple(one.row() for one in figures), RATIOS)
    with tempfile.TemporaryDirectory(dir=near_dir) as folder:
        yield rows(Path(folder) / "rows", options.rows)


def fill(repo: Repository, count: int, size: int) -> None:
    """Take files of random bytes in."""
    given = repo.root / "given"
    given.mkdir()
    repo.insert("instrument", [{"name": "Cam"}])
    repo.insert("detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(count)])
    repo.register("blob", ["detector"], "Bytes")
    block, files = os.urandom(MIB), []
    for number in range(count):
        path = given / str(number)
        with path.open("wb") as file:
            file.write(number.to_bytes(8, "big"))
            for start in range(8, size, MIB):
                file.write(block[: min(MIB, size - start)])
        files.append(IngestFile(path, {"instrument": "Cam", "detector": number}))
    repo.ingest(files, "blob", run="run", mode="move")
    shutil.rmtree(given)


def near(root: Path, count: int, size: int, rounds: int) -> Figure:
    """Check a local store."""
    with skyfs.create(root) as repo:
        fill(repo, count, size)
        paths = [path for path in (root / "data" / "run").rglob("*") if path.is_file()]
        assert len(paths) == count

        def ours() -> None:
            found = repo.check(digests=True)
            assert (found.clean, found.files, found.read_bytes) == (True, count, count * size)

        def floor() -> None:
            with ThreadPoolExecutor(2) as pool:
                assert sum(pool.map(read, paths)) == count * size

        def digested() -> None:
            with ThreadPoolExecutor(2) as pool:
                assert len(set(pool.map(digest, paths))) == count

        ours_s, floor_s, digested_s = in_turns((ours, floor, digested), rounds, lambda: drop(paths))
        what = f"{size // MIB} MiB" if size >= MIB else f"{size // 1000} kB"
        return Figure(f"{count} files of {what}", ours_s, floor_s, digested_s, count * size)


def digest(path: Path) -> bytes:
    """Read a file, and digest it."""
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").digest()


def read(path: Path) -> int:
    """Read a file into a buffer."""
    buffer, total = bytearray(MIB), 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total


def drop(paths: Sequence[Path]) -> None:
    """Have the kernel forget the content of files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def far(root: Path, server: S3Server, count: int, rounds: int) -> Figure:
    """Check a store on S3."""
    import botocore.session

    bucket = server.bucket("checked").partition("://")[2]
    store = {"name": "far", "url": f"s3://{bucket}/sky", "options": dict(server.options), "cache": False}
    given: Any = server.options
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=given["key"],
        aws_secret_access_key=given["secret"],
        region_name="us-east-1",
    )
    with skyfs.create(root, stores=[store]) as repo:
        fill(repo, count, MIB)
        keys = [key for key, _ in repo.stores["far"].scan()]

        def get(key: str) -> bytes:
            data: bytes = client.get_object(Bucket=bucket, Key=f"sky/{key}")["Body"].read()
            return data

        def ours() -> None:
            found = repo.check(digests=True)
            assert (found.clean, found.files, found.read_bytes) == (True, count, count * MIB)

        def floor() -> None:
            with ThreadPoolExecutor(4) as pool:
                assert sum(pool.map(lambda key: len(get(key)), keys)) == count * MIB

        def digested() -> None:
            with ThreadPoolExecutor(4) as pool:
                assert len(set(pool.map(lambda key: hashlib.sha256(get(key)).digest(), keys))) == count

        ours_s, floor_s, digested_s = in_turns((ours, floor, digested), rounds, lambda: None)
        return Figure(f"{count} objects of 1 MiB on S3", ours_s, floor_s, digested_s, count * MIB)


def in_turns(sides: Sequence[Callable[[], None]], rounds: int, before: Callable[[], None]) -> list[float]:
    """Give the median seconds of each side."""
    times: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for taken, act in zip(times, sides, strict=True):
            before()
            begin = time.perf_counter()
            act()
            taken.append(time.perf_counter() - begin)
    return list(map(statistics.median, times))


def rows(root: Path, count: int) -> Table:
    """Check a registry of many rows."""
    detectors, visits = 100, -(-count // 100)
    with skyfs.create(root, options={"durability": "process"}) as repo:
        repo.insert("instrument", [{"name": "Cam"}])
        repo.insert(
            "detector", [{"instrument": "Cam", "id": n, "full_name": f"D{n}"} for n in range(detectors)]
        )
        repo.insert("physical_filter", [{"instrument": "Cam", "name": "r", "band": "r"}])
        common = {"instrument": "Cam", "physical_filter": "r", "day_obs": 20260101}
        repo.insert("visit", [{**common, "id": n, "name": f"v{n}"} for n in range(visits)])
        repo.register("calexp", ["visit", "detector"], "Image")
        for first in range(0, visits, 1000):
            ids = [
                {"instrument": "Cam", "visit": visit, "detector": detector}
                for visit in range(first, min(first + 1000, visits))
                for detector in range(detectors)
            ]
            repo.declare("calexp", ids, run="run")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with skyfs.open(root) as repo:
        begin = time.perf_counter()
        assert repo.check().clean
        taken = time.perf_counter() - begin
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    figures = {
        ("the rules", "s"): taken,
        ("for each dataset", "µs"): taken / (visits * detectors) * 1e6,
        ("memory grows by", "MiB"): grown,
    }
    found = tuple(Row(what, unit, {CHECK: figure}) for (what, unit), figure in figures.items())
    return Table("rules", (CHECK,), found)


if __name__ == "__main__":
    few = {"large": 1, "small": 50, "far": 3, "rows": 1000, "rounds": 1}
    program = Program(__doc__, quick=few)
    program.option("--large", type=int, default=32, help="files of 64 MiB")
    program.option("--small", type=int, default=20_000, help="files of 20 kB")
    program.option("--far", type=int, default=1000, help="objects of 1 MiB")
    program.option("--rows", type=int, default=1_000_000)
    program.option("--rounds", type=int, default=5)
    program.run(measure)
