"""Dataset identifiers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from uuid import UUID, uuid5

# The Rubin data butler's namespace, so that raws have the same id at every site.
_RAW_NAMESPACE = UUID("840b31d9-05cd-5161-b2c8-00d32b280d0f")

_COUNTER_BITS = 12
_lock = threading.Lock()
_last_tick = 0


def _after_fork() -> None:
    """Give a child its own lock: the parent's may have been held by another thread."""
    global _lock  # noqa: PLW0603 - one clock for the process
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def new_ids(count: int) -> list[bytes]:
    """Give ``count`` new UUIDs of version 7 (RFC 9562), as bytes, in increasing order.

    The 12 bits after the milliseconds count within one millisecond; when more ids are wanted than that, the
    time runs ahead, which keeps rows in the order of insertion.
    """
    global _last_tick  # noqa: PLW0603 - one clock for the process
    with _lock:
        first = max(_last_tick + 1, (time.time_ns() // 10**6) << _COUNTER_BITS)
        _last_tick = first + count - 1
    random = os.urandom(8 * count)
    ids = []
    for index in range(count):
        milliseconds, counter = divmod(first + index, 1 << _COUNTER_BITS)
        tail = int.from_bytes(random[8 * index : 8 * index + 8], "big") >> 2
        number = milliseconds << 80 | 7 << 76 | counter << 64 | 2 << 62 | tail
        ids.append(number.to_bytes(16, "big"))
    return ids


def raw_id(type_name: str, run: str, data_id: Mapping[str, object]) -> UUID:
    """Give the id of a raw: UUID version 5 of type, run and data ID, as the Rubin data butler makes it."""
    items = [
        ("dataset_type", type_name),
        ("run", run),
        *((key, str(data_id[key])) for key in sorted(data_id)),
    ]
    return uuid5(_RAW_NAMESPACE, ",".join(f"{key}={value}" for key, value in items))
