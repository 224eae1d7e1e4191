"""Questions by hand that both sides must refuse."""

from __future__ import annotations

from .question import CAM, Question, records

REFUSED = [
    *records(
        "detector",
        "detector = 'two'",
        "detector.raft = 1",
        "detector.raft > 1",
        "detector =",
        "= 2",
        "detector == 2",
    ),
    *records(
        "detector",
        "detector = 2 AND",
        "detector IN ()",
        "detector IN 1",
        "(detector = 1",
        "detector = 1)",
        "detector <> 1",
    ),
    *records(
        "detector",
        "detektor = 2",
        "detector.rafts = 'A'",
        "nothing.at.all = 1",
        "detector.raft.x = 1",
        "detector LIKE 'a'",
    ),
    *records(
        "detector",
        "detector.raft + 1 = 2",
        "detector.raft",
        "NOT detector.raft",
        "detector + detector",
        "-detector.raft = 1",
    ),
    *records(
        "detector",
        "detector = :missing",
        "detector IN (:missing)",
        "detector = T'2021-01-01'",
        "detector = (1, 2)",
    ),
    *records(
        "detector",
        "GLOB(detector, '*')",
        "GLOB(detector.raft)",
        "GLOB(detector.raft, 1)",
        "FOO(detector) = 1",
        "POINT(1, 2)",
    ),
    *records(
        "detector",
        "detector.raft = 'A",
        'detector.raft = "A"',
        "detector = 1;",
        "detector = 1 -- no",
        "1 < detector < 3",
    ),
    *records(
        "detector",
        "detector IN ('a', 'b')",
        "detector.raft IN (1, 2)",
        "detector.raft IN (1..3)",
        "detector BETWEEN 1 AND 2",
    ),
    *records(
        "visit",
        "visit.timespan = 1",
        "visit.timespan.begin = 'now'",
        "visit.timespan.begin > 5",
        "visit.timespan.middle > T'2021-01-01'",
    ),
    *records(
        "visit",
        "visit.timespan OVERLAPS visit.region",
        "visit.region OVERLAPS 5",
        "visit.timespan OVERLAPS 'x'",
    ),
    *records(
        "visit",
        "visit.timespan.begin > T'nonsense'",
        "visit.timespan.begin > T'foo/2021-01-01'",
        "visit.region < visit.region",
    ),
    *records(
        "visit",
        "visit.region OVERLAPS POINT(1)",
        "visit.region OVERLAPS CIRCLE(1, 2)",
        "visit.region OVERLAPS REGION('BLOB 1 2 3')",
    ),
    *records(
        "visit",
        "visit.region OVERLAPS POLYGON(1, 2, 3)",
        "visit.timespan <= visit.timespan",
        "visit.timespan + 1 = 2",
    ),
    *(
        Question("cam", "records", ("detector",), CAM, order_by=(name,))
        for name in ("rafts", "detector.rafts", "nothing", "")
    ),
    *(Question("cam", "records", (element,)) for element in ("visitt", "", "band.x")),
    *(Question("cam", "data_ids", dimensions, CAM) for dimensions in (("visitt",), ("visit", "x"))),
    *(Question("cam", "datasets", (kind,), collections=("run/a",)) for kind in ("nothing", "Cat")),
    Question("cam", "datasets", ("cat",), collections=("nowhere",)),
    Question("cam", "datasets", ("cat",), "cat.runs = 'a'", collections=("run/a",)),
    Question("cam", "datasets", ("cat",), "cat.dataset_id = 'x'", collections=("run/a",)),
    Question("cam", "datasets", ("cat",), "cat.dataset_id = UUID('x')", collections=("run/a",)),
    Question("cam", "find", ("nothing",), collections=("run/a",), data_id={"instrument": "Cam1"}),
    Question("cam", "find", ("bias",), collections=("calib",), data_id={"instrument": "Cam1", "detector": 2}),
    Question(
        "cam",
        "find",
        ("bias",),
        collections=("calib",),
        data_id={"instrument": "Cam1", "detector": 2},
        time=(None, None),
    ),
    Question(
        "cam",
        "find",
        ("bias",),
        collections=("calib",),
        data_id={"instrument": "Cam1"},
        time=("2021-09-11", None),
    ),
    *(
        Question("cam", "records", ("detector",), data_id=own)
        for own in ({"detektor": 2}, {"detector": "two"})
    ),
    *(
        Question("cam", "data_ids", ("visit",), data_id={"instrument": "Cam1"}, where=where)
        for where in ("visit", "instrument", "visit.name")
    ),
]
