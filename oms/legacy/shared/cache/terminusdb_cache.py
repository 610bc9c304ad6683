"""Two-tier cache of documents: a dict in memory, and TerminusDB where a client is given.

Kept as it was before the roadmap's commit: every error is logged and swallowed. Its quirks are TM-01 to TM-10 of the migration guide;
``tests/unit/legacy`` pins each.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Awaitable, Callable, Dict, List, Optional

logger = logging.getLogger(__name__)


def _naive_utc() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


@dataclass
class _Entry:
    text: str
    expires_at: datetime
    accessed_at: datetime
    access_count: int = 0


class TerminusDBCacheManager:
    """Remembers values as JSON text.

    *db_client* has the coroutines ``read(db, id)``, ``write(db, id, document)``, ``remove(db, id)``, ``wipe(db)``, ``create(db)`` and
    ``documents(db, branch, doc_type)``. It is used only if ``TERMINUSDB_CACHE_ENABLED`` says ``true``.
    """

    def __init__(self, db_client: Any = None, cache_db: str = "_cache") -> None:
        self.db_client = db_client
        self.cache_db = cache_db
        self.default_ttl = int(os.getenv("CACHE_DEFAULT_TTL", "3600"))
        enabled = os.getenv("TERMINUSDB_CACHE_ENABLED", "true").lower() == "true"  # TM-09: "1" and "yes" are no
        self.db_enabled = db_client is not None and enabled
        self.max_memory_entries = 1000
        self._now: Callable[[], datetime] = _naive_utc
        self._memory: Dict[str, _Entry] = {}
        self._hits = 0
        self._misses = 0

    async def initialize(self) -> None:
        """Create the cache's database where there is a client."""
        if self.db_enabled:
            await self._guarded("initialize", self.db_client.create(self.cache_db))

    async def get(self, key: Any) -> Optional[Any]:
        """Return a fresh copy of what JSON kept of the value, or None."""
        entry_id = self._id(key)
        entry = self._memory.get(entry_id)
        if entry is not None:
            if self._now() < entry.expires_at:
                entry.accessed_at = self._now()
                entry.access_count += 1
                self._hits += 1
                return json.loads(entry.text)
            del self._memory[entry_id]
        return await self._get_from_db(entry_id)

    async def set(self, key: Any, value: Any, ttl: Optional[float] = None) -> bool:
        """Store *value* for *ttl* seconds; True even when TerminusDB could not be reached (TM-10)."""
        try:
            text = json.dumps(value, default=str)  # TM-01: what JSON does not know becomes text
            expires_at = self._now() + timedelta(seconds=self.default_ttl if ttl is None else ttl)
            self._remember(self._id(key), text, expires_at)
        except Exception as error:
            logger.error("cache set failed: %s", type(error).__name__)
            return False
        if self.db_enabled:
            document = {"value": text, "expires_at": expires_at.isoformat()}
            await self._guarded("set", self.db_client.write(self.cache_db, self._id(key), document))
        return True

    async def delete(self, key: Any) -> bool:
        """Remove *key*; True whether or not it was there (TM-06)."""
        self._memory.pop(self._id(key), None)
        if self.db_enabled:
            await self._guarded("delete", self.db_client.remove(self.cache_db, self._id(key)))
        return True

    async def clear(self) -> bool:
        """Remove every entry of both tiers."""
        self._memory.clear()
        if self.db_enabled:
            await self._guarded("clear", self.db_client.wipe(self.cache_db))
        return True

    async def exists(self, key: Any) -> bool:
        """Tell whether ``get`` gives something; a stored None does not exist (TM-02)."""
        return await self.get(key) is not None

    async def get_with_optimization(
        self,
        key: Any,
        db: str,
        branch: str,
        query_factory: Callable[[], Awaitable[Any]],
        doc_type: str,
        ttl: Optional[float] = None,
    ) -> Any:
        """Return what is remembered, else ask *query_factory* and remember that.

        Callers that miss at the same time all ask (TM-07), a None is never remembered (TM-02), and a ttl of 0 is the default (TM-04).
        """
        remembered = await self.get(key)
        if remembered is not None:
            return remembered
        value = await query_factory()
        if value is not None:
            await self.set(key, value, ttl or self.default_ttl)
        return value

    async def warm_cache_for_branch(self, db: str, branch: str, doc_types: List[str]) -> int:
        """Remember every document of *doc_types* for two hours; return how many."""
        warmed = 0
        for doc_type in doc_types if self.db_enabled else []:
            documents = await self._guarded("warm", self.db_client.documents(db, branch, doc_type)) or []
            for document in documents:
                await self.set(f"{db}:{branch}:{doc_type}:{document.get('@id')}", document, ttl=7200)
                warmed += 1
        return warmed

    async def get_cache_stats(self) -> Dict[str, Any]:
        """Return sizes and hits. Its name is not the one that later callers expect (TM-08)."""
        total = self._hits + self._misses
        return {
            "memory_entries": len(self._memory),
            "max_memory_entries": self.max_memory_entries,
            "hits": self._hits,
            "misses": self._misses,
            "hit_rate": self._hits / total if total else 0.0,
            "terminusdb_enabled": self.db_enabled,
        }

    def _remember(self, entry_id: str, text: str, expires_at: datetime) -> None:
        if len(self._memory) >= self.max_memory_entries:  # TM-05: does not ask whether the key is there already
            self._evict()
        self._memory[entry_id] = _Entry(text, expires_at, self._now())

    def _evict(self) -> None:
        by_access = sorted(self._memory, key=lambda entry_id: self._memory[entry_id].accessed_at)
        for entry_id in by_access[: self.max_memory_entries // 10]:
            del self._memory[entry_id]

    async def _get_from_db(self, entry_id: str) -> Optional[Any]:
        document = await self._guarded("get", self.db_client.read(self.cache_db, entry_id)) if self.db_enabled else None
        if document and self._now() < datetime.fromisoformat(document["expires_at"]):
            self._hits += 1
            self._remember(entry_id, document["value"], datetime.fromisoformat(document["expires_at"]))
            return json.loads(document["value"])
        self._misses += 1
        return None

    async def _guarded(self, what: str, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except Exception as error:
            logger.error("TerminusDB cache %s failed: %s", what, type(error).__name__)
            return None

    @staticmethod
    def _id(key: Any) -> str:
        return hashlib.sha256(str(key).encode()).hexdigest()[:32]  # TM-03: 1 and "1" are one key
