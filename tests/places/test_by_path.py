"""Reading by path when the first place fails: from the next, converted where that has another format."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from click.testing import CliRunner

import skyfs
from skyfs.cli import main
from skyfs.errors import BadArgument, NotFound, WrongBytes
from skyfs.formats.buffer import Buffer
from skyfs.formats.exposure import Exposure, Mask
from skyfs.reading import verifying
from skyfs.repository import Repository
from skyfs.stores.local import LocalSource
from skyfs.testing.servers import S3Server
from skyfs.writing.ingester import IngestFile

from .conftest import Make, at

LEAF = "instrument=Cam/detector=0"
PIXELS = np.arange(100, dtype="i4").reshape(10, 10)
NPY, FITS = f"a/r/numbers/{LEAF}.npy", f"b/r/numbers/{LEAF}.fits"
JSON = f"/r/metrics/{LEAF}.json"


def stores(first: dict[str, Any] | None = None, second: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Give two stores, each with formats of its own."""
    rules = {"a": first or {}, "b": second or {}}
    return [{"name": name, "url": name, "types": ["*"], "formats": rules[name]} for name in rules]


def spoil(path: Path, how: str) -> None:
    """Take a file away, cut it, overwrite it with zeros, or change a bit of it that nothing else shows."""
    data = path.read_bytes()
    if how == "gone":
        path.unlink()
        return
    flipped = data[:-2] + bytes([data[-2] ^ 1]) + data[-1:]
    path.write_bytes({"short": data[:-5], "zeros": bytes(len(data)), "flipped": flipped}[how])


@pytest.fixture
def numbers(make: Make) -> Repository:
    """A repository with an array, as npy in the first store and as FITS in the second."""
    repo = make(stores({"numbers": {"extension": ".npy"}}, {"numbers": {"extension": ".fits"}}))
    repo.register("numbers", ["detector"], "Array")
    repo.put(PIXELS, "numbers", run="r", **at())
    return repo


@pytest.fixture
def twice(make: Make) -> Repository:
    """A repository with the same bytes in two stores."""
    repo = make(stores())
    repo.put({"n": 1}, "metrics", run="r", **at())
    return repo


@pytest.fixture
def mixed(make: Make) -> Repository:
    """A repository with an exposure, whole in the first store and in components in the second."""
    repo = make(stores({}, {"calexp": {"disassemble": True}}))
    repo.put(exposure(), "calexp", run="r", **at())
    return repo


def exposure() -> Exposure:
    """An exposure with three components."""
    pixels = np.arange(600, dtype="f4").reshape(20, 30)
    mask = Mask((np.arange(600, dtype="i4") % 4).reshape(20, 30), {"BAD": 0, "SAT": 1})
    return Exposure(pixels, mask, pixels + 1)


# -- doors -----------------------------------------------------------------------------------------------


def by_open(repo: Repository, path: str, _: Path) -> bytes:
    with skyfs.filesystem(repo).open(path) as file:
        data: bytes = file.read()
        assert file.size == file.details["size"] == len(data)
        return data


def by_cat(repo: Repository, path: str, _: Path) -> bytes:
    return bytes(skyfs.filesystem(repo).cat(path))


def by_cat_of_many(repo: Repository, path: str, _: Path) -> bytes:
    return bytes(skyfs.filesystem(repo).cat([path])[path])


def by_get(repo: Repository, path: str, folder: Path) -> bytes:
    skyfs.filesystem(repo).get(path, str(folder / "out"))
    return (folder / "out").read_bytes()


def by_get_of_many(repo: Repository, path: str, folder: Path) -> bytes:
    names = ["out", "twin"]
    skyfs.filesystem(repo).get([path, path], [str(folder / name) for name in names])
    one, two = ((folder / name).read_bytes() for name in names)
    assert one == two
    return one


def by_get_into_a_file(repo: Repository, path: str, _: Path) -> bytes:
    out = io.BytesIO()
    skyfs.filesystem(repo).get_file(path, out)
    return out.getvalue()


def by_command(*words: str) -> Callable[[Repository, str, Path], bytes]:
    def act(repo: Repository, path: str, folder: Path) -> bytes:
        given = [word.format(path=path, out=folder / "out") for word in words]
        ran = CliRunner().invoke(main, ["-r", str(repo.root), *given])
        assert ran.exit_code == 0, ran.output
        return (folder / "out").read_bytes() if "{out}" in words else ran.stdout_bytes

    return act


