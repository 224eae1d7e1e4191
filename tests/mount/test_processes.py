"""What /proc tells of who has a file open."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from skyfs.mount.processes import Processes

HOLD = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
# A child that holds the file, of a process that ends at once.
ORPHAN = """
import os, sys
file = open(sys.argv[1])
if os.fork() == 0:
    print(os.getpid(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that nobody has open."""
    path = tmp_path / "file"
    path.touch()
    return path


def run(script: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A child of this process that has it open."""
    with run(HOLD, file) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate("")


def inodes(path: Path) -> set[int]:
    return {path.stat().st_ino}


def test_own_descriptors_are_seen(file: Path) -> None:
    processes = Processes()
    assert not processes.hold({os.getpid()}, inodes(file))
    with file.open():
        assert processes.hold({os.getpid()}, inodes(file))
        assert processes.any_hold(inodes(file))
    assert not processes.hold({os.getpid()}, inodes(file))
    assert not processes.any_hold(inodes(file))


def test_those_of_descendants_are_seen(file: Path, holder: subprocess.Popen[str]) -> None:
    processes = Processes()
    assert processes.hold({os.getpid()}, inodes(file))
    assert processes.descends(holder.pid, {os.getpid()})
    assert not processes.descends(os.getpid(), {holder.pid})
    assert not processes.descends(1, {os.getpid()})


def test_of_a_process_that_is_gone_all_are_looked_at(file: Path) -> None:
    with run(ORPHAN, file) as process:
        assert process.stdout is not None
        process.stdout.readline()
        os.waitpid(process.pid, 0)
        processes = Processes()
        assert processes.hold({process.pid}, inodes(file))
        assert not processes.hold({os.getpid()}, inodes(file))
        assert process.stdin is not None
        process.stdin.close()
        process.stdout.read()  # the orphan ends
        while processes.any_hold(inodes(file)):
            os.sched_yield()
        assert not processes.hold({process.pid}, inodes(file))


def test_threads_are_of_their_process() -> None:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(Processes().leader(threading.get_native_id())))
    thread.start()
    thread.join()
    assert seen == [os.getpid()]
    assert Processes().leader(0) == 0
    assert Processes().leader(1 << 30) == 0


def test_what_cannot_be_told_is_taken_for_open(file: Path, tmp_path: Path) -> None:
    assert Processes().hold({0}, inodes(file))
    assert Processes(tmp_path).hold({os.getpid()}, inodes(file)), "a kernel that lists no children"
    fake = tmp_path / "proc"
    (fake / "thread-self").mkdir(parents=True)
    (fake / "thread-self" / "children").touch()
    (fake / "7" / "task" / "7").mkdir(parents=True)
    (fake / "7" / "task" / "7" / "children").touch()
    (fake / "7" / "fdinfo").mkdir()
    assert not Processes(fake).hold({7}, inodes(file))
    (fake / "7" / "fdinfo" / "3").write_text("pos:\t0\nflags:\t02\n")
    assert Processes(fake).hold({7}, inodes(file)), "a kernel that tells no inodes"
