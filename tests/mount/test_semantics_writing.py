"""Each sentence of docs/semantics.md about writing through a mount, as a test with that docstring."""

from __future__ import annotations

import errno
import inspect
import json
import mmap
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from skyfs.errors import NotFound
from skyfs.mount.table import find_mount, unmount
from skyfs.testing.snapshot import snapshot

from .conftest import Desk
from .test_programs import bash, lines, need

PAGE = Path(__file__).resolve().parents[2] / "docs" / "semantics.md"
FOLDER = "r/metrics/instrument=HSC/day_obs=20131102"
DATASET = f"{FOLDER}/exposure=903334.json"
WRITE_AND_WAIT = """
import sys
with open(sys.argv[1], "w") as file:
    file.write("half")
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_the_page_and_the_tests_say_the_same() -> None:
    section = PAGE.read_text().partition("## Writing through a mount")[2].partition("\n## ")[0]
    sentences = re.findall(r"^- (.*)$", section, re.MULTILINE)
    module = sys.modules[__name__]
    tests = [value for name, value in vars(module).items() if name.startswith("test_") and value.__doc__]
    assert sorted(sentences) == sorted(" ".join(inspect.getdoc(test).split()) for test in tests)  # type: ignore[union-attr]


def failure(request: Callable[[], object]) -> int:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is what is asserted
        request()
    assert caught.value.errno is not None
    return caught.value.errno


@contextmanager
def writer(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has written to a file, and has it open."""
    command = [sys.executable, "-c", WRITE_AND_WAIT, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process


# -- when it is there ----------------------------------------------------------------------------------------


def test_close_stores(desk: Desk) -> None:
    """`echo x > f` stores a dataset, and the next command sees it."""
    bash("mkdir -p r && echo x > r/notes && cat r/notes && ls r && test -s r/notes", desk.folder)
    assert desk.repo.get("notes", collections="r") == b"x\n"


def test_nothing_before_close(desk: Desk) -> None:
    """A file that is being written is there for the process that writes it and for its children; others find
    nothing before it is closed."""
    desk.at("r").mkdir()
    path = desk.at("r/notes")
    with writer(path) as process:
        assert os.listdir(desk.at("r")) == []
        assert not path.exists()
        assert failure(path.read_bytes) == errno.ENOENT
        with pytest.raises(NotFound):
            desk.repo.find("notes", collections="r")
        process.communicate("")
    assert path.read_bytes() == b"half"
    with desk.at("r/other").open("w") as file:
        file.write("x")
        file.flush()
        assert os.fstat(file.fileno()).st_size == 1


def test_subprocess(desk: Desk) -> None:
    """`subprocess.run(stdout=f)` and `os.dup` may close the file in between: it is stored with the last
    descriptor."""
    desk.at("r").mkdir()
    with desk.at("r/notes").open("w") as file:
        file.write("one ")
        file.flush()
        subprocess.run([sys.executable, "-c", "print('two', end=' ')"], stdout=file, check=True)
        os.close(os.dup(file.fileno()))
        assert desk.at("r/notes").name not in os.listdir(desk.at("r"))
        file.write("three")
    assert desk.at("r/notes").read_bytes() == b"one two three"


def test_fork(desk: Desk) -> None:
    """A forked child that ends with the file open stores nothing while its parent has it open."""
    desk.at("r").mkdir()
    with desk.at("r/notes").open("wb", buffering=0) as file:
        file.write(b"parent")
        child = os.fork()
        if not child:
            os.write(file.fileno(), b" child")
            os._exit(0)
        os.waitpid(child, 0)
        assert os.listdir(desk.at("r")) == []
        file.write(b" parent")
    assert desk.at("r/notes").read_bytes() == b"parent child parent"


def test_shell_descriptors(desk: Desk) -> None:
    """What a shell writes by `exec 3>f` is stored by `exec 3>&-`."""
    script = "mkdir r; exec 3>r/notes; echo one >&3; ls r; echo two >&3; exec 3>&-; cat r/notes"
    assert lines(script, desk.folder) == ["one", "two"]


def test_exit(desk: Desk) -> None:
    """A process that ends without closing a file stores what it has written."""
    desk.at("r").mkdir()
    script = "import os, sys; os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'x'); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, desk.at("r/notes")], check=True)
    settled = desk.at("r/notes")
    while not settled.exists():
        os.sched_yield()
    assert settled.read_bytes() == b"x"


def test_touch(desk: Desk) -> None:
    """`touch` and `: > f` make an empty dataset where the format knows empty files; else they fail, and
    nothing is stored."""
    bash("mkdir r && touch r/notes && : > r/more", desk.folder)
    assert lines("stat -c %s r/notes r/more", desk.folder) == ["0", "0"]
    assert "Input/output error" in bash("touch r/summary.json", desk.folder, status=1).stderr
    assert sorted(os.listdir(desk.at("r"))) == ["more", "notes"]


def test_kill(desk: Desk) -> None:
    """When the daemon is killed, what was not stored is gone: nothing is left of it."""
    desk.at("r").mkdir()
    desk.at("r/notes").write_bytes(b"kept")
    with writer(desk.at("r/other")) as process:
        assert len(staged(desk)) == 1
        status = json.loads(desk.at(".repo/status.json").read_text())
        os.kill(status["mount"]["pid"], signal.SIGKILL)
        process.communicate("")
    unmount(desk.folder, lazy=True)
    assert find_mount(desk.folder) is None
    desk.repo.recover()
    assert staged(desk) == []
    assert os.listdir(desk.repo.root / "data" / "r") == ["notes"]
    assert desk.repo.get("notes", collections="r") == b"kept"


def staged(desk: Desk) -> list[Path]:
    """Give the files on their way into the store."""
    return [path for path in desk.repo.root.rglob("*") if path.is_file() and "staging" in path.parts]


# -- refusals ------------------------------------------------------------------------------------------------


def test_refused(desk: Desk, tmp_path: Path) -> None:
    """Where a dataset is refused `close()` fails, and `cp` says so; the reason is in the log, in
    `/.repo/status.json`, and in the attribute `user.skyfs.refused` of the folder."""
    (tmp_path / "bad.json").write_text('{"half":')
    bash("mkdir r", desk.folder)
    done = bash('cp "$1" r/summary.json', desk.folder, tmp_path / "bad.json", status=1)
    assert "Input/output error" in done.stderr
    file = desk.at("r/summary.json").open("w")
    file.write("{")
    assert failure(file.close) == errno.EIO
    status = json.loads(desk.at(".repo/status.json").read_text())
    assert status["mount"]["refusals"][-1]["path"] == "/r/summary.json"
    assert "JSON" in status["mount"]["refusals"][-1]["reason"]
    assert b"JSON" in os.getxattr(desk.at("r"), "user.skyfs.refused")
    assert "refused: cannot read as JSON" in Path(status["mount"]["log"]).read_text()
    assert os.listdir(desk.at("r")) == []


def test_early_refusals(desk: Desk) -> None:
    """What cannot be a dataset, by its path, is refused before it is written."""
    desk.at(FOLDER).mkdir(parents=True)
    for name, number in (
        ("exposure=1.json", errno.ENOENT),
        ("exposure=903334.odd", errno.EINVAL),
        ("nonsense=1.json", errno.EINVAL),
    ):
        assert failure(lambda name=name: (desk.at(FOLDER) / name).open("w")) == number  # type: ignore[misc]


def test_exists(desk: Desk) -> None:
    """Where a dataset exists, opening to write fails with "exists", unless the mount replaces."""
    desk.at("r").mkdir()
    desk.at("r/notes").write_bytes(b"one")
    for mode in ("w", "a", "r+", "x"):
        assert failure(lambda mode=mode: desk.at("r/notes").open(mode)) == errno.EEXIST  # type: ignore[misc]
    assert desk.at("r/notes").read_bytes() == b"one"


def test_replace(replacing: Desk) -> None:
    """With `--replace` another dataset takes its place when it is closed; who has the old one open never
    reads of both."""
    desk = replacing
    desk.at("r").mkdir()
    desk.at("r/notes").write_bytes(b"one")
    first = desk.repo.find("notes", collections="r")
    with desk.at("r/notes").open("rb", buffering=0) as old:
        desk.at("r/notes").write_bytes(b"second")
        try:
            assert old.read() == b"one"
        except OSError as error:
            assert error.errno == errno.ESTALE  # noqa: PT017 - either is right
    assert desk.at("r/notes").read_bytes() == b"second"
    with desk.at("r/notes").open("r+b") as file:
        file.seek(2)
        file.write(b"XY")
    with desk.at("r/notes").open("ab") as file:
        file.write(b"!")
    assert desk.at("r/notes").read_bytes() == b"seXYnd!"
    assert desk.repo.find("notes", collections="r").id != first.id


def test_random_access(desk: Desk) -> None:
    """Before it is closed a file is written anywhere, read back, and cut."""
    desk.at("r").mkdir()
    with desk.at("r/notes").open("w+b") as file:
        file.seek(10)
        file.write(b"end")
        file.seek(0)
        file.write(b"begin")
        file.seek(0)
        assert file.read() == b"begin\0\0\0\0\0end"
        file.truncate(12)
    assert desk.at("r/notes").read_bytes() == b"begin\0\0\0\0\0en"


def test_mappings(desk: Desk) -> None:
    """Shared mappings that write are refused with "no such device" for datasets, and work on scratch
    files."""
    desk.at("r").mkdir()
    with desk.at("r/notes").open("w+b") as file:
        file.truncate(100)
        assert failure(lambda: mmap.mmap(file.fileno(), 100)) == errno.ENODEV
    scratch = np.lib.format.open_memmap(desk.at("r/.cube.npy"), "w+", np.float32, (10, 10))
    scratch[:] = 7
    scratch.flush()
    del scratch
    assert np.load(desk.at("r/.cube.npy")).sum() == 700
    with pytest.raises(OSError, match="Input/output error"):
        np.lib.format.open_memmap(desk.at("r/cube.npy"), "w+", np.float32, (10, 10))
    desk.at("r/.cube.npy").rename(desk.at("r/cube.npy"))
    assert np.all(np.asarray(desk.repo.get("cube", collections="r")) == 7)


def test_one_writer(desk: Desk) -> None:
    """While a dataset is being written, others that write to its path get "busy"."""
    desk.at("r").mkdir()
    with writer(desk.at("r/notes")) as process:
        assert failure(lambda: desk.at("r/notes").open("w")) == errno.EBUSY
        process.communicate("")
    assert desk.at("r/notes").read_bytes() == b"half"


# -- times, permissions, attributes --------------------------------------------------------------------------


def test_times(desk: Desk, tmp_path: Path) -> None:
    """`cp -p` keeps the time of a file; `touch -d` changes that of a dataset whose bytes are skyfs's own."""
    (tmp_path / "notes").write_bytes(b"x")
    os.utime(tmp_path / "notes", ns=(10**18 + 5, 10**18 + 5))
    bash('mkdir r && cp -p "$1" r/notes', desk.folder, tmp_path / "notes")
    assert desk.at("r/notes").stat().st_mtime_ns == 10**18 + 5
    bash("touch -d @1000000000 r/notes", desk.folder)
    assert desk.at("r/notes").stat().st_mtime_ns == 10**18
    assert desk.repo.resolve("notes", collections="r").locations[0].mtime_ns == 10**18


def test_permissions(desk: Desk) -> None:
    """Permissions and owner of datasets are those of the repository: `chmod` and `chown` succeed and change
    nothing."""
    bash("mkdir r && echo x > r/notes && chmod 600 r/notes && chown 0:0 r/notes", desk.folder)
    found = desk.at("r/notes").stat()
    root = desk.repo.root.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o644, root.st_uid, root.st_gid)


