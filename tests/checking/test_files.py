"""Files damaged, taken away and added: found, restored from a place with the same bytes, never deleted."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skyfs
from skyfs.abc.store import Stat
from skyfs.checking import Checker, Options, Subject
from skyfs.checking.places import Places
from skyfs.checking.state import State
from skyfs.errors import BadArgument, ReadOnly, StoreError
from skyfs.repository import Repository
from skyfs.testing.faulty_store import FaultyStore
from skyfs.testing.servers import S3Server
from skyfs.writing.ingester import IngestFile

from .conftest import VISITS, Place, at, codes, fill, sqlite_place

KEY = "u/r/metrics/instrument=HSC/day_obs=20131102/visit=903334/detector=0.json"


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def _forbid(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)  # a circle: it is there, and nobody can read it


@pytest.mark.parametrize("gone", [False, True])
def test_a_folder_that_leads_out_of_the_store(place: Place, *, gone: bool) -> None:
    """It ends no check; what can be read through it is sound, and nothing is written there."""
    folder = (place.root / "data" / KEY).parent
    folder.rename(place.root / "elsewhere")
    folder.symlink_to(place.root / "elsewhere")
    if gone:
        (place.root / "elsewhere/detector=0.json").unlink()
    (place.root / "data/extra.txt").write_text("nobody's")
    report = place.check(digests=True, repair=True)
    assert codes(report) == ({"missing-file"} if gone else set())
    assert report.tallies["extra-file"].repaired == 1
    assert len(list((place.root / "elsewhere").iterdir())) == 2 - gone


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing-file": Path.unlink,
    "wrong-size": _grow,
    "wrong-digest": _flip,
    "unreadable-file": _forbid,
}


@pytest.mark.parametrize("code", DAMAGES)
def test_damaged_file_without_a_copy(place: Place, code: str) -> None:
    path = place.root / "data" / KEY
    DAMAGES[code](path)
    before = os.lstat(path.parent)
    report = place.check(digests=True)
    assert codes(report) == {code}
    (finding,) = report.findings
    assert KEY in finding.what
    assert "metrics" in finding.what
    left = place.dump(), os.lstat(path.parent)
    assert left[1].st_mtime_ns == before.st_mtime_ns
    repaired = place.check(digests=True, repair=True)
    assert codes(repaired) == {code}
    assert "lost: no sound copy was found" in repaired.findings[0].todo
    assert (place.dump(), os.lstat(path.parent)) == left  # its row stays, and so do its bytes
    assert repaired.quarantine == ""


@pytest.mark.parametrize("code", ["missing-file", "wrong-size"])
def test_sizes_are_compared_without_reading(place: Place, code: str) -> None:
    DAMAGES[code](place.root / "data" / KEY)
    report = place.check()
    assert codes(report) == {code}
    assert report.read_bytes == 0


def test_a_changed_byte_needs_reading(place: Place) -> None:
    _flip(place.root / "data" / KEY)
    assert place.check().clean
    assert codes(place.check(digests=True)) == {"wrong-digest"}


@pytest.mark.parametrize("code", DAMAGES)
def test_file_restored_from_another_repository(place: Place, tmp_path: Path, code: str) -> None:
    other = tmp_path / "other"
    shutil.copytree(place.root, other)
    path = place.root / "data" / KEY
    sound = path.read_bytes()
    DAMAGES[code](path)
    with skyfs.open(other) as source:
        report = place.check(digests=True, repair=True, source=source)
    assert report.clean
    assert "repository 'sky'" in report.findings[0].todo
    assert path.read_bytes() == sound
    kept = list((place.root / "data" / ".skyfs").rglob("*=0.json"))
    assert [file.relative_to(place.root / "data/.skyfs/quarantine" / report.quarantine) for file in kept] == (
        [] if code == "missing-file" else [Path(KEY)]
    )
    assert place.check(digests=True).clean


def test_a_copy_that_is_damaged_too_is_not_taken(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(place.root, other)
    _flip(other / "data" / KEY)
    (place.root / "data" / KEY).unlink()
    with skyfs.open(other) as source:
        report = place.check(repair=True, source=source)
    assert codes(report) == {"missing-file"}
    assert "sha256" in report.findings[0].todo
    assert not (place.root / "data" / KEY).exists()


def test_extra_files_go_into_the_quarantine(place: Place) -> None:
    extra = place.root / "data" / "u" / "r" / "left\udcff.fits"
    extra.write_bytes(b"nobody's")
    report = place.check()
    assert codes(report) == {"extra-file"}
    assert extra.exists()
    repaired = place.check(repair=True)
    assert repaired.clean
    assert not extra.exists()
    kept = place.root / "data/.skyfs/quarantine" / repaired.quarantine / "u/r/left\udcff.fits"
    assert kept.read_bytes() == b"nobody's"
    assert place.check().clean


def test_a_store_that_is_mostly_somebody_elses_is_left_alone(place: Place) -> None:
    folder = place.root / "data" / "theirs"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number}.fits").write_bytes(b"x")
    report = place.check(repair=True)
    assert report.tallies["extra-file"].found == 120
    assert report.tallies["extra-file"].repaired == 0
    assert "writable: false" in report.findings[0].todo
    assert len(list(folder.iterdir())) == 120


def test_what_is_no_dataset_but_belongs_there_is_no_extra_file(tmp_path: Path) -> None:
    stores = [{"name": "outer", "url": "."}, {"name": "inner", "url": "inside"}]
    with skyfs.create(tmp_path / "sky", stores=stores) as repo:
        fill(repo)
        (tmp_path / "sky" / "mine.json").write_text("{}")
        repo.register("plain", [], "Dict")
        repo.ingest([IngestFile(tmp_path / "sky" / "mine.json", {})], "plain", run="direct", mode="direct")
        assert repo.check().clean
        assert repo.check(repair=True, resume=True).clean


def test_a_file_that_a_writer_is_about_to_register_is_not_extra(place: Place) -> None:
    with skyfs.open(place.root, writable=True) as writer:
        batch = writer.stores["local"].begin()
        with batch.create("u/r/soon.json") as file:
            file.write(b"{}")
        batch.publish()
        assert place.check().clean
        assert place.check(repair=True).clean
        assert (place.root / "data/u/r/soon.json").exists()
        batch.undo()


def test_a_dataset_put_while_it_is_checked_is_whole(place: Place) -> None:
    with skyfs.open(place.root, writable=True) as writer, skyfs.open(place.root, writable=True) as repo:

        def put(stage: str, done: int, _: int) -> None:
            if stage == "files":  # the store was scanned before
                writer.put({"n": done}, "metrics", run="late", **at(VISITS[0], 2))
                writer.remove([writer.find("metrics", collections="u/r", **at())])

        report = repo.check(digests=True, repair=True, watch=put)
    assert report.clean
    assert report.findings == ()
    assert place.check(digests=True).clean
    with skyfs.open(place.root) as repo:
        assert repo.get("metrics", collections="late", **at(VISITS[0], 2)) == {"n": 6}


class _Removing(FaultyStore):
    """Whenever it is asked for a file, the dataset is removed at that moment."""

    remove: Callable[[], object]

    def stat(self, key: str) -> Stat:
        self.remove()
        return super().stat(key)


def test_a_dataset_removed_while_its_file_is_looked_at_is_not_missed(place: Place) -> None:
    with skyfs.open(place.root, writable=True) as writer, skyfs.open(place.root) as reading:
        store = _Removing(reading.stores["local"])
        store.remove = lambda: writer.remove(writer.query("metrics", collections="u/r"))
        stores = {**reading.stores, "local": store}
        subject = Subject(reading.root, reading.config, reading.registry, stores, reading.recover, 0)
        with State(None) as state:
            report = Checker(subject, Options(), state, None, lambda *_: None).run(resume=False)
    assert report.files == 6
    assert report.findings == ()


def test_files_taken_in_unread_get_a_digest(place: Place, tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text('{"n": 7}')
    with skyfs.open(place.root, writable=True) as repo:
        repo.ingest([IngestFile(given, at(VISITS[1], 2))], "metrics", run="direct", mode="direct")
    report = place.check(digests=True)
    assert (report.undigested, report.filled, report.clean) == (1, 0, True)
    repaired = place.check(digests=True, repair=True)
    assert (repaired.filled, repaired.clean) == (1, True)
    with skyfs.open(place.root) as repo:
        node = skyfs.filesystem(repo).info(
            repo.path(repo.find("metrics", collections="direct", **at(VISITS[1], 2)))
        )
        assert node["sha256"] == hashlib.sha256(b'{"n": 7}').hexdigest()
    given.write_text('{"n": 8}')
    report = place.check(digests=True, repair=True)
    assert codes(report) == {"wrong-digest"}
    assert "not skyfs's own" in report.findings[0].todo
    assert given.read_text() == '{"n": 8}'


def test_a_sample_is_drawn_by_its_seed(sqlite_template: Path, tmp_path: Path) -> None:
    place = sqlite_place(tmp_path / "sky")
    shutil.copytree(sqlite_template, place.root)
    for path in (place.root / "data" / "u").rglob("*.json"):
        path.unlink()
    found = {
        seed: {one.what for one in place.check(sample="3", seed=seed).findings if one.code == "missing-file"}
        for seed in range(8)
    }
    assert {len(some) <= 3 for some in found.values()} == {True}
    assert len({tuple(sorted(some)) for some in found.values()}) > 1
    again = place.check(sample="3", seed=3)
    assert {one.what for one in again.findings} == found[3]
    assert (again.files, again.seed) == (3, 3)
    assert place.check(sample="100%").tallies["missing-file"].found == 4


@pytest.mark.parametrize("text", ["", "0", "some", "101%", "1.5", "-3"])
def test_a_sample_that_makes_no_sense(place: Place, text: str) -> None:
    with pytest.raises(BadArgument):
        place.check(sample=text)


def test_reading_only_cannot_repair(place: Place) -> None:
    with skyfs.open(place.root) as repo, pytest.raises(ReadOnly):
        repo.check(repair=True)


class _Interrupted(Exception):
    pass


def _many(root: Path) -> Repository:
    """Make a repository with more files than one page has."""
    repo = skyfs.create(root, options={"durability": "process"})
    fill(repo)
    repo.insert("detector", [{"instrument": "HSC", "id": n, "full_name": f"x{n}"} for n in range(3, 2600)])
    given = root / "given"
    given.mkdir()
    for number in range(2600):
        (given / f"{number}.json").write_text(f'{{"n": {number}}}')
    files = [IngestFile(given / f"{number}.json", at(VISITS[0], number)) for number in range(2600)]
    repo.ingest(files, "metrics", run="many", mode="move")
    return repo


def test_an_interrupted_check_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "sky"
    _many(root).close()
    first = next((root / "data" / "u").rglob("*.json"))
    last = root / "data/many/metrics/instrument=HSC/day_obs=20131102/visit=903334/detector=2599.json"
    _flip(first)
    _flip(last)

    def interrupt(stage: str, done: int, _: int) -> None:
        if stage == "files" and done:
            raise _Interrupted

    with skyfs.open(root) as repo, pytest.raises(_Interrupted):
        repo.check(digests=True, resume=True, watch=interrupt)
    assert (root / ".skyfs/check/state.sqlite3").exists()
    first.unlink()  # it was judged before: what is found is still what was found then
    seen: list[int] = []
    with skyfs.open(root) as repo:
        report = repo.check(
            digests=True,
            resume=True,
            watch=lambda stage, done, _: seen.append(done) if stage == "files" else None,
        )
    assert report.tallies["wrong-digest"].found == 2
    assert report.tallies.keys() == {"wrong-digest"}
    assert report.files == 2606
    assert seen[0] > 500
    assert not (root / ".skyfs").exists()


def test_other_options_begin_anew(place: Place) -> None:
    def interrupt(stage: str, *_: int) -> None:
        if stage == "files":
            raise _Interrupted

    with skyfs.open(place.root) as repo, pytest.raises(_Interrupted):
        repo.check(resume=True, watch=interrupt)
    report = place.check(digests=True, resume=True)
    assert report.read_bytes > 0
    assert report.files == 6


def test_two_checks_with_one_state(place: Place) -> None:
    def again(stage: str, *_: int) -> None:
        if stage == "files":
            with pytest.raises(StoreError, match="without --resume"):
                place.check(resume=True)
            assert place.check().clean

    with skyfs.open(place.root) as repo:
        assert repo.check(resume=True, watch=again).clean


def _chained(root: Path, s3: S3Server, bucket: str) -> Repository:
    far = {"name": "far", "url": f"{s3.bucket(bucket)}/sky", "options": dict(s3.options), "types": ["*"]}
    near = {"name": "near", "url": "near", "types": ["*"]}
    cache: dict[str, Any] = {"cache": {"folder": "kept"}, "durability": "process"}
    repo = skyfs.create(root, stores=[near, far], options=cache)
    fill(repo)
    return repo


def _far(s3: S3Server) -> Any:  # noqa: ANN401 - of fsspec
    import s3fs

    return s3fs.S3FileSystem(**dict(s3.options), skip_instance_cache=True)


@pytest.mark.parametrize("code", ["missing-file", "wrong-size", "wrong-digest"])
def test_two_stores_restore_each_other(tmp_path: Path, s3: S3Server, code: str) -> None:
    bucket = f"check-chain-{code}"
    _chained(tmp_path / "sky", s3, bucket).close()
    place = sqlite_place(tmp_path / "sky")
    assert place.check(digests=True).clean
    fs, object_ = _far(s3), f"{bucket}/sky/{KEY}"
    sound = fs.cat_file(object_)
    damaged = {"missing-file": None, "wrong-size": sound + b"x", "wrong-digest": b"[" + sound[1:]}[code]
    fs.rm_file(object_)
    if damaged is not None:
        fs.pipe_file(object_, damaged)
    fs.pipe_file(f"{bucket}/sky/extra.fits", b"nobody's")
    report = place.check(digests=True)
    assert codes(report) == {code, "extra-file"}
    repaired = place.check(digests=True, repair=True)
    assert repaired.clean
    fs.invalidate_cache()
    assert fs.cat_file(object_) == sound
    aside = f"{bucket}/sky/.skyfs/quarantine/{repaired.quarantine}"
    assert fs.cat_file(f"{aside}/extra.fits") == b"nobody's"
    assert (fs.cat_file(f"{aside}/{KEY}") if damaged else None) == damaged
    DAMAGES[code](tmp_path / "sky" / "near" / KEY)
    assert place.check(digests=True, repair=True).clean
    assert (tmp_path / "sky" / "near" / KEY).read_bytes() == sound


def test_an_upload_under_way_is_not_extra(tmp_path: Path, s3: S3Server) -> None:
    with _chained(tmp_path / "sky", s3, "check-upload") as writer:
        batch = writer.stores["far"].begin()
        with batch.create("u/r/soon.json") as file:
            file.write(b"{}")
        batch.publish()
        place = sqlite_place(tmp_path / "sky")
        assert place.check().clean
        assert place.check(repair=True).clean
        batch.undo()


def _read_through_the_cache(root: Path, s3: S3Server, bucket: str) -> tuple[Place, Path]:
    """Give a repository whose near store lacks a file, which the disk cache has; and the cache's file."""
    with _chained(root, s3, bucket) as repo:
        (root / "near" / KEY).unlink()
        assert repo.get("metrics", collections="u/r", **at()) == {"n": 0}
    (kept,) = [path for path in (root / "kept" / "content").rglob("c*") if path.is_file()]
    return sqlite_place(root), kept


