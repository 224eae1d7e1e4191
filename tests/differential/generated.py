"""Questions made by chance, of the whole grammar; the same ones every time.

Left out is what `test_differences` is about: what the peer refuses or gets wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from .question import BOTH, Question

# Columns of each kind, with values that some records have.
_INTS = {
    "visit": {"visit": range(10), "visit.seq_num": range(4), "visit.day_obs": range(20210908, 20210913)},
    "exposure": {
        "exposure": range(10, 95),
        "exposure.seq_num": range(10, 95),
        "day_obs": range(20210908, 20210913),
    },
    "detector": {"detector": range(6), "detector.id": range(6)},
}
_FLOATS = {
    "visit": {
        "visit.exposure_time": (0.001, 15.0, 30.0, 30.5, 60.0),
        "visit.zenith_angle": (-10.0, 0.5, 20.0),
    },
    "exposure": {"exposure.dark_time": (7.0, 10.5, 24.0), "exposure.tracking_dec": (-9.5, -4.0, 0.0)},
    "detector": {},
}
_TEXTS = {
    "visit": {
        "visit.target_name": ("M_31", "M%31", "m_31", "a[1]", "Größe", "test_target", ""),
        "visit.observation_reason": ("science", "calibration", "SCIENCE"),
        "visit.name": ("1", "v3", "v8"),
        "physical_filter": ("Cam1-G", "Cam1-R1", "Cam1-R2"),
        "band": ("g", "r", "i"),
    },
    "exposure": {
        "exposure.obs_id": ("e11", "e80"),
        "group": ("g0", "g1"),
        "band": ("g", "r"),
        "exposure.target_name": ("dome", "M_31"),
    },
    "detector": {
        "detector.full_name": ("Aa", "Ab", "Bb", "X"),
        "detector.raft": ("A", "B"),
        "detector.purpose": ("SCIENCE", "WAVEFRONT"),
    },
}
_MOMENTS = ("2021-09-09T03:00:30", "2021-09-11T01:00:00", "2021-09-11T02:00:45.5", "2021-09-12T03:10:00")
_SHAPES = (
    "POINT({ra}, {dec})",
    "REGION('CIRCLE {ra} {dec} {size}')",
    "POLYGON({ra}, {dec}, {east}, {dec}, {east}, {north})",
)
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_SPATIAL = ("visit",)
_ORDERS = {
    "visit": (
        "visit",
        "visit.exposure_time",
        "visit.target_name",
        "visit.timespan.begin",
        "day_obs",
        "physical_filter",
    ),
    "exposure": (
        "exposure.dark_time",
        "exposure.obs_id",
        "exposure.timespan.end",
        "group",
        "exposure.tracking_dec",
    ),
    "detector": ("detector.full_name", "detector.raft", "detector.purpose"),
}


class Expressions:
    """Makes conditions about the elements."""

    def __init__(self, seed: int, elements: tuple[str, ...]) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - the same questions every time
        self._elements = elements
        self.bind: dict[str, Any] = {}

    def condition(self, depth: int = 0) -> str:
        """Give a condition."""
        kind = self.chance.random()
        if depth < 2 and kind < 0.5:
            operator = self.chance.choice(("AND", "OR", "and", "Or"))
            return f"({self.condition(depth + 1)}) {operator} ({self.condition(depth + 1)})"
        if depth < 3 and kind < 0.6:
            return f"NOT ({self.condition(depth + 1)})"
        return self.chance.choice(self._leaves())()

    def overlap(self) -> str:
        """Give a condition about regions, which the peer takes at the top only."""
        ra, dec = self.chance.choice((0.1, 0.3, 0.9, 359.9)), self.chance.choice((-0.3, 0.1, 0.3))
        size = self.chance.choice((0.05, 0.2))
        shape = self.chance.choice(_SHAPES).format(
            ra=ra, dec=dec, size=size, east=(ra + size) % 360, north=dec + size
        )
        subject = self.chance.choice([f"{name}.region" for name in self._elements if name in _SPATIAL])
        return self.chance.choice((f"{subject} OVERLAPS {shape}", f"{shape} OVERLAPS {subject}"))

    def _leaves(self) -> list[Callable[[], str]]:
        leaves = [self._int, self._int_sum, self._int_in, self._text, self._text_in, self._glob, self._bound]
        leaves += [self._float, self._float_sum] if self._of(_FLOATS) else []
        leaves += [self._flag] if "exposure" in self._elements else []
        return leaves + ([self._span, self._begin] if set(self._elements) & {"visit", "exposure"} else [])

    def _of(self, columns: dict[str, Any]) -> list[tuple[str, Any]]:
        return [one for element in self._elements for one in columns[element].items()]

    def _compared(self, left: str, right: object) -> str:
        operator = self.chance.choice(_COMPARISONS)
        return self.chance.choice((f"{left} {operator} {right}", f"{right} {operator} {left}"))

    def _int(self) -> str:
        name, values = self.chance.choice(self._of(_INTS))
        return self._compared(name, self.chance.choice(values))

    def _int_sum(self) -> str:
        name, values = self.chance.choice(self._of(_INTS))
        operator, other = self.chance.choice("+-*/%"), self.chance.choice((1, 2, 3))
        return self._compared(f"{name} {operator} {other}", self.chance.choice(values) % 7)

    def _int_in(self) -> str:
        name, values = self.chance.choice(self._of(_INTS))
        first = self.chance.choice(values)
        items = self.chance.choice(
            (f"{first}", f"{first}, {first + 2}", f"{first}..{first + 3}", f"{first - 4}..{first + 4}:3, 7")
        )
        return f"{name} {self.chance.choice(('IN', 'NOT IN', 'in'))} ({items})"

    def _float(self) -> str:
        name, values = self.chance.choice(self._of(_FLOATS))
        return self._compared(name, self.chance.choice((*values, 30)))

    def _float_sum(self) -> str:
        (name, values), (other, _) = (self.chance.choice(self._of(_FLOATS)) for _ in range(2))
        operator = self.chance.choice("+-*/")
        operand = self.chance.choice((other, "2.5", f"-{other}", f"({other} + 1.0)"))
        return self._compared(f"{name} {operator} {operand}", self.chance.choice(values))

    def _text(self) -> str:
        name, values = self.chance.choice(self._of(_TEXTS))
        return self._compared(name, f"'{self.chance.choice(values)}'")

    def _text_in(self) -> str:
        name, values = self.chance.choice(self._of(_TEXTS))
        items = ", ".join(
            f"'{one}'" for one in self.chance.sample(values, self.chance.randint(1, len(values)))
        )
        return f"{name} {self.chance.choice(('IN', 'NOT IN'))} ({items})"

    def _glob(self) -> str:
        name, values = self.chance.choice(self._of(_TEXTS))
        value = self.chance.choice(values) or "x"
        pattern = self.chance.choice(
            (f"{value[0]}*", f"*{value[-1]}", "?" + value[1:], value, f"*{value[len(value) // 2]}*")
        )
        return f"GLOB({name}, '{pattern}')"

    def _flag(self) -> str:
        return self.chance.choice(("exposure.can_see_sky", "exposure.has_simulated"))

    def _temporal(self) -> str:
        return self.chance.choice([one for one in self._elements if one in ("visit", "exposure")])

    def _span(self) -> str:
        begin, end = sorted(self.chance.sample(_MOMENTS, 2))
        span = self.chance.choice(
            (
                f"(T'{begin}/tai', T'{end}/utc')",
                f"(NULL, T'{end}')",
                f"(T'{begin}', null)",
                f"T'{begin}/tai'",
                "(NULL, NULL)",
            )
        )
        name = f"{self._temporal()}.timespan"
        return self.chance.choice((f"{name} OVERLAPS {span}", f"{span} OVERLAPS {name}"))

    def _begin(self) -> str:
        # Where there is no timespan the peer takes 1970: what is later only, and never its contrary.
        name = self._temporal()
        return f"({name} NOT IN (7, 71, 72) AND {name}.timespan.begin > T'{self.chance.choice(_MOMENTS)}')"

    def _bound(self) -> str:
        name, values = self.chance.choice([*self._of(_INTS), *self._of(_TEXTS)])
        key = f"bound{len(self.bind)}"
        if self.chance.random() < 0.5:
            self.bind[key] = self.chance.choice(values)
            return f"{name} {self.chance.choice(_COMPARISONS)} :{key}"
        self.bind[key] = self.chance.choices(values, k=self.chance.choice((1, 3, 12)))
        return f"{name} {self.chance.choice(('IN', 'NOT IN'))} (:{key})"


def expressions(count: int) -> Iterator[Question]:
    """Give questions with conditions of any form."""
    kinds = [
        ("records", ("visit",), ("visit",)),
        ("records", ("exposure",), ("exposure",)),
        ("records", ("detector",), ("detector",)),
        ("data_ids", ("visit", "detector"), ("visit", "detector")),
        ("data_ids", ("exposure", "visit"), ("exposure", "visit")),
        ("data_ids", ("visit",), ("exposure",)),
        ("data_ids", ("day_obs",), ("visit",)),
        ("datasets", ("cat",), ("visit", "detector")),
        ("datasets", ("raw",), ("exposure",)),
    ]
    for seed in range(count):
        ask, of, elements = kinds[seed % len(kinds)]
        made = Expressions(seed, elements)
        where = f"instrument = 'Cam1' AND ({made.condition()})"
        if "visit" in elements and made.chance.random() < 0.25:
            where += f" AND {made.overlap()}"
        collections = (
            ("other",) if of == ("raw",) else (made.chance.choice(("chain", "nested", "run/a", "best")),)
        )
        yield Question(
            "cam",
            ask,
            of,
            where,
            made.bind,
            _order(made.chance, ask, of),
            made.chance.choice((None, None, 3)),
            collections if ask == "datasets" else (),
            find_first=made.chance.random() < 0.7,
        )


def _order(chance: random.Random, ask: str, of: tuple[str, ...]) -> tuple[str, ...]:
    keys = {"cat": ("visit", "detector"), "raw": ("exposure", "detector")}.get(of[0], of)
    if ask == "datasets" or chance.random() < 0.4 or keys == ("day_obs",):
        return ()
    first = chance.choice([name for one in keys for name in _ORDERS[one]])
    rest = [one for one in keys if one != first]
    return (chance.choice(("", "-")) + first, *(chance.choice(("", "-")) + one for one in rest))


_DIMENSIONS = ("detector", "visit", "exposure", "physical_filter", "band", "day_obs", "group", "visit_system")
_CONDITIONS = (
    *("visit = 3", "visit IN (1..4)", "exposure = 31", "exposure IN (11, 31, 71)", "detector IN (2, 3)"),
    *("band = 'r'", "physical_filter = 'Cam1-G'", "day_obs = 20210910", "group = 'g1'", "visit_system = 1"),
    *("tract = 0", "patch = 1", "patch IN (0..3)", "visit.exposure_time > 30", "exposure.can_see_sky"),
    *("detector.raft = 'A'", "patch.cell_x = 0", "visit.seq_num = 3"),
)
_HELD = {
    "cat": ("nested",),
    "raw": ("other",),
    "coadd": ("other",),
    "bias": ("imported_g", "imported_r"),
    "flat": ("imported_g", "imported_r"),
}


def joins(count: int) -> Iterator[Question]:
    """Give questions about any dimensions with conditions on any others."""
    for seed in range(count):
        chance = random.Random(seed)  # noqa: S311 - the same questions every time
        conditions = chance.sample(_CONDITIONS, chance.choice((0, 1, 1, 2)))
        where = " AND ".join((BOTH, *conditions))
        if chance.random() < 0.6:
            dimensions = tuple(chance.sample((*_DIMENSIONS, "tract", "patch"), chance.choice((1, 2, 2, 3))))
            yield Question("cam", "data_ids", dimensions, where)
        else:
            kind = chance.choice(tuple(_HELD))
            yield Question("cam", "datasets", (kind,), where, collections=_HELD[kind])


def calibrations(count: int) -> Iterator[Question]:
    """Give lookups of calibrations by exposure, visit or time."""
    for seed in range(count):
        chance = random.Random(seed)  # noqa: S311 - the same questions every time
        own: dict[str, int | str] = {"instrument": "Cam1", "detector": chance.randint(1, 4)}
        time = None
        match chance.randrange(3):
            case 0:
                own["exposure"] = chance.choice((11, 21, 31, 41, 51, 61, 80, 90))
            case 1:
                own |= {"physical_filter": chance.choice(("Cam1-G", "Cam1-R1"))}
                time = chance.choice(((_MOMENTS[0], _MOMENTS[1]), (_MOMENTS[2], None), (None, _MOMENTS[0])))
            case 2:
                own["visit"] = chance.choice((1, 3, 4, 5, 6, 8))
        kind = (
            chance.choice(("bias", "bias", "bias", "flat"))
            if time is None or "physical_filter" not in own
            else "flat"
        )
        where = chance.choice(
            (("calib",), ("calib2",), ("calibs",), ("everything",), ("imported_r", "calib"))
        )
        yield Question("cam", "find", (kind,), collections=where, data_id=own, time=time)
