"""The survey that both sides register: plain records, and what is asked of it.

Regions are corners in ICRS degrees, timespans are TAI nanoseconds. Read by both environments, so that it
imports nothing of either.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

INSTRUMENT = "BenchCam"
SKYMAP = "bench"
DETECTORS = 200
BANDS = "griz"
VISITS_A_NIGHT = 50
TRACTS, PATCHES_A_SIDE = 10, 10
CALIBRATION_DAYS = 10
CALIBRATED_DETECTORS = 100
DAY_NS = 86_400 * 10**9
# 2024-01-01T00:00:00 TAI.
START_NS = 1_704_067_200 * 10**9
RUN, IMPORTED_RUN, CALIBRATIONS = "run/processed", "run/imported", "calib"
IMPORTED_VISITS = 10

Record = dict[str, object]
Corners = list[tuple[float, float]]


def cameras() -> dict[str, list[Record]]:
    """Give the records that do not depend on the size, in order of insertion."""
    filters: list[Record] = [
        {"instrument": INSTRUMENT, "name": f"Bench-{band}", "band": band} for band in BANDS
    ]
    detectors: list[Record] = [
        {
            "instrument": INSTRUMENT,
            "id": number,
            "full_name": f"D{number:03d}",
            "purpose": "SCIENCE" if number % 10 else "GUIDER",
        }
        for number in range(DETECTORS)
    ]
    return {
        "instrument": [{"name": INSTRUMENT, "detector_max": DETECTORS, "class_name": "bench.Camera"}],
        "physical_filter": filters,
        "detector": detectors,
    }


def nights(visits: int) -> list[Record]:
    """Give the nights."""
    count = math.ceil(visits / VISITS_A_NIGHT)
    return [
        {"instrument": INSTRUMENT, "id": night(number * VISITS_A_NIGHT), "timespan": _day(number)}
        for number in range(count)
    ]


def night(visit: int) -> int:
    """Give the night of a visit."""
    return 20240101 + visit // VISITS_A_NIGHT


def _day(number: int) -> tuple[int, int]:
    return START_NS + number * DAY_NS, START_NS + (number + 1) * DAY_NS


def _common(visit: int) -> Record:
    day, place = divmod(visit, VISITS_A_NIGHT)
    begin = START_NS + day * DAY_NS + place * 60 * 10**9
    return {
        "instrument": INSTRUMENT,
        "id": visit,
        "physical_filter": f"Bench-{BANDS[visit % 4]}",
        "day_obs": night(visit),
        "exposure_time": float(10 + visit % 60),
        "timespan": (begin, begin + 40 * 10**9),
    }


def visits(first: int, last: int) -> list[Record]:
    """Give visits with their regions."""
    return [
        {**_common(number), "name": f"v{number}", "region": box(*pointing(number), 3.0, 3.0)}
        for number in range(first, last)
    ]


def exposures(first: int, last: int) -> list[Record]:
    """Give the exposures of the visits, of the same numbers."""
    return [
        {**_common(number), "obs_id": f"e{number}", "group": f"g{number}"} for number in range(first, last)
    ]


def groups(first: int, last: int) -> list[Record]:
    """Give the groups of the exposures."""
    return [{"instrument": INSTRUMENT, "name": f"g{number}"} for number in range(first, last)]


def definitions(first: int, last: int) -> list[Record]:
    """Tell which exposure makes which visit."""
    return [{"instrument": INSTRUMENT, "exposure": n, "visit": n} for n in range(first, last)]


def footprints(first: int, last: int) -> list[Record]:
    """Give the regions of all detectors of some visits."""
    found: list[Record] = []
    for visit in range(first, last):
        ra, dec = pointing(visit)
        for detector in range(DETECTORS):
            x, y = detector % 15 - 7, detector // 15 - 6.5
            region = box(ra + 0.2 * x, dec + 0.2 * y, 0.2, 0.2)
            found.append({"instrument": INSTRUMENT, "visit": visit, "detector": detector, "region": region})
    return found


def sky() -> dict[str, list[Record]]:
    """Give skymap, tracts and patches."""
    tracts: list[Record] = []
    patches: list[Record] = []
    for tract in range(TRACTS):
        ra, dec = 17.0 + 1.5 * (tract % 5), -0.75 + 1.5 * (tract // 5)
        tracts.append({"skymap": SKYMAP, "id": tract, "region": box(ra, dec, 1.7, 1.7)})
        for patch in range(PATCHES_A_SIDE**2):
            x, y = patch % PATCHES_A_SIDE, patch // PATCHES_A_SIDE
            region = box(ra + 0.15 * (x - 4.5), dec + 0.15 * (y - 4.5), 0.16, 0.16)
            own = {"skymap": SKYMAP, "tract": tract, "id": patch, "cell_x": x, "cell_y": y}
            patches.append({**own, "region": region})
    skymap: Record = {
        "name": SKYMAP,
        "hash": b"0123456789abcdef0123",
        "tract_max": TRACTS,
        "patch_nx_max": PATCHES_A_SIDE,
        "patch_ny_max": PATCHES_A_SIDE,
    }
    return {"skymap": [skymap], "tract": tracts, "patch": patches}


def pointing(visit: int) -> tuple[float, float]:
    """Give where a visit looks."""
    chance = random.Random(visit)  # noqa: S311 - the same sky every time
    return 20.0 + chance.uniform(-3, 3), chance.uniform(-3, 3)


def box(ra: float, dec: float, width: float, height: float) -> Corners:
    """Give the corners of a box near the equator."""
    half = width / 2 / math.cos(math.radians(dec))
    return [
        (ra - half, dec - height / 2),
        (ra + half, dec - height / 2),
        (ra + half, dec + height / 2),
        (ra - half, dec + height / 2),
    ]


def data_ids(first: int, last: int) -> Iterator[Record]:
    """Give data IDs of the datasets of some visits."""
    for visit in range(first, last):
        for detector in range(DETECTORS):
            yield {"instrument": INSTRUMENT, "visit": visit, "detector": detector}


def write_export(path: Path) -> int:
    """Write an export of datasets whose records are there; give how many."""
    lines = [
        "description: Butler Data Repository Export",
        "version: 1.0.2",
        "universe_version: 7",
        "universe_namespace: daf_butler",
        "data:",
        f"- {{type: run, name: {IMPORTED_RUN}}}",
        f"- type: dataset\n  dataset_type: calexp\n  run: {IMPORTED_RUN}\n  records:",
    ]
    count = 0
    for number, own in enumerate(data_ids(0, IMPORTED_VISITS)):
        values = ", ".join(f"{name}: {value}" for name, value in own.items())
        uuid = f"00000000-0000-4000-8000-{number:012d}"
        lines.append(f"  - dataset_id:\n    - !uuid '{uuid}'\n    data_id:\n    - {{{values}}}")
        lines.append(f"    path: placeholder\n    formatter: {FORMATTER}")
        count += 1
    path.write_text("\n".join(lines) + "\n")
    return count


FORMATTER = "lsst.daf.butler.formatters.json.JsonFormatter"
# Conditions, written once for both grammars.
OVER_PATCH = f"skymap = '{SKYMAP}' AND tract = 3 AND patch = 44 AND instrument = '{INSTRUMENT}'"
AT_POINT = f"instrument = '{INSTRUMENT}' AND visit_detector_region.region OVERLAPS POINT(20.0, 0.0)"
BY_COLUMN = f"instrument = '{INSTRUMENT}' AND visit.exposure_time > 30 AND band = 'r'"
