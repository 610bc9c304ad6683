"""Sides that are planted in a folder of contracts, for the tests of ``oms pin``."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFTEST = """
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
pytest_plugins = ["oms.testing.plugin"]


@pytest.fixture
def sides():
    from planted import make_sides

    return make_sides
"""


def write_planted(folder: Path, source: str) -> Any:
    """Write *source*, which defines ``make_sides``, as the planted sides of *folder* and return the module."""
    path = folder / "planted.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("planted_for_the_runtime", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_pytest(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the pinned test as anybody would."""
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