def test_xattrs(desk: Desk) -> None:
    """Extended attributes cannot be set: "operation not supported"."""
    bash("mkdir r && echo x > r/notes", desk.folder)
    assert failure(lambda: os.setxattr(desk.at("r/notes"), "user.x", b"1")) == errno.EOPNOTSUPP
    assert failure(lambda: os.removexattr(desk.at("r/notes"), "user.skyfs.id")) == errno.EOPNOTSUPP


# -- names ---------------------------------------------------------------------------------------------------


def test_scratch(desk: Desk) -> None:
    """Names that begin with `.`, `*~`, `#*#`, `4913` and `sed??????` are scratch files: local, in this mount
    alone, never registered."""
    before = snapshot(desk.repo.root)
    names = [".x.swp", "x~", "#x#", "4913", "sedAbCd12"]
    desk.at("r").mkdir()
    for name in names:
        desk.at(f"r/{name}").write_text(name)
    assert sorted(os.listdir(desk.at("r"))) == sorted(names)
    with desk.at("r/.x.swp").open("r+b") as file:
        desk.at("r/.x.swp").unlink()
        file.write(b"still")
        file.seek(0)
        assert file.read() == b"stillp"
    bash("rm -rf r", desk.folder)
    assert snapshot(desk.repo.root) == before


