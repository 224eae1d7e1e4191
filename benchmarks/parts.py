"""Cutouts of a 4096 x 4096 image in S3: bytes fetched for those needed, round trips, time at 50 ms latency.

Bytes are counted at the requests, beside astropy over fsspec: with fsspec's defaults
(``use_fsspec=True``), and with exact serial reads (``cache_type="none"``). "Needed" is the pixels, or the
compressed tiles that the cutout touches. A round trip is a fetch of any number of ranges at once. "Again" is
another cutout of the same image when the ranges that the first one read are kept, as the disk cache does.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import s3fs
from astropy.io import fits
from fsspec import AbstractFileSystem, filesystem
from reporting.program import Program
from reporting.table import Row, Table, Target

from skyfs.abc.source import ByteSource
from skyfs.abc.store import Expected, Store
from skyfs.formats.fits import Fits
from skyfs.model.ranges import Cost
from skyfs.model.selectors import parse_selectors
from skyfs.stores.remote import RemoteStore
from skyfs.stores.retrying import Patience, RetryingStore
from skyfs.testing.latency import far_away
from skyfs.testing.servers import http_server, s3_server

SIDE = 4096
SIZES = (64, 512)
LATENCY_S = 0.05
CONNECTIONS = 64
TRIPS, BARE = "round trips", "bare requests for the same ranges"
# The requests of the last two are trips: they come one after the other.
WAYS = {
    "skyfs": ("× needed", "requests", "trips"),
    "again": ("× needed", "requests", "trips"),
    "fsspec's defaults": ("× needed", "trips"),
    "exact, serial": ("× needed", "trips"),
}
COLUMNS = ("needed, KiB", *(f"{way}: {what}" for way, told in WAYS.items() for what in told))


@dataclass
class Traffic:
    """What went over the wire."""

    requests: int = 0
    bytes: int = 0
    trips: int = 0


class CountedSource(ByteSource):
    """A file in a far store; ``kept`` holds ranges that are not asked for again, as the disk cache does."""

    def __init__(self, store: Store, key: str, size: int) -> None:
        self._far, self._size = store.open(key, Expected(size)), size
        self.traffic = Traffic()
        self.kept: dict[tuple[int, int], bytes] = {}
        self.asked: list[list[tuple[int, int]]] = []

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._size

    @property
    def cost(self) -> Cost:
        """What the store says."""
        return self._far.cost

    def read(self, start: int, stop: int) -> bytes:
        """Give a range."""
        return self.read_many([(start, stop)])[0]

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Give ranges, those that are not kept in one trip."""
        missing = [one for one in ranges if one not in self.kept]
        if missing:
            found = self._far.read_many(missing)
            self.asked.append(missing)
            self.traffic.trips += 1
            self.traffic.requests += len(missing)
            self.traffic.bytes += sum(map(len, found))
            self.kept.update(zip(missing, found, strict=True))
        return [self.kept[one] for one in ranges]


def images() -> Iterator[tuple[str, fits.HDUList, tuple[int, int] | None]]:
    """Give name, file and shape of the tiles."""
    random = np.random.default_rng(1)
    header = fits.Header(
        [("CTYPE1", "RA---TAN"), ("CTYPE2", "DEC--TAN"), ("CRPIX1", 2048.0), ("CRPIX2", 2048.0)]
    )
    header.update({"CRVAL1": 150.0, "CRVAL2": 2.0, "CD1_1": -5e-5, "CD2_2": 5e-5})
    pixels = random.normal(1000, 10, (SIDE, SIDE)).astype("f4")
    yield "plain float32", fits.HDUList([fits.PrimaryHDU(pixels, header)]), None
    for name, tile in (("RICE, row tiles", (1, SIDE)), ("RICE, 128² tiles", (128, 128))):
        packed = fits.CompImageHDU(pixels.astype("i2"), header, compression_type="RICE_1", tile_shape=tile)
        yield name, fits.HDUList([fits.PrimaryHDU(), packed]), tile


