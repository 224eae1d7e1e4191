"""Run the benchmarks one after another, keep their results, and write docs/performance.md of them.

``python benchmarks/run.py [NAME...] [--quick] [--huge] [--longest SECONDS]``

One that fails does not keep the others from running; the exit status then is 1. ``--quick`` tries them all
with small sizes: nothing is kept of that, and the page stays as it is.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reporting import BENCHMARKS
from reporting.program import end_cleanly
from reporting.result import Result, stored

HERE = Path(__file__).resolve().parent
# One that takes longer hangs.
LONGEST_S = 3 * 3600.0
# Time for it to unmount and clean up.
ENDING_S = 60.0
# Those that know a size for which there is not always time.
HUGE = ("registry", "discovery")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a benchmark ended: its exit status, and the seconds that it took."""

    name: str
    status: int
    seconds: float

    def __str__(self) -> str:
        how = "" if self.status == 0 else f"   FAILED, status {self.status}"
        return f"{self.name:12} {self.seconds:7.0f} s{how}"


def run(name: str, results: Path, arguments: Sequence[str], longest_s: float) -> Ran:
    """Run one, and keep its result."""
    print(f"\n== {name}{_last_time(name)}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "result.json"
        command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(file), *arguments]
        status = _status(command, longest_s)
        if file.exists():
            result = Result.load(file)
            result.save(results / result.file_name)
        elif status == 0:
            print(f"{name} wrote no result", file=sys.stderr)
            status = 1
    return Ran(name, status, time.monotonic() - began)


def _last_time(name: str) -> str:
    """Say how long it took when it last ran to its end."""
    known = [one for one in stored(HERE / "results", name) if one.seconds is not None and not one.failed]
    return f" (took {known[0].seconds:.0f} s on {known[0].date[:10]})" if known else ""


def _status(command: Sequence[str], longest_s: float) -> int:
    with subprocess.Popen(command) as process:
        try:
            return process.wait(longest_s)
        except SystemExit:
            process.terminate()
            raise
        except subprocess.TimeoutExpired:
            print(f"{command[1]} took more than {longest_s:g} s: it is ended", file=sys.stderr)
            process.terminate()
        try:
            return process.wait(ENDING_S) or 1
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def all_of(names: Sequence[str], one: Callable[[str], Ran]) -> int:
    """Run some, say how each ended, and give the exit status."""
    ran = [one(name) for name in names]
    print("\n" + "\n".join(map(str, ran)), flush=True)
    return int(any(one.status for one in ran))


def main() -> int:
    """Run, and give the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small sizes: does all work?")
    parser.add_argument("--huge", action="store_true", help="10⁷ datasets too, in registry and discovery")
    parser.add_argument(
        "--longest", type=float, default=LONGEST_S, metavar="SECONDS", help="one that takes longer is ended"
    )
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(BENCHMARKS)):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    more = ["--quick"] if options.quick else []

    def one(name: str, results: Path) -> Ran:
        huge = ["--huge"] if options.huge and name in HUGE else []
        return run(name, results, [*more, *huge], options.longest)

    signal.signal(signal.SIGTERM, end_cleanly)
    names = options.names or BENCHMARKS
    if options.quick:
        with tempfile.TemporaryDirectory() as folder:
            return all_of(names, lambda name: one(name, Path(folder)))
    status = all_of(names, lambda name: one(name, HERE / "results"))
    return subprocess.run([sys.executable, str(HERE / "page.py")], check=False).returncode or status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted. What had finished is kept: `make bench-page` writes the page.", file=sys.stderr)
        sys.exit(130)
