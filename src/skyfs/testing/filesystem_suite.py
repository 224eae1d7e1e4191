"""What the fsspec filesystem of a repository does; subclass `FileSystemSuite` and say how it is opened.

fsspec's own ``fsspec.tests.abstract`` covers copy, get, put, pipe and open. This is about the rest.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from random import Random
from typing import Any

import fsspec
import pytest
from fsspec.callbacks import Callback
from fsspec.implementations.local import LocalFileSystem

import skyfs
from skyfs.errors import NotFound
from skyfs.fs import SkyFileSystem
from skyfs.model.selectors import split_selectors
from skyfs.repository import Repository

from .filesystem_sample import SAMPLE_GROUPS, Sample, fill
from .statements import statements_run

Opener = Callable[[Repository], SkyFileSystem]


def mirror(files: dict[str, bytes], root: Path) -> LocalFileSystem:
    """Lay files out on the local disk, for comparison."""
    for path, data in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return LocalFileSystem()


class FileSystemSuite:
    """What every way to open a repository gives.

    Attributes
    ----------
    prefix
        What stands before paths: the repository's name, or nothing.
    """

    prefix = ""

    def open_filesystem(self, repository: Repository) -> SkyFileSystem:
        """Give the filesystem under test."""
        raise NotImplementedError

    # The sample is only read; it is made once for each class.
    @pytest.fixture(scope="class")
    @classmethod
    def sample(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
        """Give the repository that is looked at, and what it holds."""
        root = tmp_path_factory.mktemp("sample") / "sky"
        with skyfs.create(root, options={"durability": "process"}) as repository:
            yield fill(repository)

    @pytest.fixture
    def fs(self, sample: Sample) -> SkyFileSystem:
        """Give the filesystem of the sample."""
        return self.open_filesystem(sample.repository)

    @pytest.fixture
    def files(self, sample: Sample) -> dict[str, bytes]:
        """Give all files, by name."""
        return {self.prefix + path: data for path, data in sample.files.items()}

    @pytest.fixture
    def empty(self, tmp_path: Path) -> SkyFileSystem:
        """Give the filesystem of an empty repository, to write to."""
        return self.open_filesystem(skyfs.create(tmp_path / "sky", options={"durability": "process"}))

    @property
    def root(self) -> str:
        """The name of the root."""
        return self.prefix or "/"

    # -- looking

    def test_every_folder_lists_what_it_holds(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        pending = [self.root]
        seen: list[str] = []
        while pending:
            folder = pending.pop()
            names = fs.ls(folder, detail=False)
            assert names == sorted(names)
            assert [info["name"] for info in fs.ls(folder)] == names
            for info in fs.ls(folder):
                (pending if info["type"] == "directory" else seen).append(info["name"])
        assert sorted(seen) == sorted(files)

    def test_listed_sizes_are_true(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        found = fs.find(self.root, detail=True)
        assert {name: info["size"] for name, info in found.items()} == {k: len(v) for k, v in files.items()}

    def test_a_file_lists_itself(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        for name in list(files)[::7]:
            assert fs.ls(name, detail=False) == [name]
            assert fs.find(name) == [name]

    def test_what_is_not_there(self, fs: SkyFileSystem) -> None:
        for path in (
            "/none",
            "/Cam/none",
            "/Cam/raw/raw/instrument=Cam/day_obs=1",
            "/Cam/raw/raw/instrument=X",
        ):
            name = self.prefix + path
            assert not fs.exists(name)
            assert not fs.isfile(name)
            assert not fs.isdir(name)
            assert fs.find(name) == fs.glob(name) == fs.glob(f"{name}/*") == []
            for call in (fs.ls, fs.info, fs.open, fs.cat, fs.ukey, fs.modified):
                with pytest.raises(FileNotFoundError):
                    call(name)

    def test_info(self, fs: SkyFileSystem, files: dict[str, bytes], sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        info = fs.info(name)
        plain = {"name": name, "type": "file", "size": len(files[name]), "run": "Cam/runs/a"}
        named = {"dataset_type": "calexp", "storage_class": "Dict", "filename": "calexp_Cam_101_1.json"}
        values = {"instrument": "Cam", "visit": 101, "detector": 1, "day_obs": 20260101, "visit.name": "v101"}
        expected: dict[str, object] = {**plain, **named, **values}
        assert {key: info[key] for key in expected} == expected
        assert isinstance(info["ino"], int)
        assert isinstance(info["mtime"], float)
        assert len(str(info["sha256"])) == 64
        listed = fs.ls(name)[0]
        assert {key: info[key] for key in listed} == listed

    def test_info_of_folders(self, fs: SkyFileSystem) -> None:
        folders = ["", "/Cam", "/Cam/runs/a", "/Cam/runs/a/calexp", "/Cam/runs/a/calexp/instrument=Cam"]
        for folder in folders:
            info = fs.info(self.prefix + folder or "/")
            assert (info["type"], info["size"], info["name"]) == ("directory", 0, self.prefix + folder or "/")

    def test_aliases_have_one_name(self, fs: SkyFileSystem, sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        for alias in sample.aliases:
            assert fs.info(self.prefix + alias)["name"] == name, alias
            assert fs.cat(self.prefix + alias) == fs.cat(name)
            assert fs.ukey(self.prefix + alias) == fs.ukey(name)

    def test_find(self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path) -> None:
        local = mirror(files, tmp_path)
        for folder in [
            self.root,
            f"{self.prefix}/Cam",
            f"{self.prefix}/Cam/runs/a/calexp",
            f"{self.prefix}/Cam/all",
        ]:
            below = f"{tmp_path}/{folder.strip('/')}".rstrip("/")
            for maxdepth in (None, 1, 2, 3, 4, 6):
                for withdirs in (False, True):
                    wanted = local.find(below, maxdepth=maxdepth, withdirs=withdirs)
                    wanted = sorted(_unmirrored(name, tmp_path, self.prefix) for name in wanted)
                    assert fs.find(folder, maxdepth=maxdepth, withdirs=withdirs) == wanted

    def test_walk(self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path) -> None:
        local = mirror(files, tmp_path)
        below = f"{tmp_path}/{self.prefix}".rstrip("/")
        for topdown in (True, False):
            wanted = {
                _unmirrored(top, tmp_path, self.prefix): (sorted(folders), sorted(names))
                for top, folders, names in local.walk(below, topdown=topdown)
            }
            walked = list(fs.walk(self.root, topdown=topdown))
            assert {top: (folders, names) for top, folders, names in walked} == wanted
            places = {top: index for index, (top, _, _) in enumerate(walked)}
            for top in list(places)[1:]:
                above = top.rpartition("/")[0]
                assert above not in places or (places[above] < places[top]) == topdown

    def test_walk_leaves_out_what_the_caller_takes_out(self, fs: SkyFileSystem) -> None:
        tops = []
        for top, folders, _ in fs.walk(f"{self.prefix}/Cam"):
            tops.append(top)
            folders[:] = [name for name in folders if name in ("runs", "b")]
        assert tops == [f"{self.prefix}/Cam", f"{self.prefix}/Cam/runs", f"{self.prefix}/Cam/runs/b"]

    def test_walk_of_nothing(self, fs: SkyFileSystem) -> None:
        seen: list[OSError] = []
        assert list(fs.walk(f"{self.prefix}/none")) == []
        assert list(fs.walk(f"{self.prefix}/none", on_error=seen.append)) == []
        assert [type(error) for error in seen] == [NotFound]
        with pytest.raises(FileNotFoundError):
            list(fs.walk(f"{self.prefix}/none", on_error="raise"))
        with pytest.raises(ValueError, match="maxdepth"):
            list(fs.walk(self.root, maxdepth=0))

    def test_du(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        assert fs.du(self.root) == sum(map(len, files.values()))
        assert fs.du(self.root, total=False) == {name: len(data) for name, data in files.items()}

    def test_globs_are_those_of_a_local_disk(
        self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path
    ) -> None:
        local = mirror(files, tmp_path)
        folder = f"{tmp_path}/{self.prefix}".rstrip("/")
        choose = Random(5)  # noqa: S311 - test data
        found = 0
        for pattern in [
            *_FIXED_PATTERNS,
            *(random_pattern(sorted(files), choose, self.prefix) for _ in range(250)),
        ]:
            maxdepth = choose.choice([None, None, 1, 2]) if "**" in pattern else None
            wanted = [
                _unmirrored(name, tmp_path, self.prefix) for name in local.glob(folder + pattern, maxdepth)
            ]
            got = fs.glob(self.prefix + pattern, maxdepth)
            assert got == sorted(wanted), pattern
            found += len(got)
        assert found > 500

    def test_a_selector_is_no_glob(self, fs: SkyFileSystem, sample: Sample) -> None:
        pattern = f"{self.prefix}{sample.one}".replace("visit=101", "visit=10*")
        plain = fs.glob(pattern)
        assert len(plain) > 1
        for tail in ("[1]", "[SCI]", "[1:2,1:2]", "[col a;b][a > 1]"):
            assert fs.glob(pattern + tail) == [name + tail for name in plain]
        assert fs.glob(f"{self.prefix}{sample.one}".replace(".json", ".jso[n]")) == []

    def test_one_statement_for_each_dimension_group(self, fs: SkyFileSystem) -> None:
        fs.find(self.root)  # so that collections, types and symbols are known
        calls: list[tuple[Callable[[], object], int]] = [
            (lambda: fs.find(self.root), SAMPLE_GROUPS),
            (lambda: list(fs.walk(self.root)), SAMPLE_GROUPS),
            (lambda: fs.find(f"{self.prefix}/Cam/runs/a", withdirs=True, detail=True), SAMPLE_GROUPS),
            (lambda: fs.glob(f"{self.prefix}/Cam/runs/a/calexp/*/*/visit=10*/detector=1.json"), 1),
            (lambda: fs.glob(f"{self.prefix}/Cam/runs/*/calexp/*/day_obs=20260101/*/*.json"), 1),
            (lambda: fs.glob(f"{self.prefix}/Cam/raw/raw/*/*"), 1),
            (lambda: fs.glob(f"{self.prefix}/*"), 0),
        ]
        for call, groups in calls:
            with statements_run() as statements:
                call()
            # One more tells which types are in which collections; validity ranges are in tables of their own.
            members = [text for text in statements if "member_" in text or "valid_" in text]
            assert len(statements) - len(members) <= 1, statements
            assert len(members) <= groups

    def test_statements_to_open_a_file(self, fs: SkyFileSystem, sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        fs.cat(name)
        for call in (fs.cat, fs.exists, fs.ukey):
            with statements_run() as statements:
                call(name)
            assert len(statements) == 1

    # -- reading

    def test_reading(self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path) -> None:
        names = sorted(files)
        assert fs.cat(names) == files
        for name in names[::5]:
            with fs.open(name) as file:
                assert file.read() == files[name]
                assert (file.size, file.mode, file.path) == (len(files[name]), "rb", name)
                assert file.details["size"] == file.size
                assert file.full_name == f"skyfs://{name}"
            fs.get_file(name, str(tmp_path / "file"))
            assert (tmp_path / "file").read_bytes() == files[name]
            buffer = io.BytesIO()
            fs.get_file(name, buffer)
            assert buffer.getvalue() == files[name]

    def test_files_seek(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        name, data = max(files.items(), key=lambda item: len(item[1]))
        choose = Random(3)  # noqa: S311 - test data
        with fs.open(name) as file:
            for _ in range(50):
                start, count = choose.randrange(len(data)), choose.randrange(100)
                assert file.seek(start) == start
                assert file.read(count) == data[start : start + count]
                assert file.tell() == min(len(data), start + count)
            file.seek(-4, os.SEEK_END)
            assert file.read() == data[-4:]
            buffer = bytearray(7)
            file.seek(2)
            assert file.readinto(buffer) == 7
            assert buffer == data[2:9]

    def test_open_files_are_pickled(self, fs: SkyFileSystem, files: dict[str, bytes], sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        with fs.open(name) as file:
            file.seek(5)
            with pickle.loads(pickle.dumps(file)) as again:  # noqa: S301 - made here
                assert again.read() == files[name][5:]

    def test_ranges(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        name, data = max(files.items(), key=lambda item: len(item[1]))
        size = len(data)
        bounds = [None, 0, 1, 5, size - 1, size, size + 9, -1, -5, -size, -size - 3]
        pairs = [(start, end) for start in bounds for end in bounds]
        for start, end in pairs:
            assert fs.cat_file(name, start, end) == data[start:end]
        starts, ends = [start for start, _ in pairs], [end for _, end in pairs]
        for max_gap in (None, 0, 3, 10**6):
            found = fs.cat_ranges([name] * len(pairs), starts, ends, max_gap=max_gap)
            assert found == [data[start:end] for start, end in pairs]

    def test_ranges_of_many_files(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        names = sorted(files) * 2
        starts = [index % 5 for index in range(len(names))]
        assert fs.cat_ranges(names, starts, 9) == [
            files[name][start:9] for name, start in zip(names, starts, strict=True)
        ]
        missing = [names[0], f"{self.prefix}/none", names[1]]
        first, error, last = fs.cat_ranges(missing, 0, 3)
        assert (first, last) == (files[names[0]][:3], files[names[1]][:3])
        assert isinstance(error, FileNotFoundError)
        with pytest.raises(FileNotFoundError):
            fs.cat_ranges(missing, 0, 3, on_error="raise")
        with pytest.raises(ValueError, match="equally many"):
            fs.cat_ranges(names, [0], [1])
        with pytest.raises(TypeError):
            fs.cat_ranges(names[0], 0, 1)

    def test_text(self, fs: SkyFileSystem, files: dict[str, bytes], sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        with fs.open(name, "r", encoding="utf-8") as file:
            assert file.read() == files[name].decode()
        assert fs.read_text(name) == files[name].decode()
        assert fs.head(name, 4) == files[name][:4]
        assert fs.tail(name, 4) == files[name][-4:]
        assert fs.read_block(name, 2, 5) == files[name][2:7]

    def test_get_folders(
        self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path, sample: Sample
    ) -> None:
        folder = f"{self.prefix}/Cam/runs"
        wanted = {
            name.removeprefix(folder): data for name, data in files.items() if name.startswith(folder + "/")
        }
        fs.get(folder, str(tmp_path / "got"), recursive=True)
        assert _local_files(tmp_path / "got") == wanted
        alias = f"{self.prefix}{sample.folder_alias}"
        name = str(fs.info(alias)["name"])
        fs.get(alias, str(tmp_path / "alias"), recursive=True)
        below = {one.removeprefix(name): data for one, data in files.items() if one.startswith(name + "/")}
        assert _local_files(tmp_path / "alias") == below

    def test_progress_is_told(self, fs: SkyFileSystem, files: dict[str, bytes], tmp_path: Path) -> None:
        name, data = max(files.items(), key=lambda item: len(item[1]))
        callback = Callback()
        fs.get_file(name, str(tmp_path / "x"), callback=callback)
        assert (callback.size, callback.value) == (len(data), len(data))

    def test_times_and_keys(self, fs: SkyFileSystem, files: dict[str, bytes], sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        assert fs.modified(name).tzinfo is UTC
        assert fs.created(name) == fs.modified(name)
        assert fs.modified(name).timestamp() == pytest.approx(fs.info(name)["mtime"], abs=1e-5)
        assert fs.checksum(name) == int(fs.ukey(name), 16)
        datasets = {fs.ukey(one) for one in files}
        assert len(datasets) == len({fs.info(one)["id"] for one in files})

    # -- names

    def test_names_carry_what_the_input_had(self, fs: SkyFileSystem, sample: Sample) -> None:
        name = f"{self.prefix}{sample.one}"
        for spelled in (name, f"skyfs://{name}", f"{name}/"):
            assert fs.info(spelled)["name"] == name
        assert fs.unstrip_protocol(name) == f"skyfs://{name}"
        own = sample.repository.name
        for prefix in ("", own):
            assert {name.split("/")[0] for name in fs.find(prefix + "/Cam")} == {prefix}
            assert {name.split("/")[0] for name in fs.glob(prefix + "/C*/*")} == {prefix}
            assert {name.split("/")[0] for name in fs.ls(prefix + "/Cam", detail=False)} == {prefix}
        for call in (fs.ls, fs.info, fs.cat, fs.find):
            with pytest.raises(FileNotFoundError, match="not the repository"):
                call(f"other{sample.one}")
        assert not fs.exists(f"other{sample.one}")

    # -- instances

    def test_instances_are_kept(self, fs: SkyFileSystem, sample: Sample) -> None:
        assert self.open_filesystem(sample.repository) is fs

    def test_instances_are_pickled(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        data = pickle.dumps(fs)
        again = pickle.loads(data)  # noqa: S301 - made here
        assert again == fs
        assert hash(again) == hash(fs)
        assert again.fsid == fs.fsid
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            names = sorted(files)[::9]
            assert list(pool.map(fs.cat_file, names)) == [files[name] for name in names]
            assert pool.submit(fs.ukey, names[0]).result() == fs.ukey(names[0])

    def test_instances_survive_a_fork(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        names = sorted(files)[::9]
        fs.cat(names)
        with ThreadPoolExecutor(2) as threads:
            reading = [threads.submit(fs.cat, name) for name in names]
            child = os.fork()
            if not child:
                code = 1
                try:
                    code = int(any(fs.cat_file(name) != files[name] for name in names))
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            assert [one.result() for one in reading] == [files[name] for name in names]

    def test_instances_go_through_json(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        text = fs.to_json()
        again = fsspec.AbstractFileSystem.from_json(text)
        assert again == fs
        name = min(files)
        assert again.cat(name) == files[name]
        assert fsspec.AbstractFileSystem.from_dict(fs.to_dict()) == fs

    def test_threads_share_an_instance(self, fs: SkyFileSystem, files: dict[str, bytes]) -> None:
        def look(seed: int) -> None:
            choose = Random(seed)  # noqa: S311 - test data
            for name in choose.sample(sorted(files), 10):
                assert fs.cat(name) == files[name]
                assert name in fs.ls(name.rpartition("/")[0], detail=False)
                assert fs.glob(f"{name[:-3]}*") == [name]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(look, range(16)))

    # -- writing

    def test_what_is_written_is_read(self, empty: SkyFileSystem, tmp_path: Path) -> None:
        prefix = self._prefix_of(empty)
        choose = Random(9)  # noqa: S311 - test data
        files = {
            f"{prefix}/u/me/r{index % 3}/file{index}": choose.randbytes(index * 1000) for index in range(9)
        }
        for index, (name, data) in enumerate(files.items()):
            if index % 3 == 0:
                empty.pipe_file(name, data)
            elif index % 3 == 1:
                (tmp_path / "local").write_bytes(data)
                empty.put_file(str(tmp_path / "local"), name)
            else:
                with empty.open(name, "wb") as file:
                    for start in range(0, len(data), 777):
                        file.write(data[start : start + 777])
        assert empty.cat(sorted(files)) == files
        assert empty.find(f"{prefix}/u") == sorted(files)
        empty.rm(f"{prefix}/u/me/r1", recursive=True)
        assert empty.find(f"{prefix}/u") == sorted(name for name in files if "/r1/" not in name)
        empty.rm(f"{prefix}/u/me/r*/file*")
        assert empty.ls(prefix or "/") == []

    def test_nothing_is_seen_before_it_is_whole(self, empty: SkyFileSystem) -> None:
        name = f"{self._prefix_of(empty)}/u/me/file.txt"
        with empty.open(name, "wb") as file:
            file.write(b"half")
            file.flush()
            assert not empty.exists(name)
            assert empty.find(self._prefix_of(empty) or "/") == []
            file.write(b" and half")
        assert empty.cat(name) == b"half and half"

    def test_copies(self, empty: SkyFileSystem) -> None:
        prefix = self._prefix_of(empty)
        empty.pipe({f"{prefix}/u/a/x.txt": b"x", f"{prefix}/u/a/sub/y.txt": b"y"})
        empty.copy(f"{prefix}/u/a/", f"{prefix}/u/b", recursive=True)
        assert empty.cat(f"{prefix}/u/b/", recursive=True) == {
            f"{prefix}/u/b/x.txt": b"x",
            f"{prefix}/u/b/sub/y.txt": b"y",
        }

    def test_a_replaced_dataset_is_another(self, empty: SkyFileSystem) -> None:
        name = f"{self._prefix_of(empty)}/u/me/file.txt"
        empty.pipe_file(name, b"old")
        key, info = empty.ukey(name), empty.info(name)
        assert empty.ukey(name) == key
        empty.pipe_file(name, b"old", mode="overwrite")
        assert empty.ukey(name) != key
        assert empty.info(name)["id"] != info["id"]
        with empty.open(name, "wb", replace=True) as file:
            file.write(b"newer")
        assert empty.cat(name) == b"newer"

    def test_transactions(self, empty: SkyFileSystem) -> None:
        prefix = self._prefix_of(empty)
        names = [f"{prefix}/u/me/r{index % 2}/f{index}.txt" for index in range(4)]
        with empty.transaction:
            for name in names:
                empty.pipe_file(name, name.encode())
                assert not empty.exists(name)
        assert empty.cat(names) == {name: name.encode() for name in names}

    def _prefix_of(self, fs: SkyFileSystem) -> str:
        return fs.repository.name if self.prefix else ""


_FIXED_PATTERNS = [
    *("/*", "/**", "/*/", "/**/", "/**/*.json", "/Cam/**/detector=2*", "/*/*/*", "/Cam/*/*/", "/[BC]*/r*"),
    *(
        "/Cam/runs/?/calexp/**",
        "/Cam/runs/[!a]/*",
        "/Cam/**/visit=*",
        "/best/calexp/*/*/*/*",
        "/Cam/runs/a/*.json",
    ),
    *("/Cam/runs/a/n*", "/Cam/runs/a/notes*", "/Cam/calib/flat/*/*/*", "/Cam/calib/flat/*/*/*/*", "/sky*/**"),
    *(
        "/Cam/runs/a/calexp/*/*/visit=101/detector=1.*",
        "/**/physical_filter=i%2E*",
        "/**/skymap=*v?/**/band=i*",
    ),
    *("/Cam/runs/a/summary.json", "/Cam/runs/a/[s]ummary.json", "/Cam/runs/a/calexp/instrument=C[a]m/**"),
    *("/Cam/runs/a/calexp/*/day_obs=2026010[12]", "/Cam/runs/a/calexp/*/day_obs=*/", "/Cam/runs/**/f1*/*"),
]


def random_pattern(names: list[str], choose: Random, prefix: str) -> str:
    """Give a pattern that often matches something."""
    parts = choose.choice(names).removeprefix(prefix).strip("/").split("/")
    parts = parts[: choose.randint(1, len(parts))] if choose.random() < 0.4 else parts
    parts = [_loosened(part, choose) if choose.random() < 0.5 else part for part in parts]
    if choose.random() < 0.3:
        parts[choose.randrange(len(parts))] = "**"
    pattern = "/" + "/".join(parts) + choose.choice(["", "", "", "/"])
    return random_pattern(names, choose, prefix) if split_selectors(pattern)[1] else pattern


def _loosened(part: str, choose: Random) -> str:
    start, stop = sorted((choose.randrange(len(part) + 1), choose.randrange(len(part) + 1)))
    ways: list[Any] = ["*", part[:start] + "*", "*" + part[stop:], part[:start] + "*" + part[stop:]]
    place = choose.randrange(len(part))
    ways += [part[:place] + "?" + part[place + 1 :], part[:place] + f"[{part[place]}x]" + part[place + 1 :]]
    return str(choose.choice(ways))


def _unmirrored(name: str, root: Path, prefix: str) -> str:
    return name.removeprefix(f"{root}/" if prefix else str(root)) or "/"


def _local_files(root: Path) -> dict[str, bytes]:
    return {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}
