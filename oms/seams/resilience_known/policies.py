"""What either side makes of a policy, as numbers that predicates go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one side makes of a policy.

    Attributes:
        attempts: In all.
        initial, cap: First and longest wait in seconds.
        factor: Of growth from wait to wait.
        jitter: Share of a wait by which it may be longer or shorter.
        is_capped_last: Jitter does not lift a wait above the cap.
    """

    attempts: int
    initial: float
    cap: float
    factor: float
    jitter: float = 0.1
    is_capped_last: bool = False

    def least(self, attempt: int) -> float:
        """Return the shortest wait in seconds after failed attempt number *attempt*, counted from 1."""
        return self._nominal(attempt) * (1 - self.jitter)

    def most(self, attempt: int) -> float:
        """Return the longest one."""
        most = self._nominal(attempt) * (1 + self.jitter)
        return min(most, self.cap) if self.is_capped_last else most

    def allows(self, attempt: int, waited: float) -> bool:
        """Tell whether *waited* seconds are such a wait."""
        return self.least(attempt) - 1e-9 <= waited <= self.most(attempt) + 1e-9

    def _nominal(self, attempt: int) -> float:
        return min(self.initial * self.factor ** (attempt - 1), self.cap)


def _unified(attempts: int, initial: float, cap: float, factor: float, jitter: float = 0.1) -> Numbers:
    return Numbers(attempts, initial, cap, factor, jitter, is_capped_last=True)


_DEFAULT = Numbers(3, 1.0, 60.0, 2.0)
POLICIES: Mapping[str, tuple[Numbers, Numbers]] = MappingProxyType(
    {
        "standard": (Numbers(5, 1.0, 60.0, 2.0), _unified(4, 1.0, 10.0, 2.0)),
        "network": (_DEFAULT, _unified(4, 0.5, 10.0, 2.0)),
        "conservative": (Numbers(3, 2.0, 30.0, 2.0), _unified(3, 2.0, 20.0, 1.5)),
        "database": (Numbers(10, 0.5, 300.0, 1.5), _unified(6, 1.0, 30.0, 1.5)),
        "webhook": (_DEFAULT, _unified(4, 30.0, 300.0, 2.0, 0.0)),
        "validation": (_DEFAULT, _unified(2, 1.0, 1.0, 1.0, 0.0)),
        "critical": (Numbers(15, 0.1, 120.0, 1.3), _unified(11, 0.1, 60.0, 1.3)),
    }
)
"""By policy: what legacy makes of it, and what unified does. Held to both wings by ``tests/shadow/resilience``."""
