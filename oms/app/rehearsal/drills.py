"""Sequences of actions that meet the quirks of the monolith's retries and breakers, each on a type that nobody else asks for.

What fails is the upstream's affair (``oms/app/upstream/faults.py``), by the number of the request at its endpoint. A drill sends as many
requests as its quirk needs, one after another, so that each process meets the same quirks however the rest of the traffic falls.
"""

from __future__ import annotations

from dataclasses import dataclass

from oms.app.pace import PACE
from oms.app.rehearsal.instances import as_body
from oms.app.rehearsal.request import Errand, Request, request

DONE_OR_LATER = frozenset({200, 503})
"""What a caller may be answered whose action the upstream lets fail: it is done, or it may be tried again."""

_RECOVERY_S = 66 / PACE
"""Time in which an open breaker comes to let a probe through, in real seconds: each wing's stays open for 60 s of the phase's clock."""


@dataclass(frozen=True, slots=True)
class Step:
    """Some requests, one after another.

    Attributes:
        after_recovery: The first of them comes when an open breaker lets a probe through again.
    """

    count: int
    is_urgent: bool = False
    after_recovery: bool = False


@dataclass(frozen=True, slots=True)
class Drill:
    """One sequence.

    Attributes:
        shows: Ids of the quirks that it meets.
        why: How it meets them.
    """

    action: str
    shows: tuple[str, ...]
    why: str
    steps: tuple[Step, ...]

    def errand(self, type_name: str, tenant: str | None) -> Errand:
        """Return its requests, for *type_name*."""
        return tuple(
            _submit(self.action, type_name, tenant, step, is_first=place == 0)
            for step in self.steps
            for place in range(step.count)
        )


DRILLS = (
    Drill(
        "archive",
        ("RT-01", "RT-02"),
        "Cold, and the first two attempts fail: legacy's budget allows one retry, and its own error hides what failed.",
        (Step(1),),
    ),
    Drill(
        "index", ("RT-05",), "Reset by peer is a subclass of ConnectionError, which legacy does not retry.", (Step(2),)
    ),
    Drill("notify", ("RT-06",), "Closed without an answer is an error of httpx that legacy does not list.", (Step(2),)),
    Drill("export", ("RT-08",), "429 with Retry-After: legacy gives up at once.", (Step(2),)),
    Drill("translate", ("RT-08",), "408: legacy gives up at once.", (Step(2),)),
    Drill("migrate", ("RT-07",), "301: legacy repeats what will be answered the same.", (Step(2),)),
    Drill(
        "merge",
        ("PF-03", "PF-01"),
        "Every sixth attempt fails. Legacy's breaker adds them up and opens at the fifth; after the recovery it lets one call through.",
        (Step(33), Step(4, after_recovery=True)),
    ),
    Drill(
        "sync",
        ("RT-16", "RT-20"),
        "Every seventh attempt fails. The breaker inside legacy's retry adds them up; it opens in an attempt that is to be retried.",
        (Step(36),),
    ),
    Drill(
        "restore",
        ("PF-01",),
        "Five failures, then all is well: legacy's breaker reopens at the second probe, for ever.",
        (Step(5), Step(5, after_recovery=True)),
    ),
    Drill(
        "replicate",
        ("RT-18",),
        "Five failures open it, the probe is answered 429: legacy's half-open breaker hears nothing of that and is stuck.",
        (Step(5), Step(6, after_recovery=True), Step(3, after_recovery=True)),
    ),
    Drill(
        "audit",
        ("RT-04",),
        "Thirty originals are credit for four retries: legacy makes five attempts where its successor makes four.",
        (Step(31),),
    ),
    Drill(
        "renew",
        ("RT-03",),
        "Twelve originals are credit for a second retry, but the window tumbles before it is used.",
        (Step(12), Step(1, after_recovery=True)),
    ),
    Drill(
        "transfer",
        ("RT-21",),
        "One operation, two policies: the urgent call is held to the budget of the policy that came first.",
        (Step(6), Step(1, is_urgent=True)),
    ),
)


def _submit(action: str, type_name: str, tenant: str | None, step: Step, *, is_first: bool) -> Request:
    return request(
        f"action {action}",
        "POST",
        f"/actions/{action}",
        tenant=tenant,
        body=as_body({"type": type_name, **({"urgent": True} if step.is_urgent else {})}),
        expected=DONE_OR_LATER,
        after_s=_RECOVERY_S if step.after_recovery and is_first else 0.0,
    )