def test_damaged_files_of_the_disk_cache(tmp_path: Path, s3: S3Server) -> None:
    place, kept = _read_through_the_cache(tmp_path / "sky", s3, "check-cache")
    _flip(kept)
    report = place.check(digests=True)
    assert codes(report) == {"missing-file", "damaged-cache-file"}
    assert kept.exists()
    assert place.check(digests=True, repair=True).clean
    assert not kept.exists()
    assert place.check(digests=True).clean


@pytest.mark.parametrize("sound", [True, False])
def test_the_disk_cache_may_have_the_last_copy(tmp_path: Path, s3: S3Server, sound: bool) -> None:  # noqa: FBT001
    bucket = f"check-last-{str(sound).lower()}"
    place, kept = _read_through_the_cache(tmp_path / "sky", s3, bucket)
    data = kept.read_bytes()
    fs = _far(s3)
    fs.rm_file(f"{bucket}/sky/{KEY}")
    if not sound:
        _flip(kept)
    repaired = place.check(digests=True, repair=True)
    assert codes(repaired) == (set() if sound else {"missing-file"})
    fs.invalidate_cache()
    assert fs.exists(f"{bucket}/sky/{KEY}") is sound
    near = tmp_path / "sky" / "near" / KEY
    assert (near.read_bytes() if near.exists() else None) == (data if sound else None)


