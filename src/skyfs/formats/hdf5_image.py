"""Images and exposures in HDF5 files: whole, one component, or a part of the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from astropy.nddata import CCDData

from skyfs.errors import BadContent
from skyfs.model.selectors import Selector

from .array_part import section_slices
from .exposure import Exposure, component_of
from .hdf5_file import load, member, members, read_dataset
from .hdf5_tree import read_tree
from .image_tree import BULK, KIND, PIXELS, part_of_tree, tree_to_exposure, tree_to_image
from .images import array_to_image
from .slicing import normalised
from .whole_cut import cut_image

if TYPE_CHECKING:
    import h5py


def read_image(file: h5py.File) -> CCDData:
    """Read an image, an exposure as one, or the only array."""
    kind = _kind(file)
    if kind == "Image":
        return tree_to_image(read_tree(file))
    if kind == "Exposure":
        return tree_to_exposure(read_tree(file)).to_ccddata()
    return array_to_image(read_dataset(only_array(file)))


def read_exposure(file: h5py.File) -> Exposure:
    """Read an exposure, an image as one, or the only array."""
    if _kind(file) == "Exposure":
        return tree_to_exposure(read_tree(file))
    return Exposure.from_ccddata(read_image(file))


def read_component(file: h5py.File, name: str) -> object:
    """Read one component of an exposure, without the arrays of the others."""
    if _kind(file) != "Exposure":
        return component_of(read_exposure(file), name)
    tree = read_tree(file, skip=BULK - {name})
    return part_of_tree({"image": _pixels(file, "Exposure"), **tree}, name, lambda value: value)


def read_array_part(file: h5py.File, slices: object) -> np.ndarray:
    """Read what ``array[slices]`` is, of chunked arrays the chunks that it touches."""
    kind = _kind(file)
    return read_part(_pixels(file, kind) if kind else only_array(file), slices)


def read_image_part(file: h5py.File, slices: object) -> CCDData:
    """Read what ``image[slices]`` is."""
    kind = _kind(file)
    if kind is None:
        return array_to_image(read_part(only_array(file), slices))
    if kind == "Exposure":
        # Its mask and variance are of other kinds than an image's.
        return read_exposure(file).to_ccddata()[slices]
    shape = _pixels(file, kind).shape
    whole: dict[str, h5py.Dataset] = {}

    def stand_in(dataset: h5py.Dataset) -> np.ndarray:
        """Take the place of pixels, at no cost, until it is known what becomes of the rest."""
        if dataset.shape != shape:
            return read_dataset(dataset)
        whole[dataset.name] = dataset
        return np.broadcast_to(np.zeros((), dataset.dtype), shape)

    _of_axes(slices, shape)
    part = tree_to_image(read_tree(file, arrays=stand_in))[slices]
    part.data = read_part(whole["/data"], slices)
    if "/mask" in whole:
        part.mask = read_part(whole["/mask"], slices)
    if "/uncertainty/array" in whole:
        part.uncertainty.array = read_part(whole["/uncertainty/array"], slices)
    return part


def read_section(file: h5py.File, selectors: Sequence[Selector]) -> CCDData | np.ndarray:
    """Read a FITS section (1-based, both ends inclusive, x first) of the image, or of the only array."""
    shape = only_array(file).shape or ()
    if _kind(file) is None:
        return read_array_part(file, section_slices(selectors, shape, ".h5"))
    return cut_image(partial(read_image_part, file), shape, selectors, ".h5")


def only_array(file: h5py.File) -> h5py.Dataset:
    """Give the dataset ``data``, or the only one; of our own images and exposures their pixels.

    Raises
    ------
    BadContent
        When there is none, or several.
    """
    kind = _kind(file)
    if kind is not None:
        return _pixels(file, kind)
    found = {name: value for name, value in members(file) if isinstance(value, load().Dataset)}
    if len(found) == 1:
        return next(iter(found.values()))
    if "data" in found:
        return found["data"]
    names = ", ".join(found) or "no datasets"
    raise BadContent("no single array in the HDF5 file", f"it has {names}", "read it as Dict")


def read_part(dataset: h5py.Dataset, slices: object) -> np.ndarray:
    """Read what ``whole[slices]`` is, by numpy's basic indexing.

    Raises
    ------
    BadArgument
        When the slices do not fit the array, or are of another kind.
    """
    shape = dataset.shape or ()
    steps = _of_axes(slices, shape)
    # HDF5 goes forwards only, and takes no empty selections of every kind.
    forward = tuple(
        part
        if isinstance(part, int)
        else slice(min(part[0], part[-1]), max(part[0], part[-1]) + 1, abs(part.step))
        if part
        else slice(0, 0)
        for part in steps
    )
    found = read_dataset(dataset, forward)
    turned = tuple(slice(None, None, -1 if part.step < 0 else 1) for part in steps if isinstance(part, range))
    return np.ascontiguousarray(found[turned]) if turned else found


def _of_axes(slices: object, shape: tuple[int, ...]) -> list[int | range]:
    """Give of each axis the index, or the indices, that are taken."""
    return [one.indices[0] if one.drops else one.indices for one in normalised(slices, shape)]


def _kind(file: h5py.File) -> str | None:
    """Give what skyfs wrote into the file, None of files of other programs."""
    found = file.attrs.get(KIND)
    return found if isinstance(found, str) and found in PIXELS else None


def _pixels(file: h5py.File, kind: str) -> h5py.Dataset:
    name = PIXELS[kind]
    found = member(file, name) if name in file else None
    if not isinstance(found, load().Dataset):
        raise BadContent("cannot read the image in the HDF5 file", f"it has no dataset {name!r}")
    return found
