"""A registry that was lost is made anew, and answers as before."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import skyfs
from skyfs.errors import NotFound, StoreError, VersionError
from skyfs.lifecycle.rebuilding import rebuild
from skyfs.registry.changelog import FOLDER
from skyfs.registry.manifest.blocks import WHOLE
from skyfs.writing.ingester import IN_PLACE, IngestFile

from .conftest import Kind, answers, data_id

Drop = Callable[[Path], None]


def test_every_answer_is_the_same_before_and_after(root: Path, dropped: Drop) -> None:
    before = answers(root)
    dropped(root)
    with pytest.raises(NotFound):
        skyfs.open(root)
    found = rebuild(root)
    assert (found.lost, found.placed.unplaced, found.refused, found.unknown) == ([], [], [], [])
    assert (found.changed, found.placed.datasets, found.doubtful) == ([], 0, 0)
    assert found.declared == 1
    assert answers(root) == before
    # Once more: of the description that was written.
    assert (root / FOLDER / WHOLE).exists()
    dropped(root)
    rebuild(root)
    assert answers(root) == before


def test_what_is_written_after_a_rebuild_is_in_the_log(root: Path, dropped: Drop) -> None:
    rebuild(root)
    with skyfs.open(root, writable=True) as repo:
        repo.put({"more": 1}, "metrics", run="u/c", **data_id())
        repo.remove([repo.find("summary", collections="u/b")])
    before = answers(root)
    dropped(root)
    rebuild(root)
    assert answers(root) == before


def test_digests_that_a_check_has_filled_in_are_in_the_log(root: Path, dropped: Drop) -> None:
    with skyfs.open(root, writable=True) as repo:
        camera = root.parent / "linked.fits"
        shutil.copy(root.parent / "camera.fits", camera)
        parts = [IngestFile(camera, data_id(903336, n), part=n + 1) for n in range(2)]
        repo.ingest(parts, "raw", run="raw/linked", mode="link")
        assert repo.check(digests=True, repair=True).filled >= 2
    before = answers(root)
    dropped(root)
    rebuild(root)
    assert answers(root) == before
    with skyfs.open(root) as repo:
        assert repo.check(digests=True).undigested == 0


def test_who_has_the_old_registry_open_writes_no_more(root: Path, kind: Kind) -> None:
    """What went into it then would be in nobody's registry."""
    if kind.name != "sqlite":
        pytest.skip("a schema has a name, and no file that could be put aside")
    with skyfs.open(root, writable=True) as repo:
        repo.put({"n": 1}, "summary", run="u/before")
        rebuild(root)
        with pytest.raises(StoreError, match=r"another one has taken its place .*open the repository again"):
            repo.put({"n": 2}, "summary", run="u/after")
    with skyfs.open(root, writable=True) as repo:
        assert repo.get("summary", collections="u/before") == {"n": 1}
        assert repo.check().clean
        repo.put({"n": 2}, "summary", run="u/after")


def test_the_old_registry_is_set_aside(root: Path, kind: Kind) -> None:
    found = rebuild(root)
    registry, manifests = found.aside
    assert Path(manifests).is_dir()
    assert list(Path(manifests).iterdir())
    if kind.name == "sqlite":
        assert Path(registry).read_bytes()[:15] == b"SQLite format 3"
    else:
        assert kind.server is not None
        with kind.server.connect() as raw:
            schema = registry.rpartition(" ")[2].removesuffix(")")
            raw.execute("SELECT set_config('search_path', %s, false)", [schema])
            assert raw.execute("SELECT count(*) FROM dataset").fetchone() != (0,)


def test_a_dry_run_changes_nothing(root: Path, dropped: Drop) -> None:
    dropped(root)
    before = sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*"))
    found = rebuild(root, dry_run=True)
    assert found.datasets > 8
    assert found.aside == []
    assert sorted((path, path.stat().st_mtime_ns) for path in root.rglob("*")) == before
    with pytest.raises(NotFound):
        skyfs.open(root)


def test_a_damaged_registry_is_set_aside(root: Path, kind: Kind) -> None:
    if kind.name != "sqlite":
        pytest.skip("a server's files are its own")
    before = answers(root)
    (root / "registry.sqlite3").write_bytes(b"rubbish" * 1000)
    with pytest.raises(VersionError):
        skyfs.open(root)
    found = rebuild(root)
    assert Path(found.aside[0]).read_bytes() == b"rubbish" * 1000
    assert answers(root) == before


