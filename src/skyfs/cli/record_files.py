"""Dimension records in JSON, YAML and CSV files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..config.yamlfile import YAML_FAULTS, parse_yaml
from ..errors import BadContent, BadDefinition, SkyfsError, UnknownFormat
from ..model.dimensions import Element
from ..model.timespan import Timespan
from .identifying import cast


def read_records(path: Path, element: Element) -> list[dict[str, object]]:
    """Read records of an element: a list of mappings, or a CSV table whose first line names the columns.

    Timespans are ``BEGIN--END`` or ``[BEGIN, END]`` (TAI); regions are hexadecimal.

    Raises
    ------
    UnknownFormat
        When the file is none of the three.
    BadContent
        When it does not hold records.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return [_typed(element, row) for row in csv.DictReader(io.StringIO(text))]
        return [_restored(row) for row in _load(path, text)]
    except SkyfsError:
        raise
    except (*YAML_FAULTS, RecursionError, csv.Error) as error:
        raise BadContent(f"cannot read {str(path)!r}", " ".join(str(error).split())) from None


def _load(path: Path, text: str) -> Sequence[Mapping[str, object]]:
    if path.suffix not in (".json", ".yaml", ".yml"):
        raise UnknownFormat(
            f"records in {str(path)!r}", f"{path.suffix!r} is not known", ".json, .yaml or .csv"
        )
    found = json.loads(text) if path.suffix == ".json" else parse_yaml(text)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadContent(f"records in {str(path)!r}", "not a list of mappings", "[{name: ..., ...}, ...]")
    return found


def _restored(row: Mapping[str, object]) -> dict[str, object]:
    """Turn text of timespans and regions back."""
    found = dict(row)
    if isinstance(found.get("timespan"), str):
        found["timespan"] = Timespan.parse(str(found["timespan"]))
    for name in ("region", "hash"):
        if isinstance(found.get(name), str):
            found[name] = bytes.fromhex(str(found[name]))
    return found


def _typed(element: Element, row: Mapping[str, object]) -> dict[str, object]:
    """Give the values of a CSV row their types; empty cells are left out."""
    columns = {column.name: column for column in (*element.keys, *element.metadata)}
    found = {name: value for name, value in row.items() if value not in ("", None)}
    if None in row:
        raise BadDefinition(f"a row of {element.name!r} records", "more cells than the first line names")
    return {
        name: cast(columns[name], value) if name in columns else _restored({name: value})[name]
        for name, value in found.items()
    }
