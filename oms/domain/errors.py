"""Every error that oms raises, but for those of the unified modules, which draw trees of their own: ``oms/unified/cache/errors.py``.

::

    OmsError
    ├── BindingError            a side does not fit its port (wiring)
    ├── NotSnapshottable        a value could not be copied for the shadow
    ├── BadInput                what somebody typed or wrote is not usable
    │   └── FlagFileInvalid     a flag file that must not be served
    ├── FlipRefused             a legal wish at an illegal moment (exit code 3)
    ├── PinRefused              a divergence that no test can be made of (exit code 3)
    └── CouldNot                I/O failed or nothing answers (exit code 4)

A message says where, what was found, what was wanted, in that order, and never holds a payload value or a secret.
"""

from __future__ import annotations


class OmsError(Exception):
    """Root of the tree."""


class BindingError(OmsError):
    """A side does not fit its port, or a port is not well marked. Raised while wiring, never at a call.

    Attributes:
        phase, seam: Where the binding stands.
        side: ``legacy``, ``unified``, or None when the port itself is at fault.
        method, parameter: The narrowest name at fault, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        phase: str,
        seam: str,
        side: str | None = None,
        method: str | None = None,
        parameter: str | None = None,
    ) -> None:
        super().__init__(f"phase {phase!r}, seam {seam!r}: {message}")
        self.phase, self.seam, self.side, self.method, self.parameter = phase, seam, side, method, parameter


class NotSnapshottable(OmsError):
    """A value could not be copied, so the call cannot be compared. Counted as uncomparable, never raised at a caller."""


class BadInput(OmsError):
    """Unusable input: where, what was found, what was wanted, and the mend, on one line (exit code 2)."""

    def __init__(self, where: str, *, found: str, wanted: str, mend: str = "") -> None:
        super().__init__(f"{where}: found {found}, wanted {wanted}" + (f"; {mend}" if mend else ""))
        self.where, self.found, self.wanted, self.mend = where, found, wanted, mend


class FlagFileInvalid(BadInput):
    """A flag file that must not be served.

    Attributes:
        file: The file's path as it was given.
        path: The place in the file, ``flags.phase.cache.targeting`` for example.
    """

    def __init__(self, file: str, path: str, *, found: str, wanted: str, mend: str) -> None:
        super().__init__(f"{file}: {path or '(file)'}", found=found, wanted=wanted, mend=mend)
        self.file, self.path = file, path


class PinRefused(OmsError):
    """A divergence that no test can be made of, or whose test is there already (exit code 3)."""


class FlipRefused(OmsError):
    """A flip that is well written but must not happen now. The message says what is missing and how to go on."""


class CouldNot(OmsError):
    """The wish is legal but the machine did not comply: no lock, no disk, nobody answers."""
