"""A growing canary."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from oms.domain.scope import ANONYMOUS, EvaluationContext
from oms.domain.split import WHOLE, Split
from oms.domain.stage import Stage
from oms.flagging.decision import FlagDecision
from oms.flagging.files import FlagFiles
from oms.seams import PHASES

NEIGHBOURS = [
    (Stage.DUALWRITE, Stage.OFF),
    (Stage.SHADOW, Stage.DUALWRITE),
    (Stage.LIVE, Stage.SHADOW),
    (Stage.COMPLETE, Stage.RAMPDOWN),
]


def decision_at(files: FlagFiles, upper: Stage, lower: Stage, weight: int) -> FlagDecision:
    split = {0: Split.whole(lower), WHOLE: Split.whole(upper)}.get(
        weight, Split(((upper, weight), (lower, WHOLE - weight)))
    )
    return files.state_of("cache", files.render("cache", split)).decision


@settings(deadline=None)
@given(
    neighbours=st.sampled_from(NEIGHBOURS),
    weights=st.lists(st.integers(0, WHOLE), min_size=2, max_size=4).map(sorted),
    keys=st.lists(st.text(max_size=40), min_size=1, max_size=30),
)
def test_growing_canary_demotes_nobody(neighbours: tuple[Stage, Stage], weights: list[int], keys: list[str]) -> None:
    """While a share grows from nothing to all, no caller, with a key or without, ever stands lower than before."""
    files = FlagFiles(Path("flags"), PHASES)
    decisions = [decision_at(files, *neighbours, weight) for weight in weights]
    for context in [ANONYMOUS, *map(EvaluationContext, keys)]:
        ranks = [decision.decide(context, "types", "get").rank for decision in decisions]

        assert sorted(ranks) == ranks


@settings(deadline=None)
@given(weight=st.integers(1, WHOLE - 1), key=st.text(max_size=40))
def test_shrunk_and_grown_again(weight: int, key: str) -> None:
    """The same share has the same callers whenever it is reached."""
    files = FlagFiles(Path("flags"), PHASES)
    first, second = (decision_at(files, Stage.LIVE, Stage.SHADOW, weight) for _ in range(2))
    context = EvaluationContext(key)

    assert first.decide(context, "types", "get") == second.decide(context, "types", "set")
