"""The change log: all that a registry ever held can be made of it, and it tells of nothing else."""

from __future__ import annotations

import fcntl
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from skyfs.errors import Exists, StoreError
from skyfs.model.dataset import DatasetType
from skyfs.model.manifest import parse, write
from skyfs.model.manifest_line import Line, RemoveLine
from skyfs.model.timespan import Timespan
from skyfs.registry.changelog import FOLDER, Logs
from skyfs.registry.database import Database
from skyfs.registry.manifest.applying import Applier
from skyfs.registry.manifest.blocks import Past
from skyfs.registry.registry import Registry
from skyfs.testing.registry_sky import CAMERA, Sky, stored, take_back

from .conftest import Spot, create, universe
from .manifests import described, fill


@pytest.fixture
def logged(spot: Spot) -> Iterator[Registry]:
    """A registry in each kind of database, whose changes are logged from its first day."""
    spot.place.unlink() if isinstance(spot.place, Path) else spot.place.drop()
    registry = Registry.create(spot.place, universe(), durability="process", logs=Logs(spot.folder, "sky"))
    yield registry
    registry.close()


def replayed(folder: Path) -> list[Line]:
    """Make a registry of the log, and describe it."""
    place = folder / "replayed.sqlite3"
    place.unlink(missing_ok=True)
    registry = create(place)
    try:
        applier = Applier(registry, "replace")
        with registry.transaction():
            for line in lines_of(folder):
                applier.apply(line)
            applier.finish()
        return described(registry)
    finally:
        registry.close()


def lines_of(folder: Path) -> list[Line]:
    return [line for block in Past.of(folder).blocks() for line in block.lines()]


def log_of(folder: Path) -> Path:
    (found,) = (folder / FOLDER).iterdir()
    return found


def test_a_log_tells_all_that_was_made(logged: Registry, tmp_path: Path) -> None:
    fill(logged)
    assert replayed(tmp_path) == described(logged)
    past = Past.of(tmp_path)
    assert past.complete
    assert past.universe == universe()


def _untag(sky: Sky) -> None:
    sky.registry.datasets.untag([one.resolved.ref for one in sky.found("calexp", ["t/a"])], "t/a")


def _decertify(sky: Sky) -> None:
    sky.registry.datasets.decertify("bias", "c/a", Timespan(1_000, 2_000_000_000), {"instrument": CAMERA})


def _remove(sky: Sky) -> None:
    sky.registry.datasets.remove([one.resolved.ref for one in sky.found("calexp", ["u/a"], declared=True)])


def _store(sky: Sky) -> None:
    declared = next(
        one.resolved.ref for one in sky.found("calexp", ["u/a"], declared=True) if not one.resolved.locations
    )
    sky.registry.datasets.store(stored(declared))


def _retime(sky: Sky) -> None:
    sky.registry.datasets.retime(sky.found("summary", ["u/a"])[0].resolved.ref, 1_650_000_000_000_000_000)


def _replace_record(sky: Sky) -> None:
    row = {"instrument": CAMERA, "id": 0, "full_name": "S0", "purpose": "GUIDE"}
    sky.registry.records.insert("detector", [row], replace=True)


def _rechain(sky: Sky) -> None:
    sky.registry.collections.set_chain("chain/inner", ["u/b"])


def _unlock(sky: Sky) -> None:
    sky.registry.collections.set_locked("u/c", locked=False)


def _drop(sky: Sky) -> None:
    sky.registry.datasets.clear("t/a")
    sky.registry.collections.remove("t/a", unlink=True)


def _detach(sky: Sky) -> None:
    sky.registry.sides.detach("quality")


def _rebase(sky: Sky) -> None:
    assert sky.registry.files.rebase("far", "elsewhere", "some/where") == 1


def _declare_many(sky: Sky) -> None:
    group = sky.registry.universe.group(["visit", "detector"])
    rows = [(CAMERA, 20250101, 1, detector) for detector in range(100, 2600)]
    names = [{"instrument": CAMERA, "id": row[-1], "full_name": f"N{row[-1]}"} for row in rows]
    with sky.registry.transaction():
        entry = sky.registry.collections.register(DatasetType("many", group, "Table"))
        sky.registry.records.insert("detector", names)
        ids = [number.to_bytes(16) for number in range(1, len(rows) + 1)]
        sky.registry.datasets.declare(entry, sky.collection("u/a"), rows, ids)


