"""What a report shows of divergences: groups of one cause, and the rules that cover some."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from oms.domain.known import SOON_DAYS
from oms.journal.entries import DivergenceGroup


@dataclass(frozen=True, slots=True)
class GroupReport:
    """A group of divergences with its share.

    Attributes:
        share: Of the comparisons of the operation with that version, 0 to 1. A comparison may differ in several places, so shares may sum to
            more.
        still_happening: Seen in the last five minutes that the report tells of.
        noise: How often legacy differed from itself there, of how many reads that it did twice; None if none was done twice.
        before: How often the same was seen with older versions.
    """

    group: DivergenceGroup
    share: float
    still_happening: bool
    noise: tuple[int, int] | None
    before: int = 0

    @property
    def name(self) -> str:
        """``cache.types.get``."""
        return f"{self.group.phase}.{self.group.seam}.{self.group.operation}"

    @property
    def is_noisy(self) -> bool:
        """True if legacy differs from itself there about as often as unified differs from it: the comparison cannot tell."""
        return self.noise is not None and self.noise[0] > 0 and self.noise[0] / self.noise[1] >= self.share / 2


@dataclass(frozen=True, slots=True)
class RuleReport:
    """A known divergence: all rules of one id.

    Attributes:
        hits: Differences that it covered with the present versions; a comparison may differ in several places.
        share: Of the comparisons of the operation that it takes most of, 0 to 1; where it takes it with others, at most so much.
        takes_too_much: That is more than 5 %: it may hide something else.
        days_left: Until it expires; below 0 it has.
        is_gone: The journal names it, and no rules file does any more.
    """

    id: str
    klass: str
    owner: str
    reason: str
    expires: dt.date | None
    hits: int
    share: float
    takes_too_much: bool
    days_left: int | None
    is_gone: bool = False

    @property
    def is_told(self) -> bool:
        """True if there is something to say of it."""
        return bool(self.hits or self.warning)

    @property
    def warning(self) -> str:
        """What is wrong with it, empty if nothing is."""
        if self.is_gone:
            return "in no rules file any more"
        if self.days_left is not None and self.days_left < 0:
            return "expired"
        if self.takes_too_much:
            return "takes more than 5 %"
        return f"expires in {self.days_left} d" if self.days_left is not None and self.days_left <= SOON_DAYS else ""
