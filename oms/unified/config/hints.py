"""Slips of the pen in an environment: names that nobody reads, close to one that somebody does."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

_ALIKE = 0.87
"""Share of letters in common (difflib's ratio): ``REDIS_PASSWROD`` has 0.93, ``REDIS_PORT`` and ``REDIS_HOST`` 0.80."""


def slips(environment: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield one sentence for each name of *environment* that is none of *known* but looks like one."""
    names = set(known)
    for name in sorted(environment):
        if name in names or not name.isascii() or len(name) < 4:
            continue
        near = [each for each in names if abs(len(each) - len(name)) <= 2]
        if name.upper() in names:
            yield f"{name} is set, which nobody reads: names are case-sensitive; did you mean {name.upper()}?"
        elif found := difflib.get_close_matches(name, near, n=1, cutoff=_ALIKE):
            yield f"{name} is set, which nobody reads; did you mean {found[0]}?"
