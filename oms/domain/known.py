"""Known divergences: differences that somebody has looked at, owns and accepts until a date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from oms.domain.comparison import Difference
from oms.domain.errors import BadInput
from oms.domain.observation import Facts


class KnownClass(StrEnum):
    """Why a difference may stand: it is noise of the comparison, or a change that was accepted."""

    NOISE = "noise"
    ACCEPTED = "accepted"


Predicate = Callable[[Difference, Facts], bool]
"""Tells from facts of the call and of the key's last write whether a rule covers this very difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDivergence:
    """A rule: this operation may differ in this way, for this reason, until this day.

    Attributes:
        id: The quirk's id in the migration guide, ``TC-01``.
        seam, operation: Where it holds: ``cache.types``, ``get``; a shell pattern such as ``cache.*`` may stand for several.
        kind, path: The difference's kind and folded path; shell patterns, so ``*`` covers every path.
        when: Name of the predicate that must hold too.
        expires: The last day on which it holds, UTC.
        anchor: Where the migration guide tells callers what to do, ``docs/migration/cache.md#tc-01``.
    """

    id: str
    seam: str
    operation: str
    kind: str
    path: str
    when: str
    klass: KnownClass
    owner: str
    reason: str
    expires: dt.date
    anchor: str
    predicate: Predicate

    def covers(self, seam: str, difference: Difference, facts: Facts) -> bool:
        """Tell whether *difference* in *seam* (its full name) is this one. Raises what the predicate raises."""
        return (
            fnmatchcase(seam, self.seam)
            and fnmatchcase(facts.operation, self.operation)
            and fnmatchcase(difference.kind, self.kind)
            and fnmatchcase(difference.path, self.path)
            and self.predicate(difference, facts)
        )


SOON_DAYS = 14
"""A rule that expires within so many days is warned of: time enough to look at the difference again before the check fails."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """What the date says of all rules with one id.

    Attributes:
        days_left: Whole days until the first of them expires; below 0 it is over since as many.
    """

    id: str
    owner: str
    expires: dt.date
    days_left: int

    @property
    def is_over(self) -> bool:
        """True if a rule of that id does not hold any more."""
        return self.days_left < 0

    @property
    def words(self) -> str:
        """``TC-01 of platform-caching expired on 2027-06-30, 3 days ago``."""
        days = f"{abs(self.days_left)} {'day' if abs(self.days_left) == 1 else 'days'}"
        when = f"expired on {self.expires}, {days} ago" if self.is_over else f"expires on {self.expires}, in {days}"
        return f"{self.id} of {self.owner} {when}"


def expiring(rules: Iterable[KnownDivergence], today: dt.date, *, within_days: int = SOON_DAYS) -> list[Expiry]:
    """Return the ids whose rules have expired, or will within *within_days*, the longest expired first."""
    first: dict[str, KnownDivergence] = {}
    for rule in rules:
        if rule.id not in first or rule.expires < first[rule.id].expires:
            first[rule.id] = rule
    found = [Expiry(rule.id, rule.owner, rule.expires, (rule.expires - today).days) for rule in first.values()]
    return sorted((one for one in found if one.days_left <= within_days), key=lambda one: (one.days_left, one.id))


def matching_rule(
    rules: Iterable[KnownDivergence], seam: str, difference: Difference, facts: Facts
) -> KnownDivergence | None:
    """Return the first rule that covers *difference*, or None."""
    return next((rule for rule in rules if rule.covers(seam, difference, facts)), None)


_FIELDS = ("id", "seam", "operation", "kind", "path", "when", "class", "owner", "reason", "expires", "anchor")
_TEXTS = tuple(name for name in _FIELDS if name not in ("class", "expires"))


def rule_from(row: Mapping[str, object], *, where: str, predicates: Mapping[str, Predicate]) -> KnownDivergence:
    """Build a rule from one table of a rules file.

    Args:
        row: Every field of the class by name, ``class`` for ``klass``.
        where: File and place, for the error message.
        predicates: The named predicates of the phase.

    Raises:
        BadInput: if a field is missing, unknown or of the wrong type, or no predicate has the name.
    """
    if missing := [name for name in _FIELDS if name not in row]:
        raise BadInput(where, found=f"no {', '.join(missing)}", wanted="every field of a known divergence")
    if unknown := sorted(set(row) - set(_FIELDS)):
        raise BadInput(where, found=f"unknown {', '.join(unknown)}", wanted=f"only {', '.join(_FIELDS)}")
    texts = {name: _text(row[name], f"{where}: {name}", optional=name == "path") for name in _TEXTS}
    if texts["when"] not in predicates:
        raise BadInput(f"{where}: when", found=repr(texts["when"]), wanted=f"one of {', '.join(sorted(predicates))}")
    if row["class"] not in tuple(KnownClass):
        raise BadInput(f"{where}: class", found=repr(row["class"]), wanted="noise or accepted")
    expires = row["expires"]
    if not isinstance(expires, dt.date) or isinstance(expires, dt.datetime):
        raise BadInput(f"{where}: expires", found=repr(expires), wanted="a date such as 2027-03-31, without quotes")
    return KnownDivergence(
        **texts, klass=KnownClass(str(row["class"])), expires=expires, predicate=predicates[texts["when"]]
    )


def _text(value: object, where: str, *, optional: bool) -> str:
    if not isinstance(value, str) or not (value.strip() or optional):
        raise BadInput(where, found=repr(value), wanted="a text")
    return value
