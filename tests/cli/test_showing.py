"""Commands that make pictures: show and sky, in files, pipes and terminals."""

from __future__ import annotations

import base64
import os
import pty
import re
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skyfs
from skyfs.cli.terminals import Protocol, Room, kitty, protocol, sixel
from skyfs.model.region import circle

from .conftest import NIGHT, VISIT, Command, Shell

LEAF = f"instrument=HSC/day_obs={NIGHT}/visit={VISIT}"
IMAGE = f"/HSC/runs/a/calexp/{LEAF}/detector=0.fits"
TABLE = f"/HSC/runs/a/src/{LEAF}/detector=0.parquet"
METRICS = f"/HSC/runs/a/metrics/{LEAF}.json"


def in_terminal(*arguments: str, size: tuple[int, int] = (24, 80), **environment: str) -> str:
    """Run a command whose standard output is a terminal; give what it writes there."""
    reader, writer = pty.openpty()
    os.set_blocking(reader, True)
    rows, columns = size
    subprocess.run(["stty", "rows", str(rows), "cols", str(columns)], stdin=writer, check=True)
    plain = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SKYFS_PICTURES": ""}
    program = [sys.executable, "-m", "skyfs", *arguments]
    with subprocess.Popen(
        program, stdout=writer, stderr=subprocess.DEVNULL, env={**os.environ, **plain, **environment}
    ) as process:
        os.close(writer)
        found = b""
        # Linux says EIO when nobody has the terminal open any more.
        while chunk := _read(reader):
            found += chunk
    os.close(reader)
    assert process.returncode == 0, found
    return found.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


def pixels(png: bytes) -> np.ndarray:
    with Image.open(BytesIO(png)) as picture:
        return np.asarray(picture.convert("L"))


