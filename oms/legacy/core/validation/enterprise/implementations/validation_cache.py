"""Cache of validation results: least recently used first out, with a time to live, safe between threads.

Kept as it was. Its quirks are VC-01 to VC-09 of the migration guide; ``tests/unit/legacy`` pins each.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from datetime import datetime, timedelta, timezone
from typing import Any, Optional, Tuple


def _naive_utc() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


class ValidationCache:
    """Remembers validation results by the key that ``generate_cache_key`` makes."""

    def __init__(self, max_size: int = 10000, default_ttl: int = 300) -> None:
        self.max_size = max_size
        self.default_ttl = default_ttl  # VC-01: nothing ever reads it
        self._now = _naive_utc
        self._cache: "OrderedDict[str, Tuple[Any, datetime]]" = OrderedDict()
        self._lock = threading.RLock()
        self._hits = 0
        self._misses = 0

    def get(self, key: str) -> Optional[Any]:
        """Return the very object that was stored, or None."""
        with self._lock:
            entry = self._cache.get(key)
            if entry is None:
                self._misses += 1
                return None
            result, expiry = entry
            if self._now() > expiry:  # VC-09: strictly later, so 0 seconds live until the clock ticks
                del self._cache[key]
                self._misses += 1
                return None
            self._cache.move_to_end(key)
            self._hits += 1
            return result  # VC-03: not a copy

    def set(self, key: str, result: Any, ttl_seconds: float) -> None:
        """Store *result* for *ttl_seconds*, which must be given (VC-01)."""
        with self._lock:
            now = self._now()
            self._remove_expired(now)
            self._cache[key] = (result, now + timedelta(seconds=ttl_seconds))
            self._cache.move_to_end(key)
            while len(self._cache) > self.max_size:  # VC-07: with 0 nothing stays, below 0 it pops from nothing
                self._cache.popitem(last=False)

    def delete(self, key: str) -> bool:
        """Remove *key*, expired or not; return whether it was there."""
        with self._lock:
            return self._cache.pop(key, None) is not None

    def clear(self) -> None:
        """Remove every entry and start the statistics again."""
        with self._lock:
            self._cache.clear()
            self._hits = 0
            self._misses = 0

    def get_stats(self) -> dict:
        """Return sizes and hits. Evictions and expiries are counted nowhere (VC-08)."""
        with self._lock:
            total = self._hits + self._misses
            return {
                "size": len(self._cache),
                "max_size": self.max_size,
                "hits": self._hits,
                "misses": self._misses,
                "hit_rate": self._hits / total if total else 0.0,
                "total_requests": total,
            }

    @staticmethod
    def generate_cache_key(data: Any, validation_level: Any, validation_scope: Any) -> str:
        """Return the md5 of data, level and scope as JSON with sorted keys.

        Skipped rules and context are no part of it (VC-02), what JSON does not know raises TypeError (VC-04, VC-05), and number keys
        become texts (VC-06).
        """
        content = {"data": data, "level": str(validation_level), "scope": str(validation_scope)}
        return hashlib.md5(json.dumps(content, sort_keys=True).encode(), usedforsecurity=False).hexdigest()

    def _remove_expired(self, now: datetime) -> None:
        for key in [key for key, (_, expiry) in self._cache.items() if now > expiry]:
            del self._cache[key]
