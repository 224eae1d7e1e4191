"""The native engine in a thread of the test, so that it can be looked into.

What holds Python's lock while it waits for the mount would wait for ever: mapped memory, and the working
folder of a process to be started, are for `in_process`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyfs.abc.source import ByteSource
from skyfs.mount.native.protocol import Opcode
from skyfs.mount.native.session import ALL, Abilities, Session, mount
from skyfs.mount.operations import Operations, Writing
from skyfs.mount.serving import Serving
from skyfs.mount.session import stamp_of
from skyfs.repository import Repository
from skyfs.tree import Node, Tree

WAIT_S = 30.0


class Served:
    """A mount that is served by this process."""

    def __init__(self, folder: Path, session: Session, operations: Operations, text: str) -> None:
        self.folder = folder
        self.session = session
        self.operations = operations
        self.text = text

    @property
    def calls(self) -> Counter[str]:
        """How often each request came."""
        return Counter(self.operations.requests.to_mapping())

    def asked(self, opcode: Opcode) -> int:
        """Count the requests of a kind."""
        return self.calls[opcode.name.lower()]


class Gate:
    """Holds back reads, or opening, to say how a slow store is."""

    def __init__(self, *, at_open: bool = False) -> None:
        self.at_open = at_open
        self.arrived = threading.Semaphore(0)
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    def wait(self) -> None:
        self.arrived.release()
        assert self._open.wait(WAIT_S), "nobody opened the gate"


class _GatedSource(ByteSource):
    def __init__(self, source: ByteSource, gate: Gate | None) -> None:
        self._source = source
        self._gate = gate

    @property
    def size(self) -> int:
        return self._source.size

    def read(self, start: int, stop: int) -> bytes:
        if self._gate is not None and not self._gate.at_open:
            self._gate.wait()
        return self._source.read(start, stop)

    def close(self) -> None:
        self._source.close()


class GatedTree(Tree):
    """A tree without local files, some of which are slow."""

    def __init__(self, repository: Repository, gates: dict[str, Gate] | None = None) -> None:
        super().__init__(repository)
        self._gates = gates or {}

    def open_node(self, node: Node, *, whole: bool = False, as_stored: bool = False) -> ByteSource:
        gate = self._gates.get(node.path)
        if gate is not None and gate.at_open:
            gate.wait()
        return _GatedSource(super().open_node(node, whole=whole, as_stored=as_stored), gate)


@contextmanager
def served(
    repository: Repository,
    folder: Path,
    abilities: Abilities = ALL,
    *,
    tree: Tree | None = None,
    writing: Writing | None = None,
) -> Iterator[Served]:
    """Mount a repository in this process."""
    folder.mkdir(exist_ok=True)
    operations = Operations(tree or Tree(repository), stamp=stamp_of(repository), writing=writing)
    texts: list[str] = []
    ready = threading.Event()

    def note(text: str) -> None:
        texts.append(text)
        ready.set()

    serving = Serving(
        str(folder), repository.name, allow_other=False, writable=writing is not None, ready=note
    )
    session = Session(operations, serving, mount(serving, abilities), abilities)
    thread = threading.Thread(target=session.run)
    thread.start()
    try:
        assert ready.wait(WAIT_S)
        yield Served(folder, session, operations, texts[0])
    finally:
        session.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def in_process(program: str, *arguments: object) -> str:
    """Run some Python in another process; give what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
