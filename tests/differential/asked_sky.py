"""Questions by hand about times, regions and what these join."""

from __future__ import annotations

from .question import BOTH, CAM, Question, data_ids, records

TIMES = [
    *records(
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
    *records(
        "day_obs",
        "day_obs.timespan OVERLAPS T'2021-09-11T02:00:59/tai'",
        "day_obs.timespan.begin > T'2021-09-10'",
    ),
    *records(
        "exposure",
        "exposure.timespan OVERLAPS T'2021-09-11T02:00:59/tai'",
        "exposure.timespan.end > T'2021-09-10'",
    ),
    *data_ids("visit detector", "visit.timespan OVERLAPS (T'2021-09-12/tai', NULL) AND detector = 2"),
]
TIMES += [
    Question("cam", "records", ("visit",), f"{CAM} AND {where}", {"span": span})
    for span in (
        {"time": "2021-09-11T02:00:30"},
        {"timespan": ["2021-09-11T02:00:30", "2021-09-12T03:00:01"]},
        {"timespan": [None, "2021-09-11T02:00:30"]},
    )
    for where in ("visit.timespan OVERLAPS :span", ":span OVERLAPS visit.timespan")
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
    *(one for shape in _SHAPES for one in records("visit", f"visit.region OVERLAPS {shape}")),
    *(
        one
        for shape in _SHAPES[::2]
        for one in records("visit_detector_region", f"{shape} OVERLAPS visit_detector_region.region")
    ),
    *(
        one
        for shape in _SHAPES
        for one in data_ids("visit detector", f"visit_detector_region.region OVERLAPS {shape}")
    ),
    *(one for shape in _SHAPES[::3] for one in data_ids("visit detector", f"visit.region OVERLAPS {shape}")),
    *(
        one
        for shape in _SHAPES[:12]
        for one in data_ids("tract patch", f"patch.region OVERLAPS {shape}", camera="skymap = 'SkyMap1'")
    ),
    *(
        one
        for shape in _SHAPES[:12:3]
        for one in records("tract", f"tract.region OVERLAPS {shape}", camera="skymap = 'SkyMap1'")
    ),
    *records("visit", "visit.region OVERLAPS REGION('CIRCLE 0.3 0.3 0.1') AND band = 'g'"),
    *data_ids("patch", "cell_x = 0", "patch.cell_y > 0 AND tract = 0", camera="skymap = 'SkyMap1'"),
    *data_ids("patch", "tract = 1 AND patch IN (0..2)", "tract.id = 0", camera="skymap = 'SkyMap1'"),
]
JOINS = [
    *data_ids("visit tract", "", "visit = 1", "tract = 0", "visit IN (3..8)", camera=BOTH),
    *data_ids("visit patch", "tract = 0 AND patch = 3", "visit = 2", "visit > 2", camera=BOTH),
    *data_ids("visit detector patch", "tract = 0 AND patch = 3", "visit = 2 AND detector = 1", camera=BOTH),
    *data_ids(
        "visit detector patch",
        "visit = 1 AND patch < 3",
        "visit.exposure_time > 50 AND tract = 1",
        camera=BOTH,
    ),
    *data_ids("visit detector tract", "tract = 0", "tract = 1 AND detector IN (2, 3)", camera=BOTH),
    *data_ids(
        "visit detector", "tract = 0 AND patch = 4", "tract = 1", "patch = 1 AND tract = 1", camera=BOTH
    ),
    *data_ids("visit", "tract = 0 AND patch = 4", "tract = 1", "tract = 0 AND band = 'r'", camera=BOTH),
    *data_ids("tract", "visit = 1", "visit = 2 AND detector = 3", "visit = 8", camera=BOTH),
    *data_ids("patch", "visit = 1 AND detector = 2", "visit = 3", "visit = 4 AND tract = 1", camera=BOTH),
    *data_ids("patch band", "tract = 0 AND patch = 1", "visit = 2 AND tract = 0", camera=BOTH),
    *data_ids("exposure tract", "exposure IN (11, 31)", "tract = 1 AND exposure > 11", camera=BOTH),
    *data_ids(
        "visit tract",
        "visit.region OVERLAPS tract.region",
        "visit = 3 AND visit.region OVERLAPS tract.region",
        camera=BOTH,
    ),
    *data_ids("visit patch", "visit = 1 AND visit.region OVERLAPS patch.region", camera=BOTH),
    *data_ids(
        "visit detector patch",
        "visit = 1 AND visit_detector_region.region OVERLAPS patch.region",
        camera=BOTH,
    ),
    *data_ids("htm7", "visit = 1", "visit = 2 AND detector = 1", "visit = 3"),
    *data_ids("visit htm7", "visit = 6", "htm7 = 253954"),
    *data_ids("htm7", "tract = 0 AND patch = 1", "patch = 2", camera="skymap = 'SkyMap1'"),
    *data_ids("detector htm7", "visit = 2 AND detector > 2"),
]
