"""The mount, by each of its engines, beside the plain folder, rclone mount, s3fs-fuse and fsspec.fuse.

``python benchmarks/mount.py [read] [list] [small] [latency] [copy] [memory] [--scale 0.01]``

All sides show the same tree (`sides/mount_content.py`) and take turns; medians of the rounds. "cold" is a
fresh mount, with the kernel's caches dropped where root may. Sides named S3 read from one server: nginx
answers GET, moto lists and takes what is written. A side that took more than ``--patience`` seconds for a
round is not asked again. A peer that is not installed is left out, and the reason printed.
"""

from __future__ import annotations

import argparse
import errno
import importlib.util
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "sides"))

from mount_content import BIG, MIB, Content, make_large, served  # noqa: E402 - found by the line above
from mount_figures import ENGINES, TARGETS, Section  # noqa: E402
from mount_sides import Side, by_daemon, by_root, by_user, sides, single_pages  # noqa: E402
from reporting.program import Program  # noqa: E402
from reporting.table import Table  # noqa: E402

FEW, MANY, SMALL, COPIED = 10**4, 10**5, 5000, 1000
ENTRIES = 10**6
SMALL_BYTES, LISTED_BYTES = 20_000, 1000
OPENED = 1000
# A program that takes longer is given up, but for the walks over a million.
LONGEST_S = 60.0
LONGEST_WALK_S = 1800.0
# Moto makes each page of a listing of all there is.
_NO_FAR_MANY = "10⁵ objects take moto too long to take in and to list"
DROP = Path("/proc/sys/vm/drop_caches")

Measure = Callable[[Side, int], Mapping[str, float]]


@dataclass(frozen=True)
class Bench:
    """What to measure, and how long."""

    content: Content
    sides: list[Side]
    rounds: int
    patience_s: float

    def section(
        self,
        name: str,
        title: str,
        measure: Measure,
        skip: Mapping[str, str] | None = None,
        more: Sequence[Side] = (),
    ) -> Section:
        """Let all sides, and ``more``, take turns; whoever fails is left out, and the reason told."""
        absent = {side.name: side.missing for side in (*self.sides, *more) if side.missing}
        section = Section(name, title, reasons=absent | dict(skip or {}))
        for turn in range(self.rounds):
            for side in (*self.sides, *more):
                if side.name not in section.reasons:
                    self._turn(section, side, measure, turn)
        return section

    def _turn(self, section: Section, side: Side, measure: Measure, turn: int) -> None:
        begun = time.monotonic()
        try:
            section.add(side.name, measure(side, turn))
        except Exception as error:  # noqa: BLE001 - the others are measured all the same; skyfs's end the run with 1
            section.reasons[side.name] = f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]
            section.failed.append(side.name)
        spent = time.monotonic() - begun
        print(f"{section.title}, round {turn + 1}, {side.name}: {spent:.1f} s", file=sys.stderr)
        if spent > self.patience_s and turn + 1 < self.rounds and side.name not in section.reasons:
            section.reasons[side.name] = f"a round took {spent:.0f} s: not asked again"


