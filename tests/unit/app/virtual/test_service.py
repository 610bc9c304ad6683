"""The service in virtual time."""

from __future__ import annotations

from pathlib import Path

from oms.app.injection import Faults
from oms.app.virtual.clock import VirtualClock
from oms.app.virtual.service import OPERATION, VirtualService
from oms.app.virtual.world import World
from oms.domain.stage import Side, Stage
from oms.seams.cache import TYPES


def test_no_call_is_watched(tmp_path: Path) -> None:
    """However long a call really takes on a busy machine, the watchdog has nothing to take back."""
    clock = VirtualClock()
    service = VirtualService(tmp_path, World(1, clock.now_s), clock, faults=Faults())
    state = service.runtime._bound[TYPES.phase.name, TYPES.name].state
    operation = TYPES.operations()[OPERATION]
    try:
        token = service.runtime.enter(state, operation, state.cell(OPERATION, Stage.LIVE, ""), Side.UNIFIED)
        assert {} == service.runtime._watchdog._calls
        service.runtime.leave(token)
    finally:
        service.stop()
