"""The evaluation context of one unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Who a decision is for (OpenFeature's meaning).

    Attributes:
        targeting_key: What routing is sticky on: a tenant, a user, a job. None has no cohort and gets the default variant.
        attributes: Further facts that a flag's targeting may ask for.
    """

    targeting_key: str | None = None
    attributes: Mapping[str, object] = field(default_factory=lambda: _NOTHING)


ANONYMOUS = EvaluationContext()
"""The context of a call outside every scope."""
