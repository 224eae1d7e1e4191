"""lsst-daf-butler, writing the same; runs in the peer's own environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import content
import writes_content as what
from lsst.daf.butler import Butler, Config, DataCoordinate, DatasetRef, DatasetType, FileDataset
from theirs import typed

CLASSES = {
    "note": "StructuredDataDict",
    "doc": "StructuredDataDict",
    "table": "ArrowAstropy",
    "image": "BenchHdus",
    what.GIVEN: "StructuredDataDict",
}
_JSON = "lsst.daf.butler.formatters.json.JsonFormatter"


class Side:
    """A repository of the peer, made when it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: set[str] = set()
        root = folder / "theirs"
        made = not root.exists()
        if made:
            self._make(root)
        self._butler: Any = Butler.from_config(str(root), writeable=True)
        if made:
            self._define()

    def _make(self, root: Path) -> None:
        config = Config()
        own = {
            "note": _JSON,
            what.GIVEN: _JSON,
            "image": "writes_formatter.HdusFormatter",
        }
        config["datastore", "formatters"] = own
        config["storageClasses", "BenchHdus"] = {"pytype": "astropy.io.fits.HDUList"}
        Butler.makeRepo(str(root), config=config)

    def _define(self) -> None:
        registry = self._butler.registry
        cameras = content.cameras()
        cameras["instrument"][0].update(visit_max=10**7, exposure_max=10**7, visit_system=0)
        for element, records in cameras.items():
            registry.insertDimensionData(element, *records)
        registry.insertDimensionData("day_obs", *map(typed, content.nights(what.VISITS)))
        registry.insertDimensionData("visit", *map(typed, content.visits(0, what.VISITS)))
        regions = map(typed, content.footprints(0, what.VISITS))
        registry.insertDimensionData("visit_detector_region", *regions)
        universe = self._butler.dimensions
        for name, storage_class in CLASSES.items():
            dimensions = ("instrument", "visit", "detector")
            registry.registerDatasetType(DatasetType(name, dimensions, storage_class, universe=universe))

    def make(self, kind: str, number: int) -> int:
        """Make an object, to be put."""
        what.made(kind, number)
        return number

    def put(self, kind: str, number: int, run: str) -> str:
        """Put a small object; the RUN is made by the first, as skyfs does by itself."""
        if run not in self._runs:
            self._butler.collections.register(run)
            self._runs.add(run)
        ref = self._butler.put(what.made(kind, number), kind, what.data_id(number), run=run)
        return str(ref.datasetType.name)

    def get(self, kind: str, number: int, run: str) -> int:
        """Get it by data ID."""
        return what.seen(kind, self._butler.get(kind, what.data_id(number), collections=run))

    def ingest(self, mode: str, run: str) -> int:
        """Take all files in."""
        folder = self._folder / "given"
        self._butler.collections.register(run)
        dataset_type = self._butler.get_dataset_type(what.GIVEN)
        files = []
        for number in range(what.N_FILES):
            own = DataCoordinate.standardize(what.data_id(number), dimensions=dataset_type.dimensions)
            files.append(FileDataset(what.given(folder, number), DatasetRef(dataset_type, own, run)))
        self._butler.ingest(*files, transfer=mode)
        return len(files)

    def remove(self, run: str, turn: int) -> int:
        """Remove some datasets that lie in the store."""
        chosen = self._chosen(run, turn)
        self._butler.pruneDatasets(chosen, disassociate=True, unstore=True, purge=True)
        return len(chosen)

    def export(self, run: str, turn: int) -> int:
        """Export some datasets with their files."""
        chosen = self._chosen(run, turn)
        folder = self._folder / f"export{turn}"
        folder.mkdir()
        with self._butler.export(directory=str(folder), filename="export.yaml", transfer="copy") as export:
            export.saveDatasets(chosen)
        return len(chosen)

    def importing(self, turn: int) -> int:
        """Take an export with its files into a new repository; how long making that takes is left out."""
        folder = str(self._folder / f"export{turn}")
        self._target(f"imported{turn}").import_(directory=folder, filename="export.yaml", transfer="copy")
        return what.N_MOVED

    def able(self, do: str) -> int:  # noqa: ARG002 - it can do all of them
        """Tell whether it can do something: 1, or 0."""
        return 1

    def importing_own(self, turn: int) -> int:
        """Take an export of its own into a new repository."""
        folder = str(self._folder / f"export{turn}")
        target = self._target(f"imported_own{turn}")
        target.import_(directory=folder, filename="export.yaml", transfer="copy")
        return what.N_MOVED

    def transfer(self, run: str, turn: int) -> int:
        """Copy some datasets into another repository."""
        taken = self._target(f"transferred{turn}").transfer_from(
            self._butler,
            self._chosen(run, turn),
            transfer="copy",
            register_dataset_types=True,
            transfer_dimensions=True,
        )
        return len(taken)

    def make_target(self, turn: int) -> int:
        """Make the repositories that are imported and transferred into."""
        for name in (f"imported{turn}", f"imported_own{turn}", f"transferred{turn}"):
            self._make(self._folder / f"theirs-{name}")
        return 0

    def _chosen(self, run: str, turn: int) -> list[DatasetRef]:
        first, last = what.moved(turn)[0], what.moved(turn)[-1]
        where = f"visit >= {first // content.DETECTORS} AND visit <= {last // content.DETECTORS}"
        asked: dict[str, Any] = {"where": where, "instrument": content.INSTRUMENT, "limit": None}
        asked["with_dimension_records"] = True
        return list(self._butler.query_datasets(what.GIVEN, run, **asked))

    def _target(self, name: str) -> Any:  # noqa: ANN401 - the peer is not typed here
        return Butler.from_config(str(self._folder / f"theirs-{name}"), writeable=True)
