"""What is wrong with a configuration, all of it at once, and never a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oms.domain.errors import OmsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that keeps a configuration from being used.

    Attributes:
        name: The variable, by its canonical name.
        found: What is there, in words of our own: a problem never holds a value, nor a part of one.
        wanted: What would do.
        mend: What to do about it; empty where *wanted* says it already.
        group, owner: Where the variable is declared, and who answers for it.
    """

    name: str
    found: str
    wanted: str
    mend: str = ""
    group: str = ""
    owner: str = ""

    def __str__(self) -> str:
        """Read as ``JWT_SECRET: found nothing, wanted 32 characters or more; ... (security, owner platform-security)``."""
        mend = f"; {self.mend}" if self.mend else ""
        whose = f" ({self.group}, owner {self.owner})" if self.owner else ""
        return f"{self.name}: found {self.found}, wanted {self.wanted}{mend}{whose}"


class ConfigurationError(OmsError):
    """The configuration cannot be used (exit code 78).

    Attributes:
        problems: Every problem of every group, in the order of the groups.
        hints: Names in the environment that look like slips of the pen, one sentence each.
    """

    def __init__(self, problems: Iterable[Problem], hints: Iterable[str] = ()) -> None:
        self.problems, self.hints = tuple(problems), tuple(hints)
        count = f"{len(self.problems)} problem{'s' if len(self.problems) != 1 else ''}"
        lines = [f"configuration: {count}", *map(str, self.problems), *(f"hint: {hint}" for hint in self.hints)]
        super().__init__("\n  ".join(lines))

    def __reduce__(self) -> tuple[object, ...]:
        return ConfigurationError, (self.problems, self.hints)


class UnknownVariable(OmsError):
    """A name that no group declares: a slip in the code, never in the environment."""


class NotDeclarable(OmsError):
    """A group or a variable that must not be declared so. Raised where it is registered."""
