"""From where a contract is looked at: one side alone, or the facade at one stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oms.domain.phase import Seam
from oms.domain.stage import Effect, Side, Stage, course_for, stages_of


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides of one seam, freshly made for one test."""

    legacy: Any
    unified: Any

    def __getitem__(self, side: Side) -> Any:
        """Return the side."""
        return self.legacy if side is Side.LEGACY else self.unified


@dataclass(frozen=True, slots=True)
class Vantage:
    """What one run of a contract test stands before.

    Attributes:
        port: The one of the seam's ports that is called.
        subject: A side alone, or the stage at which the facade stands.
    """

    seam: Seam[Any, Any]
    port: type[Any]
    subject: Side | Stage

    @property
    def is_async(self) -> bool:
        """True if the port's methods are awaited."""
        return any(operation.is_async for name, operation in self.seam.operations().items() if hasattr(self.port, name))

    @property
    def answers(self) -> Side:
        """The side whose answers the test sees."""
        if isinstance(self.subject, Side):
            return self.subject
        return course_for(self.subject, Effect.WRITES if self.seam.phase.writes else Effect.READS).answers

    def __str__(self) -> str:
        """Read as the test's id: ``types-Cache-legacy``, ``types-AsyncCache-facade.live``."""
        subject = self.subject.value if isinstance(self.subject, Side) else f"facade.{self.subject.value}"
        return f"{self.seam.name}-{self.port.__name__}-{subject}"


def vantages(seam: Seam[Any, Any]) -> Iterator[Vantage]:
    """Yield every vantage of *seam*: for each port both sides, then the facade in each stage of the phase."""
    subjects: list[Side | Stage] = [*Side, *stages_of(writes=seam.phase.writes)]
    for port in seam.ports:
        for subject in subjects:
            yield Vantage(seam, port, subject)