WHOLE = {
    "cat": by_cat,
    "cat of many": by_cat_of_many,
    "get": by_get,
    "get of many": by_get_of_many,
    "get into a file": by_get_into_a_file,
    "skyfs cat": by_command("cat", "{path}"),
    "skyfs cp": by_command("cp", ":{path}", "{out}"),
    "skyfs get": by_command("get", "{path}", "-o", "{out}"),
}
DOORS = {"open": by_open, **WHOLE}


# -- files in another format -----------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["gone", "short"])
@pytest.mark.parametrize("door", DOORS)
def test_a_file_is_made_of_another_format(numbers: Repository, tmp_path: Path, door: str, how: str) -> None:
    spoil(numbers.root / NPY, how)
    data = DOORS[door](numbers, f"/r/numbers/{LEAF}.npy", tmp_path)
    assert np.array_equal(np.load(io.BytesIO(data)), PIXELS)


def test_that_it_is_made_is_reported(numbers: Repository, caplog: pytest.LogCaptureFixture) -> None:
    spoil(numbers.root / NPY, "gone")
    with caplog.at_level(logging.WARNING, "skyfs"):
        skyfs.filesystem(numbers).cat(f"/r/numbers/{LEAF}.npy")
    (line,) = caplog.messages
    assert NPY[2:] in line
    assert "store 'a'" in line
    assert "made of what lies in another place" in line


@pytest.mark.parametrize("how", ["gone", "short", "zeros"])
@pytest.mark.parametrize("spoiled", [NPY, FITS])
@pytest.mark.parametrize("extension", [".npy", ".fits", ".h5"])
def test_each_format_is_had_while_one_place_is_sound(
    numbers: Repository, extension: str, spoiled: str, how: str
) -> None:
    spoil(numbers.root / spoiled, how)
    data = skyfs.filesystem(numbers).cat(f"/r/numbers/{LEAF}{extension}")
    found = numbers.formats.read(Buffer(data), extension, "Array")
    assert np.array_equal(found, PIXELS)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["gone", "zeros"])
@pytest.mark.parametrize("spoiled", [NPY, FITS])
@pytest.mark.parametrize("extension", [".npy", ".fits", ".h5"])
def test_a_part_is_made_of_another_format(
    numbers: Repository, extension: str, spoiled: str, how: str
) -> None:
    path = f"/r/numbers/{LEAF}{extension}[2:4,3:5]"
    spoil(numbers.root / spoiled, how)
    found = numbers.formats.read(Buffer(skyfs.filesystem(numbers).cat(path)), extension, "Array")
    assert np.array_equal(found, PIXELS[2:5, 1:4])  # type: ignore[arg-type]
    assert np.array_equal(numbers.get(path), PIXELS[2:5, 1:4])  # type: ignore[arg-type]


def test_rows_are_made_of_another_format(make: Make) -> None:
    repo = make(stores({}, {"src": {"extension": ".ecsv"}}))
    repo.put(Table({"x": [1, 2, 3]}), "src", run="r", **at())
    spoil(repo.root / f"a/r/src/{LEAF}.parquet", "zeros")
    found: Any = repo.get(f"/r/src/{LEAF}.parquet[x > 1]")
    assert list(found["x"]) == [2, 3]


def test_a_wrong_selector_is_no_damage(numbers: Repository, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "skyfs"), pytest.raises(BadArgument):
        skyfs.filesystem(numbers).cat(f"/r/numbers/{LEAF}.npy[2:4,3:5,6:7]")
    assert caplog.messages == []


def test_when_all_fail_each_is_named(numbers: Repository) -> None:
    spoil(numbers.root / NPY, "gone")
    spoil(numbers.root / FITS, "gone")
    fs = skyfs.filesystem(numbers)
    for part in ("", "[1:2,1:2]"):
        with pytest.raises(NotFound, match=r"store 'a'.*store 'b'"):
            fs.cat(f"/r/numbers/{LEAF}.npy{part}")


# -- components ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", [".fits", ".h5"])
@pytest.mark.parametrize("how", ["gone", "short", "zeros"])
def test_the_whole_is_put_together(mixed: Repository, how: str, extension: str) -> None:
    spoil(mixed.root / f"a/r/calexp/{LEAF}.fits", how)
    data = skyfs.filesystem(mixed).cat(f"/r/calexp/{LEAF}{extension}")
    assert mixed.formats.read(Buffer(data), extension, "Exposure") == exposure()


