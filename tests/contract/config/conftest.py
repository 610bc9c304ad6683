"""What the contract of the configuration is asked of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sides.config import empty, make_sides

from oms.domain.phase import Seam
from oms.seams.config import Settings
from oms.testing import Sides


@pytest.fixture
def sides() -> Callable[[Seam[Any, Any]], Sides]:
    """Makes both sides of the configuration."""
    return lambda seam: make_sides()


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any variable of the service."""
    empty(monkeypatch)


@pytest.fixture
def settings(subject: Settings) -> Settings:
    """The configuration that the contract is asked of."""
    return subject
