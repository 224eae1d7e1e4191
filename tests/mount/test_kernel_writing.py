"""Writing through the kernel, as programs do it."""

from __future__ import annotations

import errno
import json
import mmap
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

import skyfs
from skyfs.errors import NotFound
from skyfs.mount.options import MountOptions
from skyfs.mount.table import wait_for
from skyfs.repository import Repository

from .conftest import Mounting

METRICS = "r/metrics/instrument=HSC/day_obs=20131102/exposure=903334.json"
WAIT_S = 20.0


def stored(repo: Repository, name: str = "metrics") -> object:
    """Give what another process finds."""
    values: dict[str, Any] = {"instrument": "HSC", "exposure": 903334} if name == "metrics" else {}
    with skyfs.open(repo.root) as other:
        return other.get(name, collections="r", **values)


def bash(command: str, *arguments: object) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command, "bash", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(empty: Repository, mounting: Mounting) -> Path:
    return mounting.start(empty, MountOptions(writable=True))


@pytest.fixture
def replacing(empty: Repository, mounting: Mounting) -> Path:
    return mounting.start(empty, MountOptions(writable=True, replace=True))


def test_echo_into_a_new_dataset(empty: Repository, folder: Path) -> None:
    bash('mkdir -p "$(dirname "$1")" && echo \'{"a": 1}\' > "$1" && cat "$1"', folder / METRICS)
    assert stored(empty) == {"a": 1}
    assert os.listdir(folder / "r") == ["metrics"]


def test_writing_where_only_some_collections_are_shown(empty: Repository, mounting: Mounting) -> None:
    folder = mounting.start(empty, MountOptions(writable=True, collections=("u/me",)))
    (folder / "u/me/one").mkdir(parents=True)
    (folder / "u/me/one/summary.json").write_text('{"a": 1}')
    (folder / "elsewhere").mkdir()
    with pytest.raises(PermissionError):
        (folder / "elsewhere/summary.json").write_text('{"a": 1}')
    assert [ref.run for ref in empty.query("summary", collections="*")] == ["u/me/one"]
    refused = os.getxattr(folder / "elsewhere", "user.skyfs.refused").decode()
    assert "only u/me and what is below is shown here" in refused


def test_a_program_prints_into_it(empty: Repository, folder: Path) -> None:
    (folder / METRICS).parent.mkdir(parents=True)
    with (folder / METRICS).open("wb") as file:
        program = "import json, os; print(json.dumps({'b': 2}), flush=True); os.close(1); os._exit(0)"
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
    assert wait_for(lambda: stored(empty) == {"b": 2}, WAIT_S)