def test_sqlite(desk: Desk) -> None:
    """A database can be a scratch file."""
    desk.at("r").mkdir()
    for mode in ("delete", "wal"):
        with sqlite3.connect(desk.at(f"r/.{mode}.db")) as database:
            database.execute(f"pragma journal_mode={mode}")
            database.execute("create table t (x)")
            database.executemany("insert into t values (?)", [(n,) for n in range(1000)])
        database.close()
        with sqlite3.connect(desk.at(f"r/.{mode}.db")) as database:
            assert database.execute("select sum(x) from t").fetchone() == (499_500,)
        database.close()


def test_rename_stores(desk: Desk) -> None:
    """Renaming a scratch file to the path of a dataset stores it with its time; where that is refused the
    scratch file stays."""
    desk.at("r").mkdir()
    desk.at("r/.tmp").write_text("{")
    assert failure(lambda: desk.at("r/.tmp").rename(desk.at("r/summary.json"))) == errno.EIO
    with desk.at("r/.tmp").open("a") as file:
        file.write("}")
    os.utime(desk.at("r/.tmp"), ns=(10**18, 10**18))
    desk.at("r/.tmp").rename(desk.at("r/summary.json"))
    assert desk.repo.get("summary", collections="r") == {}
    assert desk.at("r/summary.json").stat().st_mtime_ns == 10**18
    desk.at("r/.tmp").write_text("[]")
    assert failure(lambda: desk.at("r/.tmp").rename(desk.at("r/summary.json"))) == errno.EEXIST
    assert os.listdir(desk.at("r")).count(".tmp") == 1


