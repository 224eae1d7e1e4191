"""Questions by hand about order, collections, datasets and calibrations."""

from __future__ import annotations

from .question import BOTH, CAM, Question, datasets

_NAMES = [
    ("visit", "visit"),
    ("visit", "-visit"),
    ("visit", "visit.id"),
    ("visit", "visit.name"),
    ("visit", "-visit.name"),
    ("visit", "visit.exposure_time visit"),
    ("visit", "-visit.exposure_time -visit"),
    ("visit", "exposure_time visit"),
    ("visit", "-visit.timespan.begin visit"),
    ("visit", "visit.timespan.begin visit"),
    ("visit", "visit.day_obs -visit"),
    ("visit", "-day_obs visit"),
    ("visit", "band visit"),
    ("visit", "-physical_filter visit"),
    ("visit", "visit.target_name visit"),
    ("visit", "-target_name visit"),
    ("visit", "visit.seq_num -visit.zenith_angle"),
    ("visit", "instrument visit"),
    ("exposure", "-exposure.dark_time"),
    ("exposure", "exposure.group exposure"),
    ("exposure", "exposure.tracking_dec exposure"),
    ("exposure", "exposure.observation_type -exposure"),
    ("detector", "-detector.full_name"),
    ("detector", "detector.raft -detector.name_in_raft"),
    ("detector", "-detector.purpose detector"),
]
ORDERS = [
    Question("cam", ask, (element,), CAM, order_by=tuple(names.split()), limit=limit)
    for ask in ("records", "data_ids")
    for element, names in _NAMES
    for limit in ((None,) if ask == "data_ids" else (None, 3))
]
ORDERS += [
    Question("cam", "data_ids", ("visit", "detector"), CAM, order_by=tuple(names.split()), limit=limit)
    for names in (
        "visit -detector",
        "-detector visit",
        "detector.full_name -visit.exposure_time visit",
        "-visit.timespan.begin -visit detector",
    )
    for limit in (None, 0, 1, 5)
]
ORDERS += [
    Question(
        "cam",
        "datasets",
        ("cat",),
        where,
        order_by=tuple(names.split()),
        limit=limit,
        collections=(where_in,),
    )
    for names in (
        "visit -detector",
        "-visit detector",
        "-visit.exposure_time visit -detector",
        "detector.full_name -visit",
        "-visit.timespan.begin visit detector",
        "cat.run visit detector",
    )
    for where_in in ("run/a", "chain", "nested")
    for where, limit in ((CAM, None), (CAM, 4), (f"{CAM} AND visit > 2", 3))
]
LIMITS = [
    Question("cam", ask, of, CAM, limit=limit, collections=collections)
    for ask, of, collections in (
        ("records", ("visit",), ()),
        ("data_ids", ("visit", "detector"), ()),
        ("datasets", ("cat",), ("chain",)),
    )
    for limit in (0, 1, 7, 1000)
]
_SEARCHES = (
    "run/a",
    "run/b",
    "best",
    "chain",
    "nested",
    "everything",
    "run/a run/b",
    "run/b run/a",
    "best run/c",
    "chain run/c",
)
DATASETS = [
    *(
        one
        for first in (True, False)
        for where_in in _SEARCHES
        for one in datasets("cat", where_in, "", f"{CAM} AND visit = 3", find_first=first)
    ),
    *datasets(
        "cat",
        "nested",
        f"{CAM} AND visit.exposure_time > 30",
        f"{CAM} AND detector.raft = 'B'",
        f"{CAM} AND band = 'r'",
    ),
    *datasets(
        "cat",
        "nested",
        f"{CAM} AND visit = 3 AND detector IN (2, 3)",
        f"{CAM} AND visit.target_name = 'M_31'",
    ),
    *datasets(
        "cat",
        "nested",
        f"{CAM} AND visit.timespan OVERLAPS (T'2021-09-11T02:00:00/tai', NULL)",
        f"{CAM} AND exposure = 31",
    ),
    *datasets(
        "cat",
        "nested",
        f"{CAM} AND visit.region OVERLAPS POINT(0.3, 0.3)",
        f"{BOTH} AND tract = 0",
        f"{BOTH} AND tract = 0 AND patch = 3",
    ),
    *datasets(
        "cat", "nested", f"{CAM} AND visit_detector_region.region OVERLAPS REGION('CIRCLE 0.1 0.1 0.1')"
    ),
    *datasets("cat", "run/a run/c", "cat.run = 'run/a'", "GLOB(cat.run, 'run/[a-b]')"),
    *datasets(
        "cat",
        "nested",
        "cat.run = 'run/a'",
        "cat.run != 'run/a'",
        "cat.run IN ('run/a', 'run/c')",
        "GLOB(cat.run, '*a')",
        find_first=False,
    ),
    *datasets(
        "cat",
        "nested",
        "cat.dataset_id = UUID('00000000-0000-4000-8000-000100030001')",
        "cat.ingest_date > T'2021-01-01'",
    ),
    *datasets("cat", "nested", "cat.ingest_date < T'2021-01-01'", "visit = 3 AND instrument = 'Cam1'"),
    *datasets(
        "raw",
        "other",
        "",
        f"{CAM} AND exposure = 71",
        f"{CAM} AND visit = 7",
        f"{CAM} AND exposure.can_see_sky",
    ),
    *datasets(
        "raw",
        "other",
        f"{CAM} AND exposure.timespan OVERLAPS T'2021-09-11T02:00:40/tai'",
        f"{CAM} AND visit.exposure_time > 30",
    ),
    *datasets(
        "raw",
        "other",
        f"{BOTH} AND tract = 0",
        f"{CAM} AND exposure.tracking_dec > -5 AND detector = 1",
        "NOT exposure.can_see_sky",
    ),
    *datasets(
        "coadd",
        "other",
        "",
        "skymap = 'SkyMap1'",
        "skymap = 'SkyMap1' AND tract = 1 AND band = 'g'",
        "band = 'r'",
    ),
    *datasets(
        "coadd",
        "other",
        "skymap = 'SkyMap1' AND patch.region OVERLAPS POINT(0.1, 0.1)",
        f"{BOTH} AND visit = 1",
    ),
    *datasets(
        "coadd",
        "other",
        f"{BOTH} AND visit = 1 AND detector = 2",
        "skymap = 'SkyMap1' AND patch.cell_x = 0",
        f"{CAM} AND skymap = 'SkyMap1'",
    ),
    *datasets("catSummary", "run/a", ""),
    *datasets("catSummary", "run/b", ""),
    *datasets("bias", "imported_g", "", f"{CAM} AND detector.raft = 'A'"),
    *datasets("bias", "imported_g imported_r", "", f"{CAM} AND detector < 3"),
    *datasets("bias", "imported_r imported_g", "", f"{CAM} AND detector < 3"),
    *datasets("bias", "imported_r imported_g", "", f"{CAM} AND detector < 3", find_first=False),
    *datasets(
        "flat",
        "imported_r",
        "",
        f"{CAM} AND band = 'r'",
        f"{CAM} AND physical_filter = 'Cam1-R2'",
        "band = 'r'",
    ),
    *datasets("cat*", "nested", "", find_first=False),
    *datasets("c*", "other run/a", ""),
    *datasets("bias flat", "imported_g", "", f"{CAM} AND detector = 2"),
    *datasets("?at", "run/*", "", find_first=False),
    *datasets("cat", "run/*", "", find_first=False),
    *datasets("cat", "run/?", f"{CAM} AND visit = 3"),
    *datasets("bias", "imported*", "", find_first=False),
]
_IDS: list[dict[str, int | str]] = [
    {"instrument": "Cam1", "visit": 3},
    {"instrument": "Cam1", "visit": 3, "detector": 2},
    {"instrument": "Cam1", "detector": 2},
    {"instrument": "Cam1", "band": "g"},
    {"instrument": "Cam1", "physical_filter": "Cam1-R1"},
    {"instrument": "Cam1", "day_obs": 20210910},
    {"instrument": "Cam1", "exposure": 71},
    {"instrument": "Cam1", "visit": 99},
    {"instrument": "Cam2"},
]
DATASETS += [Question("cam", "datasets", ("cat",), collections=("nested",), data_id=own) for own in _IDS]
DATASETS += [
    Question(
        "cam",
        "datasets",
        ("cat",),
        f"{CAM} AND cat.dataset_id = :id",
        {"id": {"uuid": "00000000-0000-4000-8000-000100030001"}},
        collections=("nested",),
    ),
    Question(
        "cam",
        "datasets",
        ("cat",),
        f"{CAM} AND cat.dataset_id IN (:id)",
        {"id": [{"uuid": "00000000-0000-4000-8000-000100030001"}]},
        collections=("nested",),
    ),
]
_TIMES = (
    (None, "2021-09-10"),
    ("2021-09-10", "2021-09-10T00:00:01"),
    ("2021-09-11T01:00:00", "2021-09-11T02:00:00"),
    ("2021-09-12T04:00:00", None),
)
CALIBRATIONS = [
    Question(
        "cam",
        "find",
        ("bias",),
        collections=where_in,
        data_id={"instrument": "Cam1", "detector": detector},
        time=time,
    )
    for where_in in (("calib",), ("calib2",), ("calibs",))
    for detector in (1, 2, 3, 4)
    for time in _TIMES
]
CALIBRATIONS += [
    Question(
        "cam",
        "find",
        (kind,),
        collections=where_in,
        data_id={"instrument": "Cam1", "detector": detector, "exposure": exposure},
    )
    for kind in ("bias", "flat")
    for where_in in (("calib",), ("calibs",), ("imported_g", "calib"))
    for detector in (1, 2, 3)
    for exposure in (11, 31, 61, 80, 90)
]
CALIBRATIONS += [
    Question(
        "cam",
        "find",
        ("flat",),
        collections=("calibs",),
        data_id={"instrument": "Cam1", "detector": detector, "physical_filter": glass},
        time=time,
    )
    for detector in (1, 2, 3)
    for glass in ("Cam1-G", "Cam1-R1")
    for time in _TIMES[1:3]
]
CALIBRATIONS += [
    Question(
        "cam",
        "find",
        ("cat",),
        collections=("nested",),
        data_id={"instrument": "Cam1", "visit": visit, "detector": detector},
    )
    for visit, detector in ((3, 2), (3, 3), (8, 1), (5, 1), (1, 1), (99, 1))
]
CALIBRATIONS += [
    *datasets("bias", "calib", "", f"{CAM} AND detector = 2", f"{CAM} AND detector = 3", find_first=False),
    *datasets("flat", "calib", "", f"{CAM} AND band = 'g'", find_first=False),
    *datasets(
        "bias",
        "calib",
        "bias.timespan OVERLAPS T'2021-09-12T04:00:00/tai'",
        f"{CAM} AND bias.timespan.begin > T'2021-09-10'",
        find_first=False,
    ),
    *datasets(
        "bias",
        "calib",
        "bias.timespan OVERLAPS (T'2021-09-12/tai', NULL)",
        f"{CAM} AND exposure = 31 AND bias.timespan OVERLAPS exposure.timespan",
        find_first=False,
    ),
    *datasets("bias flat", "calib", "", find_first=False),
]
