"""Known divergences of a phase, read from the rules file beside its seams."""

from __future__ import annotations

import datetime as dt
import difflib
import time
import tomllib
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files

from oms.domain.errors import BadInput
from oms.domain.known import Expiry, KnownDivergence, Predicate, expiring, rule_from
from oms.seams import PHASES, cache, config, resilience_known

_PREDICATES: Mapping[str, Mapping[str, Predicate]] = {
    "cache": cache.PREDICATES,
    "config": config.PREDICATES,
    "resilience": resilience_known.PREDICATES,
}


def load_known(phase: str) -> list[KnownDivergence]:
    """Return the rules of *phase* in the order of ``oms/seams/<phase>.known.toml``, the order they are tried in; none without such a file.

    Raises:
        BadInput: if there is no such phase, or the file is not usable (see :func:`known_from`).
    """
    if phase not in PHASES:
        near = difflib.get_close_matches(phase, PHASES, n=1)
        mend = f"did you mean {near[0]}?" if near else ""
        raise BadInput("phase", found=repr(phase), wanted=f"one of {', '.join(PHASES)}", mend=mend)
    source = files("oms.seams") / f"{phase}.known.toml"
    if not source.is_file():
        return []
    return known_from(source.read_text("utf-8"), where=known_file(phase), predicates=_PREDICATES.get(phase, {}))


def known_file(phase: str) -> str:
    """Return where the rules of *phase* stand, from the root of the repository."""
    return f"oms/seams/{phase}.known.toml"


def expiring_today(phase: str) -> list[Expiry]:
    """Return the ids of *phase* whose rules have expired or will soon, as of today in UTC.

    Raises:
        BadInput: as :func:`load_known` does.
    """
    return expiring(load_known(phase), dt.datetime.fromtimestamp(time.time(), dt.UTC).date())


def known_from(text: str, *, where: str, predicates: Mapping[str, Predicate]) -> list[KnownDivergence]:
    """Build the rules in *text*, which is TOML with one ``[[known]]`` table per rule. One id may have several, at different places.

    Raises:
        BadInput: if *text* is not TOML, has anything else at the top, or a rule in it is not usable or stands there twice.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(where, found=f"no TOML ({error})", wanted="[[known]] tables") from error
    rows = content.pop("known", [])
    if content or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadInput(
            where, found=f"other entries ({', '.join(sorted(content)) or 'known'})", wanted="only [[known]] tables"
        )
    rules = [
        rule_from(row, where=f"{where}: known[{place}] {row.get('id', '')}".rstrip(), predicates=predicates)
        for place, row in enumerate(rows)
    ]
    _refuse_twins(rules, where)
    return rules


def _refuse_twins(rules: list[KnownDivergence], where: str) -> None:
    places = Counter((rule.id, rule.seam, rule.operation, rule.kind, rule.path) for rule in rules)
    if twins := sorted({place[0] for place, count in places.items() if count > 1}):
        raise BadInput(
            where, found=f"{', '.join(twins)} twice at one place", wanted="one rule for each place", mend="delete one"
        )
