"""The default universe."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml

from skyfs.model.dimensions import Universe


@pytest.fixture(scope="session")
def universe() -> Universe:
    text = resources.files("skyfs.model").joinpath("universe.yaml").read_text(encoding="utf-8")
    return Universe.from_mapping(yaml.safe_load(text))