# -- show: pictures ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sky")
def test_a_pipe_gets_the_png_that_the_path_gives(shell: Shell) -> None:
    done = shell("show", IMAGE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == shell("cat", IMAGE.replace(".fits", ".png")).stdout
    assert pixels(done.stdout).shape == (10, 10)


@pytest.mark.usefixtures("sky")
def test_a_part_is_shown(shell: Shell) -> None:
    assert pixels(shell("show", f"{IMAGE}[1:4,1:6]").stdout).shape == (6, 4)


@pytest.mark.usefixtures("sky")
def test_a_file(run: Command, tmp_path: Path) -> None:
    assert run.lines("show", IMAGE, "--out", "a.png") == ["a.png"]
    assert pixels((tmp_path / "a.png").read_bytes()).shape == (10, 10)
    assert "it exists (overwrite it with --replace)" in run.fails("show", IMAGE, "--out", "a.png")
    assert run.lines("show", f"{IMAGE}[1:2,1:3]", "--out", "a.png", "--replace") == ["a.png"]
    assert pixels((tmp_path / "a.png").read_bytes()).shape == (3, 2)
    assert "end it in .png" in run.fails("show", IMAGE, "--out", "a.jpg", status=2)
    assert "no folder" in run.fails("show", IMAGE, "--out", "no/a.png")


@pytest.mark.usefixtures("sky")
def test_stored_pictures_are_shown_as_they_are(run: Command, shell: Shell, tmp_path: Path) -> None:
    file = BytesIO()
    Image.new("RGB", (7, 5), "red").save(file, format="JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue())
    run.lines("cp", "a.jpg", ":/u/me/plot.jpg")
    assert pixels(shell("show", "/u/me/plot.jpg").stdout).shape == (5, 7)


@pytest.mark.usefixtures("sky")
def test_kitty_gets_png_in_pieces() -> None:
    found = in_terminal("show", IMAGE, TERM="xterm-kitty")
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", found)
    assert pieces[0][0] == "a=T,f=100,q=2,c=24,r=12,m=0"
    # Ten pixels on a side are enlarged.
    assert pixels(base64.b64decode("".join(data for _, data in pieces))).shape == (240, 240)


def test_kitty_gets_large_pictures_in_pieces() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (100, 100, 3), np.uint8)
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", kitty(Image.fromarray(noise), Room(80, 24)))
    assert len(pieces) > 5
    assert [head[-3:] for head, _ in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert max(len(data) for _, data in pieces) <= 4096
    with Image.open(BytesIO(base64.b64decode("".join(data for _, data in pieces)))) as picture:
        assert (np.asarray(picture) == noise).all()


@pytest.mark.usefixtures("sky")
def test_iterm_gets_png() -> None:
    found = in_terminal("show", IMAGE, TERM_PROGRAM="iTerm.app", size=(12, 80))
    head, data = re.findall(r"\x1b\]1337;File=([^:]*):([^\x07]*)\x07", found)[0]
    # It is no higher than the terminal.
    shape = pixels(base64.b64decode(data)).shape
    assert shape == (200, 200)
    assert "width=20;" in head


@pytest.mark.usefixtures("sky")
def test_sixel_and_blocks_when_asked_for() -> None:
    assert "\x1bPq" in in_terminal("show", IMAGE, SKYFS_PICTURES="sixel")
    blocks = in_terminal("show", IMAGE, TERM="xterm-kitty", SKYFS_PICTURES="blocks", size=(10, 40))
    lines = [line for line in blocks.splitlines() if "\u2580" in line]
    assert len(lines) == 8
    assert {line.count("\u2580") for line in lines} == {16}
    # The first row is at the bottom, as astronomers see images: there it is dark.
    first, last = lines[0], lines[-1]
    assert "38;2;255;255;255" in first
    assert "48;2;0;0;0" in last


@pytest.mark.usefixtures("sky")
def test_a_terminal_without_colours_is_no_error() -> None:
    assert "\u2580" not in in_terminal("show", IMAGE, TERM="dumb", COLORTERM="")


def test_sixels_are_the_pixels() -> None:
    image = Image.new("RGB", (9, 8), "black")
    for column in range(4, 9):
        image.putpixel((column, 7), (255, 255, 255))
    found = sixel(image, Room(80, 24))
    colours = dict(re.findall(r"#(\d+);2;(\d+;\d+;\d+)", found))
    bands = found.partition('"1;1;9;8')[2].removesuffix("\x1b\\").split("-")
    assert len(bands) == 2
    drawn = np.zeros((12, 9), int)
    for number, band in enumerate(bands):
        for colour, runs in re.findall(r"#(\d+)(?!;)((?:!\d+[?-~]|[?-~])+)", band):
            if colours[colour] == "100;100;100":
                codes = "".join(
                    sign * int(count or 1) for count, sign in re.findall(r"(?:!(\d+))?([?-~])", runs)
                )
                for column, code in enumerate(codes):
                    for bit in range(6):
                        drawn[6 * number + bit, column] += (ord(code) - 63) >> bit & 1
    expected = np.zeros((12, 9), int)
    expected[7, 4:] = 1
    assert (drawn == expected).all()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Protocol.BLOCKS),
        ({"TERM": "xterm-256color"}, Protocol.BLOCKS),
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-ghostty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Protocol.KITTY),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, Protocol.BLOCKS),
        ({"TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM),
        ({"LC_TERMINAL": "iTerm2"}, Protocol.ITERM),
        ({"TERM_PROGRAM": "WezTerm"}, Protocol.ITERM),
        ({"TERM": "foot"}, Protocol.SIXEL),
        ({"TERM": "xterm-kitty", "SKYFS_PICTURES": "sixel"}, Protocol.SIXEL),
    ],
)
def test_the_environment_tells_the_protocol(environment: dict[str, str], expected: Protocol) -> None:
    assert protocol(environment) is expected


