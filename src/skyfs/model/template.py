"""Where a dataset's bytes lie in a store, when nothing else is said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from uuid import UUID

from ..errors import BadConfig, BadPath
from .dataset import DatasetRef
from .paths import parse, split_leaf
from .quoting import (
    MAX_PART_BYTES,
    check_length,
    decode,
    encode_name,
    encode_value,
    extension_at_end,
)

MAX_BYTES = 1000
"""S3 takes keys of 1024 bytes, with the prefix of the store."""

_FIELD = re.compile(r"\{([A-Za-z_]\w*)(?::0?(\d{1,2})d?)?\}", re.ASCII)
# No path holds `==`: a mark can never be part of another dataset's default key.
_MARK = re.compile(r"==([0-9a-f]{32})(?:\.|\Z)")


def default_key(ref: DatasetRef, extension: str, component: str | None = None) -> str:
    """Give the key that mirrors the path, in its RUN, of a dataset or of a component of it.

    Raises
    ------
    BadPath
        When a part is over 255 bytes.
    """
    run = "/".join(map(encode_name, ref.run.split("/")))
    levels = [f"/{name}={encode_value(str(value))}" for name, value in ref.data_id.levels]
    named = ref.type.name if component is None else f"{ref.type.name}.{component}"
    if component is not None and not levels:
        named = f"{named}/{ref.type.name}"
    key = f"{run}/{named}{''.join(levels)}{extension}"
    if len(key) * 4 > MAX_PART_BYTES:
        for part in key.split("/"):
            check_length(part, key)
    return key


def unique_key(ref: DatasetRef, extension: str, component: str | None = None) -> str:
    """Give a key that no other dataset has, for one that takes the place of another.

    Raises
    ------
    BadPath
        When a part of the default key is over 255 bytes.
    """
    key = default_key(ref, extension, component)
    return _marked(key.removesuffix(extension), ref, extension)


def file_key(refs: Sequence[DatasetRef], name: str, extension: str, mark: UUID | None = None) -> str:
    """Give the key of a file of many datasets: its name, in the folder of what they have in common.

    No dataset has such a key by itself: a folder named by a level holds nothing but levels, and a file
    without levels gets the mark, which no path has. With a ``mark`` no other file has the key either.

    Parameters
    ----------
    refs
        What lies in it, all of one RUN.
    name
        The name that the file has now; of it stays what keys can hold.

    Raises
    ------
    BadPath
        When a part of the folder is over 255 bytes.
    """
    first, *_ = refs
    # The last level is left out, so that no folder has the name that a dataset's file may have.
    each = zip(*[ref.data_id.levels[:-1] for ref in refs], strict=False)
    levels = [same[0] for same in takewhile(lambda found: len(set(found)) == 1, each)]
    named = [f"{name}={encode_value(str(value))}" for name, value in levels]
    folders = [*map(encode_name, first.run.split("/")), first.type.name, *named]
    for part in folders:
        check_length(part, "/".join(folders))
    stem = name[: -len(extension)] if extension and name.lower().endswith(extension) else name
    # What no text can hold (names of files are bytes) is replaced.
    text = encode_value(stem.encode(errors="replace").decode())
    end = f"=={(mark or first.id).hex}{extension}" if mark or not levels else extension
    kept = text.encode()[: MAX_PART_BYTES - len(end)].decode(errors="ignore")
    return f"{'/'.join(folders)}/{kept or first.type.name}{end}"


def id_in_key(key: str) -> UUID | None:
    """Read the dataset's id out of a key made by `unique_key`."""
    found = _MARK.search(key.rpartition("/")[2])
    return UUID(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Spelled:
    """What the key of a dataset, or of a component of it, says.

    Values are texts; of a key that was made unique, or too long, the id is in it.
    """

    run: str
    type_name: str
    keys: tuple[tuple[str, str], ...]
    extension: str
    component: str | None = None
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """How a store names its files: ``{run}/{type}/{instrument}/{visit:08d}_{detector}``.

    Fields are ``run``, ``type`` (with its component), ``id``, and the dimensions of a dataset; integers may
    have a width. The extension comes behind. Empty: the path of the dataset in its RUN.

    Raises
    ------
    BadConfig
        When it is not of this grammar, leads out of the store, or cannot tell datasets apart.
    """

    text: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no template."""
        if not self.text:
            return
        plain = _FIELD.sub("x", self.text)
        parts = plain.split("/")
        if "{" in plain or "}" in plain or any(part in ("", ".", "..") for part in parts) or plain[0] == ".":
            todo = "fields such as {run}/{type}/{visit:08d}, relative, without '..' or a leading dot"
            raise BadConfig(f"template {self.text!r}", "not a template of keys", todo)
        names = self._fields
        if "id" not in names and not {"run", "type"} <= names:
            raise BadConfig(
                f"template {self.text!r}", "it cannot tell datasets apart", "name {run} and {type}"
            )

    @property
    def _fields(self) -> set[str]:
        return {found[1] for found in _FIELD.finditer(self.text)}

    def key(
        self, ref: DatasetRef, extension: str, component: str | None = None, *, unique: bool = False
    ) -> str:
        """Give the key of a dataset, or of a component of it; ``unique``: one that no other dataset has.

        Every part fits in 255 bytes and the whole in 1000: what is longer is cut, and marked with the id.

        Raises
        ------
        BadPath
            When the dataset itself has no path, since a value is too long.
        BadConfig
            When the template leaves out a dimension of the dataset.
        """
        if unique and not self.text:
            return unique_key(ref, extension, component)
        if not self.text:
            return _default_or_unique(ref, extension, component)
        folder, _, name = self._filled(ref, component).rpartition("/")
        mark = f"=={ref.id.hex}{extension}"
        key = f"{folder}/{name}{mark if unique else extension}"
        if (
            any(len(part.encode()) > MAX_PART_BYTES for part in key.split("/"))
            or len(key.encode()) > MAX_BYTES
        ):
            return _cut_key(ref, name, extension)
        return key.removeprefix("/")

    def spelled(self, key: str) -> Spelled | None:
        """Read a key that `key` may have made; None when it cannot be read."""
        folder, slash, name = key.rpartition("/")
        found, extension = _MARK.search(name), extension_at_end(name)
        stem = name[: found.start()] if found else name.removesuffix(extension)
        marked = UUID(found[1]) if found else None
        whole = f"{folder}{slash}{stem}"
        return self._matched(whole, extension, marked) if self.text else _spelled(whole, extension, marked)

    def _matched(self, key: str, extension: str, marked: UUID | None) -> Spelled | None:
        values = self._fields_of(key)
        if "run" not in values or "type" not in values:
            return None
        padded = {field[1] for field in _FIELD.finditer(self.text) if field[2]}
        try:
            run = "/".join(decode(part, key) for part in values.pop("run").split("/"))
            name, _, component = values.pop("type").partition(".")
            named = values.pop("id", None)
            texts = ((level, str(int(text)) if level in padded else text) for level, text in values.items())
            keys = tuple((level, decode(text, key)) for level, text in texts)
        except BadPath:
            return None
        return Spelled(run, name, keys, extension, component or None, UUID(named) if named else marked)

    def _fields_of(self, key: str) -> dict[str, str]:
        """Read the values of the fields out of a key; nothing when there are several ways to."""
        shortest, longest = (re.fullmatch(_pattern(self.text, more), key) for more in ("?", ""))
        if shortest is None or longest is None or shortest.groups() != longest.groups():
            return {}
        return shortest.groupdict()

    def _filled(self, ref: DatasetRef, component: str | None) -> str:
        levels = dict(ref.data_id.levels)
        missing = set(ref.type.group.required) - self._fields
        if missing and "id" not in self._fields:
            todo = f"name {{{min(missing)}}} or {{id}}"
            raise BadConfig(
                f"template {self.text!r} for {ref.type.name}", f"it leaves out {min(missing)}", todo
            )
        named = ref.type.name if component is None else f"{ref.type.name}.{component}"
        own = {"run": "/".join(map(encode_name, ref.run.split("/"))), "type": named, "id": ref.id.hex}

        def fill(found: re.Match[str]) -> str:
            name, width = found[1], found[2]
            if name in own:
                return own[name]
            if name not in levels:
                known = ", ".join([*own, *levels])
                raise BadConfig(
                    f"template {self.text!r}", f"{ref.type.name} has no {name!r}", f"there are {known}"
                )
            value = levels[name]
            text = f"{value:0{width}d}" if width and isinstance(value, int) else str(value)
            return encode_value(text)

        return _FIELD.sub(fill, self.text)


def _pattern(text: str, more: str) -> str:
    """Give the expression that matches what a template makes, with a group for each of its fields.

    With ``more`` empty each field takes as much as it can; with ``?`` as little.
    """
    kinds = {
        "run": f".+{more}",
        "id": "[0-9a-f]{32}",
        "type": rf"[A-Za-z_]\w*{more}(?:\.[A-Za-z_]\w*{more})?{more}",
    }
    parts: list[str] = []
    at, seen = 0, set[str]()
    for field in _FIELD.finditer(text):
        name = field[1]
        kind = kinds.get(name, rf"-?\d+{more}" if field[2] else f"[^/]+{more}")
        parts.append(re.escape(text[at : field.start()]))
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>{kind})")
        seen.add(name)
        at = field.end()
    return "".join([*parts, re.escape(text[at:])])


def _spelled(key: str, extension: str, marked: UUID | None) -> Spelled | None:
    """Read a key that mirrors a path."""
    try:
        address = parse(key + extension)
    except BadPath:
        return None
    if address.service or address.selectors or address.inner:
        return None
    if address.keys:
        run, component = address.collection, address.component
        return Spelled(run, address.type_name, address.keys, address.extension, component, marked)
    leaf = split_leaf(address.head[-1]) if len(address.head) > 1 else None
    if leaf is None or leaf[1] is not None:
        return None
    above, folder = address.head[:-1], address.head[-2]
    # A component of a dataset without dimensions lies in a folder of its own.
    component = folder.removeprefix(f"{leaf[0]}.") if folder.startswith(f"{leaf[0]}.") else None
    run = "/".join(above[:-1] if component else above)
    return Spelled(run, leaf[0], (), leaf[2], component, marked) if run else None


def _default_or_unique(ref: DatasetRef, extension: str, component: str | None) -> str:
    try:
        key = default_key(ref, extension, component)
    except BadPath:
        # The path of the dataset must be one; what a longer extension adds is no reason to refuse it.
        return _marked(default_key(ref, "", component), ref, extension)
    return key if len(key.encode()) <= MAX_BYTES else _cut_key(ref, key.rpartition("/")[2], extension)


def _cut_key(ref: DatasetRef, name: str, extension: str) -> str:
    return f"{ref.type.name}/{_cut(name, f'=={ref.id.hex}{extension}')}"


def _marked(key: str, ref: DatasetRef, extension: str) -> str:
    folder, _, name = key.rpartition("/")
    return f"{folder}/{_cut(name, f'=={ref.id.hex}{extension}')}"


def _cut(name: str, mark: str) -> str:
    """Give as much of a name as fits before a mark, by whole characters."""
    return name.encode()[: MAX_PART_BYTES - len(mark)].decode(errors="ignore") + mark
