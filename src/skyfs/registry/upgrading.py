"""Registries of older schemas made registries of this one."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from ..errors import MissingPackage, VersionError
from .schema import SCHEMA_VERSION

OLDEST_VERSION = 2
"""Of the schemas that can be read."""
_REVISIONS = Path(__file__).parent / "revisions"


def check_version(name: str, found: str | None) -> None:
    """Raise VersionError, with what to do, when a registry's schema is not that of this version."""
    version = int(found) if found is not None and found.isdecimal() and len(found) < 10 else 0
    if version == SCHEMA_VERSION:
        return
    what = f"registry {name!r}"
    told = f"schema {found!r}, this skyfs knows {SCHEMA_VERSION}"
    if version > SCHEMA_VERSION:
        raise VersionError(what, told, "use a newer version of skyfs")
    if version >= OLDEST_VERSION:
        raise VersionError(what, told, "make a new repository of it: skyfs migrate OLD NEW")
    raise VersionError(what, told, "use the version of skyfs that made it")


def upgrade(path: Path) -> None:
    """Make a SQLite file with an older schema one of this schema.

    Raises
    ------
    VersionError
        When the schema is not one that can be read.
    MissingPackage
        When Alembic is not installed.
    """
    engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        found = connection.execute(sa.text("SELECT value FROM meta WHERE key = 'schema'")).scalar()
        if found == str(SCHEMA_VERSION):
            return
        try:
            check_version(str(path), found)
        except VersionError as error:
            if "migrate" not in error.todo:
                raise
        _run(connection, str(found))
        changed = "UPDATE meta SET value = :version WHERE key = 'schema'"
        connection.execute(sa.text(changed), {"version": str(SCHEMA_VERSION)})


def _run(connection: sa.Connection, version: str) -> None:
    try:
        from alembic.migration import MigrationContext
        from alembic.operations import Operations
        from alembic.script import ScriptDirectory
    except ImportError as error:
        todo = "pip install 'skyfs[migrate]'"
        raise MissingPackage("migrating needs alembic", str(error), todo) from error
    scripts = ScriptDirectory(str(_REVISIONS), version_locations=[str(_REVISIONS)])
    revisions = list(scripts.iterate_revisions(str(SCHEMA_VERSION), version))
    with Operations.context(MigrationContext.configure(connection)):
        for revision in reversed(revisions):
            revision.module.upgrade()
