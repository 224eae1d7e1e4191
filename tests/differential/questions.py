"""Questions written by hand; both sides must give the same answers."""

from __future__ import annotations

from collections.abc import Iterable

from .question import Question

CAM = "instrument = 'Cam1'"


def _records(element: str, *wheres: str, world: str = "cam", camera: str = CAM) -> Iterable[Question]:
    for where in wheres:
        text = f"{camera} AND ({where})" if camera else where
        yield Question(world, "records", (element,), text)


def _data_ids(dimensions: str, *wheres: str, world: str = "cam", camera: str = CAM) -> Iterable[Question]:
    for where in wheres:
        text = f"{camera} AND ({where})" if camera and where else where or camera
        yield Question(world, "data_ids", tuple(dimensions.split()), text)


VALUES = [
    *_records(
        "detector",
        "detector = 2",
        "2 = detector",
        "detector != 2",
        "detector < 3",
        "detector <= 3",
        "detector > 3",
        "detector >= 3",
        "detector.id = 2",
        "detector.full_name = 'Ab'",
        "full_name = 'Ab'",
        "detector.purpose = 'WAVEFRONT'",
        "detector.raft != 'A'",
        "detector.raft > 'A'",
        "detector.raft = 'A' AND detector.name_in_raft = 'b'",
        "detector.raft = 'A' OR detector.name_in_raft = 'b'",
        "NOT detector.raft = 'A'",
        "NOT (detector.raft = 'A' OR detector = 3)",
        "detector = 1 OR detector = 2 AND detector.raft = 'B'",
        "(detector = 1 OR detector = 2) AND detector.raft = 'B'",
        "NOT detector = 1 AND detector < 3",
        "not detector = 1 and detector < 3 or detector = 4",
        "detector IN (1, 3)",
        "detector NOT IN (1, 3)",
        "detector in (1..3)",
        "detector IN (1..4:2)",
        "detector IN (2, 3..4)",
        "detector IN (-1..1)",
        "detector NOT IN (1..3)",
        "detector.raft IN ('A')",
        "detector.raft IN ('A', 'C')",
        "detector.raft NOT IN ('A', 'C')",
        "detector IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)",
        "detector + 1 = 3",
        "detector * 2 > 5",
        "detector - 1 = 1 + 1",
        "-detector = -2",
        "+detector = 2",
        "detector % 2 = 0",
        "detector % 2 = 0 OR detector / 2 = 0.5",
        "detector / 2 > 1.25",
        "detector / 2 = 1",
        "1 + detector * 2 = 7",
        "(1 + detector) * 2 = 8",
        "detector > 1.5",
        "detector = 2.0",
        "detector < 1e1",
        "GLOB(detector.full_name, 'A*')",
        "GLOB(detector.full_name, 'a*')",
        "GLOB(detector.full_name, '?b')",
        "GLOB(detector.full_name, 'Aa')",
        "NOT GLOB(detector.full_name, '*a')",
        "GLOB(detector.full_name, '')",
        "GLOB(detector.full_name, '[AB]a')",
        "GLOB(full_name, '*')",
        "detector > 4",
        "detector = 2 AND detector = 3",
    ),
    *_records("instrument", "instrument = 'Cam2'", "instrument.detector_max > 2", camera=""),
    *_records("instrument", "instrument.visit_max >= 10", "class_name = 'other'", camera=""),
    *_records("physical_filter", "band = 'r'", "physical_filter.band = 'r'", "GLOB(physical_filter, '*R*')"),
    *_records("physical_filter", "physical_filter IN ('Cam1-G', 'Cam1-R2')", "band IN ('g', 'z')"),
    *_records("physical_filter", "band > 'g'", "physical_filter = 'Cam1-G'", "physical_filter.name != 'x'"),
    *_data_ids("physical_filter", "band = 'g'", "detector = 2"),
    *_data_ids("band", "", "band != 'g'", "physical_filter = 'Cam1-R1'"),
    *_data_ids("detector physical_filter", "detector < 3 AND band = 'g'", "detector = 1 OR band = 'r'"),
    *_data_ids("instrument", "", "detector = 4", "instrument = 'Cam1'"),
]
COLUMNS = [
    *_records(
        "visit",
        "visit.exposure_time > 30",
        "visit.exposure_time >= 30.5",
        "visit.exposure_time = 30",
        "visit.exposure_time = 30.5",
        "visit.exposure_time < 0.01",
        "visit.exposure_time != 30.5",
        "NOT visit.exposure_time > 30",
        "exposure_time > 30",
        "visit.exposure_time + visit.zenith_angle > 40.5",
        "visit.exposure_time - 0.5 = 30.0",
        "visit.exposure_time * 2.0 > 61.5",
        "visit.exposure_time / 2.0 < 15.1",
        "visit.exposure_time IN (30.0, 15.0)",
        "visit.target_name = 'M_31'",
        "visit.target_name = 'Größe'",
        "visit.target_name != 'M_31'",
        "visit.target_name IN ('M_31', 'M%31')",
        "visit.target_name NOT IN ('M_31', 'M%31')",
        "GLOB(visit.target_name, 'M?31')",
        "GLOB(visit.target_name, 'M_*')",
        "GLOB(visit.target_name, '*%*')",
        "GLOB(visit.target_name, 'a[1]')",
        "GLOB(visit.target_name, '*[*')",
        "GLOB(visit.target_name, 'Gr????')",
        "NOT GLOB(visit.target_name, 'M*')",
        "GLOB(visit.name, 'v*')",
        "visit.observation_reason = 'science'",
        "NOT visit.observation_reason = 'science'",
        "visit.observation_reason != 'science' AND visit.exposure_time > 20",
        "visit.observation_reason = 'science' OR visit.exposure_time > 20",
        "NOT (visit.observation_reason = 'science' OR visit.exposure_time > 20)",
        "visit.seq_num = 3",
        "visit.seq_num % 2 = 1",
        "visit.seq_num + visit < 7",
        "visit.zenith_angle < 0",
        "visit.zenith_angle < -5.5",
        "visit.zenith_angle = -10",
        "-visit.zenith_angle > 5",
        "visit.azimuth > 8",
        "visit.day_obs = 20210910",
        "visit.day_obs != 20210910",
        "day_obs > 20210909",
        "day_obs IN (20210909..20210910)",
        "visit.physical_filter = 'Cam1-G'",
        "physical_filter = 'Cam1-G'",
        "band = 'r'",
        "band = 'r' AND visit.exposure_time > 30",
        "visit.name = 'v3'",
        "visit.id > 4",
        "visit > 4 AND visit < 7",
        "visit.science_program = 'test_survey'",
    ),
    *_records(
        "exposure",
        "exposure.can_see_sky",
        "NOT exposure.can_see_sky",
        "exposure.has_simulated",
        "NOT exposure.has_simulated",
        "exposure.can_see_sky AND exposure.has_simulated",
        "exposure.can_see_sky OR exposure.has_simulated",
        "can_see_sky AND exposure > 20",
        "exposure.dark_time > 10",
        "exposure.tracking_ra > 100.5 AND exposure.tracking_dec < -5",
        "exposure.tracking_dec < exposure.tracking_ra",
        "exposure.observation_type = 'flat'",
        "exposure.group = 'g1'",
        "group = 'g1'",
        "exposure.seq_num > 50",
        "seq_num IN (11, 90)",
        "exposure.obs_id = 'e90'",
        "day_obs.id = 20210911",
        "visit = 7",
        "visit.exposure_time > 20",
    ),
    *_data_ids("exposure", "visit = 7", "visit.name = 'v3'", "exposure.can_see_sky", "band = 'g'", "group = 'g2'"),
    *_data_ids("visit", "exposure = 71", "exposure IN (71, 72)", "exposure > 50", "detector = 1", "band = 'r'"),
    *_data_ids("exposure visit", "", "visit = 7", "band = 'g'", "exposure.dark_time > 20"),
    *_data_ids("exposure detector", "exposure > 70 AND detector > 2", "visit = 7 AND detector = 1"),
    *_data_ids("visit detector", "visit > 6", "visit IN (1, 2) AND detector.raft = 'A'", "visit.exposure_time > 60"),
    *_data_ids("visit visit_system", "", "visit_system = 1", "visit_system.name = 'one'"),
    *_data_ids("day_obs", "", "day_obs > 20210909", "visit = 3", "exposure = 90"),
    *_data_ids("group", "", "exposure = 11"),
    *_data_ids("visit day_obs", "day_obs = 20210910", "visit.day_obs = 20210910"),
]
TIMES = [
    *_records(
        "visit",
        "visit.timespan.begin > T'2021-09-11T01:30:00'",
        "visit.timespan.begin > T'2021-09-11 01:30:00'",
        "visit.timespan.begin > T'2021-09-11'",
        "visit.timespan.begin >= T'2021-09-11T01:00:00/tai'",
        "visit.timespan.begin > T'2021-09-11T01:00:00/tai'",
        "visit.timespan.begin > T'2021-09-11T01:00:00/utc'",
        "visit.timespan.begin = T'2021-09-11T02:00:00/tai'",
        "visit.timespan.begin != T'2021-09-11T02:00:00/tai' AND visit != 7",
        "visit.timespan.end > T'mjd/59468.1'",
        "visit.timespan.end > T'jd/2459468.6/tai'",
        "visit.timespan.end > T'59468.1'",
        "visit.timespan.end > T'isot/2021-09-11T02:00:00'",
        "visit.timespan.end > T'fits/2021-09-11T02:00:00'",
        "visit.timespan.end > T'yday/2021:254:02:00:00'",
        "visit.timespan.end > T'decimalyear/2021.695'",
        "visit.timespan.end > T'iso/2021-09-11 02:00:00/tt'",
        "T'2021-09-11' < visit.timespan.begin",
        "visit.timespan OVERLAPS (T'2021-09-11T02:00:45/tai', T'2021-09-11T02:02:00/tai')",
        "(T'2021-09-11T02:00:45/tai', T'2021-09-11T02:02:00/tai') OVERLAPS visit.timespan",
        "visit.timespan OVERLAPS (T'2021-09-11T02:01:00/tai', T'2021-09-11T02:01:30/tai')",
        "visit.timespan OVERLAPS (T'2021-09-11T01:59:00/tai', T'2021-09-11T02:00:00/tai')",
        "visit.timespan OVERLAPS (NULL, T'2021-09-11T02:00:01/tai')",
        "visit.timespan OVERLAPS (T'2021-09-12T03:09:59/tai', NULL)",
        "visit.timespan OVERLAPS (null, null)",
        "visit.timespan OVERLAPS T'2021-09-11T02:00:59/tai'",
        "visit.timespan OVERLAPS T'2021-09-11T02:01:00/tai'",
        "T'2021-09-11T02:00:59/tai' OVERLAPS visit.timespan",
        "NOT visit.timespan OVERLAPS (T'2021-09-11T02:00:00/tai', NULL)",
        "visit.timespan.begin < visit.timespan.end",
    ),
    *_records("day_obs", "day_obs.timespan OVERLAPS T'2021-09-11T02:00:59/tai'", "day_obs.timespan.begin > T'2021-09-10'"),
    *_records("exposure", "exposure.timespan OVERLAPS T'2021-09-11T02:00:59/tai'", "exposure.timespan.end > T'2021-09-10'"),
    *_data_ids("visit detector", "visit.timespan OVERLAPS (T'2021-09-12/tai', NULL) AND detector = 2"),
]
for _name, _value in {
    "t": {"time": "2021-09-11T02:00:30"},
    "span": {"timespan": ["2021-09-11T02:00:30", "2021-09-12T03:00:01"]},
    "open": {"timespan": [None, "2021-09-11T02:00:30"]},
}.items():
    for _where in ("visit.timespan OVERLAPS :{}", ":{} OVERLAPS visit.timespan"):
        TIMES.append(Question("cam", "records", ("visit",), f"{CAM} AND {_where.format(_name)}", {_name: _value}))