CHANGES = [
    *(_untag, _decertify, _remove, _store, _retime, _replace_record),
    *(_rebase, _rechain, _unlock, _drop, _detach, _declare_many),
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_log_tells_each_change(change: Callable[[Sky], None], logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    before = described(logged)
    change(sky)
    assert described(logged) != before
    assert replayed(tmp_path) == described(logged)


def test_what_fails_leaves_nothing_in_the_log(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    before = log_of(tmp_path).read_bytes()
    for change in CHANGES:
        take_back(logged, lambda change=change: change(sky))  # type: ignore[misc]
    assert log_of(tmp_path).read_bytes() == before
    with logged.transaction():
        kept = sky.put("calexp", visit=1, detector=20)
        take_back(logged, lambda: _declare_many(sky))
        take_back(logged, lambda: sky.put("calexp", visit=2, detector=0))
        sky.put("calexp", visit=2, detector=0)
    assert replayed(tmp_path) == described(logged)
    assert sky.by_id(kept) is not None


def test_what_clashes_and_is_passed_by_leaves_nothing(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    with logged.transaction(), pytest.raises(Exists):
        sky.put("calexp", visit=1, detector=0)
    assert replayed(tmp_path) == described(logged)


def test_no_change_is_no_line(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    before = log_of(tmp_path).read_bytes()
    sky.registry.records.insert("instrument", [{"name": CAMERA}])
    sky.registry.collections.register(sky.entry("bias").type)
    sky.registry.datasets.remove([])
    assert log_of(tmp_path).read_bytes() == before


def test_lines_are_those_of_a_manifest(logged: Registry, tmp_path: Path) -> None:
    fill(logged)
    texts = [text for text in log_of(tmp_path).read_bytes().splitlines(keepends=True) if text.strip()]
    lines = [text for text in texts if not text.startswith((b'{"transaction"', b'{"closed"'))]
    assert len(lines) > 20
    for text in lines:
        assert write(parse(text, "log")) == text


def test_a_transaction_over_a_megabyte(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    with logged.transaction():
        for number in range(12):
            rows = [{"instrument": CAMERA, "name": f"{number} {n} {'x' * 100}"} for n in range(1000)]
            logged.records.insert("group", rows)
        _remove(sky)
    assert replayed(tmp_path) == described(logged)


def test_torn_blocks_are_left_out(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    log = log_of(tmp_path)
    whole = log.read_bytes()
    _declare_many(sky)
    grown = log.read_bytes()
    half = len(whole) + (len(grown) - len(whole)) // 2
    for torn in (grown[:half], grown[: len(whole) + 30], grown[:half] + bytes(len(grown) - half)):
        log.write_bytes(torn)
        lines = lines_of(tmp_path)
        log.write_bytes(whole)
        assert lines == lines_of(tmp_path)
        log.write_bytes(torn)
        # Whoever writes next is read.
        sky.put("src", visit=1, detector=[0, 1, 20][len(torn) % 3])
        assert len(lines_of(tmp_path)) == len(lines) + 1
        sky.registry.datasets.remove([one.resolved.ref for one in sky.found("src", ["u/a"], visit=1)])


def test_a_commit_that_fails_is_undone(
    logged: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky = fill(logged)
    kind = type(sky.registry._database)  # noqa: SLF001 - only the database can fail there

    def fail(*_: object) -> None:
        raise StoreError("commit to the registry", "the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(kind, "_commit", fail)
        with pytest.raises(StoreError, match="disk is full"):
            sky.put("calexp", visit=1, detector=20)
    assert b'{"undone":' in log_of(tmp_path).read_bytes()
    assert replayed(tmp_path) == described(logged)


def test_what_cannot_be_logged_is_not_changed(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    log = log_of(tmp_path)
    log.rename(log.with_name("away"))
    log.mkdir()
    with pytest.raises(StoreError, match=r"change log .*[Dd]irectory") as caught:
        sky.put("calexp", visit=1, detector=20)
    assert caught.value.todo
    assert sky.ids("calexp", ["u/a"], visit=1, detector=20) == []
    log.rmdir()


def test_a_closed_log_is_in_no_doubt(logged: Registry, spot: Spot, tmp_path: Path) -> None:
    fill(logged)
    assert [block.in_doubt for block in Past.of(tmp_path).blocks()][-1]
    logged.close()
    assert not any(block.in_doubt for block in Past.of(tmp_path).blocks())
    again = Registry.open(spot.place, writable=True, durability="process", logs=Logs(tmp_path, "sky"))
    Sky(again).put("calexp", visit=1, detector=20)
    *earlier, last = Past.of(tmp_path).blocks()
    assert last.in_doubt
    assert not any(block.in_doubt for block in earlier)
    again.close()


def test_readers_write_nothing(logged: Registry, spot: Spot, tmp_path: Path) -> None:
    fill(logged)
    logged.close()
    before = log_of(tmp_path).read_bytes()
    reader = Registry.open(spot.place, writable=False, durability="process", logs=Logs(tmp_path, "sky"))
    assert described(reader)
    reader.close()
    assert log_of(tmp_path).read_bytes() == before


WRITER = """
import sys
from pathlib import Path
from skyfs.registry.changelog import Logs
from skyfs.registry.registry import Registry

folder, number = Path(sys.argv[1]), int(sys.argv[2])
path, logs = folder / "registry.sqlite3", Logs(folder, "sky")
registry = Registry.open(path, writable=True, durability="process", logs=logs)
for group in range(50):
    names = [f"{number} {group} {n}" for n in range(20)]
    registry.records.insert("group", [{"instrument": "Cam", "name": name} for name in names])
registry.close()
"""


def test_several_processes_write_one_log(path: Path, tmp_path: Path) -> None:
    registry = Registry.create(path, universe(), durability="process", logs=Logs(tmp_path, "sky"))
    registry.records.insert("instrument", [{"name": CAMERA}])
    registry.close()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, str(number)], env=environment) for number in range(3)]
    assert [writer.wait(100) for writer in writers] == [0, 0, 0]
    registry = Registry.open(path, writable=False, durability="process")
    assert replayed(tmp_path) == described(registry)
    registry.close()


def test_logs_of_several_machines_are_put_together_by_time(logged: Registry, tmp_path: Path) -> None:
    sky = fill(logged)
    log = log_of(tmp_path)
    first = log.rename(log.with_name("other.jsonl"))
    ref = sky.put("calexp", visit=1, detector=20)
    assert log.exists()
    # The file that is read first has what came later.
    log.rename(log.with_name("a.jsonl"))
    assert Past.of(tmp_path).logs == [log.with_name("a.jsonl"), first]
    sky.registry.datasets.remove([ref])
    assert replayed(tmp_path) == described(logged)
    assert lines_of(tmp_path)[-1] == RemoveLine((ref.id,))


def test_the_log_has_the_rights_of_its_folder(path: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    registry = Registry.create(path, universe(), durability="power", logs=Logs(tmp_path, "sky"))
    registry.close()
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o770
    assert log_of(tmp_path).stat().st_mode & 0o777 == 0o660


def test_a_registry_without_log_makes_none(sky: Sky, tmp_path: Path) -> None:
    sky.put("calexp", visit=1, detector=20)
    assert not (tmp_path / FOLDER).exists()
    assert issubclass(type(sky.registry._database), Database)  # noqa: SLF001


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_waits_while_its_parent_has_the_log_locked(tmp_path: Path) -> None:
    log = Logs(tmp_path, "sky").open(universe(), "process")
    log.append(io.BytesIO(b"{}\n"), 3, 1)
    links = {int(name): os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    (descriptor,) = (number for number, path in links.items() if path == str(log.path))
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    pid = os.fork()
    if pid == 0:
        log.undo("0" * 32)
        os._exit(0)
    ended = (0, 0)
    while ended == (0, 0) and not _is_waited_for(log.path):
        ended = os.waitpid(pid, os.WNOHANG)
    assert ended == (0, 0), "it has written into what the parent writes"
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    assert os.waitpid(pid, 0) == (pid, 0)
    assert b'{"undone":"' + b"0" * 32 in log.path.read_bytes()
    log.sync()


def _is_waited_for(path: Path) -> bool:
    inode = f":{path.stat().st_ino} "
    locks = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return any("->" in line and "FLOCK" in line and inode in line for line in locks)
