"""skyfs, writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import content
import writes_content as what
from ours import typed

import skyfs
from skyfs.writing.ingester import IngestFile


class Side:
    """A repository of skyfs, made when it is not there."""

    def __init__(self, folder: Path, durability: str) -> None:
        self._folder, self._durability = folder, durability
        root = folder / f"ours-{durability}"
        self._repo = skyfs.open(root, writable=True) if root.exists() else self._made(root)

    def _made(self, root: Path) -> skyfs.Repository:
        repo = skyfs.create(root, options={"durability": self._durability})
        for element, records in content.cameras().items():
            repo.insert(element, records)
        repo.insert("day_obs", content.nights(what.VISITS))
        repo.insert("visit", map(typed, content.visits(0, what.VISITS)))
        repo.insert("visit_detector_region", map(typed, content.footprints(0, what.VISITS)))
        classes = {"note": "Dict", "doc": "Dict", "table": "Table", "image": "Hdus", what.GIVEN: "Dict"}
        for name, storage_class in classes.items():
            repo.register(name, ["visit", "detector"], storage_class)
        return repo

    def make(self, kind: str, number: int) -> int:
        """Make an object, to be put."""
        what.made(kind, number)
        return number

    def put(self, kind: str, number: int, run: str) -> str:
        """Put a small object."""
        own = what.data_id(number)
        ref = self._repo.put(what.made(kind, number), kind, run=run, extension=what.EXTENSIONS[kind], **own)
        return ref.type.name

    def get(self, kind: str, number: int, run: str) -> int:
        """Get it by data ID."""
        return what.seen(kind, self._repo.get(kind, collections=run, **what.data_id(number)))

    def ingest(self, mode: str, run: str) -> int:
        """Take all files in."""
        folder = self._folder / "given"
        files = [IngestFile(what.given(folder, n), what.data_id(n)) for n in range(what.N_FILES)]
        return len(self._repo.ingest(files, what.GIVEN, run=run, mode=mode))

    def remove(self, run: str, turn: int) -> int:
        """Remove some datasets that lie in the store."""
        chosen = self._chosen(run, turn)
        self._repo.remove(chosen)
        return len(chosen)

    def able(self, do: str) -> int:
        """Tell whether it can do something: 1, or 0."""
        needed = {"export": "export", "transfer": "push", "importing_own": "import_manifest"}.get(do)
        return int(needed is None or hasattr(self._repo, needed))

    def export(self, run: str, turn: int) -> int:
        """Export some datasets with their files."""
        repo: Any = self._repo
        chosen = {"collections": run, "instrument": content.INSTRUMENT, "where": _where(turn)}
        return int(repo.export(self._archive(turn), what.GIVEN, **chosen))

    def importing_own(self, turn: int) -> int:
        """Take an export of its own into a new repository."""
        repo: Any = self._target(f"imported_own{turn}")
        repo.import_manifest(self._archive(turn))
        return repo.query(what.GIVEN, collections="*").count()  # type: ignore[no-any-return]

    def transfer(self, run: str, turn: int) -> int:
        """Copy some datasets into another repository."""
        repo: Any = self._repo
        target = self._target(f"transferred{turn}")
        chosen = {"collections": run, "instrument": content.INSTRUMENT, "where": _where(turn)}
        repo.push(target, what.GIVEN, **chosen)
        return target.query(what.GIVEN, collections=run).count()

    def importing(self, turn: int) -> int:
        """Take an export of the peer into a new repository; how long making that takes is left out."""
        export = self._folder / f"export{turn}" / "export.yaml"
        return self._target(f"imported{turn}").import_export(export, mode="copy", files="need").ingested

    def make_target(self, turn: int) -> int:
        """Make the repositories that are imported and transferred into."""
        for name in (f"imported{turn}", f"imported_own{turn}", f"transferred{turn}"):
            skyfs.create(self._root(name), options={"durability": self._durability}).close()
        return 0

    def _chosen(self, run: str, turn: int) -> list[skyfs.DatasetRef]:
        chosen = {"instrument": content.INSTRUMENT, "where": _where(turn)}
        return list(self._repo.query(what.GIVEN, collections=run, **chosen))

    def _archive(self, turn: int) -> Path:
        return self._folder / f"ours-{self._durability}-{turn}.tar"

    def _root(self, name: str) -> Path:
        return self._folder / f"ours-{self._durability}-{name}"

    def _target(self, name: str) -> skyfs.Repository:
        return skyfs.open(self._root(name), writable=True)


def _where(turn: int) -> str:
    first, last = what.moved(turn)[0], what.moved(turn)[-1]
    return f"visit >= {first // content.DETECTORS} AND visit <= {last // content.DETECTORS}"