BOUND = [
    Question("cam", "records", (element,), f"{CAM} AND {where}", bind)
    for element, where, bind in [
        ("detector", "detector = :d", {"d": 2}),
        ("detector", "detector IN (:d)", {"d": [1, 3]}),
        ("detector", "detector IN (:d)", {"d": {"set": [1, 3]}}),
        ("detector", "detector IN (:d)", {"d": 3}),
        ("detector", "detector IN (:d, :e)", {"d": 3, "e": [1, 2]}),
        ("detector", "detector IN (4, :d)", {"d": [1, 2]}),
        ("detector", "detector NOT IN (:d)", {"d": [1, 2]}),
        ("detector", "detector NOT IN (:d)", {"d": []}),
        ("detector", "detector IN (:d)", {"d": list(range(2, 2000))}),
        ("detector", "detector.raft = :r", {"r": "A"}),
        ("detector", "detector.raft IN (:r)", {"r": ["A", "Z"]}),
        ("detector", "GLOB(detector.full_name, :g)", {"g": "?a"}),
        ("detector", "detector > :x + 1", {"x": 1}),
        ("visit", "visit.exposure_time > :x", {"x": 30}),
        ("visit", "visit.exposure_time > :x", {"x": 30.25}),
        ("visit", "visit.target_name = :n", {"n": "M%31"}),
        ("visit", "visit.target_name IN (:n)", {"n": ["Größe", "M_31"]}),
        ("visit", "visit.timespan.begin > :t", {"t": {"time": "2021-09-11T01:00:00"}}),
        ("visit", "visit.timespan.begin = :t", {"t": {"time": "2021-09-11T01:00:00"}}),
        ("visit", "visit.timespan OVERLAPS (:t, NULL)", {"t": {"time": "2021-09-11T02:01:00"}}),
        ("visit", "visit.timespan OVERLAPS (:t, :u)", {"t": {"time": "2021-09-11T02:01:00"}, "u": {"time": "2021-09-12T03:00:01"}}),
        ("visit", "visit.region OVERLAPS :r", {"r": {"region": "CIRCLE 0.3 0.3 0.1"}}),
        ("visit", "visit.region OVERLAPS :r", {"r": {"region": "RANGE 0 1 0 1"}}),
        ("visit", "visit.region OVERLAPS :r", {"r": {"region": "POLYGON 0 0 0.1 0 0.1 0.1 0 0.1"}}),
        ("visit", "visit.exposure_time > :X", {"X": 30}),
    ]
]
_SHAPES = [
    "POINT(0.1, 0.1)",
    "POINT(0.3, 0.3)",
    "POINT(180.5, 40.2)",
    "POINT(10, 10)",
    "POINT(359.9, -0.4)",
    "REGION('CIRCLE 0.0 0.0 0.05')",
    "REGION('CIRCLE 359.99 -0.05 0.5')",
    "REGION('CIRCLE 90 90 51')",
    "BOX(0.1, 0.1, 0.2, 0.2)",
    "BOX(0.0, 0.0, 0.9, 0.5)",
    "BOX(1.0, 0.0, 0.1, 0.1)",
    "POLYGON(0, 0, 0.2, 0, 0.2, 0.2)",
    "POLYGON(359.8, -0.2, 0.2, -0.2, 0.2, 0.2, 359.8, 0.2)",
    "REGION('CIRCLE 0.3 0.3 0.1')",
    "REGION('POLYGON 0 0 0.5 0 0.5 0.5')",
    "REGION('RANGE 0.2 0.5 -1 1')",
]
REGIONS = [
    *(one for shape in _SHAPES for one in _records("visit", f"visit.region OVERLAPS {shape}")),
    *(one for shape in _SHAPES[::2] for one in _records("visit_detector_region", f"{shape} OVERLAPS visit_detector_region.region")),
    *(one for shape in _SHAPES for one in _data_ids("visit detector", f"visit_detector_region.region OVERLAPS {shape}")),
    *(one for shape in _SHAPES[::3] for one in _data_ids("visit detector", f"visit.region OVERLAPS {shape}")),
    *(one for shape in _SHAPES[:12] for one in _data_ids("tract patch", f"patch.region OVERLAPS {shape}", camera="skymap = 'SkyMap1'")),
    *(one for shape in _SHAPES[:12:3] for one in _records("tract", f"tract.region OVERLAPS {shape}", camera="skymap = 'SkyMap1'")),
    *_records("visit", "visit.region OVERLAPS REGION('CIRCLE 0.3 0.3 0.1') AND band = 'g'"),
    *_data_ids("patch", "cell_x = 0", "patch.cell_y > 0 AND tract = 0", camera="skymap = 'SkyMap1'"),
    *_data_ids("patch", "tract = 1 AND patch IN (0..2)", "tract.id = 0", camera="skymap = 'SkyMap1'"),
]
BOTH = "skymap = 'SkyMap1' AND instrument = 'Cam1'"
JOINS = [
    *_data_ids("visit tract", "", "visit = 1", "tract = 0", "visit IN (3..8)", camera=BOTH),
    *_data_ids("visit patch", "tract = 0 AND patch = 3", "visit = 2", "visit > 2", camera=BOTH),
    *_data_ids("visit detector patch", "tract = 0 AND patch = 3", "visit = 2 AND detector = 1", camera=BOTH),
    *_data_ids("visit detector patch", "visit = 1 AND patch < 3", "visit.exposure_time > 50 AND tract = 1", camera=BOTH),
    *_data_ids("visit detector tract", "tract = 0", "tract = 1 AND detector IN (2, 3)", camera=BOTH),
    *_data_ids("visit detector", "tract = 0 AND patch = 4", "tract = 1", "patch = 1 AND tract = 1", camera=BOTH),
    *_data_ids("visit", "tract = 0 AND patch = 4", "tract = 1", "tract = 0 AND band = 'r'", camera=BOTH),
    *_data_ids("tract", "visit = 1", "visit = 2 AND detector = 3", "visit = 8", camera=BOTH),
    *_data_ids("patch", "visit = 1 AND detector = 2", "visit = 3", "visit = 4 AND tract = 1", camera=BOTH),
    *_data_ids("patch band", "tract = 0 AND patch = 1", "visit = 2 AND tract = 0", camera=BOTH),
    *_data_ids("exposure tract", "exposure IN (11, 31)", "tract = 1 AND exposure > 11", camera=BOTH),
    *_data_ids("visit tract", "visit.region OVERLAPS tract.region", "visit = 3 AND visit.region OVERLAPS tract.region", camera=BOTH),
    *_data_ids("visit patch", "visit = 1 AND visit.region OVERLAPS patch.region", camera=BOTH),
    *_data_ids("visit detector patch", "visit = 1 AND visit_detector_region.region OVERLAPS patch.region", camera=BOTH),
    *_data_ids("htm7", "visit = 1", "visit = 2 AND detector = 1", "visit = 3"),
    *_data_ids("visit htm7", "visit = 6", "htm7 = 253954"),
    *_data_ids("htm7", "tract = 0 AND patch = 1", "patch = 2", camera="skymap = 'SkyMap1'"),
    *_data_ids("detector htm7", "visit = 2 AND detector > 2"),
]
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
    for names in ("visit -detector", "-detector visit", "detector.full_name -visit.exposure_time visit", "-visit.timespan.begin -visit detector")
    for limit in (None, 0, 1, 5)
]
ORDERS += [
    Question("cam", "datasets", ("cat",), where, order_by=tuple(names.split()), limit=limit, collections=(where_in,))
    for names in ("visit -detector", "-visit detector", "-visit.exposure_time visit -detector", "detector.full_name -visit", "-visit.timespan.begin visit detector", "cat.run visit detector")
    for where_in in ("run/a", "chain", "nested")
    for where, limit in ((CAM, None), (CAM, 4), (f"{CAM} AND visit > 2", 3))
]
LIMITS = [
    Question("cam", ask, of, CAM, limit=limit, collections=collections)
    for ask, of, collections in (("records", ("visit",), ()), ("data_ids", ("visit", "detector"), ()), ("datasets", ("cat",), ("chain",)))
    for limit in (0, 1, 7, 1000)
]


