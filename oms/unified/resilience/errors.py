"""Every error that the unified resilience row raises by itself; what the user's function raises passes as it is.

::

    ResilienceError
    ├── PolicyInvalid (ValueError)       a policy, a budget or a breaker that cannot be built
    ├── MisuseError (TypeError)          a function that this decorator cannot call
    └── CircuitOpenError                 not called, because the breaker is open (also pybreaker's CircuitBreakerError)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import pybreaker


class ResilienceError(Exception):
    """Root of the tree."""


class PolicyInvalid(ResilienceError, ValueError):
    """Unusable numbers or names: where, what was found, what was wanted, and the mend, on one line."""

    def __init__(self, where: str, *, found: str, wanted: str, mend: str = "") -> None:
        super().__init__(f"{where}: found {found}, wanted {wanted}" + (f"; {mend}" if mend else ""))
        self.where, self.found, self.wanted, self.mend = where, found, wanted, mend


class MisuseError(ResilienceError, TypeError):
    """A function of the wrong kind, refused before it is called."""

    def __init__(self, where: str, *, found: str, wanted: str, mend: str = "") -> None:
        super().__init__(f"{where}: found {found}, wanted {wanted}" + (f"; {mend}" if mend else ""))
        self.where, self.found, self.wanted, self.mend = where, found, wanted, mend


class CircuitOpenError(ResilienceError, pybreaker.CircuitBreakerError):
    """The function was not called: its breaker is open, or half-open with every permit taken. Built of name, state and seconds."""

    # Nothing is stored but the arguments, which BaseException does by itself: rejecting should cost little.

    @property
    def breaker(self) -> str:
        """The breaker's name."""
        return str(self.args[0])

    @property
    def state(self) -> str:
        """``open`` or ``half-open``."""
        return str(self.args[1])

    @property
    def retry_after(self) -> float:
        """Seconds until the breaker may let a call through."""
        return float(self.args[2])

    def __str__(self) -> str:
        # Written when somebody reads it: a rejected call should cost next to nothing.
        return f"breaker {self.breaker!r}: found it {self.state}, wanted closed; next try in {self.retry_after:.3g} s"


def nearest(word: str, words: Iterable[str]) -> str:
    """Return a mend that names the word of *words* nearest to *word*, or nothing."""
    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def check_number(where: str, value: object, *, least: float, most: float = float("inf"), whole: bool = False) -> None:
    """Check that *value* is a number from *least* to *most*, finite, and a whole one if *whole*.

    Raises:
        PolicyInvalid: if it is not.
    """
    kinds = int if whole else (int, float)
    wanted = f"{'a whole number' if whole else 'a number'} of {least:g} or more"
    if most != float("inf"):
        wanted += f" and at most {most:g}"
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise PolicyInvalid(where, found=f"a {type(value).__name__}", wanted=wanted)
    assert isinstance(value, (int, float))
    if not (least <= value <= most and value != float("inf")):
        raise PolicyInvalid(where, found=f"{value:g}" if abs(value) < 1e15 else "a huge number", wanted=wanted)
