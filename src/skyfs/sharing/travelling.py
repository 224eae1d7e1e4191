"""Which files of a dataset travel from one repository to another, and their names on the way."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import BadContent
from ..model.manifest_line import DatasetRow, FileRow


def travelling(row: DatasetRow) -> tuple[FileRow, ...]:
    """Give the files that travel: the nearest with all of the dataset, else one for each component."""
    whole = next((file for file in row.files if file.component is None), None)
    if whole is not None:
        return (whole,)
    found: dict[str | None, FileRow] = {}
    for file in row.files:
        found.setdefault(file.component, file)
    return tuple(found.values())


def size_of(file: FileRow) -> int:
    """Give how many bytes travel: all of the file, also when the dataset is a part of it."""
    return file.size if file.part is None else file.part.file_size


def digest_of(file: FileRow) -> bytes | None:
    """Give the digest of what travels, when it is known."""
    return file.sha256 if file.part is None else file.part.file_sha256


class Names:
    """Names the files of an archive. Datasets that are parts of one file travel in that file, once."""

    def __init__(self) -> None:
        self._shared: set[tuple[str, str]] = set()

    def of(self, row: DatasetRow) -> Iterator[tuple[FileRow, str]]:
        """Give the files of a dataset that have not travelled yet, with their names."""
        for file in travelling(row):
            if file.part is None:
                component = "" if file.component is None else f".{file.component}"
                yield file, f"files/{row.id}{component}{file.extension}"
                continue
            if file.key is None:
                raise BadContent(f"dataset {row.id}", "a part of a file without a name")
            if (file.store, file.key) not in self._shared:
                self._shared.add((file.store, file.key))
                yield file, f"shared/{len(self._shared)}{file.extension}"
