"""What a storage must do to carry a cache."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NoReturn

from oms.seams.cache import Value
from oms.unified.cache.counts import Counts
from oms.unified.cache.errors import KeyInvalid, SyncNotSupported


class Missing(Enum):
    """The type of MISSING, so that a type checker can tell it from a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""What a storage answers for a key it does not hold. None is a value like any other."""


def check_key(key: object) -> None:
    """Refuse anything but a text as a key.

    Raises:
        KeyInvalid: because 1 and "1" must not share an entry, and only texts mean the same in every storage.
    """
    if not isinstance(key, str):
        raise KeyInvalid("cache key", found=f"a {type(key).__name__}", wanted="a str")


class CacheStorageBackend(ABC):
    """Keeps the values of one cache.

    A storage answers ``MISSING`` for what it does not hold. Times to live come in seconds, normalised: None for ever, 0 removes the
    key and stores nothing. The names that end in ``_sync`` are the same calls without a loop; a storage that has none keeps the
    inherited ones, which say so.

    Attributes:
        process_local: True if the values die with the process.
        max_size: The most entries it holds, None if it does not bound itself.
        counts: What it has done.
    """

    process_local: bool = True
    max_size: int | None = None

    def __init__(self) -> None:
        self.counts = Counts()

    @property
    def size(self) -> int | None:
        """Entries held now, None if only a walk over the storage could tell."""
        return None

    @abstractmethod
    async def get(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""

    @abstractmethod
    async def set(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Return whether the storage did as told."""

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Remove *key*. Return whether there was something."""

    @abstractmethod
    async def exists(self, key: str) -> bool:
        """Tell whether *key* is held, without touching its place in the order of eviction."""

    @abstractmethod
    async def clear(self) -> None:
        """Remove every key of this cache, and of no other."""

    async def forget(self, key: str | None) -> None:
        """Make *key* a miss, every key if None.

        Raises:
            CacheUnavailable: if the storage did not confirm it, even where it is lenient otherwise.
        """
        await (self.clear() if key is None else self.delete(key))

    async def get_many(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order."""
        found = {key: await self.get(key) for key in keys}
        return {key: value for key, value in found.items() if value is not MISSING}

    async def set_many(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*. Return whether the storage did as told with each."""
        done = [await self.set(key, value, ttl_s) for key, value in items.items()]
        return all(done)

    async def aclose(self) -> None:  # noqa: B027 - most storages hold nothing open
        """Give back what the running loop holds open."""

    def get_sync(self, key: str) -> Value:
        """Return the value under *key*, or MISSING."""
        self._refuse_sync()

    def answer(self, key: str, missing: Value = None) -> Value:
        """Return the value under *key*, or *missing*: what ``UnifiedCache.get`` is."""
        value = self.get_sync(key)
        return missing if value is MISSING else value

    def set_sync(self, key: str, value: Value, ttl_s: float | None) -> bool:
        """Keep *value* under *key* for *ttl_s* seconds. Return whether the storage did as told."""
        self._refuse_sync()

    def delete_sync(self, key: str) -> bool:
        """Remove *key*. Return whether there was something."""
        self._refuse_sync()

    def exists_sync(self, key: str) -> bool:
        """Tell whether *key* is held, without touching its place in the order of eviction."""
        self._refuse_sync()

    def clear_sync(self) -> None:
        """Remove every key of this cache, and of no other."""
        self._refuse_sync()

    def forget_sync(self, key: str | None) -> None:
        """Make *key* a miss, every key if None. Raises as ``forget`` does."""
        if key is None:
            self.clear_sync()
        else:
            self.delete_sync(key)

    def get_many_sync(self, keys: Iterable[str]) -> dict[str, Value]:
        """Return what is held of *keys*, in their order."""
        found = {key: self.get_sync(key) for key in keys}
        return {key: value for key, value in found.items() if value is not MISSING}

    def set_many_sync(self, items: Mapping[str, Value], ttl_s: float | None) -> bool:
        """Keep all of *items*. Return whether the storage did as told with each."""
        done = [self.set_sync(key, value, ttl_s) for key, value in items.items()]
        return all(done)

    def close(self) -> None:  # noqa: B027 - most storages hold nothing open
        """Give back what plain calls hold open."""

    def _refuse_sync(self) -> NoReturn:
        raise SyncNotSupported(
            type(self).__name__, found="a plain call", wanted="an async one", mend="use aget, aset, adelete and aclear"
        )