def test_cp_keeps_bytes_and_times(empty: Repository, folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(Random(1).randbytes(3_000_001))  # noqa: S311 - the same every time
    os.utime(source, ns=(10**18, 10**18 + 7))
    (folder / "r").mkdir()
    bash('cp -p "$1" "$2" && cmp "$1" "$2"', source, folder / "r/notes")
    assert stored(empty, "notes") == source.read_bytes()
    assert (folder / "r/notes").stat().st_mtime_ns == 10**18 + 7


def test_write_anywhere_and_read_back(folder: Path) -> None:
    (folder / "r").mkdir()
    model = bytearray()
    chance = Random(2)  # noqa: S311 - the same every time
    with (folder / "r/notes").open("w+b", buffering=0) as file:
        for _ in range(200):
            place, data = chance.randrange(300_000), chance.randbytes(chance.randrange(1, 20_000))
            model.extend(bytes(max(0, place + len(data) - len(model))))
            model[place : place + len(data)] = data
            assert os.pwrite(file.fileno(), data, place) == len(data)
            if chance.random() < 0.1:
                size = chance.randrange(350_000)
                os.ftruncate(file.fileno(), size)
                model = model[:size] + bytes(max(0, size - len(model)))
            start = chance.randrange(300_000)
            assert os.pread(file.fileno(), 5000, start) == model[start : start + 5000]
            assert os.fstat(file.fileno()).st_size == len(model)
    assert (folder / "r/notes").read_bytes() == model


def test_append(empty: Repository, replacing: Path) -> None:
    empty.put(b"one", "notes", run="r")
    bash('printf two >> "$1"', replacing / "r/notes")
    assert stored(empty, "notes") == b"onetwo"


def test_close_says_what_is_refused(empty: Repository, folder: Path) -> None:
    (folder / METRICS).parent.mkdir(parents=True)
    descriptor = os.open(folder / METRICS, os.O_WRONLY | os.O_CREAT, 0o644)
    os.write(descriptor, b'{"not whole')
    with pytest.raises(OSError):  # noqa: PT011 - which number is not promised
        os.close(descriptor)
    assert not (folder / METRICS).exists()
    with pytest.raises(NotFound):
        stored(empty)
    reason = os.getxattr((folder / METRICS).parent, "user.skyfs.refused").decode()
    assert "exposure=903334.json" in reason


def test_what_exists_stays_unless_replacing_is_allowed(empty: Repository, folder: Path) -> None:
    empty.put(b"one", "notes", run="r")
    assert wait_for((folder / "r/notes").exists, WAIT_S)
    with pytest.raises(FileExistsError):
        (folder / "r/notes").write_bytes(b"two")
    assert (folder / "r/notes").read_bytes() == b"one"


@pytest.mark.parametrize("turns", [3])
def test_replace_and_read_at_once(empty: Repository, replacing: Path, turns: int) -> None:
    (replacing / "r").mkdir()
    for turn in range(turns):
        data = f"{turn}".encode() * (100_000 >> turn)
        (replacing / "r/notes").write_bytes(data)
        assert (replacing / "r/notes").read_bytes() == data
        assert (replacing / "r/notes").stat().st_size == len(data)
    assert stored(empty, "notes") == data


def test_sed_in_place(empty: Repository, replacing: Path) -> None:
    empty.put({"a": 1}, "summary", run="r")
    bash('sed -i s/1/2/ "$1" && grep -q 2 "$1"', replacing / "r/summary.json")
    assert stored(empty, "summary") == {"a": 2}
    assert os.listdir(replacing / "r") == ["summary.json"]


def test_truncate_by_path(empty: Repository, replacing: Path) -> None:
    empty.put(b"0123456789", "notes", run="r")
    bash('truncate -s 4 "$1"', replacing / "r/notes")
    assert (replacing / "r/notes").read_bytes() == b"0123"
    os.truncate(replacing / "r/notes", 2)
    assert stored(empty, "notes") == b"01"


def test_rsync_in_and_again(empty: Repository, folder: Path, tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    source = tmp_path / "source" / "r"
    source.mkdir(parents=True)
    (source / "notes").write_bytes(b"some notes")
    (source / "summary.json").write_text('{"a": 1}')
    bash('rsync -rt "$1" "$2/"', source, folder)
    assert (stored(empty, "notes"), stored(empty, "summary")) == (b"some notes", {"a": 1})
    assert bash('rsync -rti --omit-dir-times "$1" "$2/"', source, folder) == ""


def test_rm(empty: Repository, folder: Path) -> None:
    empty.put({"a": 1}, "summary", run="r")
    empty.put(b"x", "notes", run="r")
    assert wait_for((folder / "r/notes").exists, WAIT_S)
    (folder / "r/notes").unlink()
    assert not (folder / "r/notes").exists()
    assert os.listdir(folder / "r") == ["summary.json"]
    bash('rm -r "$1"', folder / "r")
    assert list(empty.query("summary", collections="*")) == []


def test_ln_tags(empty: Repository, folder: Path) -> None:
    empty.put({"a": 1}, "summary", run="r")
    empty.tag([], "mine")
    assert wait_for((folder / "r/summary.json").exists, WAIT_S)
    (folder / "mine").mkdir(exist_ok=True)
    os.link(folder / "r/summary.json", folder / "mine/summary.json")
    assert json.loads((folder / "mine/summary.json").read_bytes()) == {"a": 1}
    with skyfs.open(empty.root) as other:
        assert other.get("summary", collections="mine") == {"a": 1}


def test_links_and_devices_are_refused(folder: Path) -> None:
    with pytest.raises(PermissionError):
        (folder / "a").symlink_to("b")
    with pytest.raises(PermissionError):
        os.mkfifo(folder / "a")
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is asserted
        os.setxattr(folder, "user.mine", b"x")
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_database_in_a_scratch_file(folder: Path) -> None:
    with sqlite3.connect(folder / ".db") as connection:
        connection.execute("create table a (b)")
        connection.executemany("insert into a values (?)", [(number,) for number in range(1000)])
    connection.close()
    with sqlite3.connect(folder / ".db") as connection:
        assert connection.execute("select sum(b) from a").fetchone() == (499_500,)
    connection.close()
    assert ".db" in os.listdir(folder)
    (folder / ".db").unlink()
    assert ".db" not in os.listdir(folder)


def test_names_of_any_bytes(folder: Path) -> None:
    odd = os.fsencode(folder) + b"/.\xff\xfe \n%"
    Path(os.fsdecode(odd)).write_bytes(b"x")
    os.mkdir(odd + b"~")
    assert sorted(os.listdir(os.fsencode(folder))) == [b".\xff\xfe \n%", b".\xff\xfe \n%~"]
    assert Path(os.fsdecode(odd)).read_bytes() == b"x"


def test_mapped_memory_is_for_scratch_files(folder: Path) -> None:
    mapped = np.lib.format.open_memmap(folder / ".x.npy", mode="w+", dtype="i4", shape=(1000,))
    mapped[:] = np.arange(1000)
    mapped.flush()
    del mapped
    assert np.load(folder / ".x.npy").sum() == 499_500
    (folder / "r").mkdir()
    with (folder / "r/notes").open("w+b") as file:
        file.write(bytes(5000))
        file.flush()
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is asserted
            mmap.mmap(file.fileno(), 5000)
        assert caught.value.errno == errno.ENODEV


def test_a_scratch_file_becomes_a_dataset(empty: Repository, folder: Path) -> None:
    (folder / "r").mkdir()
    (folder / "r/.notes.tmp").write_bytes(b"written, then renamed")
    (folder / "r/.notes.tmp").rename(folder / "r/notes")
    assert os.listdir(folder / "r") == ["notes"]
    assert (folder / "r/notes").read_bytes() == stored(empty, "notes") == b"written, then renamed"


def test_an_editor_keeps_a_backup(empty: Repository, replacing: Path) -> None:
    empty.put(b"old", "notes", run="r")
    notes = replacing / "r/notes"
    assert wait_for(notes.exists, WAIT_S)
    notes.rename(replacing / "r/notes~")
    assert not notes.exists()
    assert sorted(os.listdir(replacing / "r")) == ["notes~"]
    assert (replacing / "r/notes~").read_bytes() == b"old"
    notes.write_bytes(b"new")
    (replacing / "r/notes~").unlink()
    assert (notes.read_bytes(), os.listdir(replacing / "r")) == (b"new", ["notes"])
    assert stored(empty, "notes") == b"new"


def test_times_of_folders(folder: Path) -> None:
    (folder / "r").mkdir()
    os.utime(folder / "r", ns=(10**18, 10**18 + 3))
    assert (folder / "r").stat().st_mtime_ns == 10**18 + 3
    with os.scandir(folder) as entries:
        assert [entry.stat().st_mtime_ns for entry in entries] == [10**18 + 3]


def test_many_at_once(empty: Repository, folder: Path) -> None:
    """Eight programs write, each its own datasets."""
    (folder / "r").mkdir()
    program = """
import sys
for number in range(5):
    with open(f"{sys.argv[1]}/r/t{sys.argv[2]}x{number}", "wb") as file:
        file.write(sys.argv[2].encode() * 50_000)
"""
    running = [subprocess.Popen([sys.executable, "-c", program, folder, str(number)]) for number in range(8)]
    assert [process.wait(60) for process in running] == [0] * 8
    names = {f"t{one}x{number}" for one in range(8) for number in range(5)}
    assert set(os.listdir(folder / "r")) == names
    for name in names:
        assert (folder / "r" / name).read_bytes() == name[1].encode() * 50_000
    with skyfs.open(empty.root) as other:
        assert other.get("t0x0", collections="r") == b"0" * 50_000
