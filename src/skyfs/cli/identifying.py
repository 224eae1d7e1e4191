"""Data IDs of files from rules: the same for all, from their headers, or from their names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import click

from ..abc.source import ByteSource
from ..errors import BadContent, BadDataId, BadDefinition, NotFound, UnknownFormat, Unsupported
from ..formats.catalog import Formats
from ..model.dimensions import Column, DimensionGroup, Element, Universe
from ..repository import Repository
from ..stores.local import LocalStore
from ..writing.ingester import IngestFile, extension_of

Values = Mapping[str, object]
_Rule = Callable[[str, Values], object]
_NUMBER = re.compile(r"[+-]?\d+", re.ASCII)
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")


@dataclass(frozen=True, slots=True)
class Identified:
    """A file, and a value for each KEY of the rules."""

    path: str
    extension: str
    values: Values


class Identifier:
    """Applies ``--id`` rules to files.

    Parameters
    ----------
    universe
        Says which keys there are and of what type.
    rules
        ``KEY=VALUE``, ``KEY=header:KEYWORD`` or ``KEY=name:REGEX``.

    Raises
    ------
    click.UsageError
        When a rule is not well formed.
    BadDefinition
        When a key is no dimension and no column.
    """

    def __init__(self, universe: Universe, rules: Sequence[str]) -> None:
        self._universe = universe
        self._rules: dict[str, _Rule] = {}
        self._files = LocalStore("/", name="in-place", writable=False)
        self._needs_header = any("=header:" in rule for rule in rules)
        for rule in rules:
            key, equals, text = rule.partition("=")
            if not (key and equals and text) or key in self._rules:
                raise click.UsageError(
                    f"--id {rule!r}: KEY=VALUE, KEY=header:KEYWORD or KEY=name:REGEX, each KEY once"
                )
            self._column(key)
            self._rules[key] = _rule(key, text)

    def identify(self, formats: Formats, path: str) -> Identified:
        """Give the values for one file.

        Raises
        ------
        BadDataId
            When a rule finds nothing in the file.
        BadContent, NotFound, StoreError
            When the file cannot be read.
        """
        extension = extension_of(os.path.basename(path), formats)
        if extension is None:
            todo = f"known are {', '.join(known for known in formats.extensions if known)}"
            raise UnknownFormat(f"ingest {path!r}", "no format has its extension", todo)
        header: Values = {}
        if self._needs_header:
            header = self._header(formats, path, extension)
        values = {key: self._typed(key, rule(path, header), path) for key, rule in self._rules.items()}
        return Identified(path, extension, values)

    def dimensions(self) -> tuple[str, ...]:
        """Give the dimensions of a new type: the keys, without those that records of others imply."""
        keys = [key for key in self._rules if "." not in key and self._universe.has(key)]
        required = {part for key in keys for part in self._universe.element(key).identity}
        implied = self._universe.implied_by(required)
        return tuple(
            key
            for key in keys
            if not any(key in self._universe.implied_by([other]) for other in keys) and key not in implied
        )

    def _header(self, formats: Formats, path: str, extension: str) -> Values:
        with self._open(path) as source:
            try:
                return formats.header(source, extension)
            except (BadContent, Unsupported) as error:
                raise type(error)(f"ingest {path!r}", f"{error.asked}: {error.found}", error.todo) from None

    def _open(self, path: str) -> ByteSource:
        full = os.path.abspath(path)
        if os.path.isdir(full):
            raise NotFound(f"ingest {path!r}", "it is a folder", f"name its files: {path.rstrip('/')}/*")
        return self._files.open(full[1:])

    def _column(self, key: str) -> Column | None:
        """Give the column that a key is a value of; None for alternate keys, which the data ID explains."""
        name, dot, column = key.partition(".")
        if not dot:
            alternates = {part for element in self._universe.elements.values() for part in element.alternates}
            return None if key in alternates else self._universe.element(key).key
        element = self._universe.element(name)
        known = {one.name: one for one in (*element.keys[1:], *element.metadata)}
        if column not in known:
            raise BadDefinition(f"--id {key}", f"no such column of {name}", f"there are {', '.join(known)}")
        return known[column]

    def _typed(self, key: str, value: object, path: str) -> object:
        column = self._column(key)
        found = value.strip() if isinstance(value, str) else value
        kind = column.type if column is not None else "string"
        try:
            return _CASTS[kind](found)
        except ValueError:
            raise BadDataId(
                f"ingest {path!r}", f"{key} is {value!r}", f"{kind} is wanted: mend its --id"
            ) from None


def missing_records(
    repository: Repository, group: DimensionGroup, files: Sequence[Identified]
) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """Give the records that the files need and that are not there, each element after those that it names.

    Raises
    ------
    BadDataId
        When a record needs a value that no rule gives.
    """
    universe = repository.registry.universe
    names = universe.dependency_order((*group.required, *group.implied))
    for name in names:
        element = universe.element(name)
        records: dict[tuple[object, ...], dict[str, object]] = {}
        for file in files:
            if element.has_records and all(part in file.values for part in element.identity):
                key = tuple(file.values[part] for part in element.identity)
                if key not in records and not repository.registry.records.exists(element, key):  # type: ignore[arg-type]
                    records[key] = _record(element, file)
        if records:
            yield name, list(records.values())


def to_ingest(file: Identified) -> IngestFile:
    """Give the file with its data ID, without what is for records only."""
    return IngestFile(file.path, {key: value for key, value in file.values.items() if "." not in key})


def _record(element: Element, file: Identified) -> dict[str, object]:
    record = {part: file.values[part] for part in element.identity}
    for name in element.implies:
        if name not in file.values:
            what = f"define {element.name} {file.values[element.name]!r} of {file.path!r}"
            raise BadDataId(what, f"its record names a {name}", f"add --id {name}=...")
        record[name] = file.values[name]
    for column in (*element.keys[1:], *element.metadata):
        key = f"{element.name}.{column.name}"
        given = file.values.get(
            key, file.values.get(column.name) if column.name in element.alternates else None
        )
        if given is None and not column.nullable:
            what = f"define {element.name} {file.values[element.name]!r} of {file.path!r}"
            raise BadDataId(what, f"its record needs {column.name}", f"add --id {key}=...")
        if given is not None:
            record[column.name] = given
    return record


def _rule(key: str, text: str) -> _Rule:
    if text.startswith("header:"):
        return partial(_from_header, key, text.removeprefix("header:"))
    if text.startswith("name:"):
        try:
            pattern = re.compile(text.removeprefix("name:"))
        except re.error as error:
            raise click.UsageError(f"--id {key}={text}: bad regular expression, {error}") from None
        return partial(_from_name, key, pattern)
    return lambda _path, _header: text


def _from_header(key: str, keyword: str, path: str, header: Values) -> object:
    for name in (keyword, keyword.upper()):
        if name in header:
            return header[name]
    raise BadDataId(f"ingest {path!r}", f"no {keyword} in its header", f"give {key} by another --id rule")


def _from_name(key: str, pattern: re.Pattern[str], path: str, _header: Values) -> object:
    name = os.path.basename(path)
    found = pattern.search(name)
    if found is None:
        raise BadDataId(
            f"ingest {path!r}", f"its name does not match {pattern.pattern!r}", f"mend --id {key}=name:..."
        )
    if key in pattern.groupindex:
        return found[key]
    return found[1] if pattern.groups else found[0]


def _integer(value: object) -> int:
    """Read a whole number; names and headers write 0001 and 3.0 for it."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(value)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in (*_TRUE, *_FALSE):
        return str(value).lower() in _TRUE
    raise ValueError(value)


def _bytes(value: object) -> bytes:
    return bytes.fromhex(str(value))


_CASTS: Mapping[str, Callable[[object], object]] = {
    "int": _integer,
    "float": lambda value: float(str(value)),
    "string": str,
    "bool": _boolean,
    "bytes": _bytes,
}


def cast(column: Column, value: object) -> object:
    """Turn text of a file into a value of a column.

    Raises
    ------
    BadDefinition
        When it does not fit.
    """
    try:
        return _CASTS[column.type](value)
    except ValueError:
        raise BadDefinition(f"{column.name}={value!r}", "ill-typed", f"{column.type} is wanted") from None
