"""Breakers as a side tells of them, where it has any.

A side may offer, by the name of the subject: ``state_of(name)`` (``closed open half_open``), ``open_for_s(name)``, ``adopt_open(name, for_s)``
and ``open_circuits()`` (name to seconds left). Retries without breakers have none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from oms.routing.contain import CONTAINED
from oms.routing.replay.recorder import Circuit

_LOG = logging.getLogger("oms.routing")
NO_CIRCUIT = Circuit()
"""Of a side without breakers."""

_WITHOUT_TIME: Mapping[str | None, Circuit] = MappingProxyType(
    {state: Circuit(state) for state in (None, "closed", "half_open")}
)
"""Breakers of which nobody asks how long they stay open: most of them, at each call."""


def circuit_getter(side: Any) -> Callable[[str], Circuit]:
    """Return what tells of a breaker of *side* by its name; an empty one if there is none, or it can't be asked."""
    state_of = getattr(side, "state_of", None)
    if state_of is None:
        return lambda name: NO_CIRCUIT

    def circuit(name: str) -> Circuit:
        try:
            state = state_of(name)
            known = _WITHOUT_TIME.get(state)
            return Circuit(state, side.open_for_s(name)) if known is None else known
        except CONTAINED:
            _LOG.exception("%s: its breaker cannot be asked", type(side).__name__)
            return NO_CIRCUIT

    return circuit


def adopt_open(side: Any, name: str, for_s: float) -> None:
    """Have *side* open the breaker called *name*, if it has any."""
    adopt = getattr(side, "adopt_open", None)
    if adopt is not None:
        adopt(name, for_s)


def hand_over(old: Any, new: Any) -> int:
    """Have *new* open each breaker that is open in *old*: it begins to answer. Return how many."""
    tell = getattr(old, "open_circuits", None)
    if tell is None or not hasattr(new, "adopt_open"):
        return 0
    handed = 0
    for name, for_s in tell().items():
        try:
            new.adopt_open(name, for_s)
            handed += 1
        except CONTAINED:
            _LOG.exception("%s: cannot adopt an open breaker", type(new).__name__)
    return handed
