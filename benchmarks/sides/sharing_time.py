"""How long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Give CPU and clock seconds of a call."""
    cpu, clock = time.process_time(), time.perf_counter()
    act()
    return time.process_time() - cpu, time.perf_counter() - clock
