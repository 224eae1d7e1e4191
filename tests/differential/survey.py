"""An export that adds to the peer's own samples what these lack: nulls, times, exposures, collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import indent
from typing import Any

from lsst.sphgeom import Angle, Box, Circle, ConvexPolygon, LonLat, Region, UnitVector3d

HEAD = """description: Butler Data Repository Export
version: 1.0.2
universe_version: 7
universe_namespace: daf_butler
data:
"""
DAYS = (20210909, 20210910, 20210911)
# Visits 1 and 2 are the samples' own. Columns: filter, night, seconds, target, reason, begin, length.
VISITS: Mapping[int, tuple[str, int, float | None, str | None, str | None, str | None, int]] = {
    3: ("Cam1-G", 20210910, 30.0, "M_31", "science", "2021-09-11 01:00:00", 60),
    4: ("Cam1-R1", 20210910, 30.5, "M%31", "calibration", "2021-09-11 02:00:00", 60),
    5: ("Cam1-R2", 20210910, None, "a[1]", None, "2021-09-11 02:00:30", 60),
    6: ("Cam1-R2", 20210911, 1e-3, "Größe", "science", "2021-09-12 03:00:00", 600),
    7: ("Cam1-G", 20210911, 120.0, None, "science", None, 0),
    8: ("Cam1-G", 20210911, 15.0, "m_31", "engineering", "2021-09-12 04:00:00", 30),
}
# Exposures of the visits; 71 and 72 make one, 90 makes none.
EXPOSURES = {11: 1, 21: 2, 31: 3, 41: 4, 51: 5, 61: 6, 71: 7, 72: 7, 80: 8, 90: None}
RUNS = ("run/a", "run/b", "run/c")
CATALOGUES = {
    "run/a": [(visit, detector) for visit in (1, 2, 3, 4) for detector in (1, 2, 3, 4)],
    "run/b": [(visit, detector) for visit in (3, 4, 5, 6, 7) for detector in (2, 3)],
    "run/c": [(8, 1), (3, 2)],
}
# Which of the samples' calibrations are valid when: id, begin, end.
BIASES = [
    ("e15ab039-bc8b-4135-87c5-90902a7c0b22", None, "2021-09-11 00:00:00"),
    ("51352db4-a47a-447c-b12d-a50b206b17cd", None, "2021-09-11 00:00:00"),
    ("e06b6f3c-5b3e-46d0-bdde-4ef972301116", "2021-09-09 00:00:00", "2021-09-12 03:05:00"),
    ("87f3e68d-258d-41b7-8ea5-edf3557ccb30", "2021-09-11 00:00:00", None),
    ("dc0ef017-dc94-4118-b431-d65b1ef89a5f", "2021-09-12 03:05:00", None),
]
FLATS = [
    ("60c8a65c-7290-4c38-b1de-e3b1cdcf872d", None, None),
    ("84239e7f-c41f-46d5-97b9-a27976b98ceb", "2021-09-11 00:00:00", "2021-09-12 00:00:00"),
    ("c1296796-56c5-4acf-9b49-40d920c6f840", "2021-09-09 00:00:00", None),
]


def catalogue_id(run: str, visit: int, detector: int) -> str:
    """Give the id of a dataset."""
    return f"00000000-0000-4000-8000-{RUNS.index(run) + 1:04d}{visit:04d}{detector:04d}"


def _text(value: object) -> str:
    if isinstance(value, Region):
        return f"!<lsst.sphgeom.{type(value).__name__}> {{encoded: {value.encode().hex()}}}"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


class _Moment(str):
    __slots__ = ()


def _yaml(values: Mapping[str, Any]) -> str:
    parts = (
        f"{name}: " + (f"!butler_time/tai/iso '{value}'" if isinstance(value, _Moment) else _text(value))
        for name, value in values.items()
    )
    return "  - {" + ", ".join(parts) + "}\n"


def _records(element: str, records: Iterable[Mapping[str, Any]]) -> str:
    listed = "".join(_yaml(record) for record in records)
    return f"- type: dimension\n  element: {element}\n  records:\n{listed}"


def _times(begin: str | None, seconds: int) -> dict[str, Any]:
    if begin is None:
        return {"timespan": None}
    hours, minutes, rest = (int(part) for part in begin[11:].split(":"))
    total = hours * 3600 + minutes * 60 + rest + seconds
    end = f"{begin[:10]} {total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"
    return {
        "datetime_begin": _Moment(f"{begin}.000000000"),
        "datetime_end": _Moment(f"{end}.000000000"),
    }


def _region(visit: int) -> Region | None:
    match visit:
        case 3:
            return Circle(_point(0.3, 0.3), Angle.fromDegrees(0.4))
        case 4:
            return ConvexPolygon([_point(*corner) for corner in ((0.5, -0.5), (1.5, -0.5), (1.5, 0.5))])
        case 6:
            return ConvexPolygon([_point(*corner) for corner in ((359.5, -0.6), (0.2, -0.6), (0.1, 0.1))])
        case 8:
            return Box.fromDegrees(180.0, 40.0, 181.0, 41.0)
    return None


def _point(ra: float, dec: float) -> UnitVector3d:
    return UnitVector3d(LonLat.fromDegrees(ra, dec))


def _visits() -> Iterable[dict[str, Any]]:
    for number, (glass, night, seconds, target, reason, begin, length) in VISITS.items():
        yield {
            "instrument": "Cam1",
            "id": number,
            "name": f"v{number}",
            "physical_filter": glass,
            "day_obs": night,
            "seq_num": number % 4,
            "exposure_time": seconds,
            "target_name": target,
            "observation_reason": reason,
            "science_program": "it''s" if number == 3 else None,
            "zenith_angle": 10.0 * number - 40,
            "azimuth": None if number < 5 else 1.5 * number,
            "region": _region(number),
            **_times(begin, length),
        }


def _exposures() -> Iterable[dict[str, Any]]:
    for number, visit in EXPOSURES.items():
        glass, night, seconds, target, _, begin, length = VISITS.get(
            visit or 0, ("Cam1-G", 20210909, 2.5, "dome", None, f"2021-09-09 0{number % 8}:00:00", 120)
        )
        glass = "Cam1-R1" if visit == 2 else glass
        yield {
            "instrument": "Cam1",
            "id": number,
            "obs_id": f"e{number}",
            "physical_filter": glass,
            "group": f"g{number % 3}",
            "day_obs": night,
            "exposure_time": seconds,
            "dark_time": number / 3,
            "observation_type": "flat" if visit is None else "science",
            "observation_reason": "test",
            "seq_num": number,
            "target_name": target,
            "tracking_ra": 3.6 * number,
            "tracking_dec": None if number == 80 else -number / 7,
            "has_simulated": None if number == 90 else number % 2 == 0,
            "can_see_sky": number < 70,
            **_times(begin, length),
        }


def _dimensions() -> str:
    nights = [
        {"instrument": "Cam1", "id": day, **_times(f"{str(day)[:4]}-09-{day % 100:02d} 12:00:00", 43_199)}
        for day in DAYS[1:]
    ]
    groups = [{"instrument": "Cam1", "name": f"g{number}"} for number in range(3)]
    systems = [
        {"instrument": "Cam1", "id": number, "name": name} for number, name in enumerate(("one", "group"))
    ]
    pairs = [(exposure, visit) for exposure, visit in EXPOSURES.items() if visit]
    definitions = [{"instrument": "Cam1", "exposure": one, "visit": visit} for one, visit in pairs]
    membership = [{"instrument": "Cam1", "visit": visit, "visit_system": visit % 2} for visit in range(1, 9)]
    second = [{"name": "Cam2", "detector_max": 2, "visit_max": 10, "exposure_max": 10, "class_name": "other"}]
    return "".join(
        [
            _records("instrument", second),
            _records("physical_filter", [{"instrument": "Cam2", "name": "Cam2-R", "band": "r"}]),
            _records(
                "detector",
                [{"instrument": "Cam2", "id": 2, "full_name": "X", "raft": None, "purpose": "SCIENCE"}],
            ),
            _records("day_obs", nights),
            _records("group", groups),
            _records("visit_system", systems),
            _records("visit", _visits()),
            _records("exposure", _exposures()),
            _records("visit_definition", definitions),
            _records("visit_system_membership", membership),
        ]
    )


_TYPES = {
    "cat": ("instrument, visit, detector", "ArrowAstropy"),
    "raw": ("instrument, exposure, detector", "ExposureF"),
    "coadd": ("skymap, tract, patch, band", "ExposureF"),
    "catSummary": ("", "StructuredDataDict"),
}
COLLECTIONS = """
- {type: run, name: run/a}
- {type: run, name: run/b}
- {type: run, name: run/c}
- {type: run, name: other}
- {type: collection, collection_type: TAGGED, name: best}
- {type: collection, collection_type: CALIBRATION, name: calib}
- {type: collection, collection_type: CALIBRATION, name: calib2}
- {type: collection, collection_type: CHAINED, name: chain, children: [best, run/b, run/a]}
- {type: collection, collection_type: CHAINED, name: nested, children: [run/c, chain, imported_r]}
- {type: collection, collection_type: CHAINED, name: calibs, children: [calib2, calib]}
- {type: collection, collection_type: CHAINED, name: everything, children: [nested, calibs, imported_g]}
"""


def _types() -> str:
    return "".join(
        f"- type: dataset_type\n  name: {name}\n  dimensions: [{dimensions}]\n"
        f"  storage_class: {storage_class}\n  is_calibration: false\n"
        for name, (dimensions, storage_class) in _TYPES.items()
    )


def _datasets(kind: str, run: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    listed = "".join(
        f"  - dataset_id: [!uuid {uuid}]\n    path: placeholder\n    data_id:\n  {_yaml(own)}"
        for uuid, own in rows
    )
    return f"- type: dataset\n  dataset_type: {kind}\n  run: {run}\n  records:\n{listed}"


def _all_datasets() -> str:
    found = [
        _datasets(
            "cat",
            run,
            [
                (
                    catalogue_id(run, visit, detector),
                    {"instrument": "Cam1", "visit": visit, "detector": detector},
                )
                for visit, detector in pairs
            ],
        )
        for run, pairs in CATALOGUES.items()
    ]
    raws = [
        (
            f"00000000-0000-4000-9000-{number:08d}{detector:04d}",
            {"instrument": "Cam1", "exposure": number, "detector": detector},
        )
        for number in EXPOSURES
        for detector in (1, 2)
    ]
    coadds = [
        (
            f"00000000-0000-4000-a000-00{tract:02d}{patch:04d}000{number}",
            {"skymap": "SkyMap1", "tract": tract, "patch": patch, "band": band},
        )
        for tract in (0, 1)
        for patch in (0, 1, 2)
        for number, band in enumerate("gr")
    ]
    found.append(_datasets("raw", "other", raws))
    found.append(_datasets("coadd", "other", coadds))
    found.append(_datasets("catSummary", "run/a", [("00000000-0000-4000-b000-000000000001", {})]))
    return "".join(found)


def _end(moment: str | None) -> str:
    return "null" if moment is None else f"!butler_time/tai/iso '{moment}.000000000'"


def _associations() -> str:
    best = [catalogue_id("run/a", 3, 2), catalogue_id("run/a", 1, 1), catalogue_id("run/b", 7, 3)]
    text = _association("best", "TAGGED") + "  dataset_ids:\n" + "".join(f"  - !uuid {one}\n" for one in best)
    for collection, spans in (
        ("calib", [*BIASES, *FLATS[1:]]),
        ("calib2", [*FLATS[:1], *BIASES[3:4]]),
    ):
        text += _association(collection, "CALIBRATION") + "  validity_ranges:\n"
        # The peer takes the last of several entries of one timespan only.
        for begin, end in dict.fromkeys((begin, end) for _, begin, end in spans):
            text += "  - timespan: !lsst.daf.butler.Timespan\n"
            text += f"      begin: {_end(begin)}\n      end: {_end(end)}\n    dataset_ids:\n"
            text += "".join(f"    - !uuid {one}\n" for one, *span in spans if span == [begin, end])
    return text


def _association(collection: str, kind: str) -> str:
    return f"- type: associations\n  collection: {collection}\n  collection_type: {kind}\n"


def export(samples: str) -> str:
    """Give the export as text, with the datasets of a sample: the peer associates what is in one export."""
    own = [_dimensions(), _types(), COLLECTIONS, _all_datasets(), _associations()]
    return HEAD + samples.split("\ndata:\n")[1] + indent("".join(own), "  ")
