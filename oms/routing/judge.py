"""From two observations to one of the seven outcomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oms.domain.comparison import Difference, are_both_empty, compare
from oms.domain.divergence import Divergence, describe, fingerprint, type_name
from oms.domain.known import KnownDivergence, matching_rule
from oms.domain.observation import Facts, Observation, Outcome, Uncomparable
from oms.domain.phase import Operation, Seam
from oms.domain.record import Place
from oms.domain.stage import Effect
from oms.routing.contain import CONTAINED
from oms.routing.noise_paths import NoisePaths
from oms.routing.tally import Ledger

Given = Callable[[], Mapping[str, object]]
"""Returns the arguments of a call by name; asked of those alone that diverge."""


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
        self._shown_of_writes = frozenset().union(
            *(operation.arguments for operation in seam.operations().values() if operation.effect is Effect.WRITES)
        )
        self._names = {name: seam.names_in(operation) for name, operation in seam.operations().items()}
        self.noise_paths = NoisePaths()

    def judge(
        self,
        operation: Operation,
        facts: Facts,
        place: Place,
        *,
        legacy: Observation,
        unified: Observation,
        given: Given = dict,
    ) -> Verdict:
        """Compare and note every divergence at *place*, where the call is counted.

        A comparator, a rule or a value that raises makes the call uncomparable.
        """
        try:
            return self._judge(operation, facts, place, legacy=legacy, unified=unified, given=given)
        except CONTAINED:  # values, comparators and predicates are other people's code
            return Verdict(Outcome.UNCOMPARABLE, Uncomparable.COMPARATOR_FAILED)

    def note(
        self,
        operation: Operation,
        facts: Facts,
        place: Place,
        differences: Sequence[Difference],
        *,
        is_reasonable: bool,
        given: Mapping[str, object],
        script: Given = dict,
    ) -> tuple[Outcome, Uncomparable | None]:
        """Return what a comparison comes to that was made elsewhere, and note its divergences.

        Args:
            is_reasonable: Without differences the sides were alike within a tolerance, not to the last digit.
            given: The call's arguments by name, without the user's function.
            script: Returns what it takes to live through the call again; asked of those alone that diverge.
        """
        if not differences:
            return (Outcome.REASONABLE if is_reasonable else Outcome.MATCHED), None
        try:
            known = self._matched(facts, differences)
        except CONTAINED:  # predicates are other people's code
            return Outcome.UNCOMPARABLE, Uncomparable.COMPARATOR_FAILED
        call = {**self._call(operation, facts, given), "replay": script()}
        return self._noted(operation, facts, place, known, call), None

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

    def _judge(
        self,
        operation: Operation,
        facts: Facts,
        place: Place,
        *,
        legacy: Observation,
        unified: Observation,
        given: Given,
    ) -> Verdict:
        known = self._known(facts, legacy, unified)
        if known is None:
            return Verdict(Outcome.REASONABLE)
        if not known:
            return Verdict(Outcome.MATCHED, is_empty=are_both_empty(legacy, unified))
        return Verdict(self._noted(operation, facts, place, known, self._call(operation, facts, given())))

    def _known(
        self, facts: Facts, legacy: Observation, unified: Observation
    ) -> list[tuple[Difference, KnownDivergence | None]] | None:
        """Return each difference with the rule that covers it; None if all of it is within the port's tolerance."""
        differences = compare(legacy=legacy, unified=unified, names=self._names.get(facts.operation, frozenset()))
        # A rule is about one quirk, a tolerance about any call: what somebody named is not passed off as tolerable.
        known = self._matched(facts, differences)
        explain = self._seam.reasonable
        is_unknown = any(rule is None for _, rule in known)
        return None if is_unknown and explain is not None and explain(legacy, unified, facts) is not None else known

    def _matched(
        self, facts: Facts, differences: Sequence[Difference]
    ) -> list[tuple[Difference, KnownDivergence | None]]:
        name = self._seam.full_name
        return [(one, matching_rule(self._rules, name, _at(facts.named, one), facts)) for one in differences]

    def _noted(
        self,
        operation: Operation,
        facts: Facts,
        place: Place,
        known: Sequence[tuple[Difference, KnownDivergence | None]],
        call: Mapping[str, object],
    ) -> Outcome:
        for difference, rule in known:
            self._ledger.divergence(self._divergence(operation, facts, place, difference, rule=rule, call=call))
        return Outcome.IGNORED if all(rule for _, rule in known) else Outcome.MISMATCHED

    def _divergence(
        self,
        operation: Operation,
        facts: Facts,
        place: Place,
        difference: Difference,
        *,
        rule: KnownDivergence | None,
        call: Mapping[str, object],
    ) -> Divergence:
        # What a replay compares is the sides' conduct, in words of ours: there is no value of the caller's in it.
        show = operation.effect is Effect.EFFECTS or difference.path in operation.values
        named = _at(facts.named, difference)
        return Divergence(
            fingerprint=fingerprint(self._seam.full_name, operation.name, named),
            phase=place.phase,
            seam=place.seam,
            operation=place.operation,
            stage=place.stage,
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
                **call,
            },
            plan=place.plan,
            version=place.version,
        )

    def _call(self, operation: Operation, facts: Facts, given: Mapping[str, object]) -> dict[str, object]:
        """Describe what it takes to make the call again: its arguments and, of a read, those of the key's last write."""
        call: dict[str, object] = {"call": self._described(given, operation.shown)}
        if operation.effect is Effect.READS and facts.written_s is not None:
            call["write"] = self._described(dict(facts.write), self._shown_of_writes)
        return call

    def _described(self, given: Mapping[str, object], shown: Collection[str]) -> dict[str, object]:
        return {name: describe(value, show=name in shown, key=self._hash_key) for name, value in given.items()}


def _at(named: str, difference: Difference) -> Difference:
    """Return *difference* with a path that begins with what the call names."""
    if not named:
        return difference
    return replace(difference, path=f"{named}.{difference.path}" if difference.path else named)
