"""Every `python` and `console` block of README.md and docs/ runs.

The blocks of one page run in order, in one temporary folder with a home of its own:

- `python` blocks share one namespace;
- a `console` block is one shell session: lines beginning `$ ` are commands (`> ` continues one), the lines
  below a command are what it prints. Nothing below means that it does not matter; `...` stands for anything;
  a last line `[2]` says that the command exits with status 2, else it must be 0;
- `<!-- not run: reason -->` above a block leaves it out;
- other languages (text, yaml...) are for reading. `bash`, `sh` and `pycon` are refused: they look runnable.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [
    page for page in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))] if page.exists()
]
READ_ONLY = {"", "text", "yaml", "json", "toml", "sql", "dockerfile", "diff", "mermaid"}
# Shorter than the timeout of a test, so that a hanging command is reported by name.
COMMAND_TIMEOUT_S = 100


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: language, text, number of its first line, why it is not run ("" when it is)."""

    language: str
    text: str
    line: int
    not_run: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block and what it shall print and give back; None: anything."""

    text: str
    output: str | None
    status: int


def blocks_of(page: str) -> Iterator[Block]:
    """Give the fenced blocks of a Markdown text, in order."""
    lines = page.splitlines()
    number, reason = 0, ""
    while number < len(lines):
        line = lines[number]
        number += 1
        if comment := re.fullmatch(r"\s*<!--\s*not run:\s*(.+?)\s*-->\s*", line):
            reason = comment[1]
        elif fence := re.fullmatch(r"(\s*)(```+|~~~+)\s*(\w*).*", line):
            start = number
            while number < len(lines) and lines[number].strip() != fence[2]:
                number += 1
            if number == len(lines):
                raise ValueError(f"line {start}: the block is never closed")
            body = [text.removeprefix(fence[1]) for text in lines[start:number]]
            yield Block(fence[3], "".join(text + "\n" for text in body), start + 1, reason)
            number, reason = number + 1, ""
        elif line.strip():
            reason = ""


def commands_of(block: Block) -> Iterator[Command]:
    """Give the commands of a console block, in order."""
    for entry in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        head, *rest = entry.splitlines()
        while rest and (rest[0].startswith("> ") or rest[0] == ">"):
            head += "\n" + rest.pop(0)[2:]
        while rest and not rest[-1].strip():
            rest.pop()
        status = re.fullmatch(r"\[(\d+)\]", rest[-1]) if rest else None
        shown = rest[:-1] if status else rest
        yield Command(head, "\n".join(shown) if shown else None, int(status[1]) if status else 0)


def run_console(block: Block, folder: Path) -> None:
    """Run a console block as one bash; raise AssertionError where it does not do what it shows."""
    commands = list(commands_of(block))
    assert commands, "a console block has no line that begins with '$ '"
    transcripts = [folder.parent / f"transcript-{number}" for number in range(len(commands))]
    script = "set -o pipefail\n"
    for command, transcript in zip(commands, transcripts, strict=True):
        # Files, not pipes: a mount that stays in the background would keep a pipe open for ever.
        script += f"exec >'{transcript}' 2>&1\n{command.text}\n"
        script += f'status=$?; [ $status -eq {command.status} ] || {{ echo "[$status]"; exit 1; }}\n'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=COMMAND_TIMEOUT_S,
        check=False,
    )
    for command, transcript in zip(commands, transcripts, strict=True):
        assert transcript.exists(), f"$ {command.text}\nwas not reached"
        got = transcript.read_text()
        transcript.unlink()
        last = not any(later.exists() for later in transcripts)
        assert not (last and done.returncode), f"$ {command.text}\nfailed, printing:\n{got}"
        if command.output is not None:
            _compare(command, got)


def _compare(command: Command, got: str) -> None:
    def trim(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"

    same = doctest.OutputChecker().check_output(trim(command.output or ""), trim(got), doctest.ELLIPSIS)
    assert same, f"$ {command.text}\nshall print:\n{command.output}\nprinted:\n{got}"


def run_page(text: str, folder: Path, name: str = "page") -> None:
    """Run all blocks of a page in a folder."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(text):
        if block.not_run or block.language in READ_ONLY:
            continue
        if block.language == "python":
            # Empty lines before the code make tracebacks show the page's own line numbers.
            code = compile("\n" * (block.line - 1) + block.text, name, "exec")
            exec(code, namespace)  # noqa: S102 - running the page is the test
        elif block.language == "console":
            try:
                run_console(block, folder)
            except AssertionError as error:
                raise AssertionError(f"{name}, line {block.line}: {error}") from error
        else:
            raise ValueError(f"{name}, line {block.line}: {block.language!r}: use python, console or text")


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the folder a page runs in, with `skyfs` on PATH; unmount what the page left mounted."""
    folder = tmp_path / "page"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for key, value in {"COLUMNS": "110", "NO_COLOR": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8"}.items():
        monkeypatch.setenv(key, value)
    yield folder
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    left = [mount for mount in mounts if Path(mount).is_relative_to(folder)]
    for mount in reversed(left):
        subprocess.run(["fusermount3", "-u", "-z", mount], check=True)
    assert not left, f"the page leaves mounted: {left}"


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(CHECKOUT)) for page in PAGES])
def test_page_runs(page: Path, page_folder: Path) -> None:
    run_page(page.read_text(encoding="utf-8"), page_folder, str(page))
    assert page_folder.is_dir()


@pytest.mark.parametrize("page", ["README.md", "mountpoints/README.md", "changes/README.md"])
def test_links_of_pages_outside_of_docs_lead_somewhere(page: str) -> None:
    file = CHECKOUT / page
    links = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8"))
    assert [link for link in links if not (file.parent / link).exists()] == []


GOOD = """\
```python
from pathlib import Path
Path("made").write_text("by python")
number = 6
```

```console
$ cat made
by python
$ printf 'a\\nb\\nc\\n' | sed s/b/x/
a
...
c
$ false
[1]
$ for i in 1 2
> do echo $i; done
1
2
$ export SEEN=yes; echo not compared
$ echo $SEEN 12.3 s
yes ... s
```

```text
not a program(
```

<!-- not run: it needs the internet -->
```python
1 / 0
```

  ```python
  assert number * 7 == 42
  ```
"""


def test_good_page(page_folder: Path) -> None:
    run_page(GOOD, page_folder)
    assert (page_folder / "made").read_text() == "by python"


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```python\nassert 1 == 2\n```\n", AssertionError),
        ("```console\n$ echo a\nb\n```\n", AssertionError),
        ("```console\n$ false\n```\n", AssertionError),
        ("```console\n$ true\n[1]\n```\n", AssertionError),
        ("```console\n$ exit 0\n$ echo never\n```\n", AssertionError),
        ("```console\n$ if\n```\n", AssertionError),
        ("```console\necho no prompt\n```\n", AssertionError),
        ("```bash\necho a\n```\n", ValueError),
        ("```python\nx = 1\n", ValueError),
        ("<!-- not run: far above -->\ntext between\n```python\n1 / 0\n```\n", ZeroDivisionError),
    ],
)
def test_bad_page(page: str, error: type[Exception], page_folder: Path) -> None:
    with pytest.raises(error):
        run_page(page, page_folder)


def test_line_numbers_are_those_of_the_page(page_folder: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        run_page("# title\n\n```python\nx = 1\n1 / 0\n```\n", page_folder)
    assert caught.traceback[-1].lineno == 4  # counted from 0
