"""What tests of every part may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets: where ``CANDOR_TEST_DATA`` says, else beside the checkout."""
    folder = Path(os.environ.get("CANDOR_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the data sets are not here; set CANDOR_TEST_DATA to their folder")
    return folder
