"""The mounts of this machine, as the kernel lists them."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import MissingPackage, NotAllowed, NotFound, StoreError
from .asking import ask
from .serving import SUBTYPE

_TABLE = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted repository.

    Attributes
    ----------
    folder
        Where.
    repository
        Its name.
    device
        ``major:minor``, the kernel's name of this filesystem.
    writable
        Whether the kernel lets anything be changed there.
    """

    folder: str
    repository: str
    device: str
    writable: bool = False


def mounts() -> list[Mount]:
    """Give what skyfs has mounted, the latest last; dead ones too."""
    return _parse(Path(_TABLE).read_bytes().decode(errors="surrogateescape"))


def find_mount(folder: str | os.PathLike[str]) -> Mount | None:
    """Give the mount at a folder; None when there is none."""
    wanted = place(folder)
    return next((one for one in reversed(mounts()) if one.folder == wanted), None)


def place(folder: str | os.PathLike[str]) -> str:
    """Give the folder as the kernel spells it, without touching what is mounted there: it may be dead."""
    absolute = os.path.abspath(os.path.expanduser(folder))
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))


def wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a condition holds, looking again whenever the kernel's table of mounts changes."""
    deadline = time.monotonic() + timeout_s
    with open(_TABLE, "rb") as table:
        changes = select.poll()
        changes.register(table, select.POLLERR | select.POLLPRI)
        while not condition():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            changes.poll(min(left_s, 0.1) * 1000)
    return True


def unmount(folder: str | os.PathLike[str], *, lazy: bool = False, timeout_s: float = 10.0) -> None:
    """Take a mount away; one whose daemon is dead too.

    Parameters
    ----------
    lazy
        Also while files in it are open: it is gone from the tree at once, and for good when they are closed.

    Raises
    ------
    NotFound
        When no repository is mounted there.
    NotAllowed
        When files in it are open.
    """
    found = find_mount(folder)
    if found is None:
        listed = ", ".join(one.folder for one in mounts()) or "nothing"
        raise NotFound(f"unmount {os.fspath(folder)!r}", f"no repository is mounted there; mounted: {listed}")
    count = _count(found.folder)
    _run_unmount(found.folder, lazy=lazy or is_dead(found.folder))
    if not wait_for(lambda: _count(found.folder) < count, timeout_s):
        raise StoreError(f"unmount {found.folder!r}", "it is still there", "try again with --lazy")


def is_dead(folder: str) -> bool:
    """Tell whether the daemon of a mount is gone ("transport endpoint is not connected")."""
    return ask(folder).state == "dead"


def _count(folder: str) -> int:
    return sum(one.folder == folder for one in mounts())


def _run_unmount(folder: str, *, lazy: bool) -> None:
    for name in ("fusermount3", "fusermount", "umount"):
        program = shutil.which(name)
        if program is not None:
            break
    else:
        raise MissingPackage("unmount", "there is no fusermount3", "as root: apt-get install fuse3")
    flags = (["-l"] if lazy else []) if name == "umount" else (["-u", "-z"] if lazy else ["-u"])
    done = subprocess.run([program, *flags, "--", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        found, users = " ".join(done.stderr.split()), users_of(folder)
        found += f"; in use by {', '.join(users)}" if users else ""
        todo = f"close what is open there and leave the folder, or: skyfs umount --lazy {folder}"
        raise NotAllowed(f"unmount {folder!r}", found, todo)


def users_of(folder: str, timeout_s: float = 2.0) -> list[str]:
    """Give the programs that have files open in a folder, or work in it, as far as this user may know.

    Nothing in the folder is touched: the kernel knows the paths. Of a process that waits for a mount while it
    is being started it tells nothing, so what is known at the deadline must do.
    """
    found: list[str] = []
    looking = threading.Thread(target=_look_for_users, args=(folder, found), daemon=True)
    looking.start()
    looking.join(timeout_s)
    return list(found)


def _look_for_users(folder: str, found: list[str]) -> None:
    for process in os.listdir("/proc"):
        if process.isdigit() and any(_is_in(path, folder) for path in _paths_of(process)):
            with suppress(OSError):
                found.append(f"{Path(f'/proc/{process}/comm').read_text().strip()} ({process})")


def _paths_of(process: str) -> Iterator[str]:
    """Give the folder that a process works in, and its open files."""
    places = [f"/proc/{process}/cwd"]
    with suppress(OSError):
        places += [f"/proc/{process}/fd/{name}" for name in os.listdir(f"/proc/{process}/fd")]
    for one in places:
        with suppress(OSError):
            yield os.readlink(one)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _parse(text: str) -> list[Mount]:
    found = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(" "), after.split(" ")
        if kind[0] == f"fuse.{SUBTYPE}":
            source = _unescape(kind[1]).removeprefix(f"{SUBTYPE}:")
            read_only = "ro" in (*fields[5].split(","), *kind[2].split(","))
            found.append(Mount(_unescape(fields[4]), source, fields[2], not read_only))
    return found


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
