"""The mounted tree, as programs see it through the kernel."""

from __future__ import annotations

import csv
import errno
import hashlib
import mmap
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pytest
from astropy.io import fits

import skyfs
from skyfs.mount.table import find_mount

from .conftest import EXPOSURES, FILTERS, MODES, Sky, raw_path


def shell(command: str, folder: Path, **variables: str) -> str:
    """Run a line of bash in a folder; give what it prints."""
    environment = {**os.environ, **variables, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def errno_of(request: Callable[[], object]) -> int:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is asserted
        request()
    assert caught.value.errno is not None
    return caught.value.errno


# -- looking ---------------------------------------------------------------------------------------------


def test_the_mount_says_what_it_is(sky: Sky) -> None:
    found = find_mount(sky.folder)
    assert found is not None
    assert (found.repository, found.folder) == ("sky", str(sky.folder))
    line = next(
        line for line in Path("/proc/self/mounts").read_text().splitlines() if str(sky.folder) in line
    )
    device, _, kind, options, *_ = line.split()
    assert (device, kind) == ("skyfs:sky", "fuse.skyfs")
    assert {"ro", "nosuid", "nodev", "default_permissions"} <= set(options.split(","))
    assert "allow_other" not in options


def test_every_file_is_listed_and_has_its_bytes(sky: Sky) -> None:
    listed = shell("find . -type f -printf '/%P\\n'", sky.folder).splitlines()
    assert set(sky.expected) <= set(listed)
    for path, expected in sky.expected.items():
        assert sky.at(path).read_bytes() == expected


@pytest.mark.parametrize("mode", MODES)
def test_each_way_of_ingesting_serves_the_same(sky: Sky, mode: str, tmp_path: Path) -> None:
    path = raw_path(collection=f"HSC/raw/{mode}")
    expected = sky.expected[path]
    file = sky.at(path)
    (tmp_path / "source").write_bytes(expected)
    assert (
        shell('sha256sum < "$FILE"', tmp_path, FILE=str(file)).split()[0]
        == hashlib.sha256(expected).hexdigest()
    )
    shell(
        'cmp "$FILE" source && cp --preserve=timestamps "$FILE" copy && cmp copy source',
        tmp_path,
        FILE=str(file),
    )
    assert (tmp_path / "copy").stat().st_mtime_ns == file.stat().st_mtime_ns
    assert shell('cat "$FILE" | wc -c', tmp_path, FILE=str(file)).strip() == str(len(expected))


def test_stat_tells_the_truth(sky: Sky) -> None:
    for path, expected in sky.expected.items():
        found = sky.at(path).stat()
        assert (found.st_size, found.st_mtime_ns) == (len(expected), sky.mtimes_ns[path]), path
        assert found.st_blocks == -(-len(expected) // 512)
        assert found.st_nlink == 1


def test_one_inode_by_every_spelling(sky: Sky) -> None:
    canonical = sky.at(raw_path()).stat().st_ino
    short = "/HSC/raw/copy/raw/instrument=HSC/exposure=903334/detector=0.fits"
    assert sky.at(short).stat().st_ino == canonical
    assert sky.at(raw_path(collection="HSC/defaults")).stat().st_ino == canonical
    with os.scandir(sky.at(raw_path()).parent) as entries:
        inodes = {one.name: one.inode() for one in entries}
    assert inodes["detector=0.fits"] == canonical, "the folder and the file agree"
    assert sky.at(raw_path(detector=1)).stat().st_ino != canonical


def test_ls_l(sky: Sky) -> None:
    folder = sky.at(raw_path()).parent
    lines = shell("ls -l", folder).splitlines()[1:]
    assert [line.split()[-1] for line in lines] == [f"detector={number}.fits" for number in range(3)]
    assert all(line.startswith("-r--------") for line in lines)
    assert shell("ls -ld .", folder).startswith("dr-x------")
    assert shell("ls -A", sky.folder).split() == ["HSC", "runs"]


def test_find_walks_everything_once(sky: Sky) -> None:
    files = shell("find HSC/raw -type f -name '*.fits'", sky.folder).splitlines()
    assert len(files) == len(set(files)) == len(MODES) * len(EXPOSURES) * 3
    newest = max(sky.mtimes_ns, key=sky.mtimes_ns.__getitem__)
    newer = shell('find HSC/raw runs -type f -newer "$FILE"', sky.folder, FILE=str(sky.at(newest)))
    assert newer == ""
    oldest = min(sky.mtimes_ns, key=sky.mtimes_ns.__getitem__)
    newer = shell('find HSC/raw runs HSC/flats -type f -newer "$FILE"', sky.folder, FILE=str(sky.at(oldest)))
    assert len(newer.splitlines()) == sum(time > sky.mtimes_ns[oldest] for time in sky.mtimes_ns.values())


def test_du_and_df(sky: Sky) -> None:
    below = [data for path, data in sky.expected.items() if path.startswith("/HSC/raw/copy/")]
    blocks = sum(-(-len(data) // 512) for data in below)
    assert shell("du -s -B 512 HSC/raw/copy", sky.folder).split()[0] == str(blocks)
    assert shell("du -s -b --apparent-size HSC/raw/copy", sky.folder).split()[0] == str(sum(map(len, below)))
    _, line = shell("df --output=source,avail .", sky.folder).splitlines()
    assert line.split() == ["skyfs:sky", "0"]


def test_parts_are_files(sky: Sky, tmp_path: Path) -> None:
    path = f"{sky.at(raw_path())}[0][1:3,1:2]"
    assert (
        shell('cp "$FILE" part.fits && stat -c %s part.fits "$FILE"', tmp_path, FILE=path).split()
        == [str(os.stat(path).st_size)] * 2
    )
    with fits.open(tmp_path / "part.fits") as hdus, fits.open(sky.at(raw_path())) as whole:
        assert np.array_equal(hdus[0].data, whole[0].data[:2, :3])
    assert os.stat(path).st_ino != sky.at(raw_path()).stat().st_ino
    assert errno_of(lambda: os.stat(f"{sky.at(raw_path())}[99]")) == errno.EINVAL
    assert len(os.listdir(sky.at(raw_path()).parent)) == 3


def test_globs_of_bash(sky: Sky) -> None:
    pattern = "HSC/raw/{copy,link}/raw/*/*/exposure=9033*/detector=[01].fits"
    assert len(shell(f"printf '%s\\n' {pattern}", sky.folder).splitlines()) == 2 * 2 * 2
    assert (
        shell("shopt -s globstar nullglob; printf '%s\\n' runs/**/*.parquet | wc -l", sky.folder).strip()
        == "6"
    )


def test_tar(sky: Sky, tmp_path: Path) -> None:
    target = tmp_path / "all.tar"
    shell('tar -cf "$TARGET" HSC/raw/copy runs', sky.folder, TARGET=str(target))
    with tarfile.open(target) as archive:
        for path in (path for path in sky.expected if path.startswith(("/HSC/raw/copy/", "/runs/"))):
            member = archive.extractfile(path.lstrip("/"))
            assert member is not None
            assert member.read() == sky.expected[path]


def test_rsync_has_nothing_to_do_the_second_time(sky: Sky, tmp_path: Path) -> None:
    if shutil.which("rsync") is None:
        pytest.skip("rsync is not installed")
    command = 'rsync -a --itemize-changes HSC/raw/copy/ "$TARGET"/'
    assert len(shell(command, sky.folder, TARGET=str(tmp_path)).splitlines()) > 9
    assert shell(command, sky.folder, TARGET=str(tmp_path)) == ""
    copied = tmp_path / raw_path().removeprefix("/HSC/raw/copy/")
    assert copied.read_bytes() == sky.expected[raw_path()]


@pytest.mark.parametrize("name", FILTERS)
def test_names_that_need_care(sky: Sky, name: str) -> None:
    encoded = name.replace("%", "%25")
    file = sky.at(f"/HSC/flats/flat/instrument=HSC/detector=0/physical_filter={encoded}.fits")
    assert file.name in os.listdir(file.parent)
    assert shell('cat -- "$FILE" | wc -c', file.parent, FILE=file.name).strip() == str(file.stat().st_size)
    certified = sky.at(f"/HSC/calib/flat/instrument=HSC/detector=0/physical_filter={encoded}")
    (valid,) = certified.iterdir()
    assert valid.name == "valid=20130101T000000--20140101T000000.fits"
    assert valid.read_bytes() == file.read_bytes()


# -- reading ---------------------------------------------------------------------------------------------


def test_mapped_memory(sky: Sky) -> None:
    expected = sky.expected[raw_path()]
    with (
        sky.at(raw_path()).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert mapped[:] == expected
        assert mapped[-1:] == expected[-1:]


def test_random_reads_from_threads(sky: Sky) -> None:
    paths = [path for path in sky.expected if path.startswith("/HSC/raw/")][:6]
    chance = Random(1)  # noqa: S311 - the same reads every time
    requests = [
        (chance.choice(paths), chance.randrange(20_000), chance.randrange(1, 9_000)) for _ in range(400)
    ]
    descriptors = {path: os.open(sky.at(path), os.O_RDONLY) for path in paths}
    try:

        def is_right(request: tuple[str, int, int]) -> bool:
            path, start, size = request
            return os.pread(descriptors[path], size, start) == sky.expected[path][start : start + size]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(is_right, requests))
    finally:
        for descriptor in descriptors.values():
            os.close(descriptor)


def test_conversions_are_opened_by_name(sky: Sky) -> None:
    photo = sky.at("/runs/one/photo/instrument=HSC/day_obs=20131102/exposure=903334.fits")
    for extension, magic in ((".png", b"\x89PNG"), (".npy", b"\x93NUMPY")):
        file = photo.with_suffix(extension)
        data = file.read_bytes()
        assert data.startswith(magic)
        assert file.stat().st_size == len(data)
        assert file.name not in os.listdir(file.parent), "listings show what is stored"
    table = sky.at("/runs/one/src/instrument=HSC/day_obs=20131102/exposure=903334/detector=1.csv")
    header, first, *_ = csv.reader(table.read_text().splitlines())
    assert (header, list(map(float, first))) == (["flux", "n"], [1, 0])


def test_what_the_repository_says_of_itself(sky: Sky) -> None:
    assert sky.at("/.repo/version").read_text() == f"{skyfs.__version__}\n"
    config = sky.at("/.repo/config.yaml")
    assert len(config.read_bytes()) == config.stat().st_size
    assert "name: sky" in config.read_text()


def test_extended_attributes(sky: Sky) -> None:
    file = sky.at(raw_path())
    names = os.listxattr(file)
    assert os.getxattr(file, "user.skyfs.exposure") == b"903334"
    assert (
        os.getxattr(file, "user.skyfs.sha256").decode()
        == hashlib.sha256(sky.expected[raw_path()]).hexdigest()
    )
    assert all(os.getxattr(file, name) for name in names)
    assert errno_of(lambda: os.getxattr(file, "user.skyfs.nothing")) == errno.ENODATA
    assert errno_of(lambda: os.getxattr(file, "security.selinux")) in (errno.EOPNOTSUPP, errno.ENODATA)
    if shutil.which("getfattr"):
        printed = shell('getfattr -d "$FILE"', file.parent, FILE=file.name)
        assert 'user.skyfs.run="HSC/raw/copy"' in printed


# -- refusals --------------------------------------------------------------------------------------------

WRITING: dict[str, Callable[[Path], object]] = {
    "open": lambda file: file.open("wb"),
    "append": lambda file: file.open("ab"),
    "update": lambda file: file.open("r+b"),
    "create": lambda file: (file.parent / "new.fits").open("xb"),
    "mkdir": lambda file: (file.parent / "new").mkdir(),
    "rm": lambda file: file.unlink(),
    "rmdir": lambda file: file.parent.rmdir(),
    "touch": os.utime,
    "chmod": lambda file: file.chmod(0o777),
    "chown": lambda file: os.chown(file, 1, 1),
    "ln": lambda file: os.link(file, file.parent / "new"),
    "symlink": lambda file: (file.parent / "new").symlink_to(file),
    "mv": lambda file: file.rename(file.parent / "new"),
    "truncate": lambda file: os.truncate(file, 0),
    "mkfifo": lambda file: os.mkfifo(file.parent / "new"),
    "setxattr": lambda file: os.setxattr(file, "user.skyfs.run", b"x"),
    "removexattr": lambda file: os.removexattr(file, "user.skyfs.run"),
}


@pytest.mark.parametrize("name", WRITING)
def test_nothing_can_be_written(sky: Sky, name: str) -> None:
    assert errno_of(lambda: WRITING[name](sky.at(raw_path()))) == errno.EROFS
    assert sky.at(raw_path()).read_bytes() == sky.expected[raw_path()]


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/nothing", errno.ENOENT),
        ("/.Trash", errno.ENOENT),
        ("/autorun.inf", errno.ENOENT),
        ("/HSC/raw/copy/raw/exposure=903334.fits", errno.ENOENT),
        ("/HSC/raw/copy/raw/exposure=1.fits", errno.ENOENT),
        (raw_path() + "/x", errno.ENOTDIR),
        ("/HSC", errno.EISDIR),
        (raw_path(detector=3), errno.ENODATA),
        (raw_path() + "[9]", errno.EINVAL),
        ("/" + "x" * 256, errno.ENAMETOOLONG),
    ],
)
def test_errno_of_each_failure(sky: Sky, path: str, number: int) -> None:
    assert errno_of(lambda: sky.at(path).read_bytes()) == number


def test_bytes_that_are_no_text(sky: Sky) -> None:
    assert errno_of(lambda: os.stat(os.fsencode(sky.folder) + b"/\xff\xfe")) == errno.ENOENT


def test_sequential_reads_are_large(sky: Sky) -> None:
    """Ask the kernel to read ahead; nothing may be lost by it."""
    with sky.at(raw_path()).open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        assert file.read() == sky.expected[raw_path()]
