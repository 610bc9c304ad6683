"""Registries over environments of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sides.config import SECRETS, empty

from oms.unified.config import UnifiedEnv, standard_groups

MakeEnv = Callable[..., UnifiedEnv]


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any variable of the service in the process environment."""
    empty(monkeypatch)


@pytest.fixture
def make_env() -> MakeEnv:
    """Makes the service's registry over the texts it is given."""

    def make(**texts: str) -> UnifiedEnv:
        return UnifiedEnv(standard_groups, environment=texts)

    return make


@pytest.fixture
def good() -> dict[str, str]:
    """Return secrets that are fit for production."""
    return dict(SECRETS)