def test_files_that_are_gone_leave_datasets_declared(root: Path, dropped: Drop) -> None:
    with skyfs.open(root) as repo:
        one = repo.find("metrics", collections="u/a", **data_id(detector=0))
        summary = repo.find("summary", collections="u/b")
    key = "u/a/metrics/instrument=HSC/day_obs=20131102/exposure=903334/detector=0.json"
    (root / "data" / key).unlink()
    (root / "data/u/b/summary.json").unlink()
    dropped(root)
    found = rebuild(root)
    assert sorted(found.lost) == sorted(
        [(str(one), "local", key), (str(summary), "local", "u/b/summary.json")]
    )
    with skyfs.open(root) as repo:
        # The second store has the one; nobody has the other.
        assert repo.get(one) == {"seeing": 0.6, "n": 0}
        assert repo.resolve("summary", collections="u/b").locations == ()
        inputs = dict.fromkeys(made for made, _ in repo.registry.details.inputs([summary.id]))
        assert list(inputs) == [summary.id]


def test_a_repository_that_was_moved_is_rebuilt_where_it_is(root: Path, dropped: Drop) -> None:
    inside = root / "shared.fits"
    shutil.copy(root.parent / "alone.fits", inside)
    with skyfs.open(root, writable=True) as repo:
        repo.ingest([IngestFile(inside, data_id(903336, 2))], "raw", run="raw/all", mode="auto")
    moved = root.rename(root.with_name("moved"))
    # Not corrected yet by one who writes, then corrected.
    for corrected in (False, True):
        if corrected:
            skyfs.open(moved, writable=True).close()
        before = answers(moved)
        dropped(moved)
        found = rebuild(moved)
        assert (found.lost, found.refused) == ([], [])
        assert answers(moved) == before


def test_files_that_lie_elsewhere_and_are_gone_stay_registered(root: Path, dropped: Drop) -> None:
    (root.parent / "alone.fits").rename(root.parent / "away")
    dropped(root)
    found = rebuild(root)
    assert [store for _, store, _ in found.lost] == [IN_PLACE]
    # Its disk may come back.
    (root.parent / "away").rename(root.parent / "alone.fits")
    with skyfs.open(root) as repo:
        assert repo.resolve("raw", collections="raw/all", **data_id(903336)).locations


def test_files_that_changed_are_told(root: Path) -> None:
    (root / "data/u/b/summary.json").write_text('{"longer": "than it was before"}')
    found = rebuild(root)
    assert [key for _, _, key in found.changed] == ["u/b/summary.json"]


def test_files_that_no_line_names_are_registered_by_their_paths(root: Path, dropped: Drop) -> None:
    old = root / "data/u/a/metrics/instrument=HSC/day_obs=20131102/exposure=903334"
    new = root / "data/u/new/metrics/instrument=HSC/day_obs=20131102/exposure=903336"
    shutil.copytree(old, new)
    (root / "data/u/new/extra.json").write_text("{}")
    (root / "data/u/new/free text.doc").write_text("?")
    (root / "data/u/new/metrics/readme").write_text("?")
    dropped(root)
    found = rebuild(root)
    assert found.placed.datasets == 4
    assert found.placed.types == ["extra"]
    assert sorted(key for _, key, _ in found.placed.unplaced) == [
        "u/new/free text.doc",
        "u/new/metrics/readme",
    ]
    assert found.unknown == []
    with skyfs.open(root) as repo:
        assert repo.get("metrics", collections="u/new", **data_id(903336, 1)) == {"seeing": 1.6, "n": 1}
        assert repo.get("/u/new/extra.json") == {}
        # Its name tells which one it was.
        copied = repo.find("metrics", collections="u/new", **data_id(903336, 2))
        assert repo.get(copied) == {"seeing": 9.0, "new": True}


def test_without_manifests_paths_tell_what_they_can(root: Path, dropped: Drop) -> None:
    before = answers(root)
    dropped(root)
    shutil.rmtree(root / FOLDER)
    found = rebuild(root)
    told = " ".join(found.unknown)
    assert "provenance" in told
    assert "the dimensions: the default ones" in told
    assert found.placed.records["exposure"] == 2
    # Of the file of many datasets the path does not tell what is in it.
    assert [key.rpartition("/")[2] for _, key, _ in found.placed.unplaced] == ["camera.fits"]
    with skyfs.open(root) as repo:
        fs = skyfs.filesystem(repo)
        files = before["files"]
        assert isinstance(files, dict)
        kept = [path for path in fs.find("/u/") if files[path][0]]
        assert len(kept) == 6
        assert repo.get("metrics", collections="u/a", **data_id(detector=1)) == {"seeing": 1.6, "n": 1}
        flats = repo.query("flat", collections="calib/*", find_first=False).to_table()
        assert len(flats) == 2


def test_the_universe_is_that_of_the_old_registry_when_it_can_be_read(root: Path) -> None:
    shutil.rmtree(root / FOLDER)
    found = rebuild(root)
    assert not any("default ones" in one for one in found.unknown)


