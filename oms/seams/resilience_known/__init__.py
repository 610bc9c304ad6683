"""Predicates of the known divergences of resilience: what tells each quirk from a fault that only looks like it.

A difference of retries or breakers holds the whole trace of both sides. Its path begins with the policy, where there is one, and ends with the
step that only one side took: ``standard.admitted.again``, ``network.retried.ConnectTimeout``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oms.domain.known import Predicate
from oms.seams.resilience_known import breakers, retries, waits

PREDICATES: Mapping[str, Predicate] = MappingProxyType(
    {**waits.PREDICATES, **retries.PREDICATES, **breakers.PREDICATES}
)
"""Predicates by the name that ``resilience.known.toml`` gives them."""
