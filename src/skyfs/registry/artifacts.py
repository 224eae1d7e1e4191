"""Rows about stored files: which there are, and which datasets lie in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ..errors import BadPath
from ..model.dataset import DatasetRef, Location
from ..model.template import default_key, id_in_key
from .database import Database
from .keys import DefaultKeys
from .schema import Schema
from .statement import Statement, among
from .symbols import Symbols

# A dataset's row, the dataset, and where its bytes lie.
Placed = tuple[int, DatasetRef, Location]


@dataclass(slots=True)
class _File:
    """A file and the datasets to be placed in it."""

    placed: list[Placed]
    has_parts: bool
    by_name: bool = False
    folder: str | None = None
    name: str | None = None


class Artifacts:
    """Adds and drops files, inside of a transaction, and counts the datasets in each."""

    def __init__(self, database: Database, schema: Schema, symbols: Symbols) -> None:
        self._database = database
        self._symbols = symbols
        artifact, location = schema["artifact"], schema["location"]
        self._insert_artifacts, self._insert_locations = (
            Statement.insert(artifact),
            Statement.insert(location),
        )
        self._drop = [_counting_down(artifact, location), _dropping(artifact, location), _unlinking(location)]
        self._find = _by_name(artifact)
        self._grow = _counting_up(artifact)
        self._retime = _retiming(artifact, location)
        self._shared = _shared(schema)

    def place(self, placed: Sequence[Placed], first_id: int) -> None:
        """Record where bytes lie; new files get ids from ``first_id`` on."""
        files = _by_file(placed)
        ids = self._symbols.ids(_texts(files))
        new: list[tuple[object, ...]] = []
        links: list[tuple[object, ...]] = []
        for file in files.values():
            artifact_id = self._known(file, ids) if file.has_parts else None
            if artifact_id is None:
                artifact_id = first_id + len(new)
                new.append(_artifact_row(artifact_id, file, ids))
            links += [
                _location_row(dataset_id, artifact_id, place, ids) for dataset_id, _, place in file.placed
            ]
        self._database.write_many(self._insert_artifacts, new)
        self._database.write_many(self._insert_locations, links)

    def drop(self, dataset_ids: Sequence[int]) -> None:
        """Take datasets out of their files; a file goes with its last one."""
        rows = [(dataset_id,) for dataset_id in dataset_ids]
        for statement in self._drop:
            self._database.write_many(statement, rows)

    def retime(self, dataset_id: int, mtime_ns: int) -> int:
        """Change the time of files that are a dataset's alone, and skyfs's own; give how many."""
        return self._database.write_many(self._retime, [(mtime_ns, dataset_id)])

    def shared(self, refs: Sequence[DatasetRef]) -> set[tuple[str, str]]:
        """Give (store, key) of files that hold other datasets than these too."""
        totals: dict[tuple[str, str], int] = {}
        ids = {ref.id.bytes for ref in refs}
        for store_id, folder, name, datasets, held in self._database.read_among(self._shared, ids):
            key = (self._symbols.text(store_id), f"{folder}/{name}" if folder else name)
            totals[key] = totals.get(key, datasets) - held
        return {key for key, others in totals.items() if others > 0}

    def _known(self, file: _File, ids: Mapping[str, int]) -> int | None:
        """Give the artifact of a file that holds parts already, its count raised."""
        store = file.placed[0][2].store
        where = {"store_id": ids[store], "folder_id": ids[str(file.folder)], "name": file.name}
        rows = self._database.read(self._find, where)
        if not rows:
            return None
        artifact_id, place = int(rows[0][0]), file.placed[0][2]
        # Of a file that stays where it is, what it is now.
        self._database.write_many(self._grow, [(len(file.placed), *place.whole, place.mtime_ns, artifact_id)])
        return artifact_id


def _by_file(placed: Sequence[Placed]) -> dict[tuple[str, str], _File]:
    files: dict[tuple[str, str], _File] = {}
    keys = DefaultKeys()
    for one in placed:
        place = one[2]
        file = files.get((place.store, place.key))
        if file is None:
            files[place.store, place.key] = _File([one], place.part is not None)
        else:
            file.placed.append(one)
            file.has_parts |= place.part is not None
    for (_, key), file in files.items():
        # No path is stored when it follows from the template.
        if len(file.placed) > 1 or not follows(file.placed[0][1], file.placed[0][2], keys):
            file.folder, _, file.name = key.rpartition("/")
            # What a store's own template names says nothing of its dataset: recovery finds it by its name.
            file.by_name |= file.placed[0][2].owned and id_in_key(key) is None
    return files


def follows(ref: DatasetRef, place: Location, keys: DefaultKeys) -> bool:
    """Tell whether a key is what the template makes of the dataset."""
    try:
        if place.component is not None:
            return place.key == default_key(ref, place.extension, place.component)
        return place.part is None and place.key == keys.key(ref, place.extension)
    except BadPath:  # the template has no key for it: a value is too long
        return False


def _texts(files: Mapping[tuple[str, str], _File]) -> list[str]:
    texts = [
        text for file in files.values() for text in (file.placed[0][2].store, file.placed[0][2].extension)
    ]
    texts += [place.component for file in files.values() for _, _, place in file.placed if place.component]
    return texts + [file.folder for file in files.values() if file.folder is not None]


def _artifact_row(artifact_id: int, file: _File, ids: Mapping[str, int]) -> tuple[object, ...]:
    place = file.placed[0][2]
    folder_id = None if file.folder is None else ids[file.folder]
    where = (artifact_id, ids[place.store], folder_id, file.name, ids[place.extension])
    size, sha256 = place.whole
    return (
        *where,
        size,
        place.mtime_ns,
        sha256,
        place.owned,
        file.has_parts or file.by_name,
        len(file.placed),
    )


def _location_row(
    dataset_id: int, artifact_id: int, place: Location, ids: Mapping[str, int]
) -> tuple[object, ...]:
    part: tuple[object, ...] = (None,) * 5
    if place.part is not None:
        part = (place.part.hdu, place.part.head, place.part.start, place.size, place.sha256)
    component_id = None if place.component is None else ids[place.component]
    return (dataset_id, artifact_id, component_id, *part)


def _by_name(artifact: sa.Table) -> sa.Select[Any]:
    names = ("store_id", "folder_id", "name")
    same = [artifact.c[name] == sa.bindparam(name) for name in names]
    return sa.select(artifact.c.id).where(*same, sa.literal_column("parts"))


def _counting_up(artifact: sa.Table) -> Statement:
    grown = artifact.update().where(artifact.c.id == sa.bindparam("an_id"))
    new = {"size": "a_size", "sha256": "a_digest", "mtime_ns": "a_time"}
    values: dict[str, sa.ColumnElement[Any]] = {name: sa.bindparam(value) for name, value in new.items()}
    more = artifact.c.datasets + sa.bindparam("more")
    return Statement(grown.values(datasets=more, **values), ["more", *new.values(), "an_id"])


def _held(location: sa.Table) -> sa.Select[Any]:
    return sa.select(location.c.artifact_id).where(location.c.dataset_id == sa.bindparam("a_dataset"))


def _counting_down(artifact: sa.Table, location: sa.Table) -> Statement:
    fewer = artifact.update().where(artifact.c.id.in_(_held(location)))
    return Statement(fewer.values(datasets=artifact.c.datasets - sa.literal_column("1")), ["a_dataset"])


def _retiming(artifact: sa.Table, location: sa.Table) -> Statement:
    own = artifact.c.owned & (artifact.c.datasets == sa.literal_column("1"))
    changed = artifact.update().where(artifact.c.id.in_(_held(location)), own)
    return Statement(changed.values(mtime_ns=sa.bindparam("a_time")), ["a_time", "a_dataset"])


def _dropping(artifact: sa.Table, location: sa.Table) -> Statement:
    empty = artifact.c.datasets <= sa.literal_column("0")
    return Statement(artifact.delete().where(artifact.c.id.in_(_held(location)), empty), ["a_dataset"])


def _unlinking(location: sa.Table) -> Statement:
    return Statement(
        location.delete().where(location.c.dataset_id == sa.bindparam("a_dataset")), ["a_dataset"]
    )


def _shared(schema: Schema) -> sa.Select[Any]:
    artifact, location, dataset, folder = (
        schema[name] for name in ("artifact", "location", "dataset", "symbol")
    )
    joined = dataset.join(location, location.c.dataset_id == dataset.c.id)
    joined = joined.join(artifact, artifact.c.id == location.c.artifact_id)
    joined = joined.join(folder, folder.c.id == artifact.c.folder_id)
    columns = (artifact.c.store_id, folder.c.text, artifact.c.name, artifact.c.datasets, sa.func.count())
    found = sa.select(*columns).select_from(joined).where(artifact.c.datasets > 1)
    return found.where(among(dataset.c.uuid)).group_by(artifact.c.id, folder.c.text)
