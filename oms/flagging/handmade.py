"""A rollback made by hand: a flag file that would be refused, but puts nobody higher than they stand, is not held up by a mistake in it.

It is not served as it is written: an illegal mix strands callers, and weights that flagd cannot read mean something else than they say.
It is served as one stage for everybody, the lowest that it names, which puts nobody above that file nor above what was served.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from oms.domain.phase import Phase
from oms.domain.stage import Stage, stages_of
from oms.flagging.validation import load_json


def lowest_if_rollback(content: bytes, phase: Phase, served: frozenset[Stage]) -> Stage | None:
    """Return the lowest stage that the flag of *phase* in *content* names, or None if it is no rollback.

    It is one if it can be read, every stage it names is at or below the highest one served, and the lowest at or below the lowest one served.
    """
    named = stages_named(content, phase)
    if not named:
        return None
    lowest, highest = min(named, key=_rank), max(named, key=_rank)
    is_rollback = highest.rank <= max(map(_rank, served)) and lowest.rank <= min(map(_rank, served))
    return lowest if is_rollback else None


def stages_named(content: bytes, phase: Phase) -> frozenset[Stage] | None:
    """Return every stage that the flag of *phase* can mean: its default's, and that of each text in its targeting that is a variant or a stage.

    Returns None if it cannot be read or names one that is no stage of the phase.
    """
    flag = _flag(content, phase)
    if flag is None:
        return None
    if flag.get("state") == "DISABLED":
        return frozenset({phase.default})
    variants = flag.get("variants")
    variants = variants if isinstance(variants, dict) else {}
    default = flag.get("defaultVariant")
    # Without a default variant flagd gives the declared default of the phase.
    names = {default if isinstance(default, str) else phase.default.value}
    names |= {text for text in _texts(flag.get("targeting")) if text in variants or text in set(Stage)}
    known = {stage.value for stage in stages_of(writes=phase.writes)}
    stages = {str(variants.get(name, name)) for name in names}
    return frozenset(map(Stage, stages)) if stages <= known else None


def _flag(content: bytes, phase: Phase) -> dict[str, Any] | None:
    try:
        document = load_json(content)
    except (ValueError, RecursionError):
        return None
    flags = document.get("flags") if isinstance(document, dict) else None
    flag = flags.get(phase.flag) if isinstance(flags, dict) else None
    return flag if isinstance(flag, dict) else None


def _texts(logic: object) -> Iterator[str]:
    if isinstance(logic, str):
        yield logic
    elif isinstance(logic, list):
        for item in logic:
            yield from _texts(item)
    elif isinstance(logic, Mapping):
        for given in logic.values():
            yield from _texts(given)


def _rank(stage: Stage) -> int:
    return stage.rank
