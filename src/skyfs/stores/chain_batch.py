"""A batch that writes the same into several stores."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import BinaryIO

from skyfs.abc.store import Adoption, Batch, Content
from skyfs.errors import SkyfsError, StoreError

from .failure import failing


class ChainBatch(Batch):
    """One batch for each store; what is written is spooled once, and copied to each at `publish`.

    What `publish` gives is told by the first store. A file is taken away (MOVE) by the first store alone.
    """

    def __init__(self, batches: Sequence[Batch], name: str) -> None:
        self._batches, self._name = tuple(batches), name
        self._unsettled = list(batches)
        self._files: dict[str, tuple[BinaryIO, list[BinaryIO]]] = {}
        self._spool = ""
        self._broken = ""
        self._published = False

    def create(self, key: str) -> BinaryIO:
        self._require_whole()
        targets: list[BinaryIO] = []
        for batch in self._batches:
            targets.append(batch.create(key))
            self._broken = f"{key!r} could not be begun in all stores"
        with failing("write", key, self._name):
            self._spool = self._spool or tempfile.mkdtemp(prefix="skyfs-")
            file = open(os.path.join(self._spool, str(len(self._files))), "w+b")  # noqa: SIM115 - the caller closes
        self._files[key] = file, targets
        self._broken = ""
        return file

    def adopt(self, key: str, path: str, how: Adoption) -> None:
        self._require_whole()
        for number, batch in enumerate(self._batches):
            batch.adopt(key, path, Adoption.COPY if how is Adoption.MOVE and number else how)
            self._broken = f"{key!r} could not be adopted by all stores"
        self._broken = ""

    def delete(self, key: str) -> None:
        for batch in self._batches:
            batch.delete(key)

    def publish(self) -> Mapping[str, Content]:
        self._require_whole()
        if self._published:
            return self._batches[0].publish()  # which says that this is the wrong order
        for key, (file, targets) in self._files.items():
            file.close()
            for target in targets:
                with failing("write", key, self._name), open(file.name, "rb") as spool, target:
                    if not target.closed:
                        shutil.copyfileobj(spool, target)
        self._drop_spool()
        try:
            contents = [batch.publish() for batch in self._batches]
        except BaseException:
            for batch in self._batches:
                with suppress(SkyfsError):
                    batch.undo()
            raise
        self._published = True
        return contents[0]

    def settle(self) -> None:
        failures: list[SkyfsError] = []
        for batch in list(self._unsettled) or self._batches:
            try:
                batch.settle()
            except SkyfsError as error:
                failures.append(error)
            else:
                self._unsettled.remove(batch)
        if failures:
            raise failures[0]

    def undo(self) -> None:
        for file, _ in self._files.values():
            file.close()
        self._drop_spool()
        failures: list[SkyfsError] = []
        for batch in self._batches:
            try:
                batch.undo()
            except SkyfsError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def _require_whole(self) -> None:
        if self._broken:
            raise StoreError(f"batch of store {self._name!r}", self._broken, "undo it, then begin a new one")

    def _drop_spool(self) -> None:
        self._files.clear()
        if self._spool:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool = ""
