"""The steps of a phase, read back from the audit."""

from __future__ import annotations

import pytest

from oms.domain.record import Flip
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.rollout.audit import AuditLine, AuditOutcome, AuditTrail
from oms.rollout.guard.steps import Step, StepIndex, parse_split, put_in_order, steps_of
from oms.seams import PHASES

CACHE, CONFIG = PHASES["cache"], PHASES["config"]
CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9_500)))


@pytest.mark.parametrize("split", [Split.whole(Stage.SHADOW), CANARY, Split(((Stage.LIVE, 5), (Stage.SHADOW, 9_995)))])
def test_split_as_the_audit_tells_it(split: Split) -> None:
    """What an audit line says is the split that was written."""
    assert split == parse_split(str(split), CACHE)


def test_other_targeting() -> None:
    """Targeting that is no share, and a stage that the phase does not have, are no split."""
    assert parse_split("targeting(live off)", CACHE) is None
    assert parse_split("dualwrite", CONFIG) is None


def line(
    to: str, digest: str, at: float, *, outcome: AuditOutcome = AuditOutcome.DONE, phase: str = "cache"
) -> AuditLine:
    """Return one line of the audit."""
    return AuditLine(1, Flip(phase, "off", to, digest, "ana", "a test", at), outcome, "", "")


def test_only_what_took_place() -> None:
    """Refused flips, orders and other phases are no steps; a flag that the audit does not know is the last one."""
    trail = AuditTrail(
        (
            line("shadow", "a", 10.0),
            line("live", "b", 20.0, outcome=AuditOutcome.REFUSED),
            line("live=5", "c", 30.0),
            line("live=5", "c", 40.0, outcome=AuditOutcome.ORDER),
            line("shadow", "d", 50.0, phase="config"),
        ),
        (),
    )
    present = Step("z", None, 60.0)

    assert ["", "a", "c"] == [step.plan for step in steps_of(trail, CACHE, present=Step("c", CANARY, 35.0))]
    found = steps_of(trail, CACHE, present=present)
    assert (["", "a", "c", "z"], CANARY) == ([step.plan for step in found], found[2].split)
    canary = found[2].canary
    assert canary is not None
    assert (Stage.LIVE, Stage.SHADOW, 0.05) == (canary.advanced, canary.rest, canary.share)


def test_which_step_was_counted_in() -> None:
    """Of several steps with one flag it is the last that had begun in that minute; older hours are in the first; others before all."""
    index = StepIndex([Step("", None, 0.0), Step("a", None, 90.0), Step("b", None, 200.0), Step("a", None, 330.0)])

    assert (1, 1, 3) == (index.at("a", 60.0), index.at("a", 240.0), index.at("a", 300.0))
    assert (1, 0) == (index.at("a", 0.0), index.at("unknown", 300.0))


def test_steps_of_a_clock_that_was_set_back() -> None:
    """No step begins after the one behind it, nor the last one after it could have."""
    steps = [Step("a", None, 90.0), Step("b", None, 400.0), Step("c", None, 100.0), Step("d", None, 300.0)]

    assert (90.0, 100.0, 100.0, 250.0) == tuple(step.began_s for step in put_in_order(steps, no_later_than_s=250.0))
    assert tuple(steps[:2]) == put_in_order(steps[:2], no_later_than_s=500.0)
