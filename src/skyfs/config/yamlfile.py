"""YAML files: read safely, written whole."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

import yaml

from ..errors import BadConfig, NotAllowed, NotFound, StoreError, look_for
from .durable import sync_path

LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, the fast one where it is built in."""

# Nesting beyond this is refused: libyaml's own recursion overflows the C stack at some ten thousand levels,
# which kills the process.
_MAX_DEPTH = 200
# Decimal digits of an integer that Python writes are at most 4300; 0x has 1.2 of them for each of its own.
_MAX_DIGITS = 3000
_NUMBER = re.compile(r"[-+]?[0-9][0-9a-fA-FxXob_:.]*")
# What aliases may blow a document up to, in nodes, unless its text is longer: nine lines of "lol" make 10**9.
_MAX_NODES = 1_000_000


# PyYAML answers a bad !!timestamp, !!bool or !!int by the later ones.
YAML_FAULTS = (yaml.YAMLError, ValueError, KeyError, AttributeError, IndexError, TypeError)


def parse_yaml(text: str) -> object:
    """Give what a YAML document holds: plain values only, and no more of them than memory bears.

    Raises
    ------
    yaml.YAMLError, ValueError
        When it is not YAML, holds tags of Python, a value that is none (`!!int x`), or is a bomb: one of
        `YAML_FAULTS`.
    """
    refuse_bomb(text)
    value: object = yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
    return value


def load_yaml(text: str, origin: str) -> Mapping[str, object]:
    """Read a mapping from YAML; an empty text is an empty mapping.

    Raises
    ------
    BadConfig
        When it is not YAML, holds tags of Python, or is no mapping.
    """
    try:
        value = parse_yaml(text)
    except YAML_FAULTS as error:
        raise BadConfig(f"cannot read {origin}", " ".join(str(error).split()), "mend the YAML") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadConfig(f"cannot read {origin}", f"a {type(value).__name__}", "key: value lines are wanted")
    return value


def read_yaml(path: Path) -> Mapping[str, object]:
    """Read a YAML file that holds a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"no file {str(path)!r}", todo=look_for(path)) from None
    except (OSError, ValueError) as error:  # not UTF-8; a NUL in the name
        raise BadConfig(f"cannot read {str(path)!r}", str(error)) from None
    return load_yaml(text, str(path))


def write_yaml(path: Path, value: Mapping[str, object], *, mode: int = 0o600) -> None:
    """Write a YAML file; as `write_text`."""
    write_text(path, yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True), mode=mode)


def write_text(path: Path, text: str, *, mode: int) -> None:
    """Write a file so that a reader sees the old or the new one, whole; it survives a loss of power.

    Raises
    ------
    NotAllowed, StoreError
        When it cannot be written; the old one is as it was then.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put_in_place(path, text.encode(), mode)
        sync_path(path.parent)
    except OSError as error:
        kind = NotAllowed if isinstance(error, PermissionError) else StoreError
        todo = "free the disk, or check the permissions of its folder"
        raise kind(f"write {str(path)!r}", error.strerror or str(error), todo) from error


def _put_in_place(path: Path, data: bytes, mode: int) -> None:
    descriptor, name = mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


class _Sizes:
    """How many values the nodes of a document stand for, aliases counted at full size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_anchor: dict[str, int | None] = {}
        self._open: list[tuple[str | None, int]] = [(None, 0)]

    def begin(self, anchor: str | None) -> None:
        """Enter a mapping or list."""
        if len(self._open) > _MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested more than {_MAX_DEPTH} deep")
        self._open.append((anchor, 1))
        if anchor is not None:
            self._of_anchor[anchor] = None

    def end(self) -> None:
        """Leave it."""
        anchor, size = self._open.pop()
        self.add(size, anchor)

    def add(self, size: int, anchor: str | None) -> None:
        """Count a finished node."""
        if anchor is not None:
            self._of_anchor[anchor] = size
        outer, sum_so_far = self._open[-1]
        self._open[-1] = outer, sum_so_far + size
        if sum_so_far + size > self._most:
            raise yaml.YAMLError(f"its aliases stand for more than {self._most} values")

    def repeat(self, anchor: str) -> None:
        """Count a node once more."""
        size = self._of_anchor.get(anchor, 1)
        if size is None:
            raise yaml.YAMLError(f"the node {anchor!r} contains itself")
        self.add(size, None)


def refuse_bomb(text: str) -> None:
    """Raise YAMLError when nesting or aliases make a document deep, huge or endless; builds nothing."""
    sizes = _Sizes(max(_MAX_NODES, len(text)))
    for event in yaml.parse(text, LOADER):
        if isinstance(event, yaml.AliasEvent):
            sizes.repeat(str(event.anchor))
        elif isinstance(event, yaml.ScalarEvent):
            _refuse_number(event)
            sizes.add(1, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            sizes.begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            sizes.end()


def _refuse_number(event: yaml.ScalarEvent) -> None:
    """Refuse a number that Python reads (hexadecimal, say) but refuses to write, in any later message."""
    if len(event.value) > _MAX_DIGITS and event.implicit[0] and _NUMBER.fullmatch(event.value):
        raise yaml.YAMLError(f"a number of {len(event.value)} digits")
