"""Datasets in several files, and many datasets in one file."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add what is known of components and parts; registries of schema 2 have none of them."""
    op.add_column("location", sa.Column("component_id", sa.Integer()))
    op.add_column("location", sa.Column("part_head", sa.BigInteger()))
    op.add_column("location", sa.Column("part_start", sa.BigInteger()))
