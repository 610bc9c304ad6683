"""The world that the tests of the controller share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rollout.guard.world import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world in which the cache stands in shadow and nothing was counted."""
    return World(tmp_path)


@pytest.fixture
def live(world: World) -> World:
    """A world that the controller has just moved to live=5."""
    world.clean("shadow", 2_000)
    world.look()
    assert "live=5" == world.stands
    return world
