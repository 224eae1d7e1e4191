"""Which engine serves, and what is told of the choice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skyfs.errors import StoreError, Unsupported
from skyfs.mount import engines, libfuse, native
from skyfs.mount.native.session import Abilities
from skyfs.mount.operations import Operations
from skyfs.mount.serving import EngineName, Serving
from skyfs.tree import Tree


class Engines:
    """Both engines, without a kernel: they say that they are ready, and come back."""

    def __init__(self, patch: pytest.MonkeyPatch, tree: Tree) -> None:
        self.operations = Operations(tree)
        self.texts: list[str] = []
        self.serving = Serving("/mnt", "sky", allow_other=False, writable=False, ready=self.texts.append)
        patch.setattr(native, "mount", lambda _: None)
        patch.setattr(native, "serve", self._serve("native: passthrough, epochs"))
        patch.setattr(libfuse, "run", self._serve("libfuse"))

    def run(self, engine: EngineName) -> list[str]:
        engines.run(self.operations, self.serving, engine)
        return self.texts

    @staticmethod
    def _serve(text: str) -> Callable[..., None]:
        def serve(operations: Operations, serving: Serving, *_: object) -> None:
            operations.close()
            serving.ready(text)

        return serve


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch, tree: Tree) -> Engines:
    return Engines(monkeypatch, tree)


def refuse(_: Serving, __: Abilities | None = None) -> None:
    raise StoreError("mount at '/mnt'", "the kernel says 'Operation not permitted'")


def test_the_native_one_is_taken_when_it_can(both: Engines) -> None:
    assert both.run("auto") == ["native: passthrough, epochs"]


def test_libfuse_when_it_is_asked_for(both: Engines) -> None:
    assert both.run("libfuse") == ["libfuse, because it was asked for"]


def test_libfuse_when_the_native_one_cannot(both: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "mount", refuse)
    (text,) = both.run("auto")
    assert text.startswith("libfuse, because ")
    assert "Operation not permitted" in text


def test_the_native_one_or_nothing(both: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "mount", refuse)
    with pytest.raises(StoreError, match="not permitted"):
        both.run("native")
    assert both.texts == []


def test_other_systems(both: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert both.run("auto") == ["libfuse, because this is darwin"]
    with pytest.raises(Unsupported, match="engine: libfuse"):
        both.run("native")
