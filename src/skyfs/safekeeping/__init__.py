"""Keeping what a registry knows: rebuilding it, backing it up, restoring and migrating it."""
