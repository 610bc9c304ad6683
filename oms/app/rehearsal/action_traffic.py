"""What clients ask while the resilience phase is walked: actions, requests through the gateway, waits of the scheduler."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator

from oms.app.ontology import Ontology
from oms.app.rehearsal.drills import DONE_OR_LATER, DRILLS
from oms.app.rehearsal.instances import as_body
from oms.app.rehearsal.mix import mixed
from oms.app.rehearsal.request import Errand, request
from oms.app.rehearsal.traffic import POPULAR
from oms.app.rehearsal.zipf import Zipf

_TENANTS = 300
_STRATEGIES = ("exponential", "exponential", "linear", "fixed", "fibonacci", "Linear")

_BETWEEN_DRILLS_S = 0.1

_GATEWAY: dict[str, frozenset[int]] = {
    "catalog": frozenset({200}),
    "prices": frozenset({200}),
    "media": frozenset({200, 502, 503, 504}),
    "search": frozenset({200, 429, 503}),
}
"""Services behind the gateway, each with what a caller may be answered; the upstream lets the last two fail."""


class ActionTraffic:
    """An endless stream of errands; the same seed makes the same ones.

    ``expected`` of each request is what legacy alone might answer: where the upstream fails nobody, only 200 is. An answer beyond that is
    a caller error, whoever gave it.
    """

    def __init__(self, ontology: Ontology, seed: int) -> None:
        self._chance = chance = random.Random(seed)
        self._types = Zipf(POPULAR, exponent=0.9, chance=chance)
        self._tenants = Zipf([f"tenant-{n:03}" for n in range(_TENANTS)], exponent=0.7, chance=chance)
        rare = sorted(set(ontology.types) - set(POPULAR))
        chance.shuffle(rare)
        self._rare = itertools.cycle(rare)
        self._kinds: list[tuple[float, Callable[[], Errand]]] = [
            (0.34, self._healthy),
            (0.02, self._urgent),
            (0.24, self._sick),
            (0.18, self._forward),
            (0.02, self._forward_once),
            (0.16, self._delay),
            (0.02, self._no_action),
            (0.02, self._health),
        ]

    def __iter__(self) -> Iterator[Errand]:
        return mixed(self._chance, self._kinds)

    def deployment(self) -> list[Errand]:
        """Return every drill once, for one process: on a type that is new to it, so that budgets and breakers are cold.

        They begin one after another, for all at once are more than the lanes may replay in that moment.
        """
        type_name = next(self._rare)
        waits = (self._wait(60, 20, "exponential"), self._wait(60, 3, "Linear"))
        drills = (
            drill.errand(type_name, self._tenant(), after_s=place * _BETWEEN_DRILLS_S)
            for place, drill in enumerate(DRILLS, 1)
        )
        return [*waits, *drills]

    def _tenant(self) -> str | None:
        return self._tenants.choose() if self._chance.random() > 0.02 else None

    def _submit(self, action: str, expected: frozenset[int], **more: bool) -> Errand:
        body = as_body({"type": self._types.choose(), **more})
        path = f"/actions/{action}"
        return (request(f"action {action}", "POST", path, tenant=self._tenant(), body=body, expected=expected),)

    def _healthy(self) -> Errand:
        return self._submit("publish", frozenset({200}))

    def _urgent(self) -> Errand:
        return self._submit("publish", frozenset({200}), urgent=True)

    def _sick(self) -> Errand:
        return self._submit("enrich", DONE_OR_LATER | {422})

    def _forward(self) -> Errand:
        service = self._chance.choice([*_GATEWAY])
        path = f"/gateway/{service}/{self._types.choose()}?page={self._chance.randrange(9)}"
        return (request(f"gateway {service}", "GET", path, tenant=self._tenant(), expected=_GATEWAY[service]),)

    def _forward_once(self) -> Errand:
        """A POST without a key, which nobody may repeat."""
        path = f"/gateway/search/{self._types.choose()}"
        return (request("gateway post", "POST", path, tenant=self._tenant(), body=b"{}", expected=_GATEWAY["search"]),)

    def _delay(self) -> Errand:
        base = self._chance.choice((1, 5, 60, 300))
        return self._wait(base, self._chance.choice((*range(6), 20)), self._chance.choice(_STRATEGIES))

    def _wait(self, base: int, retry: int, strategy: str) -> Errand:
        path = f"/schedule/delay?base={base}&retry={retry}&strategy={strategy}"
        return (request("delay", "GET", path, tenant=self._tenant()),)

    def _no_action(self) -> Errand:
        path, body, status = self._chance.choice(
            (
                ("/actions/destroy", b'{"type": "Person"}', 404),
                ("/actions/publish", b'{"type": "Persn"}', 400),
                ("/actions/publish", b"{", 400),
                ("/gateway/payroll/Person", b"{}", 404),
            )
        )
        return (request("no action", "POST", path, tenant=self._tenant(), body=body, expected=frozenset({status})),)

    def _health(self) -> Errand:
        return (request("health", "GET", "/health"),)