def drop_caches() -> None:
    """Let the kernel forget files and names, but not the programs that are timed."""
    if os.access(DROP, os.W_OK):
        os.sync()
        DROP.write_text("3")
    for program in ("ls", "find", "cat", "cp", "sh"):
        subprocess.run(
            [program, "--version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )


def seconds(*command: str | Path, longest_s: float = LONGEST_S) -> float:
    """Give the time of a program whose output nobody reads."""
    environment = os.environ | {"LC_ALL": "C"}
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
            env=environment,
            timeout=longest_s,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{command[0]} took more than {longest_s:g} s") from None
    spent = time.perf_counter() - begun
    if done.returncode:
        raise ChildProcessError(f"{command[0]}: {done.stderr.decode(errors='replace')[:300]}")
    return spent


# -- read --------------------------------------------------------------------------------------------------


def read(bench: Bench) -> Iterator[Section]:
    """Read one huge file, through and here and there."""
    size = bench.content.need_big()
    measure = partial(_read, bench.content.files / BIG, size)
    yield bench.section(
        "read", f"Reading a file of {size // MIB} MiB", measure, more=[single_pages(bench.content)]
    )


def _read(original: Path, size: int, side: Side, _: int) -> Mapping[str, float]:
    with side.mount(False) as mounted:  # noqa: FBT003
        file = mounted.root / BIG
        # A daemon that starts reads the disk too: what is timed begins after it.
        drop_caches()
        assert file.stat().st_size == size
        figures = {"first read, MB/s": _through(file, size)}
        # The median of three: it takes a tenth of a second, in which anything may happen.
        figures["second read, MB/s"] = statistics.median(_through(file, size) for _ in range(3))
        figures |= {"random again, reads/s": _random(file, 1)}
        _check(file, original, size)
    _through(original, size)
    # The plain file is in memory, and nothing of it was read through the mount but its beginning: that a
    # client of S3 is loaded and connects takes most of a second.
    for name, readers in (("random 4 KiB, reads/s", 1), ("four readers, reads/s", 4)):
        with side.mount(False) as mounted:  # noqa: FBT003
            _check(mounted.root / BIG, original, 1)
            figures[name] = _random(mounted.root / BIG, readers)
    return figures


def _through(path: Path, size: int) -> float:
    """Read a file; give megabytes in a second."""
    buffer, read_bytes = bytearray(MIB), 0
    begun = time.perf_counter()
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            read_bytes += count
    assert read_bytes == size, f"{read_bytes} bytes of {size}"
    return size / (time.perf_counter() - begun) / 1e6


def _random(path: Path, readers: int) -> float:
    """Let processes read 4 KiB here and there for a second; give the reads of all in a second."""
    if shutil.which("fio") is None:
        raise FileNotFoundError("fio is not installed (apt-get install fio)")
    command = [
        "fio", "--name=random", f"--filename={path}", "--readonly", "--rw=randread", "--bs=4k",
        "--ioengine=psync", "--invalidate=0", "--norandommap", "--time_based", "--runtime=1",
        f"--numjobs={readers}", "--group_reporting", "--output-format=json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, check=True, cwd=tempfile.gettempdir())
    return float(json.loads(done.stdout[done.stdout.index(b"{") :])["jobs"][0]["read"]["iops"])


def _check(file: Path, original: Path, size: int) -> None:
    with file.open("rb") as one, original.open("rb") as other:
        for offset in range(0, size, max(1, size // 16)):
            one.seek(offset)
            other.seek(offset)
            assert one.read(4096) == other.read(4096), f"{file} differs at {offset}"


# -- list --------------------------------------------------------------------------------------------------


def listing(bench: Bench) -> Iterator[Section]:
    """List a folder of many files."""
    for name, whole, power in (("few", FEW, "10⁴"), ("many", MANY, "10⁵")):
        count = bench.content.need(name, whole, LISTED_BYTES, far=whole == FEW)
        skip = {} if whole == FEW else {side.name: _NO_FAR_MANY for side in bench.sides if side.far}
        title = f"Listing a folder of {count} files"
        yield bench.section(name, title, partial(_list, name, count, power), skip)


def _list(name: str, count: int, power: str, side: Side, _: int) -> Mapping[str, float]:
    figures: dict[str, float] = {}
    for what, command in (("ls -l", ("ls", "-l")), ("find", ("find",))):
        drop_caches()
        with side.mount(False) as mounted:  # noqa: FBT003
            folder = mounted.root / name / "instrument=C"
            for which in ("cold", "warm"):
                figures[f"{what} of {power} {which}, ms"] = seconds(*command, folder) * 1000
            assert len(os.listdir(folder)) == count
            if what == "find" and mounted.pid is not None:
                figures["peak then, MiB"] = _peak_mib(mounted.pid)
    return figures


# -- small -------------------------------------------------------------------------------------------------


def small(bench: Bench) -> Iterator[Section]:
    """Read many small files by one program."""
    count = bench.content.need("small", SMALL, SMALL_BYTES, far=True)
    title = f"cat of {count} files of {SMALL_BYTES // 1000} kB"
    yield bench.section("small", title, partial(_cat, bench.content.files))


def _cat(originals: Path, side: Side, _: int) -> Mapping[str, float]:
    drop_caches()
    with side.mount(False) as mounted:  # noqa: FBT003
        folder = mounted.root / "small" / "instrument=C"
        figures = {
            f"cat of 5000 {which}, s": seconds("sh", "-c", 'exec cat "$0"/*', folder)
            for which in ("cold", "warm")
        }
        for name in ("detector=0", "detector=7"):
            original = originals / "small" / "instrument=C" / name
            assert (folder / name).read_bytes() == original.read_bytes(), name
    return figures


# -- latency -----------------------------------------------------------------------------------------------


def latency(bench: Bench) -> Iterator[Section]:
    """Open a file, read 4 KiB and close it."""
    count = min(OPENED, bench.content.need("small", SMALL, SMALL_BYTES, far=True))
    title = f"open, read 4 KiB, close ({count} files, in memory)"
    yield bench.section("latency", title, partial(_latency, count))


def _latency(count: int, side: Side, _: int) -> Mapping[str, float]:
    with side.mount(False) as mounted:  # noqa: FBT003
        folder = mounted.root / "small" / "instrument=C"
        distinct = [str(folder / f"detector={number}") for number in range(count)]
        return {
            "each of many, µs": _median_us(distinct),
            "each again, µs": _median_us(distinct),
            "the same one, µs": _median_us(distinct[:1] * count),
        }


def _median_us(paths: list[str]) -> float:
    spent = []
    for path in paths:
        begun = time.perf_counter()
        descriptor = os.open(path, os.O_RDONLY)
        data = os.read(descriptor, 4096)
        os.close(descriptor)
        spent.append(time.perf_counter() - begun)
        assert len(data) == 4096, path
    return sorted(spent)[len(spent) // 2] * 1e6


# -- copy --------------------------------------------------------------------------------------------------


def copy(bench: Bench) -> Iterator[Section]:
    """Copy small files in."""
    content = bench.content
    count = content.need("copy", COPIED, SMALL_BYTES, taken=False)
    content.be_remote()
    unwritable = "a daemon without privilege writes as the other does"
    skip = {side.name: unwritable for side in bench.sides if side.name == ENGINES[1]}
    title = f"cp of {count} files of {SMALL_BYTES // 1000} kB in"
    yield bench.section("copy", title, partial(_copy, content, count), skip)


def _copy(content: Content, count: int, side: Side, turn: int) -> Mapping[str, float]:
    source = content.files / "copy" / "instrument=C"
    # In a repository: a new run.
    run = f"w{turn}-{re.sub('[^a-z0-9]+', '-', side.name.lower())}"
    with side.mount(True) as mounted:  # noqa: FBT003
        target = mounted.root / run / "copy" / "instrument=C"
        _make(target, side)
        spent = seconds("cp", "--", *sorted(source.iterdir()), target)
        assert len(os.listdir(target)) == count
        assert (target / "detector=7").read_bytes() == (source / "detector=7").read_bytes()
    shutil.rmtree(content.files / run, ignore_errors=True)  # of those that write into the plain folder
    return {"cp, s": spent, "for each file, ms": spent * 1000 / count}


def _make(folder: Path, side: Side) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        if side.kind == "skyfs" and error.errno == errno.EROFS:
            raise NotImplementedError("not yet: its mounts are for reading only") from None
        raise


# -- memory ------------------------------------------------------------------------------------------------


def memory(bench: Bench) -> Iterator[Section]:
    """Walk a whole repository; what its daemon takes."""
    content = bench.content
    content.need("few", FEW, LISTED_BYTES)
    file = content.files / "few" / "instrument=C" / "detector=0"
    root = content.folder / "large"
    count = make_large(root, file, content.count(ENTRIES))
    mounters = {
        ENGINES[0]: partial(by_root, root),
        ENGINES[1]: partial(by_user, root),
        ENGINES[2]: partial(by_daemon, root, "libfuse"),
    }
    own = [
        Side(side.name, "skyfs", mounters[side.name], missing=side.missing)
        for side in bench.sides
        if side.name in mounters
    ]
    once = Bench(content, own, 1, bench.patience_s)
    yield once.section("memory", f"The daemon after a walk over {count} files", partial(_memory, count))


def _memory(count: int, side: Side, _: int) -> Mapping[str, float]:
    with side.mount(False) as mounted:  # noqa: FBT003
        assert mounted.pid is not None
        figures = {"before, MiB": _resident_mib(mounted.pid)}
        for what, command in (("find", ("find",)), ("ls -lR", ("ls", "-lR"))):
            figures[f"{what}, s"] = seconds(*command, mounted.root, longest_s=LONGEST_WALK_S)
            figures[f"after {what}, MiB"] = _resident_mib(mounted.pid)
        done = subprocess.run(["find", mounted.root, "-type", "f"], capture_output=True, check=True)
        assert done.stdout.count(b"\n") == count
        return figures | {"peak, MiB": _peak_mib(mounted.pid)}


def _resident_mib(pid: int) -> float:
    return _status_mib(pid, "VmRSS")


def _peak_mib(pid: int) -> float:
    return _status_mib(pid, "VmHWM")


def _status_mib(pid: int, name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None, name
    return int(found[1]) / 1024


# -- all ---------------------------------------------------------------------------------------------------

SECTIONS = {"read": read, "list": listing, "small": small, "latency": latency, "copy": copy, "memory": memory}


def cold() -> str:
    """Say what "cold" is where it is less than it should be."""
    return (
        "" if os.access(DROP, os.W_OK) else "cold: a fresh mount only; root can drop the kernel's caches too"
    )


def versions() -> Mapping[str, str]:
    """Give those of the peers that are programs."""
    programs = {"rclone": "rclone", "s3fs-fuse": "s3fs", "fio": "fio"}
    found = {name: _version(one) for name, one in programs.items() if shutil.which(one)}
    binding = "fusepy" if importlib.util.find_spec("fuse") else "mfusepy in the place of fusepy"
    return found | {"fsspec.fuse by": binding}


def _version(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "of an unknown version"


def measure(options: argparse.Namespace) -> Iterator[Table]:
    """Measure the sections that were asked for; end with status 1 when skyfs failed."""
    if unknown := set(options.sections) - SECTIONS.keys():
        raise SystemExit(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="skyfs-bench-", dir=options.folder) as name:
        content = Content(Path(name), options.scale)
        with served(content):
            bench = Bench(content, chosen(content, options.sides), options.rounds, options.patience)
            for one in options.sections or SECTIONS:
                for section in SECTIONS[one](bench):
                    targets = TARGETS if options.scale == 1 else []
                    yield section.table(bench.sides, targets, cold())
                    own = [side.name for side in bench.sides if side.kind == "skyfs"]
                    failed += [f"{section.title}: {side}" for side in own if side in section.failed]
    if failed:
        raise SystemExit(f"skyfs failed: {'; '.join(failed)}")


def chosen(content: Content, pattern: str | None) -> list[Side]:
    """Give the sides whose names a regular expression finds, and the floor."""
    return [side for side in sides(content) if side.kind == "floor" or re.search(pattern or "", side.name)]


if __name__ == "__main__":
    few = {"scale": 0.005, "rounds": 1, "patience": 5.0}
    program = Program(__doc__, quick=few, libraries=["fsspec", "s3fs"])
    program.option("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; default: all")
    program.option("--scale", type=float, default=1.0, help="times the numbers of files, and the huge file")
    program.option("--rounds", type=int, default=3)
    program.option("--patience", type=float, default=60.0, help="seconds of a round")
    program.option("--sides", help="only sides whose names this regular expression finds")
    program.run(measure, versions)