def test_backup(replacing: Desk) -> None:
    """A dataset that is renamed to a scratch name in its folder is hidden in this mount, and stays: it is
    back when the name is renamed back or removed, or at the next mount."""
    desk = replacing
    desk.at("r").mkdir()
    desk.at("r/notes").write_bytes(b"one")
    desk.at("r/notes").rename(desk.at("r/notes~"))
    assert os.listdir(desk.at("r")) == ["notes~"]
    assert desk.at("r/notes~").read_bytes() == b"one"
    assert desk.repo.get("notes", collections="r") == b"one"
    desk.at("r/notes~").unlink()
    assert desk.at("r/notes").read_bytes() == b"one"
    desk.at("r/notes").rename(desk.at("r/notes~"))
    desk.at("r/notes").write_bytes(b"two")
    assert (desk.at("r/notes~").read_bytes(), desk.at("r/notes").read_bytes()) == (b"one", b"two")
    desk.at("r/notes~").unlink()
    assert desk.at("r/notes").read_bytes() == b"two"


def test_mv(desk: Desk) -> None:
    """`mv` of a dataset to another path is "not permitted", and changes nothing."""
    bash("mkdir r s && echo x > r/notes", desk.folder)
    before = snapshot(desk.repo.root)
    assert "not permitted" in bash("mv r/notes s/notes", desk.folder, status=1).stderr
    assert "not permitted" in bash("mv r/notes r/other", desk.folder, status=1).stderr
    assert snapshot(desk.repo.root) == before


def test_rm(desk: Desk) -> None:
    """`rm` follows the collection: it deletes from a RUN, untags from a TAGGED collection, and is refused
    elsewhere."""
    bash("mkdir r && echo x > r/notes", desk.folder)
    desk.repo.tag([desk.repo.find("notes", collections="r")], "t")
    desk.repo.chain("c", ["r"])
    while not desk.at("c/notes").exists():
        os.sched_yield()
    assert "not permitted" in bash("rm c/notes", desk.folder, status=1).stderr
    bash("rm t/notes && test -e r/notes && rm r/notes && test ! -e c/notes", desk.folder)
    with pytest.raises(NotFound):
        desk.repo.find("notes", collections="r")


def test_rm_r(desk: Desk) -> None:
    """`rm -r` of a RUN removes its datasets and folders."""
    bash(f"mkdir -p {FOLDER} && echo '{{}}' | tee {DATASET} > r/summary.json", desk.folder)
    assert len(lines("find . -type f", desk.folder)) == 2
    bash("rm -r r", desk.folder)
    assert os.listdir(desk.folder) == []


def test_mkdir(desk: Desk) -> None:
    """`mkdir` is remembered by the mount; a folder whose last file was removed stays until `rmdir`."""
    before = snapshot(desk.repo.root)
    bash("mkdir -p a/b/c && test -d a/b && rmdir a/b/c && test -d a/b", desk.folder)
    assert failure(lambda: desk.at("a").rmdir()) == errno.ENOTEMPTY
    assert failure(lambda: desk.at("a").mkdir()) == errno.EEXIST
    assert snapshot(desk.repo.root) == before
    bash("echo x > a/b/notes && rm a/b/notes && rmdir a/b && rmdir a && test ! -e a", desk.folder)


def test_ln(desk: Desk) -> None:
    """`ln` into a TAGGED collection tags; other links are "not permitted"."""
    bash("mkdir r && echo x > r/notes && echo '{}' > r/summary.json", desk.folder)
    desk.repo.tag([desk.repo.find("notes", collections="r")], "t")
    while not desk.at("t").exists():
        os.sched_yield()
    bash("ln r/summary.json t/summary.json && cat t/summary.json", desk.folder)
    assert desk.repo.get("summary", collections="t") == {}
    bash("ln r/summary.json r/other.json", desk.folder, status=1)
    bash("ln -s notes r/.link", desk.folder, status=1)


def test_limits(desk: Desk) -> None:
    """A file that is too large for the disk fails with the disk's own error, and nothing is stored."""
    need("prlimit")
    pid = json.loads(desk.at(".repo/status.json").read_text())["mount"]["pid"]
    subprocess.run(["prlimit", f"--pid={pid}", "--fsize=1000000"], check=True)
    bash("mkdir r", desk.folder)
    done = bash("head -c 3000000 /dev/zero > r/notes", desk.folder, status=1)
    assert "File too large" in done.stderr
    assert os.listdir(desk.at("r")) == []
