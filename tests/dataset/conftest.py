"""Fixtures: places for a catalog, and a data set that no crawl has made."""

from pathlib import Path

import pytest
from mock_archive import DAYS
from sample_dataset import make_dataset


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """Where a catalog can be, and none is yet."""
    if request.param == "sqlite":
        return tmp_path / "with space, 50%, # and ?.db"
    url: str = request.getfixturevalue("database")
    return url


@pytest.fixture
def small_folder(tmp_path: Path) -> Path:
    """A folder with a data set of the three newest covers and its feed."""
    make_dataset(tmp_path, DAYS[:3])
    return tmp_path
