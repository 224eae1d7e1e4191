"""How arrays are laid out in an HDF5 file: the writer's options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skyfs.errors import BadArgument

from .guards import refuse_options

if TYPE_CHECKING:
    import h5py
    import numpy as np

_OPTIONS = ("compression", "level", "chunks", "shuffle", "checksum")
_COMPRESSIONS = ("none", "gzip", "lzf")


@dataclass(frozen=True, slots=True)
class Layout:
    """Options that are well formed, and the datasets that follow them."""

    compression: str
    level: int | None
    chunks: tuple[int, ...] | None
    shuffle: bool
    checksum: bool

    @classmethod
    def parse(cls, options: Mapping[str, object], own: tuple[str, ...] = ()) -> Layout:
        """Check writer options; ``own`` are other ones, which the caller checks.

        Raises
        ------
        BadArgument
            When one is unknown or has an impossible value.
        """
        refuse_options("HDF5", options, (*_OPTIONS, *own))
        compression = options.get("compression", "none")
        if compression not in _COMPRESSIONS:
            raise BadArgument(
                f"option compression={compression!r}", todo=f"one of {', '.join(_COMPRESSIONS)}"
            )
        level = options.get("level")
        if level is not None and (compression != "gzip" or type(level) is not int or not 0 <= level <= 9):
            raise BadArgument(f"option level={level!r}", todo="give 0 to 9, with compression gzip")
        flags = {
            name: options.get(name, name == "shuffle" and compression != "none") for name in _OPTIONS[3:]
        }
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise BadArgument(f"option {name}={value!r}", todo="give true or false")
        return cls(
            str(compression),
            level if isinstance(level, int) else None,
            _chunks(options.get("chunks")),
            bool(flags["shuffle"]),
            bool(flags["checksum"]),
        )

    def create(self, group: h5py.Group, name: str, array: np.ndarray) -> h5py.Dataset:
        """Write an array; scalars and empty ones are neither chunked nor compressed."""
        if array.ndim == 0 or array.size == 0 or self._plain:
            return group.create_dataset(name, data=array)
        return group.create_dataset(
            name,
            data=array,
            chunks=self._fitted(array.shape),
            compression=None if self.compression == "none" else self.compression,
            compression_opts=self.level,
            shuffle=self.shuffle,
            fletcher32=self.checksum,
        )

    @property
    def _plain(self) -> bool:
        return self.compression == "none" and self.chunks is None and not self.shuffle and not self.checksum

    def _fitted(self, shape: tuple[int, ...]) -> tuple[int, ...] | bool:
        """Give chunks within a shape: axis by axis from the first; whole axes where none is named."""
        if self.chunks is None:
            return True
        named = self.chunks[: len(shape)]
        return (*(min(c, n) for c, n in zip(named, shape, strict=False)), *shape[len(named) :])


def _chunks(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    sizes = (value,) if isinstance(value, int) else value
    if not isinstance(sizes, list | tuple) or not sizes or any(type(n) is not int or n < 1 for n in sizes):
        raise BadArgument(f"option chunks={value!r}", todo="give lengths in numpy's order, as [256, 256]")
    return tuple(sizes)
