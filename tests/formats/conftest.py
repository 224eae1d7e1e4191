"""Fixtures of the tests of formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from skyfs.formats import Formats


@pytest.fixture
def formats() -> Formats:
    """All formats, as a repository without a configuration of its own has them."""
    return Formats.load()


@pytest.fixture
def real_data() -> Path:
    """The folder of real files beside the checkout."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no folder of real files beside the checkout")
    return folder
