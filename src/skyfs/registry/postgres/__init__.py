"""A registry in a schema of a PostgreSQL server."""