def test_a_killed_put_is_there_or_not_as_its_file_is(root: Path, dropped: Drop) -> None:
    with skyfs.open(root, writable=True) as repo:
        one = repo.put({"a": 1}, "metrics", run="u/dead", **data_id(detector=0))
        two = repo.put({"a": 2}, "metrics", run="u/dead2", **data_id(detector=0))
        repo.remove([repo.find("summary", collections="u/b")])
    # As if the writer had died: nothing says that it closed the log.
    (log,) = (root / FOLDER).glob("*.jsonl")
    log.write_bytes(log.read_bytes().rpartition(b'\n{"closed"')[0])
    blocks = log.read_bytes().split(b'\n{"transaction"')
    removal, last = blocks.pop(), blocks.pop()
    assert b'"remove"' in removal
    assert two.id.hex[:8].encode() in last
    log.write_bytes(b'\n{"transaction"'.join([*blocks, last]))
    for path in [*root.glob("data/u/dead2/**/*.json"), *root.glob("copy/u/dead2/**/*.json")]:
        path.unlink()
    dropped(root)
    found = rebuild(root)
    assert found.doubtful == 1
    with skyfs.open(root) as repo:
        assert repo.get(one) == {"a": 1}
        assert "u/dead2" in [collection.name for collection in repo.collections("u/*")]
        assert list(repo.query("metrics", collections="u/dead2")) == []


def test_a_killed_removal_is_not_taken_while_the_files_are_there(root: Path, dropped: Drop) -> None:
    path = root / "data/u/b/summary.json"
    kept = path.read_bytes()
    with skyfs.open(root, writable=True) as repo:
        summary = repo.find("summary", collections="u/b")
        repo.remove([summary])
    (log,) = (root / FOLDER).glob("*.jsonl")
    log.write_bytes(log.read_bytes().rpartition(b'\n{"closed"')[0])
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(kept)
    dropped(root)
    found = rebuild(root)
    assert found.doubtful == 1
    with skyfs.open(root) as repo:
        assert repo.find("summary", collections="u/b").id == summary.id


def test_what_cannot_be_done_again_is_told(root: Path, dropped: Drop) -> None:
    (log,) = (root / FOLDER).glob("*.jsonl")
    text = log.read_bytes()
    start = text.index(b'\n{"transaction"', text.index(b'"type":{"name":"summary"') - 400)
    end = text.index(b'\n{"transaction"', start + 10)
    log.write_bytes(text[:start] + text[end:])
    dropped(root)
    found = rebuild(root)
    assert len(found.refused) >= 1
    assert "summary" in found.refused[0]
    # The file is there: its path tells what it is.
    with skyfs.open(root) as repo:
        assert repo.get("/u/b/summary.json") == {"all": 3}


def _change_at(data: bytes, mark: bytes) -> bytes:
    """Flip a bit right after the first such mark."""
    at = data.index(mark) + len(mark)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_damage_to_the_log_is_told(root: Path, dropped: Drop) -> None:
    """A tag that is lost is missed by no other change: without a word nobody would know."""
    (log,) = (root / FOLDER).glob("*.jsonl")
    text = log.read_bytes()
    log.write_bytes(_change_at(text, b'{"tag":{"collection":"'))
    torn = text.rindex(b'\n{"transaction"', 0, text.index(b'{"tag"')) + 1
    dropped(root)
    found = rebuild(root)
    assert found.unknown[0].startswith(f"{log.name}, byte {torn}: ")
    with skyfs.open(root) as repo:
        assert "best" not in [one.name for one in repo.collections()]
        assert repo.query("summary", collections="u/b").count() == 1


def test_lines_of_the_log_without_their_head_are_told(root: Path, dropped: Drop) -> None:
    (log,) = (root / FOLDER).glob("*.jsonl")
    log.write_bytes(log.read_bytes() + b"\0" * 100 + b"\n")
    dropped(root)
    assert len(rebuild(root).unknown) == 1


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda data: data[:-9], "it is cut"),
        (lambda data: _change_at(data, b'{"t'), "of the unknown kind"),
        (lambda data: data.replace(b'"best"', b'"bust"'), "lines are missing or changed"),
        (lambda data: b"".join(data.splitlines(keepends=True)[:-3]), "lines are missing or changed"),
        (lambda data: b"?" + data[1:], "line 1: not JSON"),
    ],
    ids=["cut", "no such line", "other text", "lines lost", "head"],
)
def test_a_damaged_description_gives_what_it_can(
    root: Path, dropped: Drop, damage: Callable[[bytes], bytes], told: str
) -> None:
    rebuild(root)
    whole = root / FOLDER / WHOLE
    data = whole.read_bytes()
    whole.write_bytes(damage(data))
    dropped(root)
    found = rebuild(root)
    assert told in " ".join([*found.unknown, *found.refused])
    assert found.lost == []
    with skyfs.open(root) as repo:
        assert repo.get("metrics", collections="u/b", **data_id()) == {"seeing": 1.5}
        assert repo.query("*", collections=["u/*", "raw/*", "calib/*"], find_first=False).count() >= 12
    assert damage(data) in [path.read_bytes() for path in (root / FOLDER).glob(f"old_*/{WHOLE}")]
