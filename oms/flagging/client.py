"""The other way round: a decision table whose stages come from any OpenFeature client."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from openfeature.evaluation_context import EvaluationContext as OpenFeatureContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.flag_evaluation import FlagEvaluationDetails

from oms.domain.decision import DecisionTable
from oms.domain.phase import Phase
from oms.domain.scope import ANONYMOUS, EvaluationContext
from oms.domain.split import Split
from oms.domain.stage import Stage, stages_of

_CHANGES = (ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)


class StringFlags(Protocol):
    """What is needed of an OpenFeature client."""

    def get_string_details(
        self, flag_key: str, default_value: str, evaluation_context: OpenFeatureContext | None = None
    ) -> FlagEvaluationDetails[str]:
        """Evaluate a string flag."""


class Client(StringFlags, Protocol):
    """An OpenFeature client that tells when its provider has changed."""

    def add_handler(self, event: ProviderEvent, handler: Callable[[EventDetails], None]) -> None:
        """Have *handler* called at each *event*."""

    def remove_handler(self, event: ProviderEvent, handler: Callable[[EventDetails], None]) -> None:
        """Undo ``add_handler``."""


class ClientDecision:
    """One phase as an OpenFeature client sees it. Nothing of it is known before it is asked, so it may be at any of the phase's stages.

    An error, a value that is no stage of the phase, or no answer is the declared default of the phase.

    Args:
        generation: Counts what the provider said of changes; each has a digest of its own.
    """

    __slots__ = ("_client", "_phase", "default", "digest", "stages")

    def __init__(self, client: StringFlags, phase: Phase, *, generation: int = 0) -> None:
        self._client = client
        self._phase = phase
        self.stages = frozenset(stages_of(writes=phase.writes))
        self.digest = hashlib.sha256(f"openfeature {phase.flag} {generation}".encode()).hexdigest()[:16]
        self.default = self._ask(ANONYMOUS, {})

    @property
    def split(self) -> Split | None:
        """None: a client does not tell weights."""
        return None

    @property
    def by_operation(self) -> bool:
        """True: a provider may look at any attribute."""
        return True

    def decide(self, context: EvaluationContext, seam: str, operation: str) -> Stage:
        """Return the stage that the provider names for *context*."""
        return self._ask(context, {"seam": seam, "operation": operation})

    def _ask(self, context: EvaluationContext, more: Mapping[str, Any]) -> Stage:
        attributes: dict[str, Any] = {**context.attributes, **more}
        try:
            found = self._client.get_string_details(
                self._phase.flag, self._phase.default.value, OpenFeatureContext(context.targeting_key, attributes)
            )
        except Exception:
            return self._phase.default
        stage = found.value
        if found.error_code is not None or stage not in set(Stage) or Stage(stage) not in self.stages:
            return self._phase.default
        return Stage(stage)


def table_from(client: StringFlags, phases: Mapping[str, Phase], *, generation: int = 0) -> DecisionTable:
    """Return a table whose decisions ask *client* at each evaluation."""
    return DecisionTable(
        MappingProxyType({name: ClientDecision(client, phase, generation=generation) for name, phase in phases.items()})
    )


class ClientSource:
    """Publishes a new table, with new digests, each time the provider behind *client* says that it is ready or has changed.

    Events come late, out of order and in any thread, so nothing is taken from them but that something has changed. They do not reach a forked
    child: start one source in each process.

    Attributes:
        table: The table in force.
    """

    def __init__(self, client: Client, phases: Mapping[str, Phase], publish: Callable[[DecisionTable], None]) -> None:
        self._client = client
        self._phases = phases
        self._publish = publish
        self._lock = threading.Lock()
        self._generation = 0
        self.table = table_from(client, phases)

    def start(self) -> None:
        """Publish the table and follow the provider from now on."""
        self._publish(self.table)
        for event in _CHANGES:
            self._client.add_handler(event, self._changed)

    def stop(self) -> None:
        """Stop following."""
        for event in _CHANGES:
            self._client.remove_handler(event, self._changed)

    def _changed(self, details: EventDetails) -> None:
        with self._lock:
            self._generation += 1
            self.table = table_from(self._client, self._phases, generation=self._generation)
            self._publish(self.table)
