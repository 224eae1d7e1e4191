"""A schema of a database as the place of a registry: made, opened, dropped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import errors

from ...errors import BadArgument, Exists, NotAllowed, NotFound
from ..place import Place
from .address import Address
from .database import PostgresDatabase, translated
from .functions import DEFINITIONS
from .session import connect, driver, locking

_SCHEMA = """
SELECT oid, has_schema_privilege(oid, 'USAGE'), obj_description(oid, 'pg_namespace')
FROM pg_namespace WHERE nspname = %s
"""
_HELD = """
SELECT 1 FROM pg_class WHERE relnamespace = %(id)s
UNION ALL SELECT 1 FROM pg_proc WHERE pronamespace = %(id)s
"""
_DROPS = """
SELECT format('DROP TABLE %%s CASCADE', oid::regclass) FROM pg_class
WHERE relkind = 'r' AND relnamespace = %(id)s
UNION ALL
SELECT format('DROP FUNCTION %%s CASCADE', oid::regprocedure) FROM pg_proc WHERE pronamespace = %(id)s
"""
# Marks a schema that was made for a registry, and goes with it.
_COMMENT = "a registry of skyfs"
_LONGEST_NAME = 63


class PostgresSchema:
    """Where the registry of a repository is: a schema of a database."""

    def __init__(self, address: Address) -> None:
        self.address = address

    @property
    def name(self) -> str:
        """The address, without a password."""
        return self.address.name

    def create(self, *, durability: str) -> PostgresDatabase:
        """Make the schema, or take an empty one that is there, and define functions in it.

        Raises
        ------
        Exists
            When something is in it.
        """
        asked = f"create the registry {self.address.name!r}"
        with self._connected(asked) as raw, raw.transaction():
            schema_id = self._make(raw, asked)
        return PostgresDatabase(self.address, schema_id, writable=True, durability=durability)

    def _make(self, raw: psycopg.Connection[Any], asked: str) -> int:
        schema = self.address.schema
        todo = "open the repository, or name another schema"
        found = raw.execute(_SCHEMA, [schema]).fetchone()
        if found is None:
            try:
                raw.execute(f"CREATE SCHEMA {schema}")
            except (errors.UniqueViolation, errors.DuplicateSchema):
                raise Exists(asked, "somebody makes it at this moment", todo) from None
            raw.execute(f"COMMENT ON SCHEMA {schema} IS '{_COMMENT}'")
            found = raw.execute(_SCHEMA, [schema]).fetchone()
        schema_id = int(found[0]) if found else 0
        raw.execute(locking(schema_id))
        if raw.execute(_HELD, {"id": schema_id}).fetchone():
            raise Exists(asked, "something is in the schema already", todo)
        raw.execute("SELECT set_config('search_path', %s, true)", [schema])
        for definition in DEFINITIONS:
            raw.execute(definition)
        return schema_id

    def open(self, *, writable: bool, durability: str) -> PostgresDatabase:
        """Open it.

        Raises
        ------
        NotFound
            When there is no such schema.
        NotAllowed
            When the user may not look into it.
        """
        asked = f"open the registry {self.address.name!r}"
        with self._connected(asked) as raw:
            found = raw.execute(_SCHEMA, [self.address.schema]).fetchone()
        if found is None:
            raise NotFound(asked, "there is no such schema", "check registry and schema in skyfs.yaml")
        schema_id, may_use, _ = found
        if not may_use:
            todo = f"ask its owner: GRANT USAGE ON SCHEMA {self.address.schema} TO ..."
            raise NotAllowed(asked, "this user may not use the schema", todo)
        return PostgresDatabase(self.address, schema_id, writable=writable, durability=durability)

    def drop(self) -> None:
        """Delete all that is in it; the schema too, when it was made for the registry."""
        schema, asked = self.address.schema, f"delete the registry {self.address.name!r}"
        with self._connected(asked) as raw, raw.transaction():
            found = raw.execute(_SCHEMA, [schema]).fetchone()
            if found is None:
                return
            if found[2] == _COMMENT:
                raw.execute(f"DROP SCHEMA {schema} CASCADE")
                return
            for (command,) in raw.execute(_DROPS, {"id": found[0]}).fetchall():
                raw.execute(command)

    def beside(self, mark: str) -> PostgresSchema:
        """Give a schema of the same database."""
        schema = f"{self.address.schema[: _LONGEST_NAME - len(mark) - 1]}_{mark}"
        name = self.address.name.replace(f"(schema {self.address.schema})", f"(schema {schema})")
        return PostgresSchema(replace(self.address, schema=schema, name=name))

    def take(self, new: Place, aside: Place) -> bool:
        """Put another schema in its place; the old one is renamed."""
        if not isinstance(new, PostgresSchema) or not isinstance(aside, PostgresSchema):
            raise BadArgument("replace a registry", "a schema takes the place of schemas only")
        own, asked = self.address.schema, f"replace the registry {self.address.name!r}"
        with self._connected(asked) as raw, raw.transaction():
            was_there = raw.execute(_SCHEMA, [own]).fetchone() is not None
            if was_there:
                raw.execute(f"ALTER SCHEMA {own} RENAME TO {aside.address.schema}")
            raw.execute(f"ALTER SCHEMA {new.address.schema} RENAME TO {own}")
        return was_there

    @contextmanager
    def _connected(self, asked: str) -> Iterator[psycopg.Connection[Any]]:
        try:
            connection = connect(self.address)
            try:
                yield driver(connection)
            finally:
                connection.close()
        except PostgresDatabase.foreign as error:
            original = getattr(error, "orig", None) or error
            raise translated(asked, original) from original
