"""Many datasets in one file: taken in by every mode, served as ranges of it, removed one by one."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.abc.source import ByteSource
from skyfs.abc.store import Adoption
from skyfs.errors import BadArgument, BadContent, Exists, SkyfsError, StoreError, Unsupported, WrongBytes
from skyfs.formats.buffer import Buffer
from skyfs.formats.fits_part import FitsPart
from skyfs.model.dataset import DatasetRef, Location, Part
from skyfs.repository import Repository
from skyfs.stores.local_batch import LocalBatch
from skyfs.testing.snapshot import snapshot
from skyfs.writing.ingester import IngestFile

from .conftest import data_id

MODES = ("auto", "copy", "move", "link", "symlink", "direct")
FOLDER = "raw/all/raw/instrument=HSC/day_obs=20131102/exposure=903334"
DETECTORS = range(3)


def camera(path: Path, *, seed: int = 0) -> Path:
    """Write a primary HDU with data, and an HDU for each of three detectors."""
    random = np.random.default_rng(seed)
    packed = path.name.endswith(".fz")
    make = fits.CompImageHDU if packed else fits.ImageHDU
    path.parent.mkdir(exist_ok=True)
    primary = fits.PrimaryHDU(
        None if packed else random.integers(0, 9, (3, 5)), fits.Header({"OBJECT": "M1"})
    )
    images = [
        make(random.integers(0, 999, (30 + 9 * n, 40), "i4"), fits.Header({"CCD": n}), name=f"ccd{n}")
        for n in DETECTORS
    ]
    fits.HDUList([primary, *images]).writeto(path)
    return path


def pieces(path: Path) -> list[bytes]:
    """Give what each detector's dataset is to be, by astropy's account of where the HDUs lie."""
    data = path.read_bytes()
    with fits.open(path, disable_image_compression=True) as hdus:
        starts = [hdu.fileinfo()["hdrLoc"] for hdu in hdus] + [len(data)]
    return [data[: starts[1]] + data[starts[n] : starts[n + 1]] for n in range(1, len(starts) - 1)]


def of_detectors(
    path: Path, exposure: int = 903334, detectors: Sequence[int] = DETECTORS
) -> list[IngestFile]:
    return [IngestFile(path, data_id(exposure, n), part=n + 1) for n in detectors]


@pytest.fixture
def raws(repo: Repository) -> Repository:
    repo.register("raw", ["exposure", "detector"], "Hdus")
    return repo


def stored(repo: Repository) -> list[str]:
    return sorted(
        str(path.relative_to(repo.root / "data"))
        for path in (repo.root / "data").rglob("*.f*")
        if ".skyfs" not in path.parts
    )


def place(repo: Repository, ref: DatasetRef) -> Location:
    (found,) = repo.registry.lookup.by_id(repo.registry.current(), [ref.id])[ref.id].locations
    return found


def served(repo: Repository, ref: DatasetRef) -> bytes:
    fs = skyfs.filesystem(repo)
    data: bytes = fs.cat_file(repo.path(ref))
    info = fs.info(repo.path(ref))
    assert info["size"] == len(data)
    assert info["sha256"] in (hashlib.sha256(data).hexdigest(), None)
    return data


@pytest.mark.parametrize("name", ["night_1.fits", "night_1.fits.fz"])
@pytest.mark.parametrize("mode", MODES)
def test_a_file_is_taken_in_once_and_goes_with_its_last_dataset(
    raws: Repository, tmp_path: Path, mode: str, name: str
) -> None:
    source = camera(tmp_path / name)
    expected, whole, mtime_ns = pieces(source), source.read_bytes(), source.stat().st_mtime_ns
    refs = raws.ingest(of_detectors(source), "raw", run="raw/all", mode=mode)
    assert source.exists() is (mode != "move")
    places = [place(raws, ref) for ref in refs]
    assert len({(one.store, one.key) for one in places}) == 1
    assert places[0].key == (str(source)[1:] if mode == "direct" else f"{FOLDER}/{name}")
    assert places[0].owned is (mode != "direct")
    assert stored(raws) == ([] if mode == "direct" else [f"{FOLDER}/{name}"])
    for data, ref, one in zip(expected, refs, places, strict=True):
        assert one.sha256 == hashlib.sha256(data).digest()
        assert (one.size, one.mtime_ns, one.extension) == (len(data), mtime_ns, source.name[7:])
        assert served(raws, ref) == data
        assert one.part is not None
        copied = mode in ("auto", "copy", "move")
        assert one.part.file_size == len(whole)
        assert one.part.file_sha256 == (hashlib.sha256(whole).digest() if copied else None)
        hdus = raws.get(ref)
        assert isinstance(hdus, fits.HDUList)
        assert hdus[1].header["CCD"] == ref.data_id["detector"]
    raws.remove([refs[1]])
    assert [served(raws, refs[n]) for n in (0, 2)] == [expected[0], expected[2]]
    raws.remove([refs[0], refs[2]])
    assert stored(raws) == []
    assert source.exists() is (mode != "move")


def test_a_file_is_removed_and_taken_in_again_in_one_transaction(raws: Repository, tmp_path: Path) -> None:
    source = camera(tmp_path / "night.fits")
    refs = raws.ingest(of_detectors(source), "raw", run="raw/all", mode="copy")
    with raws.transaction():
        raws.remove(refs)
        refs = raws.ingest(of_detectors(source), "raw", run="raw/all", mode="copy")
    assert [served(raws, ref) for ref in refs] == pieces(source)
    assert len(stored(raws)) == 1


@pytest.mark.parametrize("mode", ["copy", "direct"])
def test_the_file_goes_with_its_run(raws: Repository, tmp_path: Path, mode: str) -> None:
    before = snapshot(raws.root)
    source = camera(tmp_path / "a.fits")
    raws.ingest(of_detectors(source), "raw", run="u/gone", mode=mode)
    raws.remove_run("u/gone")
    assert source.exists()
    # Words stay, and the counter of collections.
    assert snapshot(raws.root)[0] == before[0]
    assert not raws.registry.lookup.has_parts("local", f"{FOLDER}/a.fits".replace("raw/all", "u/gone"))


def test_one_of_many_is_replaced_alone(raws: Repository, tmp_path: Path) -> None:
    source = camera(tmp_path / "a.fits")
    expected = pieces(source)
    first, second, third = raws.ingest(of_detectors(source), "raw", run="raw/all")
    other = fits.HDUList([fits.PrimaryHDU(np.ones((4, 4)))])
    new = raws.put(other, "raw", run="raw/all", replace=True, **data_id(detector=1))
    assert new.id != second.id
    assert np.all(fits.getdata(raws.root / "data" / place(raws, new).key) == 1)
    assert [served(raws, ref) for ref in (first, third)] == [expected[0], expected[2]]
    again = camera(tmp_path / "b.fits", seed=5)
    (newer,) = raws.ingest(of_detectors(again, detectors=[1]), "raw", run="raw/all", replace=True)
    assert served(raws, newer) == pieces(again)[1]
    assert stored(raws) == [f"{FOLDER}/a.fits", f"{FOLDER}/b.fits"]


@pytest.mark.parametrize("mode", ["copy", "direct"])
def test_all_of_a_file_are_replaced_at_once(raws: Repository, tmp_path: Path, mode: str) -> None:
    old, new = camera(tmp_path / "a.fits"), camera(tmp_path / "new" / "a.fits", seed=3)
    raws.ingest(of_detectors(old), "raw", run="raw/all", mode="copy")
    with pytest.raises(Exists):
        raws.ingest(of_detectors(new), "raw", run="raw/all", mode=mode)
    refs = raws.ingest(of_detectors(new), "raw", run="raw/all", mode=mode, replace=True)
    assert [served(raws, ref) for ref in refs] == pieces(new)
    # The name was taken until the change was committed.
    assert [name.startswith(f"{FOLDER}/a==") for name in stored(raws)] == [True] * (mode == "copy")


def test_tags_and_the_other_places_of_a_dataset_are_as_of_any(raws: Repository, tmp_path: Path) -> None:
    source = camera(tmp_path / "a.fits")
    refs = raws.ingest(of_detectors(source), "raw", run="raw/all")
    raws.tag(refs[:2], "best")
    data = pieces(source)[0]
    fs = skyfs.filesystem(raws)
    assert fs.cat_file(raws.path(refs[0]).replace("raw/all", "best", 1)) == data
    raws.untag(refs[:2], "best")
    assert served(raws, refs[0]) == data


# -- names ---------------------------------------------------------------------------------------------


def test_two_files_of_one_name_are_kept_apart(raws: Repository, tmp_path: Path) -> None:
    files = [camera(tmp_path / folder / "a.fits", seed=seed) for seed, folder in enumerate("xyz")]
    wanted = [of_detectors(file, detectors=[n])[0] for n, file in enumerate(files)]
    refs = raws.ingest(wanted[:2], "raw", run="raw/all") + raws.ingest(wanted[2:], "raw", run="raw/all")
    assert [served(raws, ref) for ref in refs] == [pieces(file)[n] for n, file in enumerate(files)]
    plain, *marked = stored(raws)
    assert plain == f"{FOLDER}/a.fits"
    assert [name.startswith(f"{FOLDER}/a==") and name.endswith(".fits") for name in marked] == [True, True]


HOSTILE = [
    "detector=0.fits",
    "..fits",
    ".fits",
    "a b\n;'\"%.fits",
    "é" * 125 + ".fits",
    "☆" * 83 + ".fits",
    "==" + "0" * 32 + ".fits",
    "a.FITS",
    "UPPER.x.Fits",
    b"latin1-\xe9.fits",
    ".skyfs.fits",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("mode", ["copy", "move"])
def test_names_that_no_key_has_are_made_into_keys(
    raws: Repository, tmp_path: Path, name: str | bytes, mode: str
) -> None:
    source = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), os.fsencode(name))))
    made = camera(tmp_path / "made.fits")
    expected = pieces(made)
    made.rename(source)
    given = [IngestFile(one.path, one.data_id, ".fits", part=one.part) for one in of_detectors(source)]
    refs = raws.ingest(given, "raw", run="raw/all", mode=mode)
    assert [served(raws, ref) for ref in refs] == expected
    (key,) = stored(raws)
    folder, _, kept = key.rpartition("/")
    assert folder == FOLDER
    assert "=" not in kept
    assert kept.endswith(".fits")
    assert len(kept.encode()) <= 255
    put = raws.put(fits.HDUList([fits.PrimaryHDU()]), "raw", run="raw/all", **data_id(exposure=903336))
    raws.remove([*refs, put])
    assert stored(raws) == []


def test_what_has_no_level_in_common_is_marked(repo: Repository, tmp_path: Path) -> None:
    repo.insert("instrument", [{"name": "Other"}])
    repo.insert("detector", [{"instrument": "Other", "id": 0, "full_name": "x"}])
    repo.register("flaw", ["detector"], "Hdus")
    source = camera(tmp_path / "flaw.fits")
    ids = [{"instrument": name, "detector": 0} for name in ("HSC", "Other")]
    files = [IngestFile(source, one, part=number) for number, one in enumerate(ids, 1)]
    refs = repo.ingest(files, "flaw", run="u")
    assert stored(repo) == [f"u/flaw/flaw=={refs[0].id.hex}.fits"]
    # A dataset whose own key is what the file would be called.
    repo.register("flaw2", [], "Hdus")
    assert repo.registry.lookup.holds(repo.registry.current(), "local", stored(repo)[0])
    repo.remove([refs[0]])
    assert repo.registry.lookup.holds(repo.registry.current(), "local", stored(repo)[0])


# -- several types, declared datasets ------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["copy", "direct"])
@pytest.mark.parametrize("whole_first", [True, False])
def test_a_file_holds_several_types_and_is_a_dataset_itself(
    raws: Repository, tmp_path: Path, mode: str, *, whole_first: bool
) -> None:
    raws.register("guider", ["exposure", "detector"], "Hdus")
    raws.register("camera", ["exposure"], "Hdus", capture={"object": "header:OBJECT"})
    source = camera(tmp_path / "a.fits")
    data = source.read_bytes()
    whole = IngestFile(source, {"instrument": "HSC", "exposure": 903334}, type_name="camera")
    guider = IngestFile(source, data_id(detector=2), part=3, type_name="guider")
    parts = [*of_detectors(source, detectors=[0, 1]), guider]
    given = [whole, *parts] if whole_first else [*parts, whole]
    refs = {ref.type.name: ref for ref in raws.ingest(given, "raw", run="raw/all", mode=mode)}
    assert len({place(raws, ref).key for ref in refs.values()}) == 1
    assert served(raws, refs["camera"]) == data
    assert served(raws, refs["guider"]) == pieces(source)[2]
    assert place(raws, refs["camera"]).size == len(data)
    found = raws.query("camera", collections="raw/all", where="camera.object = 'M1'")
    assert [ref.id for ref in found] == [refs["camera"].id]
    raws.remove([refs["camera"]])
    assert served(raws, refs["raw"]) == pieces(source)[1]
    raws.remove(list(raws.query("raw", collections="raw/all")))
    assert len(stored(raws)) == (mode == "copy")
    raws.remove([refs["guider"]])
    assert (stored(raws), source.exists()) == ([], True)


def test_declared_datasets_get_their_bytes(raws: Repository, tmp_path: Path) -> None:
    ids = [data_id(detector=n) for n in DETECTORS]
    declared = raws.declare("raw", ids[:2], run="raw/all")
    raws.register("camera", ["exposure"], "Hdus")
    exposure = {"instrument": "HSC", "exposure": 903334}
    (camera_ref,) = raws.declare("camera", [exposure], run="raw/all")
    source = camera(tmp_path / "a.fits")
    whole = IngestFile(source, exposure, type_name="camera")
    refs = raws.ingest([*of_detectors(source), whole], "raw", run="raw/all")
    assert [ref.id for ref in (*refs[:2], refs[3])] == [ref.id for ref in (*declared, camera_ref)]
    assert [served(raws, ref) for ref in refs] == [*pieces(source), source.read_bytes()]
    raws.remove([camera_ref])
    assert [served(raws, ref) for ref in refs[:3]] == pieces(source)


def test_of_each_dataset_its_own_header_is_captured(repo: Repository, tmp_path: Path) -> None:
    repo.register("raw", ["exposure", "detector"], "Hdus", capture={"ccd": "header:CCD"})
    repo.ingest(of_detectors(camera(tmp_path / "a.fits.fz")), "raw", run="raw/all")
    (ref,) = repo.query("raw", collections="raw/all", where="raw.ccd = 2")
    assert ref.data_id["detector"] == 2


# -- refusals ------------------------------------------------------------------------------------------


def _packed(folder: Path) -> list[IngestFile]:
    file = folder / "a.fits.gz"
    file.write_bytes(gzip.compress(camera(folder / "b.fits").read_bytes()))
    return of_detectors(file)


def _text(folder: Path) -> list[IngestFile]:
    (folder / "a.txt").write_text("x")
    return of_detectors(folder / "a.txt")


def _truncated(folder: Path) -> list[IngestFile]:
    file = camera(folder / "a.fits")
    file.write_bytes(file.read_bytes()[:-2880])
    return of_detectors(file, detectors=[0])


def _no_such_hdu(folder: Path) -> list[IngestFile]:
    return [IngestFile(camera(folder / "a.fits"), data_id(), part=4)]


def _primary(folder: Path) -> list[IngestFile]:
    return [IngestFile(camera(folder / "a.fits"), data_id(), part=0)]


def _two_extensions(folder: Path) -> list[IngestFile]:
    first, second, _ = of_detectors(camera(folder / "a.fits"))
    return [first, IngestFile(second.path, second.data_id, ".fit", part=2)]


def _nothing(folder: Path) -> list[IngestFile]:
    return of_detectors(folder / "none.fits")


def _clash(folder: Path) -> list[IngestFile]:
    return of_detectors(camera(folder / "a.fits"), detectors=[0, 0])


REFUSED = [
    (_packed, Unsupported, r"a\.fits\.gz.*unpack it, or compress it with fpack"),
    (_text, Unsupported, "unpack|fpack"),
    (_truncated, BadContent, "truncated"),
    (_no_such_hdu, BadContent, "HDU 4.*its last is 3"),
    (_primary, BadContent, "HDU 0"),
    (_two_extensions, BadArgument, "several extensions"),
    (_nothing, FileNotFoundError, "none"),
    (_clash, Exists, "twice|exists"),
]


@pytest.mark.parametrize("mode", ["copy", "move", "direct"])
@pytest.mark.parametrize(("make", "error", "message"), REFUSED)
def test_one_bad_part_refuses_all_and_changes_nothing(
    raws: Repository, tmp_path: Path, make: object, error: type[SkyfsError], message: str, mode: str
) -> None:
    assert callable(make)
    folder = tmp_path / "bad"
    folder.mkdir()
    good, bad = camera(tmp_path / "good.fits"), make(folder)
    before, data = snapshot(raws.root), good.read_bytes()
    with pytest.raises(error, match=message):
        raws.ingest([*of_detectors(good, 903336), *bad], "raw", run="raw/all", mode=mode)
    assert snapshot(raws.root) == before
    assert good.read_bytes() == data


@pytest.mark.parametrize("mode", ["copy", "move", "link", "symlink"])
def test_a_file_that_changes_while_it_is_read_is_refused(
    raws: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    source = camera(tmp_path / "a.fits")
    before, adopt = snapshot(raws.root), LocalBatch.adopt

    def spoil(batch: LocalBatch, key: str, path: str, how: Adoption) -> None:
        os.utime(path, ns=(10**18, 10**18))
        adopt(batch, key, path, how)

    monkeypatch.setattr(LocalBatch, "adopt", spoil)
    with pytest.raises(StoreError, match="changed while it was read"):
        raws.ingest(of_detectors(source), "raw", run="raw/all", mode=mode)
    assert snapshot(raws.root) == before
    assert source.exists()


def test_a_file_in_place_that_was_changed_later_is_not_served(raws: Repository, tmp_path: Path) -> None:
    source = camera(tmp_path / "a.fits")
    refs = raws.ingest(of_detectors(source), "raw", run="raw/all", mode="direct")
    part = place(raws, refs[0]).part
    assert part is not None
    source.write_bytes(source.read_bytes() + pieces(source)[0][part.head :])
    with pytest.raises(BadContent, match=r"HDU 3 of a FITS file.*it had .* when it was taken in"):
        raws.get(refs[2])
    # Taken in anew it is what it is now.
    raws.ingest(of_detectors(source), "raw", run="raw/all", mode="direct", replace=True)
    found = [raws.find("raw", collections="raw/all", **data_id(detector=n)) for n in DETECTORS]
    assert [len(served(raws, ref)) for ref in found] == [len(piece) for piece in pieces(source)[:3]]


# -- ranges --------------------------------------------------------------------------------------------


class Counted(Buffer):
    """Bytes that count how they are asked for."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.calls: list[list[tuple[int, int]]] = []

    def read_many(self, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        self.calls.append(list(ranges))
        return [super(Counted, self).read(start, stop) for start, stop in ranges]


def test_many_ranges_are_one_call_of_the_whole_file() -> None:
    data = bytes(range(256)) * 40
    whole = Counted(data)
    part = FitsPart(whole, Part(2, 100, 5000, len(data)), 600)
    expected = data[:100] + data[5000:5500]
    ranges = [(0, 3), (90, 130), (100, 100), (599, 900), (7, 5), (200, 600)]
    assert part.read_many(ranges) == [expected[start:stop] for start, stop in ranges]
    assert whole.calls == [[(0, 3), (90, 100), (5000, 5030), (5499, 5500), (5100, 5500)]]
    assert part.read_all() == expected
    assert whole.calls[1:] == [[(0, 100), (5000, 5500)]]


def test_wrong_bytes_are_not_served_whole() -> None:
    data = bytes(range(250)) * 40
    digest = hashlib.sha256(data[:100] + data[5000:5500]).digest()
    part = Part(2, 100, 5000, len(data))
    assert FitsPart(Buffer(data), part, 600, digest).read_all() == data[:100] + data[5000:5500]
    with pytest.raises(WrongBytes, match="their digest is"):
        FitsPart(Buffer(data[:5001] + b"\xff" + data[5002:]), part, 600, digest).read_all()
    with pytest.raises(WrongBytes, match="came, not 600"):
        FitsPart(Buffer(data[:5400]), part, 600).read_all()


def test_opening_reads_nothing(raws: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raws.ingest(of_detectors(camera(tmp_path / "a.fits")), "raw", run="raw/all")
    asked: list[tuple[int, int]] = []
    store = raws.stores["local"]
    with store.open(f"{FOLDER}/a.fits") as opened:
        kind = type(opened)
    read = kind.read

    def counting(source: ByteSource, start: int, stop: int) -> bytes:
        asked.append((start, stop))
        return read(source, start, stop)

    monkeypatch.setattr(kind, "read", counting)
    place_, source = raws.open_bytes(raws.resolve("raw", collections="raw/all", **data_id(detector=1)))
    with source:
        assert asked == []
        part = place_.part
        assert part is not None
        source.read_all()
    assert asked == [(0, part.head), (part.start, part.start + place_.size - part.head)]


# -- dead writers --------------------------------------------------------------------------------------


def _ingest_and_die(root: Path, source: Path, mode: str, method: str) -> None:
    with skyfs.open(root, writable=True) as repo:

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        owner = type(repo.registry.datasets) if method == "insert" else LocalBatch
        setattr(owner, method, die)
        repo.ingest(of_detectors(source), "raw", run="raw/all", mode=mode)


@pytest.mark.parametrize("mode", ["copy", "move", "link", "symlink"])
@pytest.mark.parametrize(("method", "committed"), [("publish", False), ("insert", False), ("settle", True)])
def test_a_killed_ingest_leaves_the_whole_file_or_nothing(
    raws: Repository, tmp_path: Path, mode: str, method: str, *, committed: bool
) -> None:
    raws.put(fits.HDUList([fits.PrimaryHDU()]), "raw", run="raw/all", **data_id(903336))
    before = snapshot(raws.root)
    raws.close()
    source = camera(tmp_path / "a.fits")
    expected = pieces(source)
    arguments = (raws.root, source, mode, method)
    process = multiprocessing.get_context("spawn").Process(target=_ingest_and_die, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with skyfs.open(raws.root, writable=True) as again:
        assert source.exists() is not (committed and mode == "move")
        if committed:
            found = [again.find("raw", collections="raw/all", **data_id(detector=n)) for n in DETECTORS]
            assert [served(again, ref) for ref in found] == expected
            again.remove(found[:2])
            assert stored(again)[0] == f"{FOLDER}/a.fits"
            again.remove(found[2:])
        assert snapshot(raws.root)[0] == before[0]


def _remove_and_die(root: Path, detectors: Sequence[int]) -> None:
    with skyfs.open(root, writable=True) as repo:

        def die(*_: object, **__: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        setattr(LocalBatch, "settle", die)  # noqa: B010 - mypy takes no assignment
        repo.remove([repo.find("raw", collections="raw/all", **data_id(detector=n)) for n in detectors])


def test_a_killed_removal_takes_the_file_with_the_last_dataset(raws: Repository, tmp_path: Path) -> None:
    refs = raws.ingest(of_detectors(camera(tmp_path / "a.fits")), "raw", run="raw/all")
    raws.remove(refs[:1])
    raws.close()
    process = multiprocessing.get_context("spawn").Process(target=_remove_and_die, args=(raws.root, [1, 2]))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    with skyfs.open(raws.root, writable=True) as again:
        assert list(again.query("raw", collections="raw/all")) == []
        assert stored(again) == []
