"""What a phase declares: every operation of every one of its seams, whether anybody calls it or not."""

from __future__ import annotations

from importlib import import_module

from oms.domain.phase import Seam


def operations_of(phase: str) -> tuple[str, ...]:
    """Return the operations of *phase* as ``types.get``, in the order in which they are declared."""
    module = import_module(f"oms.seams.{phase}")
    seams = [found for found in vars(module).values() if isinstance(found, Seam) and found.phase.name == phase]
    return tuple(f"{seam.name}.{operation}" for seam in seams for operation in seam.operations())
