"""Connections to S3 that are cut at any request, before it arrives or before its answer does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

import skyfs
from skyfs.errors import SkyfsError

from .operations import OPERATIONS, START
from .worlds import World, Worlds

_METHODS = (b"PUT ", b"GET ", b"HEAD", b"POST", b"DELE")
# The server waits for the body then.
_GO_ON = b"HTTP/1.1 100"
_NEVER = 10**9


class Wire:
    """Stands between a client and a server, and cuts connections.

    Attributes
    ----------
    first
        The number of the request that is cut.
    lost
        What of it is lost: ``question`` or ``answer``.
    stays
        Whether no later request arrives.
    count
        How many requests there were.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.first, self.lost, self.stays = _NEVER, "question", False
        self.count = 0
        self._server, self._lock = server, threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with closing(client), closing(socket.create_connection(self._server)) as server, suppress(OSError):
            swallows = threading.Event()
            threading.Thread(target=_answer, args=(server, client, swallows), daemon=True).start()
            try:
                self._ask(client, server, swallows)
            finally:
                # Closing alone would leave the thread that waits for answers where it is, for ever.
                server.shutdown(socket.SHUT_RDWR)

    def _ask(self, client: socket.socket, server: socket.socket, swallows: threading.Event) -> None:
        while data := client.recv(1 << 16):
            lost = self._lost() if data.startswith(_METHODS) else ""
            if lost == "question":
                return
            if lost == "answer":
                swallows.set()
            server.sendall(data)

    def _lost(self) -> str:
        """Tell what is lost of a request that has come."""
        with self._lock:
            self.count += 1
            if self.count == self.first:
                return self.lost
            return "question" if self.stays and self.count > self.first else ""


def _answer(server: socket.socket, client: socket.socket, swallows: threading.Event) -> None:
    """Carry answers, but for that of a request that is cut: it has been done by then."""
    with suppress(OSError):
        while data := server.recv(1 << 16):
            if swallows.is_set() and not data.startswith(_GO_ON):
                client.shutdown(socket.SHUT_RDWR)
                return
            client.sendall(data)


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds.make("s3", "sqlite", "process")


@pytest.fixture
def wire(world: World) -> Iterator[Wire]:
    found = urlsplit(_stores(world)[0]["options"]["endpoint_url"])
    with closing(Wire((str(found.hostname), int(found.port or 0)))) as wire:
        yield wire


def _stores(world: World) -> list[dict[str, Any]]:
    stores: list[dict[str, Any]] = yaml.safe_load((world.root / "skyfs.yaml").read_text())["stores"]
    return stores


def _play(world: World, wire: Wire, operation: str) -> bool:
    """Do it over the wire, look, and go back; give whether it was done."""
    stores = _stores(world)
    stores[0]["options"]["endpoint_url"], stores[0]["retries"] = wire.url, 0
    wire.count, done = 0, False
    with (
        skyfs.open(world.root, writable=True, overrides={"stores": stores}) as repo,
        suppress(SkyfsError),
    ):
        OPERATIONS[operation].act(repo, world.root.parent)
        done = True
    world.open().close()
    found = world.look()
    assert not found.faults, f"{wire.lost} {wire.first} lost: {found.faults[:5]}"
    assert (OPERATIONS[operation].after if done else START).is_in(found), (
        f"{wire.lost} lost, {done=}: {found}"
    )
    if done:
        with world.open() as repo:
            OPERATIONS[operation].back(repo)
    return done


_LONG = [pytest.param(operation, marks=pytest.mark.long) for operation in OPERATIONS if operation != "put"]


@pytest.mark.parametrize("operation", ["put", *_LONG])
def test_connections_are_cut(world: World, wire: Wire, operation: str) -> None:
    assert _play(world, wire, operation)
    n_requests, outcomes = wire.count, set()
    for wire.lost, wire.stays in product(("question", "answer"), (False, True)):
        for wire.first in range(1, n_requests + 1):
            outcomes.add(_play(world, wire, operation))
    assert False in outcomes
