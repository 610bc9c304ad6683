"""A phase's split over stages, and the rules by which a flip may move it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from oms.domain.errors import BadInput, FlipRefused
from oms.domain.stage import Stage, after, is_legal_mix, stages_of

WHOLE = 10_000
"""Sum of the weights that oms writes: one unit is 0.01 %."""


@dataclass(frozen=True, slots=True)
class Split:
    """Weights per stage, most advanced stage first, each above 0, summing to 10,000.

    One entry is a static flag: the stage of everybody. Two neighbouring entries are a canary.
    """

    weights: tuple[tuple[Stage, int], ...]

    @classmethod
    def whole(cls, stage: Stage) -> Split:
        """Return the split that puts everybody at *stage*."""
        return cls(((stage, WHOLE),))

    @property
    def stages(self) -> frozenset[Stage]:
        """Every stage that somebody stands at."""
        return frozenset(stage for stage, _ in self.weights)

    @property
    def most_advanced(self) -> Stage:
        """The highest stage that somebody stands at."""
        return max(self.stages, key=lambda stage: stage.rank)

    @property
    def least_advanced(self) -> Stage:
        """The lowest stage that somebody stands at."""
        return min(self.stages, key=lambda stage: stage.rank)

    @property
    def is_whole(self) -> bool:
        """True if everybody stands at one stage."""
        return len(self.weights) == 1

    def share(self, stage: Stage) -> int:
        """Return the weight of *stage*, 0 to 10,000."""
        return dict(self.weights).get(stage, 0)

    def __str__(self) -> str:
        """Read like the command line: ``shadow``, ``live=5`` (the rest stays at the stage before), ``live=5 shadow=95`` never."""
        if self.is_whole:
            return self.weights[0][0].value
        stage, weight = self.weights[0]
        return f"{stage.value}={percent_text(weight)}"


def percent_text(weight: int) -> str:
    """Return a weight of 10,000 as a percentage without needless zeros: 500 reads ``5``, 1 reads ``0.01``."""
    return f"{Decimal(weight) / 100:f}".rstrip("0") if weight % 100 else str(weight // 100)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody typed after ``oms flip PHASE``: a stage, and its weight of 10,000."""

    stage: Stage
    weight: int


_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")


def parse_wish(text: str, *, writes: bool) -> Wish:
    """Read ``STAGE`` or ``STAGE=PERCENT``; the percentage is above 0, at most 100, with at most two decimals.

    Raises:
        BadInput: if the stage is not one of the phase's or the percentage is out of range.
    """
    import difflib

    name, equals, share = text.partition("=")
    known = [stage.value for stage in stages_of(writes=writes)]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise BadInput(
            "STAGE",
            found=repr(name),
            wanted=f"one of {' '.join(known)}",
            mend=f"did you mean {near[0]}?" if near else "",
        )
    if not equals:
        return Wish(Stage(name), WHOLE)
    weight = int(Decimal(share) * 100) if _PERCENT.fullmatch(share) else 0
    if not 0 < weight <= WHOLE:
        raise BadInput("PERCENT", found=repr(share), wanted="above 0, at most 100, at most two decimals, as in live=5")
    return Wish(Stage(name), weight)


def advance(current: Split, wish: Wish, *, writes: bool) -> Split:
    """Return the split after *wish*, going at most one stage towards unified; a lower one is returned as it is wished.

    ``STAGE=PERCENT`` leaves the rest where it is, which must be wholly the stage before, or a split of the same two stages.

    Raises:
        FlipRefused: if the wish skips a stage or would mix stages that may not stand side by side.
    """
    if wish.weight == WHOLE:
        return _advance_whole(current, wish.stage, writes=writes)
    return _advance_share(current, wish, writes=writes)


def _advance_whole(current: Split, stage: Stage, *, writes: bool) -> Split:
    reachable = after(current.least_advanced, writes=writes)
    if stage.rank > current.least_advanced.rank and stage is not reachable:
        raise FlipRefused(
            f"{stage.value} is more than one stage above {current.least_advanced.value}, where part of the traffic stands;"
            f" go to {reachable.value if reachable else current.least_advanced.value} first"
        )
    return Split.whole(stage)


def _advance_share(current: Split, wish: Wish, *, writes: bool) -> Split:
    rest = current.least_advanced
    if after(rest, writes=writes) is not wish.stage or not current.stages <= {rest, wish.stage}:
        raise FlipRefused(
            f"{wish.stage.value}={percent_text(wish.weight)} needs the rest to stand at the stage before it, but it stands at {current}"
        )
    if not is_legal_mix({rest, wish.stage}, writes=writes):
        raise FlipRefused(f"{rest.value} and {wish.stage.value} may not stand side by side; flip all of it")
    return Split(((wish.stage, wish.weight), (rest, WHOLE - wish.weight)))


def is_rollback(current: Split, new: Split) -> bool:
    """Tell whether *new* puts nobody higher than *current* does.

    Both are cumulative shares from the most advanced stage down: at every stage, no more traffic at or above it than before.
    """

    def at_or_above(split: Split, stage: Stage) -> int:
        return sum(weight for other, weight in split.weights if other.rank >= stage.rank)

    return all(at_or_above(new, stage) <= at_or_above(current, stage) for stage in Stage)
