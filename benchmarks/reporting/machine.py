"""What a benchmark ran on, in words; and how much else it had to do."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

# For how long it is looked whether anything else runs.
_LOOK_S = 1.0
_DISKS = {"vd": "a virtual disk", "xvd": "a virtual disk", "nvme": "an NVMe disk", "sd": "a disk"}
_NUMBERS = ("", "one core", "two cores", "three cores", "four cores")


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, before something is measured on it.

    Attributes
    ----------
    load
        Load averages over 1, 5 and 15 minutes. Those of a benchmark that ran just before count in them.
    busy_percent
        Of all processors' time, just before, while the benchmark waited.
    remark
        What else was known; all that is known of figures that were taken before there was a record.
    """

    cores: int | None = None
    processor: str = ""
    memory_gib: float | None = None
    kernel: str = ""
    disk: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    load: tuple[float, ...] | None = None
    busy_percent: float | None = None
    remark: str = ""

    @classmethod
    def now(cls, versions: Mapping[str, str], folder: str | None = None) -> Self:
        """Look at this machine; its disk is the one of a folder, else of the one for temporary files."""
        own = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
        return cls(
            os.cpu_count() or 1,
            _line("/proc/cpuinfo", "model name"),
            round(int(_line("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
            f"{platform.system()} {platform.release()}",
            disk_of(Path(folder or tempfile.gettempdir())),
            own | dict(versions),
            tuple(round(one, 2) for one in os.getloadavg()),
            _busy_percent(),
        )

    def words(self) -> str:
        """Say it in a line."""
        memory = "" if self.memory_gib is None else f"{self.memory_gib:.0f} GiB of memory"
        versions = [f"{name} {one}" for name, one in self.versions.items()]
        parts = [self._cores(), memory, self.kernel, self.disk, *versions]
        return "; ".join(filter(None, [", ".join(filter(None, parts)), *self._else()]))

    def _cores(self) -> str:
        if self.cores is None:
            return ""
        count = _NUMBERS[self.cores] if self.cores < len(_NUMBERS) else f"{self.cores} cores"
        return f"{count} ({self.processor})" if self.processor else count

    def _else(self) -> list[str]:
        """Say how busy it was."""
        said = []
        if self.load is not None:
            said.append("load average before: " + ", ".join(f"{one:.1f}" for one in self.load))
        if self.busy_percent is not None:
            said.append(f"{self.busy_percent:.0f} % of the processors' time taken just before")
        return [*said, *([self.remark] if self.remark else [])]


def installed(*distributions: str) -> dict[str, str]:
    """Give the versions of distributions, of those that there are."""
    found = {}
    for name in distributions:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def disk_of(folder: Path, mounts: str | None = None) -> str:
    """Say on what a folder lies: its filesystem and the kind of disk."""
    text = Path("/proc/self/mounts").read_text(encoding="utf-8") if mounts is None else mounts
    points = [line.split()[:3] for line in text.splitlines()]
    # Of mounts at one point, the last one is seen.
    device, _, kind = max(
        (one for one in points if folder.absolute().is_relative_to(one[1])), key=lambda one: len(one[1])
    )
    name = device.rpartition("/")[2]
    disks = [
        words for start, words in _DISKS.items() if device.startswith("/dev/") and name.startswith(start)
    ]
    return f"{kind} on {disks[0]} ({name})" if disks else kind


def _line(path: str, name: str) -> str:
    """Give what a file of /proc says of a name; empty when nothing."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        head, _, value = line.partition(":")
        if head.strip() == name:
            return value.strip()
    return ""


def _busy_percent() -> float:
    before = _ticks()
    time.sleep(_LOOK_S)
    spent = [after - one for one, after in zip(before, _ticks(), strict=True)]
    idle = spent[3] + spent[4]
    return round(100 * (1 - idle / max(1, sum(spent))), 1)


def _ticks() -> Sequence[int]:
    """Give the time of all processors: of users, nice, system, idle, waiting and so on."""
    with Path("/proc/stat").open(encoding="ascii") as file:
        return [int(one) for one in file.readline().split()[1:]]
