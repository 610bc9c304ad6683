"""Kills a controller in the middle of a look, at one line of its code after the other, and lets the next one go on.

Run as a module, by the tests only: ``guard_kill_worker FOLDER forward|back EVERY``. Each child is a fork that kills itself with SIGKILL before
the n-th line that it runs in the rooms where a look happens, for each EVERY-th n up to the last. Prints how many were killed, or what
was wrong.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from oms.rollout.audit import AuditOutcome
from tests.unit.rollout.guard.world import World

_ROOMS = ("/oms/rollout/", "/oms/flagging/files.py")


def prepare(folder: Path, direction: str) -> World:
    """Return a world that is to go one way."""
    folder.mkdir()
    world = World(folder)
    world.clean("shadow", 2_000)
    if direction == "back":
        world.look()
        world.count("live", calls=300, errors_unified=30)
    return world


def killed_at(line: int, act: Callable[[], object]) -> bool:
    """Run *act* in a child that dies before its *line*-th line. Return whether it came to that."""
    child = os.fork()
    if child == 0:
        sys.settrace(_counting(line))
        act()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _counting(line: int) -> Any:
    left = line

    def within(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if event == "line":
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return within

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        return within if any(room in frame.f_code.co_filename for room in _ROOMS) else None

    return enter


def wrong_after(world: World, direction: str) -> str:
    """Let another controller go on, and return what is wrong then, empty if nothing is."""
    world.look()
    world.look()
    moves = [line.flip.to_split for line in world.audit.read().lines if line.outcome is AuditOutcome.DONE]
    tripped = world.latches.read().of("cache").tripped
    if direction == "forward":
        return "" if (world.stands, tripped, moves[1:]) == ("live=5", None, []) else f"{world.stands} {tripped} {moves}"
    good = (
        world.stands == "shadow"
        and tripped is not None
        and tripped.done
        and moves in (["live=5", "shadow"], ["live=5"])
    )
    return "" if good else f"{world.stands} {tripped} {moves}"


def main(folder: Path, direction: str, every: int) -> None:
    """Kill and look."""
    line, count = 1, 0
    while True:
        world = prepare(folder / str(line), direction)
        if not killed_at(line, world.look):
            break
        count += 1
        if wrong := wrong_after(world, direction):
            print(f"killed before line {line}: {wrong}")  # noqa: T201 - that is how it answers
            return
        line += every
    print(f"killed {count} times")  # noqa: T201 - that is how it answers


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