def test_stores_that_are_not_there(tmp_path: Path, s3: S3Server) -> None:
    _chained(tmp_path / "sky", s3, "check-offline").close()
    shutil.move(tmp_path / "sky" / "near", tmp_path / "unmounted")
    with skyfs.open(tmp_path / "sky", overrides={"on_missing": "fail"}) as repo:
        report = repo.check(digests=True)
    assert not report.clean
    assert (report.files, report.found) == (0, 0)
    assert sorted(one.partition(":")[0] for one in report.skipped) == [
        "files of store 'far'",
        "files of store 'near'",
    ]


def _put_and_die(root: Path) -> None:
    with skyfs.open(root, writable=True) as repo:
        datasets = type(repo.registry.datasets)
        datasets.insert = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        repo.put({"n": 1}, "metrics", run="u/r", **at(VISITS[0], 2))


def test_what_a_writer_left_who_died(place: Place) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_put_and_die, args=(place.root,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    left = place.files()
    report = place.check()
    assert codes(report) == {"dead-writer"}  # its file is no extra one
    assert place.files() == left
    repaired = place.check(repair=True)
    assert repaired.clean
    assert repaired.tallies["dead-writer"].repaired == 1
    assert place.check().found == 0
    assert len(place.files()) == 6


@pytest.mark.parametrize("kind", ["near", "far"])
def test_only_the_very_same_file_is_set_aside(tmp_path: Path, s3: S3Server, kind: str) -> None:
    with _chained(tmp_path / "sky", s3, f"check-aside-{kind}") as repo:
        store = Places(repo.stores, repo.config, repo.root).setter_aside(kind)
        assert store is not None
        identity = store.identify(KEY)
        repo.put({"n": 5}, "metrics", run="u/r", replace=True, **at())
        assert store.set_aside(KEY, identity, "then") == ""  # it went with the change
        found = repo.resolve("metrics", collections="u/r", **at())
        (key,) = [place.key for place in found.locations if place.store == kind]
        assert store.set_aside(key, identity, "then") == ""
        assert repo.get("metrics", collections="u/r", **at()) == {"n": 5}
        assert store.set_aside(key, store.identify(key), "then").endswith(f".skyfs/quarantine/then/{key}")
        assert store.identify(key) == ""
    with skyfs.open(tmp_path / "sky") as reading:
        store = Places(reading.stores, reading.config, reading.root).setter_aside(kind)
        assert store is not None
        with pytest.raises(ReadOnly):
            store.set_aside(key, "", "then")
