"""Files sorted by the dataset that they are of, in a temporary database: memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from ..abc.store import Stat
from ..model.manifest_line import FileRow
from ..model.template import Spelled


class Spool:
    """Takes files, and gives them back by type, RUN and data ID."""

    def __init__(self) -> None:
        # An empty name: a file that the system deletes.
        self._database = sqlite3.connect("")
        self._database.execute(
            "CREATE TABLE file (type, run, keys, store, key, extension, component, id, size, mtime_ns, owned)"
        )

    def add(self, spelled: Spelled, store: str, key: str, stat: Stat, *, owned: bool) -> None:
        """Take a file in."""
        identity = (spelled.type_name, spelled.run, json.dumps(sorted(spelled.keys)))
        what = (spelled.extension, spelled.component, None if spelled.id is None else spelled.id.bytes)
        row = (*identity, store, key, *what, stat.size, stat.mtime_ns, owned)
        self._database.execute("INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def types(self) -> Iterator[tuple[str, tuple[str, ...], str, bool]]:
        """Give each type with the names of its keys, an extension, and whether it is whole in a file."""
        rows = self._database.execute(
            "SELECT type, keys, min(extension), max(component IS NULL) FROM file GROUP BY type"
        )
        for name, keys, extension, whole in rows.fetchall():
            yield name, tuple(key for key, _ in json.loads(keys)), extension, bool(whole)

    def datasets(self) -> Iterator[tuple[Spelled, list[FileRow]]]:
        """Give each dataset with its files, the whole ones first."""
        order = "SELECT * FROM file ORDER BY type, run, keys, component IS NOT NULL, store, key"
        for (name, run, keys), rows in groupby(self._database.execute(order), itemgetter(0, 1, 2)):
            files, uuid, extension = [], None, ""
            for _, _, _, store, key, extension, component, found, size, mtime_ns, owned in rows:
                own = (size, mtime_ns, None, bool(owned), component)
                files.append(FileRow(store, key, extension, *own))
                uuid = uuid or (None if found is None else UUID(bytes=found))
            pairs = tuple((key, value) for key, value in json.loads(keys))
            yield Spelled(run, name, pairs, extension, None, uuid), files

    def close(self) -> None:
        """Forget all."""
        self._database.close()
