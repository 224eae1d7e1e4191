"""Rules of stored files: their rows, and the datasets in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from ..statement import Statement
from .ground import Ground
from .rule import RangedRule, Rule, SelectRule, missing, within


def place_rules(ground: Ground) -> Iterator[Rule]:
    """Give the rules of files and of the places of datasets."""
    dataset, location = ground.schema["dataset"], ground.schema["location"]
    artifact = ground.schema["artifact"]
    for code, owner, same, found in (
        ("location-without-dataset", dataset, dataset.c.id == location.c.dataset_id, "the dataset is gone"),
        (
            "location-without-artifact",
            artifact,
            artifact.c.id == location.c.artifact_id,
            "the file has no row",
        ),
    ):
        gone = missing(owner, same)
        yield SelectRule(
            ground.database,
            code,
            sa.select(location.c.dataset_id, location.c.artifact_id).where(gone),
            lambda row, found=found: (f"dataset {row.dataset_id} in file {row.artifact_id}", found),  # type: ignore[misc]
            "drop the row",
            [location.delete().where(gone)],
        )
    yield _unused(ground, artifact, location)
    yield _miscounted(ground, artifact, location)
    yield _nameless(ground, artifact)


def _unused(ground: Ground, artifact: sa.Table, location: sa.Table) -> Rule:
    number: sa.BindParameter[int] = sa.bindparam("an_id")
    return RangedRule(
        ground.database,
        "artifact-without-location",
        sa.except_(
            sa.select(artifact.c.id).where(within(artifact.c.id)),
            sa.select(location.c.artifact_id).where(within(location.c.artifact_id)),
        ),
        lambda row: (f"file {row[0]}", "no dataset lies in it"),
        "drop the row; the file is then an extra one",
        artifact.c.id,
        Statement(artifact.delete().where(artifact.c.id == number), ["an_id"]),
    )


def _miscounted(ground: Ground, artifact: sa.Table, location: sa.Table) -> Rule:
    counts = sa.select(location.c.artifact_id, sa.func.count().label("found"))
    counted = counts.where(within(location.c.artifact_id)).group_by(location.c.artifact_id).subquery()
    joined = artifact.join(counted, counted.c.artifact_id == artifact.c.id)
    select: sa.Select[Any] = sa.select(counted.c.found, artifact.c.id, artifact.c.datasets)
    changed = artifact.update().where(artifact.c.id == sa.bindparam("an_id"))
    # The row's last column, what was counted wrongly, is compared: what somebody else changed stays.
    same = artifact.c.datasets == sa.bindparam("before")
    return RangedRule(
        ground.database,
        "wrong-artifact-count",
        select.select_from(joined).where(artifact.c.datasets != counted.c.found),
        lambda row: (f"file {row.id}", f"it says it holds {row.datasets} datasets, there are {row.found}"),
        "count again",
        artifact.c.id,
        Statement(changed.where(same).values(datasets=sa.bindparam("found")), ["found", "an_id", "before"]),
    )


def _nameless(ground: Ground, artifact: sa.Table) -> Rule:
    symbol = ground.schema["symbol"]
    gone = [
        missing(symbol, symbol.c.id == artifact.c[name]) & artifact.c[name].is_not(None)
        for name in ("store_id", "extension_id", "folder_id")
    ]
    return SelectRule(
        ground.database,
        "artifact-without-name",
        sa.select(artifact.c.id).where(sa.or_(*gone)),
        lambda row: (f"file {row.id}", "the text of its store, folder or extension is gone"),
        "restore the registry from a copy: nothing else tells where the file is",
    )
