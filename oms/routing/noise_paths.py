"""Under which names it is counted where legacy differs from itself."""

from __future__ import annotations

import threading
from collections.abc import Sequence

MAX_PATHS = 32
"""Field paths of one operation that are told apart; the others are ``noise.other``."""

_MAX_LENGTH = 200


class NoisePaths:
    """The names under which noise is counted, boundedly many for each operation."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}
        self.reset_lock()

    def reset_lock(self) -> None:
        """In a forked child: a lock that another thread of the parent held must not stay held here."""
        self._lock = threading.Lock()

    def names(self, operation: str, paths: Sequence[str]) -> list[str]:
        """Return ``noise.<path>`` for each of *paths*, ``noise.other`` where there are too many or one is too long."""
        with self._lock:
            return self._names_locked(operation, paths)

    def _names_locked(self, operation: str, paths: Sequence[str]) -> list[str]:
        known = self._known.setdefault(operation, set())
        for path in paths:
            if len(known) < MAX_PATHS and len(path) <= _MAX_LENGTH:
                known.add(path)
        return list(dict.fromkeys(f"noise.{path}" if path in known else "noise.other" for path in paths))
