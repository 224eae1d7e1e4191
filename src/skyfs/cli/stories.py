"""What the tours show."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..demo.loading import CHAIN
from .tour import Step

_VISIT = "instrument=SkyCam/day_obs=20260214/visit=901002"
_IMAGE = f"/{CHAIN}/calexp/{_VISIT}/detector=0"
_TABLE = f"/{CHAIN}/src/{_VISIT}/detector=0"
_DATA_ID = "instrument=SkyCam visit=901002 detector=0"
MOUNTED = f"{_IMAGE}.fits"
"""The image of the survey that the mount shows."""


def survey_steps(name: str) -> Iterator[Step]:
    """Give the steps of the tour of the simulated survey, in the repository of that name."""
    yield _step("A repository is a tree of collections. A path says what a dataset is.", "skyfs ls /")
    yield _step(
        "Below a collection come dataset types, then dimensions.",
        f"skyfs ls /{CHAIN}",
        f"skyfs ls -l /{CHAIN}/calexp/{_VISIT}",
    )
    yield _step(
        "All that there is of one visit: one query, no walk.", f"skyfs find '/{CHAIN}/*/*/*/visit=901002/*'"
    )
    yield _step("Metrics are JSON.", f"skyfs cat /{CHAIN}/visit_metrics/{_VISIT}.json")
    yield _step("All that is known of an image, without opening it.", f"skyfs info {_IMAGE}.fits")
    yield _step(
        "A dataset by its data ID; the extension asked for converts it.",
        f"skyfs get src {_DATA_ID} -c {CHAIN} -o src.csv",
        "head -n 3 src.csv",
    )
    yield _step(
        "The flat that was valid at a time.",
        "skyfs get flat instrument=SkyCam detector=0 physical_filter=r.SC02"
        " -c SkyCam/calib --time 2026-02-15T02:00:00 -o flat.fits",
        "ls -l flat.fits",
    )
    yield _preview(_IMAGE)
    yield _step("Where the survey looked, as a chart of the sky.", "skyfs sky calexp --out sky.svg")
    yield _step(
        "Files go in by cp: the path says what they become.",
        "skyfs cp src.csv :/u/me/first/bright_stars.csv",
        "skyfs ls -l /u/me/first",
        "skyfs types bright_stars",
    )
    yield from _python_steps(name)


def own_steps(name: str, first: tuple[Path, str], image: str | None) -> Iterator[Step]:
    """Give the steps of the tour of a user's files; ``first`` is a file and its path, ``image`` a path."""
    file, path = first
    yield _step("Your files are datasets now; they stayed where they are.", "skyfs ls -l /my/files")
    yield _step("What is known of one.", f"skyfs info {path}")
    yield _step(
        "Its bytes are those of your file.",
        f"sha256sum {shlex.quote(str(file))}",
        f"skyfs cat {path} | sha256sum",
    )
    yield _python(
        "In Python a path is enough, and an object comes back.",
        "import skyfs",
        f'with skyfs.open("{name}") as repo:',
        f'    hdus = repo.get("{path}")',
        "    print(repr(hdus[0].header))",
    )
    yield _python(
        "Programs that know fsspec take the path as a URL.",
        "from astropy.io import fits",
        f'with fits.open("skyfs://{name}{path}", use_fsspec=True) as hdus:',
        "    hdus.info()",
    )
    if image is not None:
        yield _preview(with_extension(image, ""))


def mount_steps(name: str, collection: str, file: str) -> Iterator[Step]:
    """Give the steps that mount the repository at ``mnt`` and read one file in it."""
    yield _step(
        "The repository as a folder: any program can read it.",
        "mkdir mnt",
        f"skyfs mount {shlex.quote(name)} mnt",
        f"ls mnt/{collection}",
    )
    yield _step(
        "cp and sha256sum are those of the system: the same bytes by every door.",
        f"cp mnt{file} .",
        f"sha256sum {file.rpartition('/')[2]}",
        f"skyfs cat {file} | sha256sum",
    )
    yield _step("And away with it.", "skyfs umount mnt")


def with_extension(path: str, extension: str) -> str:
    """Give the path of a dataset without dimensions in another format."""
    folder, _, leaf = path.rpartition("/")
    return f"{folder}/{leaf.partition('.')[0]}{extension}"


def farewell(folder: Path, name: str) -> str:
    """Say what to try next."""
    return f"""
What next, in {folder}:
  export SKYFS_REPO={name}
  skyfs ls -l /                   look around
  skyfs find / --name '*.fits'    every FITS file (quote wildcards)
  skyfs --help                    all commands
  skyfs mount {name} DIR           the whole tree as a folder
When you have seen enough:
  skyfs destroy {name} --yes && rm -r {shlex.quote(str(folder))}"""


def _python_steps(name: str) -> Iterator[Step]:
    if find_spec("pandas") is not None:
        yield _python(
            "Programs that know fsspec take the path as a URL: pandas...",
            "import pandas",
            f'stars = pandas.read_parquet("skyfs://{name}{_TABLE}.parquet")',
            "print(len(stars), 'stars')",
            "print(stars[['ra', 'dec', 'flux']].head(3))",
        )
    yield _python(
        "... and astropy, which reads only what it needs.",
        "from astropy.io import fits",
        f'with fits.open("skyfs://{name}{_IMAGE}.fits", use_fsspec=True) as hdus:',
        "    hdus.info()",
        "    print(hdus[0].section[100:102, 100:104])",
    )
    yield _python(
        "In Python a data ID is enough, and an object comes back.",
        "import skyfs",
        f'with skyfs.open("{name}", collections="{CHAIN}") as repo:',
        '    image = repo.get("calexp", instrument="SkyCam", visit=901002, detector=0)',
        "    print(type(image).__name__, image.shape, image.unit, image.data.mean())",
    )


def _preview(path: str) -> Step:
    return _step(
        "A preview of the image, for people: ask for .png.",
        f"skyfs cp {path}.png ./preview.png",
        "ls -l preview.png",
    )


def _step(text: str, *lines: str) -> Step:
    return Step(text, "\n".join(lines))


def _python(text: str, *lines: str) -> Step:
    return Step(text, "\n".join(lines), python=True)
