"""From two observations to one of the seven outcomes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from oms.domain.comparison import Difference, are_both_empty, compare
from oms.domain.divergence import Divergence, describe, fingerprint, type_name
from oms.domain.known import KnownDivergence, matching_rule
from oms.domain.observation import Facts, Observation, Outcome, Uncomparable
from oms.domain.phase import Operation, Seam
from oms.routing.contain import CONTAINED
from oms.routing.noise_paths import NoisePaths
from oms.routing.tally import Ledger


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison came to.

    Attributes:
        reason: Why it was uncomparable, else None.
        is_empty: Both sides returned nothing: a match that is no evidence.
    """

    outcome: Outcome
    reason: Uncomparable | None = None
    is_empty: bool = False


class Judge:
    """Compares for one seam; divergences go to the ledger."""

    def __init__(self, seam: Seam[Any, Any], rules: Sequence[KnownDivergence], ledger: Ledger, hash_key: bytes) -> None:
        self._seam = seam
        self._rules = [rule for rule in rules if rule.seam.split(".")[0] in (seam.phase.name, "*")]
        self._ledger = ledger
        self._hash_key = hash_key
        self.noise_paths = NoisePaths()

    def judge(self, operation: Operation, facts: Facts, *, legacy: Observation, unified: Observation) -> Verdict:
        """Compare and note every divergence. A comparator, a rule or a value that raises makes the call uncomparable."""
        try:
            return self._judge(operation, facts, legacy, unified)
        except CONTAINED:  # values, comparators and predicates are other people's code
            return Verdict(Outcome.UNCOMPARABLE, Uncomparable.COMPARATOR_FAILED)

    def noise(self, facts: Facts, *, first: Observation, again: Observation) -> list[str]:
        """Compare two answers of legacy in the same way, and note no divergence.

        Returns:
            What is to be counted: ``noise``, and ``noise.<folded path>`` for what would have been a mismatch between two sides. Nothing
            if they can't be compared.
        """
        try:
            known = self._known(facts, first, again)
        except CONTAINED:
            return []
        paths = [_at(facts.named, difference).path for difference, rule in known or () if rule is None]
        return ["noise", *self.noise_paths.names(facts.operation, paths)]

    def _judge(self, operation: Operation, facts: Facts, legacy: Observation, unified: Observation) -> Verdict:
        known = self._known(facts, legacy, unified)
        if known is None:
            return Verdict(Outcome.REASONABLE)
        if not known:
            return Verdict(Outcome.MATCHED, is_empty=are_both_empty(legacy, unified))
        for difference, rule in known:
            self._ledger.divergence(self._divergence(operation, facts, difference, rule))
        return Verdict(Outcome.IGNORED if all(rule for _, rule in known) else Outcome.MISMATCHED)

    def _known(
        self, facts: Facts, legacy: Observation, unified: Observation
    ) -> list[tuple[Difference, KnownDivergence | None]] | None:
        """Return each difference with the rule that covers it; None if all of it is within the port's tolerance."""
        differences = compare(legacy=legacy, unified=unified)
        # A rule is about one quirk, a tolerance about any call: what somebody named is not passed off as tolerable.
        known = [
            (difference, matching_rule(self._rules, self._seam.full_name, _at(facts.named, difference), facts))
            for difference in differences
        ]
        explain = self._seam.reasonable
        is_unknown = any(rule is None for _, rule in known)
        return None if is_unknown and explain is not None and explain(legacy, unified, facts) is not None else known

    def _divergence(
        self, operation: Operation, facts: Facts, difference: Difference, rule: KnownDivergence | None
    ) -> Divergence:
        show = difference.path in operation.values
        named = _at(facts.named, difference)
        return Divergence(
            fingerprint=fingerprint(self._seam.full_name, operation.name, named),
            phase=self._seam.phase.name,
            seam=self._seam.name,
            operation=operation.name,
            stage=facts.stage.value,
            kind=difference.kind,
            path=named.path,
            types=(type_name(difference.legacy), type_name(difference.unified)),
            known=rule.id if rule else None,
            seen_at=time.time(),
            sample={
                "path": named.path,
                "control": facts.control.value,
                "legacy": describe(difference.legacy, show=show, key=self._hash_key),
                "unified": describe(difference.unified, show=show, key=self._hash_key),
            },
        )


def _at(named: str, difference: Difference) -> Difference:
    """Return *difference* with a path that begins with what the call names."""
    if not named:
        return difference
    return replace(difference, path=f"{named}.{difference.path}" if difference.path else named)
