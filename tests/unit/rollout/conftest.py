"""The room that the tests of rollout share."""

from __future__ import annotations

from pathlib import Path

import pytest

from oms.domain.stage import Stage
from oms.seams import PHASES
from tests.unit.rollout.room import Room


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A room in which every phase is off and no process runs."""
    room = Room(tmp_path)
    for phase in PHASES:
        room.stand(Stage.OFF, phase)
    return room
