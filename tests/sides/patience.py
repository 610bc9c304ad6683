"""Seams and limits for tests that want every call compared, however long the machine stands still meanwhile."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from oms.domain.phase import Operation, Seam
from oms.routing import LaneLimits

AMPLE = LaneLimits(cpu_share=50.0, block_s=60.0)
"""Limits under which nothing is sampled out or paused."""

_DEADLINE_S = 60.0


class _PatientSeam(Seam[Any, Any]):
    """A seam whose second side is given a minute in the place of the second that its port allows."""

    def operations(self) -> dict[str, Operation]:
        """Return every operation of every port by method name."""
        return {name: replace(each, deadline_s=_DEADLINE_S) for name, each in Seam.operations(self).items()}


def patient(seam: Seam[Any, Any]) -> Seam[Any, Any]:
    """Return *seam* to be bound in its place, in which nothing times out."""
    return _PatientSeam(**{field.name: getattr(seam, field.name) for field in fields(seam)})
