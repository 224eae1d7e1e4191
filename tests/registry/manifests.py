"""A registry that holds something of every kind, and its manifest as text."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from skyfs.model.collection import Collection, CollectionKind
from skyfs.model.dataset import DatasetType, Part
from skyfs.model.manifest import read_lines, write_lines
from skyfs.model.manifest_line import Line
from skyfs.model.timespan import Timespan
from skyfs.registry.datasets import NewDataset
from skyfs.registry.manifest.describing import Description
from skyfs.registry.registry import Registry
from skyfs.testing.registry_sky import CAMERA, Sky, location, stored, visit_record

GONE = UUID("00000000-0000-4000-8000-00000000dead")
SHARED = "u/a/raw/many.fits"


def fill(registry: Registry) -> Sky:
    """Fill an empty registry with something of every kind."""
    sky = Sky.fill(registry)
    with registry.transaction():
        _add_records(registry)
        _add_datasets(sky)
        collections = registry.collections
        collections.set_chain("chain/inner", ["u/a", "t/a"])
        collections.set_chain("chain/a-outer", ["chain/inner", "c/a"])
        collections.create(Collection("u/c", CollectionKind.RUN, owner="ada", locked=True, doc="Über alles"))
    return sky


def _add_records(registry: Registry) -> None:
    records = registry.records
    records.insert("visit_system", [{"instrument": CAMERA, "id": 0, "name": "one"}])
    records.insert("visit", [visit_record(20, exposure_time=math.inf, timespan=Timespan(5, None))])
    records.insert("skymap", [{"name": "rings", "hash": b"\x00\xffhash", "tract_max": 1}])
    columns = {"seeing": "float", "note": "string", "raw": "bytes"}
    rows = [{"instrument": CAMERA, "visit": 1, "seeing": 0.7, "note": "good", "raw": b"\x01"}]
    rows += [{"instrument": CAMERA, "visit": 20, "seeing": -math.inf, "note": None, "raw": None}]
    registry.sides.attach("quality", ["instrument", "visit"], columns, rows, replace=False)  # type: ignore[arg-type]


def _add_datasets(sky: Sky) -> None:
    registry = sky.registry
    group = registry.universe.group(["visit"])
    capture = (("seeing", "header:SEEING"), ("n", "header:N"), ("ok", "header:OK"), ("who", "header:WHO"))
    registry.collections.register(DatasetType("meta", group, "Dict", capture=capture, immutable=False))
    first = sky.put("calexp", visit=1, detector=0)
    sky.declare("calexp", visit=1, detector=1)
    sky.put("calexp", "u/b", visit=1, detector=0)
    made = sky.ref("src", visit=2, detector=20)
    registry.datasets.insert([stored(made, first.id, GONE)])
    values = (("n", 3), ("ok", True), ("seeing", math.inf), ("who", "Ada 'ö'"))
    meta = sky.ref("meta", visit=20)
    registry.datasets.insert(
        [NewDataset(meta, (location(meta),), captured=values, created_ms=1_600_000_000_000)]
    )
    parts = [sky.ref("calexp", visit=10, detector=detector) for detector in (0, 1)]
    places = [
        replace(location(ref, SHARED, part=Part(hdu, 2880, 5760 * hdu, 17280, b"f" * 32)), size=8640)
        for hdu, ref in enumerate(parts, 1)
    ]
    registry.datasets.insert([NewDataset(ref, (place,)) for ref, place in zip(parts, places, strict=True)])
    several = sky.ref("src", visit=11, detector=0)
    far = replace(location(several, "elsewhere/any name.fits", owned=False), store="far", sha256=None)
    component = replace(location(several, "apart/x.json"), component="wcs", extension=".json")
    registry.datasets.insert([NewDataset(several, (location(several), far, component))])
    registry.datasets.tag([first, several], "t/a")
    sky.put("summary")
    _certify(sky)


def _certify(sky: Sky) -> None:
    certify = sky.registry.datasets.certify
    early, late = sky.put("bias", detector=0), sky.put("bias", "u/b", detector=0)
    flat = sky.put("flat", detector=1, physical_filter="g-1")
    certify([early], "c/a", Timespan(None, 1_500_000_000))
    certify([late], "c/a", Timespan(1_500_000_000, None))
    certify([flat], "c/a", Timespan(None, None))
    certify([early], "c/a", Timespan(None, 1_500_000_000))


def described(registry: Registry) -> list[Line]:
    """Give the manifest of a registry, through its text, without the header."""
    return through_text(Description(registry, "sky").everything())[1:]


def through_text(lines: Iterable[Line]) -> list[Line]:
    """Write lines and read them again."""
    file = io.BytesIO()
    write_lines(lines, file)
    file.seek(0)
    return list(read_lines(file, "manifest.jsonl"))
