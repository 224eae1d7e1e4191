"""Whole repositories: backed up, rebuilt, migrated, relocated, made of others, destroyed."""
