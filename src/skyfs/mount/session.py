"""A mount from beginning to end: in this process, or as a daemon of its own."""

from __future__ import annotations

import json
import logging
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from .. import errors
from ..assemble import locate, open_repository
from ..config import Environment
from ..errors import SkyfsError, StoreError
from ..repository import Repository
from ..tree import Tree
from .engines import run
from .operations import Operations, Writing
from .options import DEFAULT, MountOptions
from .placing import mount_point, require_apart
from .serving import Serving
from .status import ON_STDERR, MountStatus
from .table import Mount, find_mount, wait_for

__all__ = [
    "DEFAULT",
    "MountOptions",
    "log_file",
    "mount",
    "run_daemon",
    "serve",
    "start",
    "wait_until_mounted",
]

log = logging.getLogger("skyfs.mount")

_LOG_BYTES = 4 << 20
_READ_AHEAD_KIB = 1024


class _Process(Protocol):
    def poll(self) -> int | None: ...


def mount(
    repository: Repository,
    folder: str | os.PathLike[str],
    options: MountOptions = DEFAULT,
    *,
    ready: Callable[[str], None] = lambda _: None,
    log_to: str = ON_STDERR,
) -> None:
    """Mount an open repository, and serve it until it is unmounted or gets SIGTERM or SIGINT.

    On a signal nothing new is taken in, and it is unmounted at once, also while files are open: who reads
    them gets errors, and what is not committed is discarded.

    Parameters
    ----------
    folder
        An existing folder; what is in it is hidden meanwhile.
    options
        How to mount; to be written to, the repository must be open for writing.
    ready
        Called when it can be used, with the engine and why it is that one.
    log_to
        Where the messages of this process go, for ``/.repo/status.json``.

    Raises
    ------
    NotFound, NotDirectory, Exists
        When the folder is none, or is a mount already.
    NotAllowed
        When the repository's files lie in the folder, or it in theirs.
    MissingPackage
        When there is no FUSE.
    StoreError
        When the kernel refuses.
    """
    where = mount_point(folder)
    require_apart(repository, where)
    status = MountStatus(repository, where, options, log_to)
    tree = Tree(repository, options.collections, status=status.to_mapping)
    operations = Operations(
        tree, stamp=stamp_of(repository), writing=Writing(options.replace) if options.writable else None
    )
    status.watch(operations)

    def be_ready(engine: str) -> None:
        status.serve(engine)
        log.info("%s: mounted %s, engine %s, %s", where, repository.name, engine, options)
        ready(engine)

    serving = Serving(where, repository.name, options.allow_other, options.writable, be_ready)
    try:
        run(operations, serving, options.engine)
    finally:
        if status.is_serving:
            log.info("%s: ended", where)


def serve(
    location: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    options: MountOptions = DEFAULT,
    *,
    ready: Callable[[str], None] = lambda _: None,
    log_to: str = ON_STDERR,
) -> None:
    """Open a repository and mount it in the foreground.

    It raises what `open_repository` and `mount` raise.
    """
    with open_repository(location, writable=options.writable, overrides=options.overrides) as repository:
        mount(repository, folder, options, ready=ready, log_to=log_to)


def start(
    location: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    options: MountOptions = DEFAULT,
    *,
    timeout_s: float = 30.0,
) -> Mount:
    """Mount a repository by a daemon, and come back when it can be used.

    The daemon writes to `log_file`. It ends when the folder is unmounted, or on SIGTERM.

    Raises
    ------
    SkyfsError
        What stopped it, as `serve` raises it here.
    StoreError
        When it died, or took longer than ``timeout_s``.
    """
    where = mount_point(folder)
    request = {"location": os.fspath(location), "folder": where, "options": asdict(options)}
    receiver, sender = os.pipe()
    try:
        _set_aside_long_log()
        with open(log_file(), "ab", opener=_private) as log_to:
            begin = log_to.tell()
            subprocess.run(
                [sys.executable, "-m", "skyfs.mount", str(sender), where],
                # Not as an argument, which all users of the machine see: options of stores may be secrets.
                input=json.dumps(request).encode(),
                stdout=log_to,
                stderr=log_to,
                pass_fds=[sender],
                start_new_session=True,
                check=False,
            )
        os.close(sender)
        sender = -1
        _raise_reported(_receive(receiver, timeout_s), where, begin)
    finally:
        os.close(receiver)
        if sender >= 0:
            os.close(sender)
    found = find_mount(where)
    if found is None:
        raise StoreError(f"mount at {where!r}", "it was unmounted at once", f"see {log_file()}")
    _raise_read_ahead(found)
    return found