@pytest.mark.usefixtures("sky")
def test_an_unknown_protocol(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(skyfs.errors.BadConfig, match="one of kitty, iterm, sixel, blocks"):
        protocol({"SKYFS_PICTURES": "vga"})
    monkeypatch.setenv("SKYFS_PICTURES", "vga")
    # Nobody asks for it where nothing is shown.
    assert run("show", IMAGE).exit_code == 0


# -- show: text ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("sky")
def test_tables_documents_and_text(run: Command) -> None:
    assert run.lines("show", TABLE) == ["id\tflux", "1\t1.5", "2\t2.5", "3\t3.5"]
    assert run.json("show", METRICS) == {"seeing": 0.7, "n": 3}
    assert run.lines("show", f"{TABLE}[flux > 2]") == ["id\tflux", "2\t2.5", "3\t3.5"]
    assert run.lines("show", "/.repo/version")
    header = run.json("show", f"/HSC/runs/a/calexp.header/{LEAF}/detector=0.json")
    assert isinstance(header, dict)


@pytest.mark.usefixtures("sky")
def test_of_a_long_table_the_first_rows_are_shown(run: Command) -> None:
    done = run("show", TABLE, "--rows", "2")
    assert done.stdout.splitlines() == ["id\tflux", "1\t1.5", "2\t2.5"]
    assert "--rows N shows more" in done.stderr
    assert run("show", TABLE, "--rows", "3").stderr == ""


@pytest.mark.usefixtures("sky")
def test_what_cannot_be_shown(run: Command) -> None:
    assert "look into it: skyfs ls /HSC/runs" in run.fails("show", "/HSC/runs")
    assert "nothing at" in run.fails("show", "/HSC/nothing")
    assert "it is no image" in run.fails("show", TABLE, "--out", "a.png")
    assert "the image has 10 × 10 pixels" in run.fails("show", f"{IMAGE}[1:99,1:99]", status=2)
    assert "10 × 10" in run.fails("show", f"{IMAGE}[1:99,1:99]", "--out", "-", status=2)


@pytest.mark.usefixtures("sky")
def test_text_moves_no_cursor(run: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\x1b[31m\ntwo\u202e")
    run.lines("cp", "a.txt", ":/u/me/words.txt")
    assert run.lines("show", "/u/me/words.txt") == ["one\\x1b[31m", "two\\u202e"]
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    run.lines("cp", "a.bin", ":/u/me/raw_bytes")
    assert "write it to a file: skyfs get" in run.fails("show", "/u/me/raw_bytes")


# -- sky -----------------------------------------------------------------------------------------------


@pytest.fixture
def placed(sky: Path) -> Path:
    """The repository, with a region for its visit and for one detector of that."""
    with skyfs.open(sky, writable=True) as repo:
        (visit,) = repo.records("visit")
        repo.insert("visit", [{**visit, "region": circle(150, 2, 1)}], replace=True)
        seen = {"instrument": "HSC", "visit": VISIT, "detector": 1, "region": circle(150.2, 2, 0.1)}
        repo.insert("visit_detector_region", [seen])
    return sky


@pytest.mark.usefixtures("placed")
def test_sky_of_datasets_and_records(run: Command, tmp_path: Path) -> None:
    assert run.lines("sky", "calexp,metrics", "--out", "a.svg") == ["a.svg"]
    svg = (tmp_path / "a.svg").read_text()
    assert all(f">{words}</text>" in svg for words in ("calexp", "metrics", "1 of calexp have no region"))
    assert svg.count("fill-rule") == 4  # two regions, two squares of the legend
    assert run.lines("sky", "visit", "--out", "b.png") == ["b.png"]
    assert run.lines("sky", "visit,calexp", "visit=903334", "--out", "d.svg") == ["d.svg"]
    assert all(f">{words}</text>" in (tmp_path / "d.svg").read_text() for words in ("calexp", "visit"))
    assert pixels((tmp_path / "b.png").read_bytes()).shape[1] == 1440
    assert run.lines("sky", "calexp", "detector=1", "-c", "HSC/*", "--where", "visit > 5", "--out", "c.svg")
    assert "no region" not in (tmp_path / "c.svg").read_text()


@pytest.mark.usefixtures("placed")
def test_sky_in_a_pipe_and_in_a_terminal(shell: Shell) -> None:
    assert pixels(shell("sky", "metrics").stdout).shape[1] == 1080
    found = in_terminal("sky", "metrics")
    assert "\u2580" in found
    assert "1 regions about 150.00° +2.00° (ICRS), 2° x 2°" in found


@pytest.mark.usefixtures("placed")
def test_sky_of_what_is_nowhere(run: Command) -> None:
    assert "2 of flat have no region (record them: skyfs define-visits" in run.fails("sky", "flat")
    assert "nothing matches" in run.fails("sky", "calexp", "detector=2")
    assert "no dataset type 'cal'" in run.fails("sky", "cal")
    assert "end it in .svg" in run.fails("sky", "calexp", "--out", "a.pdf", status=2)
