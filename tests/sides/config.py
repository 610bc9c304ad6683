"""Both sides of the configuration over the environment of the test."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest

from oms.legacy_adapters.config import legacy_settings
from oms.seams.config import sites
from oms.testing import Sides
from oms.unified.config import UnifiedEnv, UnifiedSettings, standard_groups


def random_text(name: str) -> str:
    """Return a text for the secret *name* that passes for random, the same each time."""
    return hashlib.sha256(name.encode()).hexdigest()


SECRETS = {name: random_text(name) for name in ("JWT_SECRET", "TERMINUS_DB_PASSWORD", "REDIS_PASSWORD")} | {
    "PII_ENCRYPTION_KEY": base64.urlsafe_b64encode(hashlib.sha256(b"pii").digest()).decode()
}
"""Fit for production."""


def make_sides() -> Sides:
    """Return both sides; unified reads the environment at its first question."""
    return Sides(legacy=legacy_settings(), unified=UnifiedSettings(UnifiedEnv(standard_groups)))


def declared() -> set[str]:
    """Return every name of a variable, canonical or not."""
    return {name for variable in UnifiedEnv(standard_groups).variables().values() for name in variable.names}


def empty(patch: pytest.MonkeyPatch) -> None:
    """Take every variable of the service out of the environment."""
    for name in declared() | set(sites()):
        patch.delenv(name, raising=False)


def fill(patch: pytest.MonkeyPatch, **texts: str) -> None:
    """Put *texts* into an environment without any other variable of the service."""
    empty(patch)
    for name, text in texts.items():
        patch.setenv(name, text)
    assert texts.items() <= os.environ.items()
