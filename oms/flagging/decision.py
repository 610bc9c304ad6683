"""What the flag of one phase answers: a stage for routing, a resolution for OpenFeature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext as FlagdContext
from openfeature.exception import GeneralError, ParseError
from openfeature.flag_evaluation import Reason

from oms.domain.scope import EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.bucketing import Bucketing
from oms.flagging.compiled import Node
from oms.flagging.definition import Definition

Evaluator = Literal["static", "compiled", "flagd-core"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """One evaluation in OpenFeature's words.

    Attributes:
        value: The stage's name; None for the caller's own default (a disabled flag).
        variant: None where no variant was chosen.
    """

    value: str | None
    variant: str | None
    reason: Reason


class FlagDecision:
    """A flag without targeting: the default variant for everybody. See :class:`~oms.domain.decision.PhaseDecision` for its attributes.

    Attributes:
        definition: What the file says.
        evaluator: What answers: ``static``, ``compiled`` closures, or ``flagd-core``.
        mismatched: True if the closures failed the self-check, so that flagd-core answers in their place.
    """

    __slots__ = ("by_operation", "default", "definition", "digest", "evaluator", "mismatched", "split", "stages")

    def __init__(
        self, definition: Definition, split: Split | None, *, evaluator: Evaluator = "static", mismatched: bool = False
    ) -> None:
        self.definition = definition
        self.digest = definition.digest
        self.stages = definition.reach
        self.default = definition.default
        self.split = split
        self.by_operation = False
        self.evaluator = evaluator
        self.mismatched = mismatched

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage for *context*."""
        return self.default

    def resolve(self, key: str | None, attributes: Mapping[str, Any]) -> Resolution:
        """Return what flagd-core returns for *key* and *attributes*, or raise what it raises.

        Raises:
            GeneralError, ParseError, TypeError, ZeroDivisionError: if the targeting cannot be evaluated.
        """
        if not self.definition.enabled:
            return Resolution(None, None, Reason.DISABLED)
        return Resolution(self.default.value, self.definition.default_variant, Reason.STATIC)


class RuleDecision(FlagDecision):
    """A flag with targeting.

    flagd takes a list in the place of a bucketing value for one more share, so a caller's attribute could name any variant. Routing does not
    follow it beyond the stages that the file was judged by.

    Args:
        node: Evaluates the targeting.
        by_operation: True if the targeting may ask for the seam or the operation.
    """

    __slots__ = ("_node", "_reachable")

    def __init__(
        self,
        definition: Definition,
        split: Split | None,
        node: Node,
        *,
        by_operation: bool,
        evaluator: Evaluator = "compiled",
        mismatched: bool = False,
    ) -> None:
        super().__init__(definition, split, evaluator=evaluator, mismatched=mismatched)
        self.by_operation = by_operation
        self._node = node
        self._reachable = {
            variant: stage for variant, stage in definition.variants.items() if stage in definition.reach
        }

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage for *context*; what cannot be evaluated is the default's stage."""
        attributes = context.attributes
        if self.by_operation:
            attributes = {**attributes, "seam": seam, "operation": operation}
        try:
            found = self._node(context.targeting_key, attributes)
        except Exception:  # the context is the caller's: any attribute can make a rule fail, and the call must go on
            return self.default
        if type(found) is not str:
            found = _variant_of(found)
        return self.default if found is None else self._reachable.get(found, self.default)

    def resolve(self, key: str | None, attributes: Mapping[str, Any]) -> Resolution:
        """Return what flagd-core returns."""
        try:
            variant = _variant_of(self._node(key, attributes))
        except ReferenceError as error:
            raise ParseError(f"Invalid targeting of {self.definition.phase.flag}") from error
        if variant is None:
            return Resolution(self.default.value, self.definition.default_variant, Reason.DEFAULT)
        if variant not in self.definition.variants:
            raise GeneralError(f"Resolved variant {variant} not in variants config.")
        return Resolution(self.definition.variants[variant].value, variant, Reason.TARGETING_MATCH)


class SplitDecision(RuleDecision):
    """A flag that is one split on the targeting key: its decision is one hash.

    Args:
        entries: Variant and weight of each share, most advanced first.
    """

    __slots__ = ("_share", "_stages")

    def __init__(
        self, definition: Definition, split: Split | None, node: Node, *, entries: list[tuple[str, int]]
    ) -> None:
        super().__init__(definition, split, node, by_operation=False)
        self._share = Bucketing([weight for _, weight in entries], flag=definition.phase.flag).share
        self._stages = [definition.variants.get(variant, definition.default) for variant, _ in entries]

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage of the share in which the targeting key falls; without a key, the default's."""
        key = context.targeting_key
        if not key or not isinstance(key, str):
            return self.default
        try:
            return self._stages[self._share(key)]
        except UnicodeEncodeError:
            return self.default


def by_flagd_core(definition: Definition) -> Node:
    """Return flagd-core's own evaluation of the targeting: slower, complete, and without the lock of its front door."""
    flag, logic = definition.phase.flag, definition.logic

    def evaluate(key: Any, attributes: Mapping[str, Any]) -> Any:
        return targeting(flag, logic, FlagdContext(key, attributes))  # type: ignore[arg-type]  # logic is a dict, seen by validation

    return evaluate


def _variant_of(value: object) -> str | None:
    """Return the variant that flagd takes *value* for."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)
