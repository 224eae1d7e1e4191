"""What is written: small objects of four formats, and files to ingest; imports nothing of either side."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import content

VISITS = content.VISITS_A_NIGHT
N_FILES = VISITS * content.DETECTORS
TABLE_ROWS, IMAGE_SIDE = 100, 32
# A dataset type for each format, and one for the files that are ingested.
EXTENSIONS = {"note": ".json", "doc": ".yaml", "table": ".parquet", "image": ".fits"}
GIVEN = "given"
MOVED_VISITS = 5
N_MOVED = MOVED_VISITS * content.DETECTORS

DataId = dict[str, Any]


def data_id(number: int) -> DataId:
    """Give one of the data IDs that there are."""
    visit, detector = divmod(number, content.DETECTORS)
    return {"instrument": content.INSTRUMENT, "visit": visit, "detector": detector}


@lru_cache(maxsize=1000)
def made(kind: str, number: int) -> object:
    """Make an object to be put; it is kept, so that making it beforehand is not measured."""
    if kind == "table":
        return _table(number)
    if kind == "image":
        return _image(number)
    return {"number": number, "seeing": 0.7, "flags": ["a", "b"], "psf": {"sigma": 1.5, "e1": 0.01}}


def seen(kind: str, value: Any) -> int:  # noqa: ANN401 - whatever was put
    """Give the number that an object was made of."""
    if kind == "table":
        return int(value["number"][0])
    if kind == "image":
        found = int(value[0].header["NUMBER"])
        value.close()
        return found
    return int(value["number"])


def _table(number: int) -> object:
    import numpy as np
    from astropy.table import Table

    flux = np.arange(TABLE_ROWS, dtype=float)
    return Table({"number": np.full(TABLE_ROWS, number), "flux": flux})


def _image(number: int) -> object:
    import numpy as np
    from astropy.io import fits

    hdu = fits.PrimaryHDU(np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.float32))
    hdu.header["NUMBER"] = number
    return fits.HDUList([hdu])


def write_files(folder: Path) -> None:
    """Write the files that are ingested."""
    folder.mkdir()
    for number in range(N_FILES):
        Path(given(folder, number)).write_text(json.dumps(made("note", number)))


def given(folder: Path, number: int) -> str:
    """Give the path of a file to ingest."""
    return f"{folder}/{number:05d}.json"


def moved(turn: int) -> range:
    """Give the data IDs of what is removed, transferred or exported in a turn."""
    return range(turn * N_MOVED, (turn + 1) * N_MOVED)
