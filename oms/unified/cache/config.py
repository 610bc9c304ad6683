"""What a cache can be told, read from the mapping that callers write."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from oms.unified.cache.errors import CacheConfigInvalid, TtlInvalid
from oms.unified.cache.ttl import ttl_in_seconds

_COMING = ("terminusdb", "tiered")
_SCHEMES = ("redis://", "rediss://", "unix://")
_LONGEST_NAMESPACE = 100


class Storage(StrEnum):
    """Where the values lie."""

    MEMORY = "memory"
    REDIS = "redis"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """How one cache is built.

    Attributes:
        max_size: Most entries of a memory cache, 1 or more. Redis bounds its memory itself (``maxmemory``), for all it holds.
        ttl: For values stored without one, in seconds above 0 (a timedelta is taken too); None for ever.
        backend: ``memory`` or ``redis``.
        namespace: Sets the keys of this cache apart from all others in the same Redis; None for the cache's name. 1 to 100 characters.
        url: Of the Redis server: ``redis://``, ``rediss://`` or ``unix://``. Never shown, it may hold a password.
        deadline_ms: How long one call to Redis may take, in milliseconds above 0.
        strict: True raises CacheUnavailable where Redis does not answer; else a read is a miss and a write is undone later.
        copy: False lets a memory cache hand out the very objects it was given.

    Raises:
        CacheConfigInvalid: if a value is unusable, or does not go with another one.
    """

    max_size: int = 1000
    ttl: float | None = None
    backend: Storage = Storage.MEMORY
    namespace: str | None = None
    url: str | None = field(default=None, repr=False)
    deadline_ms: float = 50.0
    strict: bool = False
    copy: bool = True

    def __post_init__(self) -> None:
        for name, normalised in (("ttl", _ttl(self.ttl)), ("backend", _storage(self.backend))):
            object.__setattr__(self, name, normalised)
        _check_number("max_size", self.max_size, (int,), least=1)
        _check_number("deadline_ms", self.deadline_ms, (int, float), least=1)
        for name in ("strict", "copy"):
            if not isinstance(getattr(self, name), bool):
                raise _invalid(name, found=f"a {type(getattr(self, name)).__name__}", wanted="True or False")
        _check_text("namespace", self.namespace, longest=_LONGEST_NAMESPACE)
        _check_text("url", self.url, longest=2000)
        self._check_together()

    @classmethod
    def of(cls, config: Mapping[str, Any] | CacheConfig | None) -> CacheConfig:
        """Return *config* checked, every key optional.

        Raises:
            CacheConfigInvalid: if a key is unknown (the message names the nearest known one) or a value unusable.
        """
        if isinstance(config, CacheConfig):
            return config
        if config is not None and not isinstance(config, Mapping):
            raise _invalid("", found=f"a {type(config).__name__}", wanted="a mapping or a CacheConfig")
        for key in config or {}:
            _check_known(key)
        return cls(**(config or {}))

    def differences(self, other: CacheConfig) -> tuple[str, ...]:
        """Return the keys in which *other* says something else, in alphabetical order."""
        return tuple(sorted(f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)))

    def _check_together(self) -> None:
        if self.backend is Storage.REDIS:
            if self.url is None or not self.url.startswith(_SCHEMES):
                raise _invalid(
                    "url", found="none" if self.url is None else "another scheme", wanted=" or ".join(_SCHEMES)
                )
            if not self.copy:
                raise _invalid(
                    "copy",
                    found="False with backend redis",
                    wanted="True",
                    mend="values that cross a network are copies",
                )
        elif self.url is not None:
            raise _invalid(
                "url", found="one with backend memory", wanted="none", mend="add backend: redis, or leave url out"
            )


def _ttl(ttl: object) -> float | None:
    try:
        seconds = None if ttl is None else ttl_in_seconds(ttl)
    except TtlInvalid as fault:
        raise _invalid("ttl", found=fault.found, wanted=fault.wanted) from fault
    if seconds == 0:
        raise _invalid(
            "ttl", found="0", wanted="more than 0, or None for ever", mend="a default of 0 would store nothing"
        )
    return seconds


def _storage(backend: object) -> Storage:
    words = [storage.value for storage in Storage]
    if backend in _COMING:
        raise _invalid(
            "backend",
            found=repr(str(backend)),
            wanted=" or ".join(words),
            mend=f"{backend} comes with a later part of the cache phase",
        )
    if not isinstance(backend, str) or backend not in words:
        raise _invalid(
            "backend",
            found=repr(backend) if isinstance(backend, str) else f"a {type(backend).__name__}",
            wanted=" or ".join(words),
            mend=_nearest(str(backend), words),
        )
    return Storage(backend)


def _check_known(key: object) -> None:
    known = [f.name for f in fields(CacheConfig)]
    if key not in known:
        raise _invalid(
            "", found=f"the unknown key {key!r}", wanted=f"one of {', '.join(known)}", mend=_nearest(str(key), known)
        )


def _check_number(name: str, value: object, kinds: tuple[type, ...], *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, kinds):
        wanted = "a whole number" if kinds == (int,) else "a number"
        raise _invalid(name, found=f"a {type(value).__name__}", wanted=f"{wanted}, {least} or more")
    if not isinstance(value, (int, float)) or not least <= value < float("inf"):
        raise _invalid(name, found=str(value), wanted=f"{least} or more")


def _check_text(name: str, value: object, *, longest: int) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise _invalid(name, found=f"a {type(value).__name__}", wanted="a str")
    if not 1 <= len(value) <= longest:
        raise _invalid(name, found=f"{len(value)} characters", wanted=f"1 to {longest}")


def _nearest(word: str, words: list[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""


def _invalid(key: str, *, found: str, wanted: str, mend: str = "") -> CacheConfigInvalid:
    return CacheConfigInvalid(f"cache config: {key}" if key else "cache config", found=found, wanted=wanted, mend=mend)
