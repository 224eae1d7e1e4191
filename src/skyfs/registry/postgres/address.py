"""Which server, database and schema a registry is in, as a URL says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from ...config.stores import with_hidden_password
from ...errors import BadConfig
from ..place import SCHEMA

_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
_DEFAULTS = {"connect_timeout": "30", "application_name": "skyfs"}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a registry is.

    Attributes
    ----------
    name
        For messages: no password is in it.
    options
        For the driver; they may hold one.
    """

    name: str
    schema: str
    options: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str, schema: str) -> Address:
        """Read a URL ``postgresql://USER@HOST:PORT/DATABASE?OPTION=VALUE``.

        Raises
        ------
        BadConfig
            When it is no such URL, or the schema no plain name.
        """
        shown = with_hidden_password(text)
        try:
            url = make_url(text)
        except (sa.exc.ArgumentError, ValueError):
            raise BadConfig(f"registry {shown!r}", "no URL", _TODO) from None
        if url.drivername not in _DRIVERS:
            raise BadConfig(f"registry {shown!r}", f"a database of kind {url.drivername!r}", _TODO)
        if not SCHEMA.fullmatch(schema):
            todo = "small letters, digits and _, at most 63, not beginning with a digit or pg_"
            raise BadConfig(f"registry {shown!r}", f"its schema is {schema!r}", todo)
        given = url.translate_connect_args(username="user", database="dbname")
        more = {key: value if isinstance(value, str) else ",".join(value) for key, value in url.query.items()}
        options = {key: str(value) for key, value in {**_DEFAULTS, **given, **more}.items()}
        return cls(f"{shown} (schema {schema})", schema, options)


_TODO = "write postgresql://USER@HOST:PORT/DATABASE"
