"""From a valid definition to the decision that is served, checked against flagd-core before it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext as FlagdContext

from oms.domain.split import WHOLE, Split
from oms.domain.stage import Stage
from oms.flagging.compiled import Node, Unsupported, compile_logic
from oms.flagging.decision import FlagDecision, RuleDecision, SplitDecision, by_flagd_core
from oms.flagging.definition import Definition
from oms.flagging.targeting import asks_for, names_asked

SELF_CHECKS = 64
"""Keys on which a compiled rule must agree with flagd-core before it is served."""

_OF_THE_CALL = frozenset({"seam", "operation"})


def decision_of(definition: Definition, *, compiler: Callable[[object, str], Node] = compile_logic) -> FlagDecision:
    """Return what is served for *definition*: compiled if it can be and agrees with flagd-core, else evaluated by flagd-core.

    Args:
        compiler: Turns targeting and flag name into a closure, or raises ``Unsupported``.
    """
    split = split_of(definition)
    if definition.logic is None or not definition.enabled:
        return FlagDecision(definition, split)
    try:
        node = compiler(definition.logic, definition.phase.flag)
    except Unsupported:
        return _interpreted(definition, split)
    entries = shares_of(definition.logic)
    decision = (
        RuleDecision(definition, split, node, by_operation=asks_for(definition.logic, _OF_THE_CALL))
        if entries is None
        else SplitDecision(definition, split, node, entries=entries)
    )
    return decision if agrees_with_flagd_core(decision) else _interpreted(definition, split, mismatched=True)


def _interpreted(definition: Definition, split: Split | None, *, mismatched: bool = False) -> FlagDecision:
    return RuleDecision(
        definition,
        split,
        by_flagd_core(definition),
        by_operation=asks_for(definition.logic, _OF_THE_CALL),
        evaluator="flagd-core",
        mismatched=mismatched,
    )


def shares_of(logic: Mapping[str, Any]) -> list[tuple[str, int]] | None:
    """Return variant and weight of each share if *logic* is one split on the targeting key, else None."""
    entries = logic.get("fractional")
    if not isinstance(entries, list) or not all(
        isinstance(entry, list) and isinstance(entry[0], str) for entry in entries
    ):
        return None
    return [(entry[0], entry[1] if len(entry) == 2 else 1) for entry in entries]


def split_of(definition: Definition) -> Split | None:
    """Return the weights of a static flag or a plain split, scaled to 10,000; None for anything else.

    A share too small for a unit of 0.01 % counts as one unit; the largest share takes up what rounding leaves.
    """
    if definition.logic is None or not definition.enabled:
        return Split.whole(definition.default)
    entries = shares_of(definition.logic)
    if entries is None:
        return None
    weights: dict[Stage, int] = {}
    for variant, weight in entries:
        if weight:
            weights[definition.variants[variant]] = weights.get(definition.variants[variant], 0) + weight
    total = sum(weights.values())
    scaled = {stage: max(1, weight * WHOLE // total) for stage, weight in weights.items()}
    largest = max(scaled, key=lambda stage: scaled[stage])
    scaled[largest] += WHOLE - sum(scaled.values())
    return Split(tuple(scaled.items()))


def agrees_with_flagd_core(decision: RuleDecision) -> bool:
    """Tell whether *decision* resolves as flagd-core does on ``SELF_CHECKS`` keys, drawn anew for each content of the file."""
    definition = decision.definition
    core = FlagdCore()
    core.set_flags(definition.text)

    def by_core(key: str, attributes: Mapping[str, Any]) -> object:
        found = core.resolve_string_value(definition.phase.flag, "", FlagdContext(key, attributes))
        return found.value, found.variant, found.reason

    def by_us(key: str, attributes: Mapping[str, Any]) -> object:
        found = decision.resolve(key, attributes)
        return found.value, found.variant, found.reason

    return all(
        _outcome(by_core, key, attributes) == _outcome(by_us, key, attributes)
        for key, attributes in _contexts(definition)
    )


def _outcome(resolve: Callable[[str, Mapping[str, Any]], object], key: str, attributes: Mapping[str, Any]) -> object:
    try:
        return resolve(key, attributes)
    except Exception as error:  # both must fail alike
        return type(error)


def _contexts(definition: Definition) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield contexts that can tell the branches of the rule apart: its own names, with its own constants and with others."""
    chance = random.Random(definition.digest)
    names = [name for name in names_asked(definition.logic) if name is not None and "." not in name]
    constants = [*_constants(definition.logic), "", "x", 0, 1.5, True, None]
    for _ in range(SELF_CHECKS):
        key = "".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789-é", k=chance.randint(1, 40)))
        yield key, {name: chance.choice(constants) for name in names if chance.random() < 0.9}


def _constants(logic: object) -> Iterator[Any]:
    if isinstance(logic, Mapping):
        for given in logic.values():
            yield from _constants(given)
    elif isinstance(logic, list):
        for item in logic:
            yield from _constants(item)
    else:
        yield logic
