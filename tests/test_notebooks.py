"""Notebooks of docs/ run from an empty folder to their end, and are kept without what they print."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))


def run(notebook: nbformat.NotebookNode, folder: Path) -> list[nbformat.NotebookNode]:
    """Run all cells in a folder; give those of code, with what they print."""
    NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("file", NOTEBOOKS, ids=[file.name for file in NOTEBOOKS])
def test_notebook_runs(file: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells), f"clear the outputs of {file}"
    done = run(notebook, tmp_path)
    assert all(cell.execution_count for cell in done)
    kinds = {kind for cell in done for output in cell.outputs for kind in output.get("data", ())}
    assert "text/plain" in kinds
    assert not [output for cell in done for output in cell.outputs if output.get("name") == "stderr"]


def test_a_cell_that_fails_fails_the_notebook(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(text) for text in ("x = 1", "assert x == 2")]
    with pytest.raises(CellExecutionError, match="AssertionError"):
        run(nbformat.v4.new_notebook(cells=cells), tmp_path)