@pytest.mark.parametrize("extension", [".fits", ".fits.gz"])
@pytest.mark.parametrize("how", ["gone", "zeros"])
def test_a_part_of_the_whole_is_put_together(mixed: Repository, how: str, extension: str) -> None:
    spoil(mixed.root / f"a/r/calexp/{LEAF}.fits", how)
    data = skyfs.filesystem(mixed).cat(f"/r/calexp/{LEAF}{extension}[VARIANCE][2:4,3:5]")
    with fits.open(io.BytesIO(data)) as hdus:
        assert np.array_equal(hdus[-1].data, exposure().image[2:5, 1:4] + 1)


@pytest.mark.parametrize("how", ["gone", "short", "zeros"])
@pytest.mark.parametrize("name", ["image", "mask", "variance"])
def test_a_component_is_taken_out_of_the_whole(mixed: Repository, name: str, how: str) -> None:
    path = f"/r/calexp.{name}/{LEAF}.fits"
    spoil(mixed.root / f"b{path}", how)
    wanted = np.asarray(mixed.get("calexp", collections="r", component=name, **at()))
    with fits.open(io.BytesIO(skyfs.filesystem(mixed).cat(path))) as hdus:
        assert np.array_equal(hdus[-1].data, wanted)
    with fits.open(io.BytesIO(skyfs.filesystem(mixed).cat(f"{path}[2:4,3:5]"))) as hdus:
        assert np.array_equal(hdus[-1].data, wanted[2:5, 1:4])


def test_a_component_comes_from_the_next_store(make: Make) -> None:
    apart = {"calexp": {"disassemble": True}}
    tiles = {"calexp.image": {"extension": ".fits.fz", "options": {"compression": "GZIP_2"}}}
    repo = make(stores(apart, {**apart, **tiles}))
    repo.put(exposure(), "calexp", run="r", **at())
    spoil(repo.root / f"a/r/calexp.image/{LEAF}.fits", "gone")
    fs = skyfs.filesystem(repo)
    for path in (f"/r/calexp.image/{LEAF}.fits", f"/r/calexp/{LEAF}.fits[IMAGE]"):
        with fits.open(io.BytesIO(fs.cat(path))) as hdus:
            assert np.array_equal(hdus[-1].data, exposure().image)


def test_a_component_that_lies_nowhere_else_is_lost(make: Make) -> None:
    repo = make([{"name": "a", "url": "a", "formats": {"calexp": {"disassemble": True}}}])
    repo.put(exposure(), "calexp", run="r", **at())
    spoil(repo.root / f"a/r/calexp.mask/{LEAF}.fits", "gone")
    with pytest.raises(NotFound, match=r"calexp.mask.*store 'a'.*No such file"):
        skyfs.filesystem(repo).cat(f"/r/calexp.mask/{LEAF}.fits")


# -- digests ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("door", WHOLE)
def test_what_is_read_whole_is_held_against_its_digest(twice: Repository, tmp_path: Path, door: str) -> None:
    sound = (twice.root / f"b{JSON}").read_bytes()
    (twice.root / f"a{JSON}").write_bytes(sound.replace(b"1", b"2"))
    assert WHOLE[door](twice, JSON, tmp_path) == sound


@pytest.mark.parametrize("door", WHOLE)
def test_damage_is_an_error_when_there_is_no_other_place(make: Make, tmp_path: Path, door: str) -> None:
    repo = make([{"name": "a", "url": "a"}])
    repo.put({"n": 1}, "metrics", run="r", **at())
    spoil(repo.root / f"a{JSON}", "flipped")
    with pytest.raises((WrongBytes, AssertionError), match=r"sha256"):
        WHOLE[door](repo, JSON, tmp_path)
    assert not (tmp_path / "out").exists()


def test_damage_is_reported(twice: Repository, caplog: pytest.LogCaptureFixture) -> None:
    spoil(twice.root / f"a{JSON}", "flipped")
    with caplog.at_level(logging.WARNING, "skyfs"):
        skyfs.filesystem(twice).cat(JSON)
    (line,) = caplog.messages
    assert "store 'a': its sha256 is" in line
    assert "store 'b' is read instead" in line


def test_damage_is_made_good_by_another_format(numbers: Repository) -> None:
    spoil(numbers.root / NPY, "flipped")
    data = skyfs.filesystem(numbers).cat(f"/r/numbers/{LEAF}.npy")
    assert np.array_equal(np.load(io.BytesIO(data)), PIXELS)


