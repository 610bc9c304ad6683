"""The evaluation context of one unit of work."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_NOTHING: Mapping[str, object] = MappingProxyType({})


class EvaluationContext(NamedTuple):
    """Who a decision is for (OpenFeature's meaning). A tuple, because one is made for each scope that decides.

    Attributes:
        targeting_key: What routing is sticky on: a tenant, a user, a job. None has no cohort and gets the default variant.
        attributes: Further facts that a flag's targeting may ask for.
    """

    targeting_key: str | None = None
    attributes: Mapping[str, object] = _NOTHING


ANONYMOUS = EvaluationContext()
"""The context of a call outside every scope."""
