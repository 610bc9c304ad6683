"""The clock against one that nobody sets."""

from __future__ import annotations

from dataclasses import replace

from oms.rollout.guard.clock import ClockWatch, boot_of_the_machine
from oms.rollout.guard.latches import EvenClock

KNOWN = EvenClock(boot="b", offset_s=1_000.0, since_s=50.0)


def watch(now_s: float, *, boot: str = "b") -> ClockWatch:
    """Return a watch 100 s after the start of the machine."""
    return ClockWatch(lambda: now_s, lambda: 100.0, boot=lambda: boot)


def test_it_runs_as_it_should() -> None:
    """Up to two seconds are the time between reading the one and the other; what is known stands, so small steps add up."""
    assert (0.0, KNOWN) == watch(1_102.0).look(KNOWN)
    assert (0.0, KNOWN) == watch(1_098.0).look(KNOWN)


def test_it_was_set() -> None:
    """Forward or back: by how much, and from when on it runs evenly."""
    assert (3.0, replace(KNOWN, offset_s=1_003.0, since_s=1_103.0)) == watch(1_103.0).look(KNOWN)
    assert (-600.0, replace(KNOWN, offset_s=400.0, since_s=500.0)) == watch(500.0).look(KNOWN)


def test_nobody_can_tell() -> None:
    """Before the first look, and after a start of the machine; what was seen before that stands."""
    assert (0.0, EvenClock(boot="b", offset_s=900.0)) == watch(1_000.0).look(None)
    assert (0.0, EvenClock(boot="c", offset_s=900.0, since_s=50.0)) == watch(1_000.0, boot="c").look(KNOWN)


def test_boot() -> None:
    """A run of the machine has one name."""
    assert boot_of_the_machine() == boot_of_the_machine()