def test_a_copy_within_the_repository_is_of_sound_bytes(twice: Repository) -> None:
    spoil(twice.root / f"a{JSON}", "flipped")
    fs = skyfs.filesystem(twice)
    fs.copy(JSON, f"/s/metrics/{LEAF}.json")
    assert twice.get(f"/s/metrics/{LEAF}.json") == {"n": 1}


@pytest.mark.parametrize("door", WHOLE)
def test_large_files_are_checked_too(
    twice: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(verifying, "HELD_BYTES", 4)
    sound = (twice.root / f"b{JSON}").read_bytes()
    spoil(twice.root / f"a{JSON}", "flipped")
    assert WHOLE[door](twice, JSON, tmp_path) == sound


def test_opening_reads_nothing_of_a_local_file(twice: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(twice.root / f"a{JSON}", "flipped")
    asked: list[tuple[int, int]] = []
    original = LocalSource.read

    def noting(self: LocalSource, start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return original(self, start, stop)

    monkeypatch.setattr(LocalSource, "read", noting)
    with skyfs.filesystem(twice).open(JSON) as file:
        assert asked == []
        assert file.read(1) == b"{"
    assert skyfs.filesystem(twice).cat_file(JSON, 0, 1) == b"{"
    assert asked == [(0, 1)]


def test_a_file_without_a_digest_is_given_as_it_is(make: Make, tmp_path: Path) -> None:
    repo = make([{"name": "a", "url": "a"}])
    given = tmp_path / "given.json"
    given.write_text('{"n": 1}')
    repo.ingest([IngestFile(given, at())], "metrics", run="r", mode="direct")
    given.write_text('{"n": 2}')
    assert skyfs.filesystem(repo).cat(JSON) == b'{"n": 2}'


@pytest.mark.parametrize("how", ["gone", "short", "flipped"])
def test_parts_of_a_camera_file_come_from_the_next_store(make: Make, tmp_path: Path, how: str) -> None:
    repo = make(stores())
    repo.register("raw", ["detector"], "Hdus")
    images = [fits.ImageHDU(np.full((40, 50), n)) for n in range(3)]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(tmp_path / "camera.fits")
    repo.ingest([IngestFile(tmp_path / "camera.fits", at(n), part=n + 1) for n in range(3)], "raw", run="r")
    path = "/r/raw/instrument=Cam/detector=2.fits"
    wanted = skyfs.filesystem(repo).cat(path)
    (camera,) = (repo.root / "a").rglob("camera.fits")
    spoil(camera, how)
    assert skyfs.filesystem(repo).cat(path) == wanted
    found: Any = repo.get(path)
    assert np.array_equal(found[1].data, images[2].data)


# -- stores far away -------------------------------------------------------------------------------------


@pytest.fixture
def far(make: Make, s3: S3Server, request: pytest.FixtureRequest) -> Repository:
    """A repository with an array, as npy on S3 and as FITS in a second store."""
    bucket = s3.bucket(f"path-{hashlib.sha256(request.node.name.encode()).hexdigest()[:12]}")
    first, second = stores({"numbers": {"extension": ".npy"}}, {"numbers": {"extension": ".fits"}})
    repo = make([{**first, "url": bucket, "options": dict(s3.options), "cache": False}, second])
    repo.register("numbers", ["detector"], "Array")
    repo.put(PIXELS, "numbers", run="r", **at())
    return repo


@pytest.mark.parametrize("door", ["open", "cat", "get", "get into a file"])
def test_what_is_gone_from_a_far_store_is_made_of_another(far: Repository, tmp_path: Path, door: str) -> None:
    batch = far.stores["a"].begin()
    batch.delete(NPY[2:])
    batch.publish()
    batch.settle()
    data = DOORS[door](far, f"/r/numbers/{LEAF}.npy", tmp_path)
    assert np.array_equal(np.load(io.BytesIO(data)), PIXELS)


@pytest.mark.parametrize("door", ["cat", "get into a file"])
def test_a_large_far_file_is_checked(
    far: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    monkeypatch.setattr(verifying, "HELD_BYTES", 4)
    data = DOORS[door](far, f"/r/numbers/{LEAF}.npy", tmp_path)
    assert np.array_equal(np.load(io.BytesIO(data)), PIXELS)
