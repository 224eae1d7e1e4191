"""All rules in the order in which they are gone over, and the datasets whose files are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from ...errors import StoreError
from ..catalogue import Catalogue
from ..database import Database
from ..dataids import DataIds
from ..records import Records
from ..schema import Schema
from .catalogue import catalogue_rules
from .datasets import MembershipRule, dataset_rules, detail_rules
from .ground import Ground
from .levels import LevelsRule
from .members import SummaryRule, member_rules, stored_rules, unknown_summary_rule, validity_rule
from .places import place_rules
from .readable import ID_BYTES, id_rule, readable_rules
from .records import RegionRule, parent_rules, recorded_rules
from .rule import Broken, Rule


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A dataset with bytes: the id of its row, by which all are gone over, and its own."""

    number: int
    id: UUID


class Audit:
    """Gives the rules of a registry, and what a check of the files needs."""

    def __init__(
        self, database: Database, schema: Schema, catalogue: Catalogue, records: Records, data_ids: DataIds
    ) -> None:
        self._database, self._schema, self._catalogue = database, schema, catalogue
        self._records, self._data_ids = records, data_ids
        self._page = _stored_page(schema)
        self._digest = _digesting(schema)

    def rules(self) -> Iterator[Rule]:
        """Give all rules, each so that what those before it have mended may stand.

        What they say is read when it is asked for: mend a rule before asking for the next.
        """
        ground = Ground(self._database, self._schema)
        yield SoundRule(self._database)
        yield from readable_rules(ground)
        yield id_rule(ground)
        yield from catalogue_rules(ground, self._catalogue)
        yield from dataset_rules(ground)
        groups = list(ground.groups())
        for grouped in groups:
            yield from member_rules(ground, grouped)
        yield from place_rules(ground)
        yield from detail_rules(ground)
        # Records before memberships: these say what records imply.
        sides = self._catalogue.current().sides
        yield from parent_rules(ground, sides.values(), self._records)
        for grouped in groups:
            yield from stored_rules(ground, grouped)
            yield LevelsRule(ground, grouped, self._data_ids)
            yield MembershipRule(ground, grouped, self._catalogue, self._data_ids)
            yield validity_rule(ground, grouped)
            yield SummaryRule(ground, grouped)
            yield from recorded_rules(ground, grouped, self._records)
        yield unknown_summary_rule(ground)
        for element in self._schema.universe.elements.values():
            if element.has_records and element.spatial:
                yield RegionRule(ground, element)

    def stored_after(self, number: int, limit: int) -> list[StoredRow]:
        """Give the next datasets with bytes, in the order of their rows."""
        rows = self._database.read(self._page, {"after": number, "most": limit})
        return [StoredRow(row[0], UUID(bytes=bytes(row[1]))) for row in rows]

    def stored_count(self) -> int:
        """Tell how many datasets there are, those without bytes too."""
        return int(self._database.read(sa.select(sa.func.count(self._schema["dataset"].c.id)))[0][0])

    def fill_digest(self, number: int, store: str, size: int, sha256: bytes) -> None:
        """Keep the digest of a dataset's file that was taken in unread, inside of a transaction."""
        where = {"a_dataset": number, "a_store": store, "a_size": size}
        self._database.write(self._digest, {**where, "a_digest": sha256})


class SoundRule(Rule):
    """The database itself finds no fault with its file or indexes."""

    code, mendable = "database-damaged", False
    todo = "stop all writers, keep a copy of its files, and restore the registry from a sound one"

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self) -> Broken:
        try:
            found = self._database.damages()
        except StoreError as error:
            found = [error.found]
        return Broken(len(found), [(f"registry {self._database.name}", one) for one in found])


def _stored_page(schema: Schema) -> sa.Select[Any]:
    dataset, location = schema["dataset"], schema["location"]
    placed = sa.exists().where(location.c.dataset_id == dataset.c.id)
    found = sa.select(dataset.c.id, dataset.c.uuid).where(dataset.c.id > sa.bindparam("after"), placed)
    # `id_rule` tells of others.
    found = found.where(sa.func.length(dataset.c.uuid) == ID_BYTES)
    return found.order_by(dataset.c.id).limit(sa.bindparam("most"))


def _digesting(schema: Schema) -> sa.Update:
    artifact, location, symbol = schema["artifact"], schema["location"], schema["symbol"]
    held = sa.select(location.c.artifact_id).where(location.c.dataset_id == sa.bindparam("a_dataset"))
    store = sa.select(symbol.c.id).where(symbol.c.text == sa.bindparam("a_store")).scalar_subquery()
    unread = artifact.update().where(artifact.c.id.in_(held), artifact.c.sha256.is_(None))
    same = (artifact.c.size == sa.bindparam("a_size"), artifact.c.store_id == store)
    return unread.where(*same).values(sha256=sa.bindparam("a_digest"))
