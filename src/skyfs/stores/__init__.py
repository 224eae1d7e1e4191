"""Stores: bytes by key, on local disks and in memory."""
