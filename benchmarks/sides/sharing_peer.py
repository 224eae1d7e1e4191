"""Exports and imports of lsst-daf-butler, run by the Python of its own environment: ``ROOT EXPORT``.

Prints a JSON object: seconds of CPU and of the clock for each task, and how many datasets.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sharing_time import timed


def main() -> None:
    """Import, export, and export with copies."""
    root, export = map(Path, sys.argv[1:])
    butler_class: Any = import_module("lsst.daf.butler").Butler
    butler_class.makeRepo(str(root))
    butler = butler_class.from_config(str(root), writeable=True)
    found: dict[str, object] = {}
    found["import"] = timed(lambda: butler.import_(filename=str(export), transfer="direct"))
    refs = butler.query_datasets("metrics", collections="u/a", limit=None, with_dimension_records=True)

    def lines() -> None:
        with butler.export(filename=str(root / "out.yaml")) as context:
            context.saveDatasets(refs)

    def files() -> None:
        folder = root / "out"
        folder.mkdir()
        with butler.export(directory=str(folder), format="yaml", transfer="copy") as context:
            context.saveDatasets(refs)

    found["export"], found["export with files"] = timed(lines), timed(files)
    print(json.dumps({**found, "datasets": len(refs)}))


main()