def needed_bytes(data: bytes, tile: tuple[int, int] | None, corner: int, size: int) -> int:
    """Give the bytes of the pixels, or of the tiles touched."""
    if tile is None:
        return size * size * 4
    with fits.open(io.BytesIO(data), disable_image_compression=True) as hdus:
        table = hdus[1]
        start = hdus.fileinfo(1)["datLoc"]
        rows = np.frombuffer(data, ">i4", table.header["NAXIS2"] * 2, start).reshape(-1, 2)[:, 0]
    grid = rows.reshape(-(-SIDE // tile[0]), -(-SIDE // tile[1]))
    y, x = (slice(corner // one, (corner + size - 1) // one + 1) for one in tile)
    return int(grid[y, x].sum())


@contextmanager
def counted_files() -> Iterator[Traffic]:
    """Count what fsspec's files of S3 fetch."""
    traffic, original = Traffic(), s3fs.S3File._fetch_range  # noqa: SLF001 - where every cache ends

    def fetch(file: s3fs.S3File, start: int, end: int) -> bytes:
        data: bytes = original(file, start, end)
        traffic.requests += 1
        traffic.trips += 1
        traffic.bytes += len(data)
        return data

    s3fs.S3File._fetch_range = fetch  # noqa: SLF001 - the same
    try:
        yield traffic
    finally:
        s3fs.S3File._fetch_range = original  # noqa: SLF001 - the same


def by_astropy(url: str, options: dict[str, object], corner: int, size: int) -> tuple[np.ndarray, Traffic]:
    """Cut with astropy's own partial reading."""
    with counted_files() as traffic, fits.open(url, use_fsspec=True, fsspec_kwargs=options) as hdus:
        hdu = hdus[-1] if len(hdus) > 1 else hdus[0]
        return np.asarray(hdu.section[corner : corner + size, corner : corner + size]), traffic


def by_skyfs(source: ByteSource, corner: int, size: int) -> np.ndarray:
    """Cut with a selector, as a path does."""
    ends = f"{corner + 1}:{corner + size}"
    file = io.BytesIO()
    Fits().cut(source, parse_selectors(f"[{ends},{ends}]"), file)
    with fits.open(io.BytesIO(file.getvalue())) as hdus:
        return np.asarray(hdus[-1].data)


def measure_bytes(
    s3: s3fs.S3FileSystem, options: dict[str, object], bucket: str, folder: Path
) -> Iterator[Row]:
    """Give bytes and trips of all cutouts; keep the files in the folder."""
    store = far_store(bucket, options)
    for number, (name, hdus, tile) in enumerate(images()):
        file = io.BytesIO()
        hdus.writeto(file)
        data, path = file.getvalue(), f"{bucket}/{number}.fits"
        s3.pipe_file(path, data)
        (folder / f"{number}.fits").write_bytes(data)
        whole, corner = hdus[-1].data, 1024 + 32
        for size in SIZES:
            needed = needed_bytes(data, tile, corner, size)
            expected = whole[corner : corner + size, corner : corner + size]
            found: dict[str, float] = {"needed, KiB": needed / 1024}
            source = CountedSource(store, path.rpartition("/")[2], len(data))
            assert np.array_equal(by_skyfs(source, corner, size), expected)
            found |= told("skyfs", source.traffic, needed)
            source.traffic, moved = Traffic(), corner + 2 * size
            by_skyfs(source, moved, size)
            found |= told("again", source.traffic, needed_bytes(data, tile, moved, size))
            for way, more in (("fsspec's defaults", {}), ("exact, serial", {"cache_type": "none"})):
                opening = {"default_cache_type": "none"} if more else {}
                pixels, traffic = by_astropy(path, {**options, **opening}, corner, size)
                assert np.array_equal(pixels, expected)
                found |= told(way, traffic, needed)
            yield Row(f"{name}, {size}²", "", found, targets(tile))


def told(way: str, traffic: Traffic, needed: int) -> dict[str, float]:
    """Give what a way of cutting has fetched."""
    found = {"× needed": traffic.bytes / needed, "requests": traffic.requests, "trips": traffic.trips}
    return {f"{way}: {what}": found[what] for what in WAYS[way]}


def targets(tile: tuple[int, int] | None) -> tuple[Target, ...]:
    """Give what a cutout should fetch: a plain one less than one of tiles."""
    most = 1.5 if tile is None else 2
    return Target("skyfs: × needed", most), Target("skyfs: trips", 3), Target("again: trips", 1)


def median_s(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def measure_time(folder: Path, rounds: int) -> Iterator[Row]:
    """Give how many round trips' time a cold cutout takes, beside the bare requests for the same ranges.

    Over nginx: moto needs some 10 ms of processor time for each range of a large object.
    """
    with (
        http_server(folder) as server,
        far_away("127.0.0.1", int(server.url.rpartition(":")[2]), LATENCY_S) as port,
    ):
        http = filesystem("http", skip_instance_cache=True)
        store = far_store(f"http://127.0.0.1:{port}", {})
        for name, file in zip(
            ("plain float32", "RICE, row tiles", "RICE, 128² tiles"),
            sorted(folder.glob("*.fits")),
            strict=True,
        ):
            url, size = f"http://127.0.0.1:{port}/{file.name}", file.stat().st_size
            record = CountedSource(store, file.name, size)
            by_skyfs(record, 1056, 64)

            def cold(key: str = file.name, size: int = size) -> object:
                return by_skyfs(CountedSource(store, key, size), 1056, 64)

            def bare(url: str = url, asked: list[list[tuple[int, int]]] = record.asked) -> object:
                return [fetch(http, url, one) for one in asked]

            cold_s, bare_s = median_s(cold, rounds), median_s(bare, rounds)
            found = {"ms": cold_s * 1e3, TRIPS: cold_s / LATENCY_S, BARE: bare_s / LATENCY_S}
            yield Row(name, "", found, (Target(TRIPS, 4),))


def far_store(url: str, options: dict[str, object]) -> Store:
    """Give a store as repositories open it, without the disk cache."""
    return RetryingStore(RemoteStore(url, name="far", options=options), Patience(attempts=5))


def fetch(remote: AbstractFileSystem, path: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Fetch ranges at once."""
    starts, stops = zip(*ranges, strict=True)
    found: list[bytes] = remote.cat_ranges(
        [path] * len(ranges), list(starts), list(stops), batch_size=CONNECTIONS
    )
    return found


def measure(asked: argparse.Namespace) -> Iterator[Table]:
    """Measure."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(dir=asked.folder) as name, s3_server() as server:
        options = dict(server.options)
        pool = {"max_pool_connections": CONNECTIONS}
        s3 = s3fs.S3FileSystem(**options, config_kwargs=pool, skip_instance_cache=True)
        rows = tuple(measure_bytes(s3, options, server.bucket("parts"), Path(name)))
        yield Table("bytes", COLUMNS, rows)
        yield Table("time", ("ms", TRIPS, BARE), tuple(measure_time(Path(name), asked.rounds)))


if __name__ == "__main__":
    program = Program(__doc__, quick={"rounds": 1}, libraries=["astropy", "s3fs", "fsspec"])
    program.option("--rounds", type=int, default=7)
    program.run(measure)
