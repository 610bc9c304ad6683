"""Ctrl-C never comes between a flag and its audit line."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace

import pytest

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.flip_report import FlipReport
from oms.rollout.interrupts import held_back
from oms.rollout.rollback import rollback, rollback_all
from oms.seams import PHASES
from tests.unit.rollout.room import ANA, Room, process


class Impatient:
    """A store during whose writes somebody presses Ctrl-C."""

    def __init__(self, room: Room) -> None:
        self._flags = room.flags
        self.read = room.flags.read

    def write(self, phase: str, split: Split, *, based_on: str | None) -> str:
        """Write, with a Ctrl-C in the middle."""
        os.kill(os.getpid(), signal.SIGINT)
        return self._flags.write(phase, split, based_on=based_on)


def test_told_at_the_end() -> None:
    """An interrupt in the block raises nothing there; the block's end tells of it, and the next one is an interrupt again."""
    with held_back() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert not interrupt.came

    assert interrupt.came
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_beside_other_threads() -> None:
    """A thread that would take the signal does not change that."""
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        with held_back() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        over.set()
        other.join()

    assert interrupt.came


def test_ignored() -> None:
    """Where Ctrl-C is ignored, as in the background of a shell, it stays so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back() as interrupt:
            os.kill(os.getpid(), signal.SIGINT)
        after = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)

    assert not interrupt.came
    assert signal.SIG_IGN is after


def test_quiet_block() -> None:
    """Without an interrupt there is nothing to tell."""
    with held_back() as interrupt:
        pass

    assert not interrupt.came


def test_audit_line_is_written(room: Room) -> None:
    """A rollback that is interrupted while it writes is done and audited; only its wait is given up."""
    room.stand(Stage.LIVE)
    room.standings = [process(11, digest="0" * 16)]

    report = rollback(replace(room.board, flags=Impatient(room)), PHASES["cache"], ANA, wait_s=60.0)

    assert ("shadow", 1) == (room.stands(), len(room.audit.read().lines))
    assert "the wait was interrupted: the flip stands" in report.warnings


def test_all_are_taken_back(room: Room) -> None:
    """Interrupting --all gives up the waits, not the rollbacks that are still to come."""
    for phase in PHASES:
        room.stand(Stage.LIVE, phase)
    room.standings = [process(11, digest="0" * 16)]

    results = rollback_all(replace(room.board, flags=Impatient(room)), PHASES.values(), ANA, wait_s=60.0)

    assert {"shadow"} == {room.stands(phase) for phase in PHASES}
    assert all(isinstance(result, FlipReport) for result in results)
