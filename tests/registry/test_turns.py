"""Writers of one SQLite file wait in line, and never for the dead."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from skyfs.registry import turns
from skyfs.testing.registry_sky import Sky

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock that writers wait for."""
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _waiters(folder: Path) -> int:
    inode = f":{folder.stat().st_ino} "
    lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    return sum("->" in line and "FLOCK" in line and inode in line for line in lines)


def test_a_writer_waits_until_its_turn_comes(sky: Sky, path: Path) -> None:
    writing = threading.Thread(target=lambda: sky.put("bias", detector=0))
    with held(path.parent):
        writing.start()
        while not _waiters(path.parent):
            assert writing.is_alive(), "it did not wait"
        assert not list(sky.everything())
    writing.join()
    assert len(list(sky.everything())) == 1
    with held(path.parent):
        pass


def test_who_waits_in_vain_goes_on(sky: Sky, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_PATIENCE_S", 0.01)
    with held(path.parent):
        sky.put("bias", detector=0)
    with held(path.parent):  # which the thread that still waited does not keep
        assert len(list(sky.everything())) == 1


def test_a_turn_ends_with_its_process_though_a_child_of_it_lives(sky: Sky, path: Path) -> None:
    receiver, sender = os.pipe()
    parent = os.fork()
    if not parent:
        with sky.registry.transaction():
            sky.put("bias", detector=0)
            child = os.fork()
            if child:
                os.write(sender, str(child).encode())
                os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
    os.waitpid(parent, 0)
    child = int(os.read(receiver, 20))
    try:
        with held(path.parent):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(receiver)
        os.close(sender)
    assert not list(sky.everything())
