"""What was refused lately, for those whose error messages are an errno only."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import SkyfsError
from .failures import Refusal, errno_of_change, log

# Of so many refusals the reasons can be asked for.
KEPT_REFUSALS = 100


@dataclass(frozen=True, slots=True)
class Refused:
    """One file that was not stored: its path, when (UTC nanoseconds since 1970), and why."""

    path: str
    time_ns: int
    reason: str

    def to_mapping(self) -> dict[str, object]:
        """Give it as plain values; the time as text, UTC."""
        when = datetime.fromtimestamp(self.time_ns // 10**9, UTC)
        return {"path": self.path, "time": when.isoformat().replace("+00:00", "Z"), "reason": self.reason}

    def __str__(self) -> str:
        return f"{self.path.rpartition('/')[2]}: {self.reason}"


class Refusals:
    """The last refusals. Safe from several threads."""

    def __init__(self) -> None:
        self._last: deque[Refused] = deque(maxlen=KEPT_REFUSALS)
        self._lock = threading.Lock()

    def add(self, path: str, error: Exception) -> None:
        """Keep a refusal, and log it."""
        reason = str(error) or type(error).__name__
        log.warning("%s: refused: %s", path, reason)
        with self._lock:
            self._last.append(Refused(path, time.time_ns(), reason))

    @contextmanager
    def noting(self, path: str) -> Iterator[None]:
        """Run the body; note why a file was not stored, and raise the errno that its writer gets."""
        try:
            yield
        except Refusal:
            raise
        except Exception as error:
            self.add(path, error)
            if isinstance(error, SkyfsError):
                raise Refusal(errno_of_change(error)) from error
            raise

    def all(self) -> list[Refused]:
        """Give all, the latest last."""
        with self._lock:
            return list(self._last)

    def of_folder(self, folder: str) -> Refused | None:
        """Give the latest of a file in a folder."""
        return next((one for one in reversed(self.all()) if one.path.rpartition("/")[0] == folder), None)
