"""The oldest schema that is known."""

revision = "2"
down_revision = None
