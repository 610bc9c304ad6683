"""Proof that a flip arrived: every live process says by itself which digest new calls use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from oms.domain.errors import CouldNot
from oms.domain.standing import PhaseStanding, ProcessStanding
from oms.rollout.switchboard import Processes

POLL_S = 0.005
SILENT_AFTER_S = 2.0
"""A process whose last beat is older than this answers nobody: stopped, starved or stuck. Processes beat several times a second."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """How far a digest has come.

    Attributes:
        processes: Live processes that follow the phase.
        acknowledged: Those of them whose new calls use the digest.
        silent: Pids of those that have not acknowledged it, lowest first.
        reasons: One sentence for each of *silent*.
        in_flight: One sentence for each process where older calls or scopes still run; they end by themselves.
        seconds: How long it took, or how long was waited in vain.
        unknown: Why the processes could not be asked, empty if they could.
        interrupted: True if somebody stopped the wait.
    """

    processes: int
    acknowledged: int
    silent: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    in_flight: tuple[str, ...] = ()
    seconds: float = 0.0
    unknown: str = ""
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """True if no live process is left that has not acknowledged."""
        return not self.silent and not self.unknown


def is_silent(process: ProcessStanding, now: float) -> bool:
    """Tell whether *process* lives and yet has not been heard of lately. *now* is Unix time in seconds."""
    return process.alive and now - process.beat_at > SILENT_AFTER_S


def follows(process: ProcessStanding, phase: str) -> bool:
    """Tell whether a live *process* has to do with *phase*. One that does not say what it follows may follow anything."""
    return process.alive and (not process.phases or phase in process.phases)


def lag(process: ProcessStanding, phase: str, digest: str, now: float) -> str | None:
    """Return why a live *process* does not count as having acknowledged *digest*, None if it has."""
    if is_silent(process, now):
        return f"pid {process.pid} is silent: its last beat is {now - process.beat_at:.1f} s old"
    if process.acknowledges(phase, digest):
        return None
    standing = process.phases.get(phase)
    return f"pid {process.pid} {f'still serves {standing.digest}' if standing else 'serves no flags yet'}, not {digest}"


def older_work(process: ProcessStanding, phase: str, now: float) -> str | None:
    """Return what still runs on an older decision in *process*, None if nothing does."""
    standing = process.phases.get(phase, PhaseStanding("", 0.0))
    calls = f"calls in flight on {standing.in_flight} older plan(s)" if standing.in_flight else ""
    scope = f"a scope open for {now - standing.oldest_scope_at:.1f} s" if standing.oldest_scope_at is not None else ""
    found = " and ".join(part for part in (calls, scope) if part)
    return f"pid {process.pid} has {found} from before" if found else None


def judge(processes: Sequence[ProcessStanding], phase: str, digest: str, *, now: float) -> Acknowledgement:
    """Return how far *digest* has come among the live ones of *processes* that follow *phase*."""
    live = sorted((process for process in processes if follows(process, phase)), key=lambda process: process.pid)
    lags = {process.pid: reason for process in live if (reason := lag(process, phase, digest, now))}
    work = tuple(found for process in live if process.pid not in lags and (found := older_work(process, phase, now)))
    return Acknowledgement(len(live), len(live) - len(lags), tuple(lags), tuple(lags.values()), work)


def wait_for_acknowledgement(
    processes: Processes,
    phase: str,
    digest: str,
    *,
    wait_s: float,
    since: float | None = None,
    clock: Callable[[], float] = time.time,
) -> Acknowledgement:
    """Ask until every live process acknowledges *digest*, at most until *wait_s* seconds after *since*.

    Processes that start or end meanwhile are counted as they are at the end. An interrupt from the keyboard ends the wait, not the flip.

    Args:
        since: Start of the wait on the monotonic clock; None for now.
        clock: What the beats of the processes are compared with, Unix time in seconds.
    """
    begin = time.monotonic() if since is None else since
    state = Acknowledgement(0, 0, unknown="nobody was asked")
    try:
        while True:
            state = _ask(processes, phase, digest, clock)
            if state.complete or time.monotonic() - begin >= wait_s:
                break
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        state = replace(state, interrupted=True)
    return replace(state, seconds=time.monotonic() - begin)


def _ask(processes: Processes, phase: str, digest: str, clock: Callable[[], float]) -> Acknowledgement:
    try:
        return judge(processes(), phase, digest, now=clock())
    except (CouldNot, OSError) as error:
        return Acknowledgement(0, 0, unknown=f"process files: {error}")
