"""Revisions of the schema, for Alembic: each makes of a registry of the one before a registry of its own."""
