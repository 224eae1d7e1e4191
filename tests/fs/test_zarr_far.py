"""Zarr in a far store: opened by URL, and only what is touched is asked for."""

# ruff: noqa: ANN401 - what zarr gives may be of any type

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits
from zarr.storage import MemoryStore

import skyfs
from skyfs.errors import SkyfsError
from skyfs.repository import Repository
from skyfs.stores.remote import RemoteSource
from skyfs.testing.servers import S3Server

RUN = "u/me/r1"
VALUES = np.random.default_rng(5).integers(0, 4000, (2000, 2000)).astype("u2")
ENCODINGS: dict[str, dict[str, Any]] = {
    "plain": {"chunks": (250, 250)},
    "sharded": {"chunks": (250, 250), "shards": (1000, 1000)},
}


@pytest.fixture(scope="module")
def repo(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    root = tmp_path_factory.mktemp("far") / "sky"
    far = {"name": "far", "url": f"{s3.bucket('for-zarr')}/data", "options": dict(s3.options)}
    options = {"durability": "process", "formats": {"types": {"packed": {"extension": ".zarr.zip"}}}}
    with skyfs.create(root, stores=[far], options=options) as made:
        made.insert("instrument", [{"name": name} for name in ENCODINGS])
        made.register("raw", ["instrument"], "Hdus")
        for kind in ("cube", "packed"):
            made.register(kind, ["instrument"], "ZarrGroup")
            for name, encoding in ENCODINGS.items():
                group = zarr.create_group(MemoryStore())
                group.create_array(
                    "flux", data=VALUES, dimension_names=["y", "x"], compressors=None, **encoding
                )
                made.put(group, kind, run=RUN, instrument=name)
        rice = fits.CompImageHDU(VALUES, name="SCI", tile_shape=(200, 200))
        made.put(fits.HDUList([fits.PrimaryHDU(VALUES), rice]), "raw", run=RUN, instrument="plain")
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Gather the sizes of all ranges that are asked of the far store."""
    found: list[int] = []
    try_many = RemoteSource.try_many
    read_all = RemoteSource.read_all

    def counting(self: RemoteSource, ranges: Sequence[tuple[int, int]]) -> list[bytes | SkyfsError]:
        found.extend(min(stop, self.size) - start for start, stop in ranges)
        return try_many(self, ranges)

    def counting_all(self: RemoteSource) -> bytes:
        found.append(self.size)
        return read_all(self)

    monkeypatch.setattr(RemoteSource, "try_many", counting)
    monkeypatch.setattr(RemoteSource, "read_all", counting_all)
    return found


def opened(repo: Repository, path: str) -> Any:
    return zarr.open(f"skyfs://{path}", mode="r", storage_options={"repo": str(repo.root)})


@pytest.mark.parametrize("encoding", list(ENCODINGS))
@pytest.mark.parametrize("kind", ["cube", "packed"])
def test_a_part_of_zarr_asks_for_its_chunks(
    repo: Repository, asked: list[int], kind: str, encoding: str
) -> None:
    array = opened(repo, f"/{RUN}/{kind}/instrument={encoding}.zarr")["flux"]
    assert sum(asked) < 80_000, asked
    asked.clear()
    part = np.s_[240:260, 0:250]
    assert np.array_equal(array[part], VALUES[part])
    # Two chunks; of a shard its index of 16 bytes for each chunk, and the member's header in the zip.
    chunks = 2 * 250 * 250 * 2
    assert chunks < sum(asked) < chunks + 2000
    assert len(asked) <= 6
    xarray = pytest.importorskip("xarray")
    options = {"storage_options": {"repo": str(repo.root)}}
    with xarray.open_zarr(f"skyfs:///{RUN}/{kind}/instrument={encoding}.zarr", **options) as dataset:
        assert np.array_equal(dataset.flux[part].values, VALUES[part])


@pytest.mark.parametrize("name", ["0", "SCI"])
def test_a_chunk_of_a_view_asks_for_its_bytes(repo: Repository, asked: list[int], name: str) -> None:
    root = opened(repo, f"/{RUN}/raw/instrument=plain.zarr")
    rows, columns = root[name].chunks
    asked.clear()
    assert np.array_equal(root[name][rows : rows + 1, :columns], VALUES[rows : rows + 1, :columns])
    assert sum(asked) <= rows * columns * 2 + 4096
    # The descriptors of tiles lie near the header: the cache of far bytes may have them already.
    assert 1 <= len(asked) <= (1 if name == "0" else 2)


def test_a_copy_of_far_zarr_is_whole(repo: Repository, tmp_path: Path) -> None:
    skyfs.filesystem(repo).get(
        f"/{RUN}/cube/instrument=plain.zarr", str(tmp_path / "out.zarr"), recursive=True
    )
    copied: Any = zarr.open(tmp_path / "out.zarr", mode="r")
    assert np.array_equal(copied["flux"][...], VALUES)
