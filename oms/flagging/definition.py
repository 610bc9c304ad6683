"""A flag as its file defines it, once it is known to be fit to be served."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from oms.domain.errors import FlagFileInvalid
from oms.domain.phase import Phase
from oms.domain.stage import Stage

Metadata = Mapping[str, bool | int | float | str]


def digest_of(content: bytes) -> str:
    """Return the 16 hex digits that name *content*."""
    return hashlib.sha256(content).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One flag, valid.

    Attributes:
        digest: Names the content of the file.
        text: The file's content, for flagd-core.
        enabled: False for ``state: DISABLED``, which means the declared default of the phase.
        variants: The stage of each variant.
        default_variant: A key of *variants*.
        logic: The targeting, evaluators filled in; None for a static flag.
        reach: Every stage that an evaluation can end at, the default variant's included.
        metadata: What flagd hands on with each evaluation.
    """

    phase: Phase
    digest: str
    text: str
    enabled: bool
    variants: Mapping[str, Stage]
    default_variant: str
    logic: Mapping[str, object] | None
    reach: frozenset[Stage]
    metadata: Metadata

    @property
    def default(self) -> Stage:
        """The stage of whoever no rule sorts."""
        return self.variants[self.default_variant] if self.enabled else self.phase.default


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a flag file, to say where something is wrong."""

    file: str
    path: str = ""

    def at(self, name: str) -> Place:
        """Return the member *name* of this place."""
        return Place(self.file, f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> Place:
        """Return the entry *index* of this place."""
        return Place(self.file, f"{self.path}[{index}]")

    def invalid(self, *, found: str, wanted: str, mend: str) -> FlagFileInvalid:
        """Return the error to raise."""
        return FlagFileInvalid(self.file, self.path, found=found, wanted=wanted, mend=mend)


def shown(value: object) -> str:
    """Return *value* in a few words, on one line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
