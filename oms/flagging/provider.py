"""oms as an OpenFeature provider: its phases are string flags, named ``phase.<name>``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEventDetails
from openfeature.exception import FlagNotFoundError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from oms.flagging.decision import FlagDecision
from oms.flagging.source import FlagSource

_PREFIX = "phase."


class OmsProvider(AbstractProvider):
    """Resolves the flags of *source*, with variant and reason as flagd-core gives them; emits a change of configuration for each new table."""

    def __init__(self, source: FlagSource) -> None:
        super().__init__()
        self._source = source
        self._end: Callable[[], None] | None = None

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return Metadata(name="oms")

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Listen to the source from now on. The source itself is loaded and started by whoever owns it."""
        if self._end is None:
            self._end = self._source.listen(self._changed)

    def shutdown(self) -> None:
        """Stop listening."""
        end, self._end = self._end, None
        if end is not None:
            end()

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return the stage's name.

        Raises:
            FlagNotFoundError: if no phase has this flag.
            GeneralError, ParseError: if the targeting cannot be evaluated for this context.
        """
        decision = (
            self._source.table.phases.get(flag_key.removeprefix(_PREFIX)) if flag_key.startswith(_PREFIX) else None
        )
        if decision is None:
            raise FlagNotFoundError(f"{flag_key}: found no such flag, wanted one of {' '.join(self._flags())}")
        if not isinstance(decision, FlagDecision):
            return FlagResolutionDetails(decision.default.value, reason=Reason.DEFAULT)
        context = evaluation_context or EvaluationContext()
        found = decision.resolve(context.targeting_key, context.attributes)
        return FlagResolutionDetails(
            default_value if found.value is None else found.value,
            reason=found.reason,
            variant=found.variant,
            flag_metadata=decision.definition.metadata,
        )

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Raise: a phase is a string flag."""
        self._refuse(flag_key, "bool")

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Raise: a phase is a string flag."""
        self._refuse(flag_key, "int")

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Raise: a phase is a string flag."""
        self._refuse(flag_key, "float")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """Raise: a phase is a string flag."""
        self._refuse(flag_key, "object")

    def _refuse(self, flag_key: str, asked: str) -> NoReturn:
        if flag_key not in self._flags():
            raise FlagNotFoundError(f"{flag_key}: found no such flag, wanted one of {' '.join(self._flags())}")
        raise TypeMismatchError(f"{flag_key}: found a string flag, wanted {asked}; ask for a string")

    def _flags(self) -> list[str]:
        return [_PREFIX + name for name in self._source.table.phases]

    def _changed(self, phases: frozenset[str]) -> None:
        self.emit_provider_configuration_changed(
            ProviderEventDetails(flags_changed=[_PREFIX + name for name in sorted(phases)])
        )
