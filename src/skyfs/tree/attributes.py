"""What is known of datasets without opening them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..model.dataset import DatasetRef, Resolved
from ..repository import Repository
from .naming import filename
from .node import Node


def attributes(repository: Repository, node: Node, *, records: bool) -> dict[str, object]:
    """Give ids, digest, values of dimensions, and with ``records`` columns of records and captured values."""
    if node.named is None:
        return {}
    if node.inner:
        # It is of the dataset, but digest and file name are not its own.
        return {"id": str(node.named.resolved.ref.id)}
    resolved = node.named.resolved
    ref = resolved.ref
    reader = repository.reader
    stored = reader.stored(resolved, node.named.extension, node.named.component)
    place = stored or reader.shown(resolved)
    found: dict[str, object] = {"id": str(ref.id), "dataset_type": ref.type.name, "run": ref.run}
    found |= {"storage_class": ref.type.storage_class, "filename": filename(node.named, place.extension)}
    found["sha256"] = place.sha256.hex() if place.sha256 and stored else None
    if ref.valid is not None:
        found["valid"] = str(ref.valid)
    columns = {**_record_values(repository, resolved), **_captured(repository, ref)} if records else {}
    return {**columns, **found, **dict(ref.data_id.levels)}


def _captured(repository: Repository, ref: DatasetRef) -> dict[str, object]:
    """Give captured values as expressions call them: ``type.name``."""
    found = repository.registry.captured.of(ref.id) if ref.type.capture else {}
    return {f"{ref.type.name}.{name}": value for name, value in found.items()}


def _record_values(repository: Repository, resolved: Resolved) -> dict[str, object]:
    universe = repository.registry.universe
    values: dict[str, object] = dict(resolved.ref.data_id.levels)
    found: dict[str, object] = {}
    waiting = list(resolved.ref.data_id)
    for name in waiting:
        element = universe.element(name)
        if not element.has_records or any(part not in values for part in element.identity):
            continue
        same = {part: values[part] for part in element.identity}
        for record in repository.registry.records.select(name, same):
            found |= dict(_columns(name, record, same))
            new = [part for part in element.implies if record.get(part) is not None and part not in values]
            values |= {part: record[part] for part in new}
            waiting += new
    return found | {name: value for name, value in values.items() if _is_plain(value)}


def _columns(
    element: str, record: Mapping[str, object], identity: Mapping[str, object]
) -> Iterator[tuple[str, object]]:
    for key, value in record.items():
        if _is_plain(value) and key not in identity:
            yield f"{element}.{key}", value


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)
