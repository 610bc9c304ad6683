"""Breakers as a side tells of them, where it has any.

A side may offer, by the name of the subject: ``state_of(name)`` (``closed open half_open``), ``open_for_s(name)``, ``adopt_open(name, for_s)``
and ``open_circuits()`` (name to seconds left). Retries without breakers have none of them.
"""

from __future__ import annotations

import logging
from typing import Any

from oms.routing.contain import CONTAINED
from oms.routing.replay.recorder import Circuit

_LOG = logging.getLogger("oms.routing")
NO_CIRCUIT = Circuit()
"""Of a side without breakers."""


def circuit_of(side: Any, name: str) -> Circuit:
    """Return the breaker called *name* of *side*; an empty one if there is none, or it can't be asked."""
    ask = getattr(side, "state_of", None)
    if ask is None:
        return NO_CIRCUIT
    try:
        return Circuit(ask(name), side.open_for_s(name))
    except CONTAINED:
        _LOG.exception("%s: its breaker cannot be asked", type(side).__name__)
        return NO_CIRCUIT


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