def wait_until_mounted(
    folder: str | os.PathLike[str], process: _Process, *, timeout_s: float = 30.0
) -> Mount:
    """Wait until a process of yours has mounted a folder.

    Raises
    ------
    StoreError
        When it ended before, or took longer.
    """
    wait_for(lambda: find_mount(folder) is not None or process.poll() is not None, timeout_s)
    found = find_mount(folder)
    if found is None:
        status = process.poll()
        reason = f"not within {timeout_s:g} s" if status is None else f"the process ended with {status}"
        raise StoreError(f"mount at {os.fspath(folder)!r}", reason)
    return found


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def log_file() -> Path:
    """Give the file that daemons of this user write to."""
    import platformdirs

    folder = Path(platformdirs.user_state_dir("skyfs"))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "mount.log"


def _set_aside_long_log() -> None:
    """Begin the log anew when it is long; daemons that run already go on in the old one, beside it."""
    log_to = log_file()
    if log_to.exists() and log_to.stat().st_size > _LOG_BYTES:
        log_to.replace(log_to.with_name(f"{log_to.name}.1"))


def run_daemon(arguments: Sequence[str]) -> None:
    """Be the daemon that `start` started: its descriptor for the report; stdin has what to mount, as JSON.

    The folder is an argument only for who looks at the processes of the machine.
    """
    sender, request = int(arguments[0]), json.loads(sys.stdin.buffer.read())
    # The starter waits for this process; the one that serves must be nobody's child. No thread runs yet.
    if os.fork():
        os._exit(0)
    logging.basicConfig(
        format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s", level=logging.INFO
    )
    given = request["options"]
    names = given.pop("collections")
    options = MountOptions(None if names is None else tuple(names), **given)
    report = _Report(sender)
    try:
        location = locate(request["location"], Environment.current())
        os.chdir("/")  # whatever folder it was started in can be unmounted
        serve(location, request["folder"], options, ready=report.ready, log_to=str(log_file()))
    except SkyfsError as error:
        log.error("%s", error)  # noqa: TRY400 - its message says all
        report.failed(error)
    except Exception as error:
        log.exception("the mount at %s ended", request["folder"])
        report.failed(StoreError(f"mount at {request['folder']!r}", f"{type(error).__name__}: {error}"))


class _Report:
    """The one message of a daemon to its starter."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self, engine: str) -> None:  # noqa: ARG002 - `mount` logs it
        self._send({})

    def failed(self, error: SkyfsError) -> None:
        self._send({"kind": type(error).__name__, "parts": [error.asked, error.found, error.todo]})

    def _send(self, message: object) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):  # the starter may have given up
                os.write(self._descriptor, json.dumps(message).encode())
            os.close(self._descriptor)
            self._descriptor = -1


def _receive(descriptor: int, timeout_s: float) -> bytes:
    """Read to the end of a pipe; what came until the deadline."""
    deadline = time.monotonic() + timeout_s
    received = b""
    while select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(descriptor, 1 << 16)
        if not part:
            break
        received += part
    return received


def _raise_reported(message: bytes, folder: str, begin: int) -> None:
    """Raise what a daemon reported, with what other programs wrote to the log since: fusermount3, say."""
    if not message:
        raise StoreError(f"mount at {folder!r}", "the daemon did not get ready", f"see {log_file()}")
    reported = json.loads(message)
    if reported:
        kind: type[SkyfsError] = getattr(errors, reported["kind"])
        asked, found, todo = reported["parts"]
        raise kind(asked, "; ".join([found, *_lines_of_others(begin)]), todo)


def _lines_of_others(begin: int) -> list[str]:
    """Give the lines of the log from an offset on that begin with the name of a program of FUSE."""
    with open(log_file(), encoding="utf-8", errors="replace") as file:
        file.seek(begin)
        return [line.strip() for line in file if line.startswith(("fuse: ", "fusermount", "mount: "))]


def stamp_of(repository: Repository) -> Callable[[], object]:
    """Give a function whose value changes with each commit; None when that is not known."""

    def stamp() -> object:
        try:
            return repository.registry.state().token
        except StoreError:  # the server of the registry cannot be asked
            return None

    return stamp


def _raise_read_ahead(mounted: Mount) -> None:
    """Let the kernel ask for 1 MiB at once; only root may, and it is only faster."""
    with suppress(OSError):
        Path(f"/sys/class/bdi/{mounted.device}/read_ahead_kb").write_text(
            str(_READ_AHEAD_KIB), encoding="ascii"
        )
