"""What every benchmark does: take options, measure, print the tables, write them to a file."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .machine import Machine, installed
from .result import Result
from .table import Table

_CHECKOUT = Path(__file__).resolve().parents[2]
_PEER = _CHECKOUT / ".venv-peer" / "bin" / "python"
_ASK_PEER = "from importlib.metadata import version; print(version('lsst-daf-butler'))"


class Program:
    """The command line of a benchmark.

    Parameters
    ----------
    doc
        The docstring of its module.
    quick
        The options that ``--quick`` stands for: sizes so small that it is only seen whether all works.
    libraries
        Distributions whose versions are told.
    peer
        Whether it is held against lsst-daf-butler, which has an environment of its own.
    """

    def __init__(
        self,
        doc: str | None,
        *,
        quick: Mapping[str, object],
        libraries: Iterable[str] = (),
        peer: bool = False,
    ) -> None:
        self._quick, self._libraries, self._peer = quick, tuple(libraries), peer
        self.parser = argparse.ArgumentParser(
            description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        self.option("--json", metavar="FILE", help="write the figures to this file")
        self.option("--quick", action="store_true", help="small sizes: does it work?")
        self.option("--folder", help="where all is made; it is deleted afterwards")
        if peer:
            help_text = "Python that has lsst-daf-butler; default: that of .venv-peer"
            self.option("--peer", default=str(_PEER) if _PEER.exists() else None, help=help_text)

    def option(self, *names: str, **how: Any) -> None:  # noqa: ANN401 - what argparse takes
        """Take one more option."""
        self.parser.add_argument(*names, **how)

    def run(
        self,
        measure: Callable[[argparse.Namespace], Iterable[Table]],
        versions: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Measure; print each table when it is there, and keep what there is, also when it fails."""
        signal.signal(signal.SIGTERM, end_cleanly)
        options = self._options()
        name, began = Path(sys.argv[0]).stem, time.monotonic()
        machine = Machine.now(self._versions(options) | dict(versions()), options.folder)
        date, failed = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}", ""
        print(f"{name}: {machine.words()}", flush=True)
        if options.quick:
            print("Quickly: sizes are smaller than rows and targets say, and figures mean nothing.")
        tables: list[Table] = []
        try:
            for table in measure(options):
                tables.append(table)
                print(f"\n{table.name}\n\n{table.markdown()}", flush=True)
        except BaseException as error:
            failed = f"{type(error).__name__}: {error}".split("\n", maxsplit=1)[0]
            raise
        finally:
            if options.json:
                told = {key: value for key, value in vars(options).items() if key not in _OWN}
                spent = round(time.monotonic() - began, 1)
                result = Result(name, date, machine, tuple(tables), spent, options.quick, told, failed)
                result.save(Path(options.json))

    def _options(self) -> argparse.Namespace:
        """Parse; what is given goes before what ``--quick`` stands for."""
        if self.parser.parse_args().quick:
            self.parser.set_defaults(**self._quick)
        return self.parser.parse_args()

    def _versions(self, options: argparse.Namespace) -> dict[str, str]:
        found = {"skyfs": checked_out()} | installed(*self._libraries)
        if self._peer and options.peer is None:
            print("No peer: `make peer` installs it, --peer names its Python.", file=sys.stderr)
        elif self._peer:
            done = subprocess.run([options.peer, "-c", _ASK_PEER], capture_output=True, text=True, check=True)
            found["lsst-daf-butler"] = done.stdout.strip()
        return found


def end_cleanly(*_: object) -> None:
    """Unmount and clean up on an end from outside; once, since `timeout` sends it twice."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("ended by SIGTERM")


def checked_out() -> str:
    """Say which commit is measured, and whether its source has been changed since."""
    commit = _git("rev-parse", "--short", "HEAD")
    return (
        f"{commit}, changed" if commit and _git("status", "--porcelain", "src") else commit or "of no commit"
    )


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_CHECKOUT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


# Options that say nothing about what was measured, or of this machine's folders.
_OWN = {"json", "quick", "folder", "peer"}
