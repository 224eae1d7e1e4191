"""The shared disk cache for what lies far away."""

from .disk_cache import DiskCache
from .store import CachedStore
from .upkeep import Status, clear, damages, status, verify

__all__ = ["CachedStore", "DiskCache", "Status", "clear", "damages", "status", "verify"]