def _datasets(of: str, collections: str, *wheres: str, find_first: bool = True) -> Iterable[Question]:
    for where in wheres:
        yield Question("cam", "datasets", tuple(of.split()), where, collections=tuple(collections.split()), find_first=find_first)


_SEARCHES = ("run/a", "run/b", "best", "chain", "nested", "everything", "run/a run/b", "run/b run/a", "best run/c", "chain run/c")
DATASETS = [
    *(one for first in (True, False) for where_in in _SEARCHES for one in _datasets("cat", where_in, "", f"{CAM} AND visit = 3", find_first=first)),
    *_datasets("cat", "nested", f"{CAM} AND visit.exposure_time > 30", f"{CAM} AND detector.raft = 'B'", f"{CAM} AND band = 'r'"),
    *_datasets("cat", "nested", f"{CAM} AND visit = 3 AND detector IN (2, 3)", f"{CAM} AND visit.target_name = 'M_31'"),
    *_datasets("cat", "nested", f"{CAM} AND visit.timespan OVERLAPS (T'2021-09-11T02:00:00/tai', NULL)", f"{CAM} AND exposure = 31"),
    *_datasets("cat", "nested", f"{CAM} AND visit.region OVERLAPS POINT(0.3, 0.3)", f"{BOTH} AND tract = 0", f"{BOTH} AND tract = 0 AND patch = 3"),
    *_datasets("cat", "nested", f"{CAM} AND visit_detector_region.region OVERLAPS REGION('CIRCLE 0.1 0.1 0.1')"),
    *_datasets("cat", "run/a run/c", "cat.run = 'run/a'", "GLOB(cat.run, 'run/[a-b]')"),
    *_datasets("cat", "nested", "cat.run = 'run/a'", "cat.run != 'run/a'", "cat.run IN ('run/a', 'run/c')", "GLOB(cat.run, '*a')", find_first=False),
    *_datasets("cat", "nested", "cat.dataset_id = UUID('00000000-0000-4000-8000-000100030001')", "cat.ingest_date > T'2021-01-01'"),
    *_datasets("cat", "nested", "cat.ingest_date < T'2021-01-01'", "visit = 3 AND instrument = 'Cam1'"),
    *_datasets("raw", "other", "", f"{CAM} AND exposure = 71", f"{CAM} AND visit = 7", f"{CAM} AND exposure.can_see_sky"),
    *_datasets("raw", "other", f"{CAM} AND exposure.timespan OVERLAPS T'2021-09-11T02:00:40/tai'", f"{CAM} AND visit.exposure_time > 30"),
    *_datasets("raw", "other", f"{BOTH} AND tract = 0", f"{CAM} AND exposure.tracking_dec > -5 AND detector = 1", "NOT exposure.can_see_sky"),
    *_datasets("coadd", "other", "", "skymap = 'SkyMap1'", "skymap = 'SkyMap1' AND tract = 1 AND band = 'g'", "band = 'r'"),
    *_datasets("coadd", "other", "skymap = 'SkyMap1' AND patch.region OVERLAPS POINT(0.1, 0.1)", f"{BOTH} AND visit = 1"),
    *_datasets("coadd", "other", f"{BOTH} AND visit = 1 AND detector = 2", "skymap = 'SkyMap1' AND patch.cell_x = 0", f"{CAM} AND skymap = 'SkyMap1'"),
    *_datasets("catSummary", "run/a", ""),
    *_datasets("catSummary", "run/b", ""),
    *_datasets("bias", "imported_g", "", f"{CAM} AND detector.raft = 'A'"),
    *_datasets("bias", "imported_g imported_r", "", f"{CAM} AND detector < 3"),
    *_datasets("bias", "imported_r imported_g", "", f"{CAM} AND detector < 3"),
    *_datasets("bias", "imported_r imported_g", "", f"{CAM} AND detector < 3", find_first=False),
    *_datasets("flat", "imported_r", "", f"{CAM} AND band = 'r'", f"{CAM} AND physical_filter = 'Cam1-R2'", "band = 'r'"),
    *_datasets("cat*", "nested", "", find_first=False),
    *_datasets("c*", "other run/a", ""),
    *_datasets("bias flat", "imported_g", "", f"{CAM} AND detector = 2"),
    *_datasets("?at", "run/*", "", find_first=False),
    *_datasets("cat", "run/*", "", find_first=False),
    *_datasets("cat", "run/?", f"{CAM} AND visit = 3"),
    *_datasets("bias", "imported*", "", find_first=False),
]
DATASETS += [
    Question("cam", "datasets", ("cat",), collections=("nested",), data_id=own)
    for own in (
        {"instrument": "Cam1", "visit": 3},
        {"instrument": "Cam1", "visit": 3, "detector": 2},
        {"instrument": "Cam1", "detector": 2},
        {"instrument": "Cam1", "band": "g"},
        {"instrument": "Cam1", "physical_filter": "Cam1-R1"},
        {"instrument": "Cam1", "day_obs": 20210910},
        {"instrument": "Cam1", "exposure": 71},
        {"instrument": "Cam1", "visit": 99},
        {"instrument": "Cam2"},
    )
]
DATASETS += [
    Question("cam", "datasets", ("cat",), f"{CAM} AND cat.dataset_id = :id", {"id": {"uuid": "00000000-0000-4000-8000-000100030001"}}, collections=("nested",)),
    Question("cam", "datasets", ("cat",), f"{CAM} AND cat.dataset_id IN (:id)", {"id": [{"uuid": "00000000-0000-4000-8000-000100030001"}]}, collections=("nested",)),
]
_TIMES = ((None, "2021-09-10"), ("2021-09-10", "2021-09-10T00:00:01"), ("2021-09-11T01:00:00", "2021-09-11T02:00:00"), ("2021-09-12T04:00:00", None))
CALIBRATIONS = [
    Question("cam", "find", ("bias",), collections=where_in, data_id={"instrument": "Cam1", "detector": detector}, time=time)
    for where_in in (("calib",), ("calib2",), ("calibs",))
    for detector in (1, 2, 3, 4)
    for time in _TIMES
]
CALIBRATIONS += [
    Question("cam", "find", (kind,), collections=where_in, data_id={"instrument": "Cam1", "detector": detector, "exposure": exposure})
    for kind in ("bias", "flat")
    for where_in in (("calib",), ("calibs",), ("imported_g", "calib"))
    for detector in (1, 2, 3)
    for exposure in (11, 31, 61, 80, 90)
]
CALIBRATIONS += [
    Question("cam", "find", ("flat",), collections=("calibs",), data_id={"instrument": "Cam1", "detector": detector, "physical_filter": glass}, time=time)
    for detector in (1, 2, 3)
    for glass in ("Cam1-G", "Cam1-R1")
    for time in _TIMES[1:3]
]
CALIBRATIONS += [
    Question("cam", "find", ("cat",), collections=("nested",), data_id={"instrument": "Cam1", "visit": visit, "detector": detector})
    for visit, detector in ((3, 2), (3, 3), (8, 1), (5, 1), (1, 1), (99, 1))
]
CALIBRATIONS += [
    *_datasets("bias", "calib", "", f"{CAM} AND detector = 2", f"{CAM} AND detector = 3", find_first=False),
    *_datasets("flat", "calib", "", f"{CAM} AND band = 'g'", find_first=False),
    *_datasets("bias", "calib", "bias.timespan OVERLAPS T'2021-09-12T04:00:00/tai'", f"{CAM} AND bias.timespan.begin > T'2021-09-10'", find_first=False),
    *_datasets("bias", "calib", "bias.timespan OVERLAPS (T'2021-09-12/tai', NULL)", f"{CAM} AND exposure = 31 AND bias.timespan OVERLAPS exposure.timespan", find_first=False),
    *_datasets("bias flat", "calib", "", find_first=False),
]
OTHERS = [
    *_records("visit", "visit.exposure_time > 30", "band = 'r'", "visit.region OVERLAPS POINT(320.9, -0.2)", world="ci_hsc", camera="instrument = 'HSC'"),
    *_records("visit", "visit.timespan OVERLAPS (T'2013-06-18', NULL)", "visit.target_name = 'STRIPE82L'", world="ci_hsc", camera="instrument = 'HSC'"),
    *_data_ids("visit detector", "", "visit = 903334", "detector IN (0..10)", "band = 'i' AND detector > 90", world="ci_hsc", camera="instrument = 'HSC'"),
    *_data_ids("visit detector", "visit_detector_region.region OVERLAPS REGION('CIRCLE 320.8 -0.3 0.05')", world="ci_hsc", camera="instrument = 'HSC'"),
    *_data_ids("visit detector tract", "tract = 0", "tract = 0 AND visit = 903334", world="ci_hsc", camera="instrument = 'HSC' AND skymap = 'discrete/ci_hsc'"),
    *(Question("ci_hsc", "datasets", ("calexp",), where, collections=("HSC/runs/ci_hsc/20240806T180642Z",)) for where in ("", "instrument = 'HSC' AND band = 'r'", "instrument = 'HSC' AND visit.day_obs = 20131102", "instrument = 'HSC' AND visit_detector_region.region OVERLAPS REGION('CIRCLE 320.8 -0.3 0.05')", "instrument = 'HSC' AND skymap = 'discrete/ci_hsc' AND tract = 0")),
    *(Question("ci_hsc", "datasets", ("*",), "", collections=("skymaps", "HSC/runs/ci_hsc/20240806T180642Z")) for _ in range(1)),
    *(Question(world, "records", (element,)) for world, elements in {
        "rc2": "instrument skymap detector physical_filter tract visit_system patch exposure visit day_obs group visit_detector_region visit_definition visit_system_membership",
        "lsstcam": "instrument day_obs detector group physical_filter visit_system exposure visit visit_definition visit_detector_region visit_system_membership",
        "ci_hsc": "instrument day_obs detector physical_filter visit visit_detector_region skymap tract",
        "cam": "instrument day_obs detector group physical_filter visit_system exposure visit visit_definition visit_detector_region visit_system_membership skymap tract patch",
    }.items() for element in elements.split()),
    *_data_ids("visit detector patch", "", "tract = 9615", world="rc2", camera="instrument = 'HSC' AND skymap = 'hsc_rings_v1'"),
    *_data_ids("exposure visit", "", "visit.exposure_time > 100", world="rc2", camera="instrument = 'HSC'"),
    *_data_ids("visit detector", "", "detector = 10", "exposure.target_name = 'lowdust'", world="lsstcam", camera="instrument = 'LSSTCam'"),
    *_data_ids("exposure", "exposure.day_obs = 20251202 AND exposure.tracking_dec < -40", "exposure = 2025120200439", world="lsstcam", camera="instrument = 'LSSTCam'"),
]
REFUSED = [
    *_records("detector", "detector = 'two'", "detector.raft = 1", "detector.raft > 1", "detector =", "= 2", "detector == 2"),
    *_records("detector", "detector = 2 AND", "detector IN ()", "detector IN 1", "(detector = 1", "detector = 1)", "detector <> 1"),
    *_records("detector", "detektor = 2", "detector.rafts = 'A'", "nothing.at.all = 1", "detector.raft.x = 1", "detector LIKE 'a'"),
    *_records("detector", "detector.raft + 1 = 2", "detector.raft", "NOT detector.raft", "detector + detector", "-detector.raft = 1"),
    *_records("detector", "detector = :missing", "detector IN (:missing)", "detector = T'2021-01-01'", "detector = (1, 2)"),
    *_records("detector", "GLOB(detector, '*')", "GLOB(detector.raft)", "GLOB(detector.raft, 1)", "FOO(detector) = 1", "POINT(1, 2)"),
    *_records("detector", "detector.raft = 'A", "detector.raft = \"A\"", "detector = 1;", "detector = 1 -- no", "1 < detector < 3"),
    *_records("detector", "detector IN ('a', 'b')", "detector.raft IN (1, 2)", "detector.raft IN (1..3)", "detector BETWEEN 1 AND 2"),
    *_records("visit", "visit.timespan = 1", "visit.timespan.begin = 'now'", "visit.timespan.begin > 5", "visit.timespan.middle > T'2021-01-01'"),
    *_records("visit", "visit.timespan OVERLAPS visit.region", "visit.region OVERLAPS 5", "visit.timespan OVERLAPS 'x'"),
    *_records("visit", "visit.timespan.begin > T'nonsense'", "visit.timespan.begin > T'foo/2021-01-01'", "visit.region < visit.region"),
    *_records("visit", "visit.region OVERLAPS POINT(1)", "visit.region OVERLAPS CIRCLE(1, 2)", "visit.region OVERLAPS REGION('BLOB 1 2 3')"),
    *_records("visit", "visit.region OVERLAPS POLYGON(1, 2, 3)", "visit.timespan <= visit.timespan", "visit.timespan + 1 = 2"),
    *(Question("cam", "records", ("detector",), CAM, order_by=(name,)) for name in ("rafts", "detector.rafts", "nothing", "")),
    *(Question("cam", "records", (element,)) for element in ("visitt", "", "band.x")),
    *(Question("cam", "data_ids", dimensions, CAM) for dimensions in (("visitt",), ("visit", "x"))),
    *(Question("cam", "datasets", (kind,), collections=("run/a",)) for kind in ("nothing", "Cat")),
    Question("cam", "datasets", ("cat",), collections=("nowhere",)),
    Question("cam", "datasets", ("cat",), "cat.runs = 'a'", collections=("run/a",)),
    Question("cam", "datasets", ("cat",), "cat.dataset_id = 'x'", collections=("run/a",)),
    Question("cam", "datasets", ("cat",), "cat.dataset_id = UUID('x')", collections=("run/a",)),
    Question("cam", "find", ("nothing",), collections=("run/a",), data_id={"instrument": "Cam1"}),
    Question("cam", "find", ("bias",), collections=("calib",), data_id={"instrument": "Cam1", "detector": 2}),
    Question("cam", "find", ("bias",), collections=("calib",), data_id={"instrument": "Cam1", "detector": 2}, time=(None, None)),
    Question("cam", "find", ("bias",), collections=("calib",), data_id={"instrument": "Cam1"}, time=("2021-09-11", None)),
    *(Question("cam", "records", ("detector",), data_id=own) for own in ({"detektor": 2}, {"detector": "two"})),
    *(Question("cam", "data_ids", ("visit",), data_id={"instrument": "Cam1"}, where=where) for where in ("visit", "instrument", "visit.name")),
]
