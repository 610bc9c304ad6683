"""Requests that bring a phase evidence soon: many reads, each for a targeting key that nobody has used before."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from oms.app.rehearsal.request import Errand, request

BURST_PATH = "/_rehearsal/burst"
"""Where a worker reads many documents by itself, see :mod:`oms.app.rehearsal.burst`."""

_BURST = 200
_RELOAD_READS = 60
"""About how many settings one reload reads."""


class Probes:
    """Makes them for one phase; one that has none gets by with ordinary traffic.

    Attributes:
        reads: How many reads were asked for so far that were made inside a worker, and not by a caller over HTTP.
    """

    def __init__(self, phase: str) -> None:
        makers: dict[str, Callable[[int], list[Errand]]] = {"cache": self._bursts, "config": self._reloads}
        self._make = makers.get(phase, _none)
        self._numbers = itertools.count()
        self.reads = 0

    def requests(self, reads: int) -> list[Errand]:
        """Return requests for one process that come to about *reads* reads."""
        return self._make(reads)

    def _bursts(self, reads: int) -> list[Errand]:
        self.reads += reads
        sizes = [_BURST] * (reads // _BURST) + ([reads % _BURST] if reads % _BURST else [])
        paths = (f"{BURST_PATH}/{next(self._numbers) * _BURST}/{size}" for size in sizes)
        return [(request("burst", "POST", path),) for path in paths]

    def _reloads(self, reads: int) -> list[Errand]:
        """A tenant's reload: the reads of one request are one unit of work, so one key."""
        count = max(1, reads // _RELOAD_READS)
        path, tenants = "/configuration/reload", (f"probe-{next(self._numbers)}" for _ in range(count))
        return [(request("reload", "POST", path, tenant=name, expected=frozenset({204})),) for name in tenants]


def _none(reads: int) -> list[Errand]:
    return []
