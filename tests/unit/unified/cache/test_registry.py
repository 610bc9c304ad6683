"""Caches by name, and the configuration they are built from."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import oms.unified.cache
from oms.unified.cache import CacheConfig, CacheConfigInvalid, CacheRegistry, MemoryBackend

from .conftest import FakeClock

URL = "redis://:hunter2@127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    CacheRegistry.reset()


def test_as_the_roadmap_writes_it() -> None:
    """Called on the class it uses one registry: the same name is the same cache."""
    cache = CacheRegistry.get_cache("my_cache", config={"max_size": 1000})

    assert cache is CacheRegistry.get_cache("my_cache", {"max_size": 1000})
    assert cache is CacheRegistry.get_cache("my_cache")
    assert (cache,) == CacheRegistry.caches()
    assert ("my_cache", 1000) == (cache.name, cache.stats().max_size)


def test_instances_are_apart() -> None:
    """An instance has names of its own, and knows nothing of the class's."""
    mine, other = CacheRegistry(), CacheRegistry()

    assert mine.get_cache("c") is mine.get_cache("c")
    assert mine.get_cache("c") is not other.get_cache("c")
    assert () == CacheRegistry.caches()
    assert CacheRegistry.get_cache("c") is CacheRegistry.default().get_cache("c")


def test_reset() -> None:
    """After a reset a name means a new cache; what callers hold still works."""
    held = CacheRegistry.get_cache("c", {"max_size": 5})
    CacheRegistry.reset()

    assert held is not CacheRegistry.get_cache("c", {"max_size": 6})
    held.set("k", 1)
    assert 1 == held.get("k")


def test_conflict() -> None:
    """The same name with another config is an error that names the keys; written otherwise but meaning the same it is not."""
    registry = CacheRegistry()
    cache = registry.get_cache("c", {"max_size": 10, "ttl": 60})

    assert cache is registry.get_cache("c", {"ttl": dt.timedelta(minutes=1), "max_size": 10, "backend": "memory"})
    with pytest.raises(
        CacheConfigInvalid,
        match=r"^cache 'c': found another max_size, ttl than it was built with, wanted the same config",
    ):
        registry.get_cache("c", {"max_size": 11})


def test_config_is_used() -> None:
    """max_size, ttl, copy and the registry's clock reach the cache."""
    clock = FakeClock()
    registry = CacheRegistry(clock=clock)
    cache = registry.get_cache("c", {"max_size": 2, "ttl": 10, "copy": False})
    value: list[int] = []
    cache.set("a", value)
    cache.set("b", 1, ttl=60)

    assert value is cache.get("a")
    clock.advance(10)
    assert (None, 1) == (cache.get("a"), cache.get("b"))
    cache.set("c", 1)
    cache.set("d", 1)
    assert 2 == cache.stats().size


def test_threads_get_the_same_cache() -> None:
    """Many threads that ask for a new name at once all get the same cache."""
    registry = CacheRegistry()
    with ThreadPoolExecutor(16) as pool:
        caches = set(pool.map(lambda _: id(registry.get_cache("c", {"max_size": 3})), range(64)))

    assert 1 == len(caches)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"max_sise": 1},
            r"^cache config: found the unknown key 'max_sise', wanted one of max_size, .*; did you mean 'max_size'\?$",
        ),
        ({"zzzzzz": 1}, r"found the unknown key 'zzzzzz', wanted one of [^;]*$"),
        ({1: 1}, r"found the unknown key 1"),
        ([], r"^cache config: found a list, wanted a mapping or a CacheConfig$"),
        ({"max_size": 0}, r"^cache config: max_size: found 0, wanted 1 or more$"),
        ({"max_size": -5}, "found -5"),
        ({"max_size": True}, "max_size: found a bool, wanted a whole number, 1 or more"),
        ({"max_size": 1.5}, "max_size: found a float"),
        ({"max_size": "10"}, "max_size: found a str"),
        ({"ttl": 0}, "ttl: found 0, wanted more than 0, or None for ever; a default of 0 would store nothing"),
        ({"ttl": -1}, "ttl: found -1, wanted seconds"),
        ({"ttl": "60"}, "ttl: found a str"),
        (
            {"backend": "terminusdb"},
            "backend: found 'terminusdb', wanted memory or redis; terminusdb comes with a later part of the cache phase",
        ),
        ({"backend": "tiered"}, "tiered comes with a later part"),
        ({"backend": "reddis"}, r"backend: found 'reddis', wanted memory or redis; did you mean 'redis'\?"),
        ({"backend": None}, "backend: found a NoneType"),
        ({"backend": "redis"}, "url: found none, wanted redis:// or rediss:// or unix://"),
        ({"backend": "redis", "url": "http://x"}, "url: found another scheme"),
        ({"backend": "redis", "url": URL, "copy": False}, "copy: found False with backend redis"),
        ({"url": URL}, "url: found one with backend memory"),
        ({"url": 5}, "url: found a int"),
        ({"namespace": ""}, "namespace: found 0 characters, wanted 1 to 100"),
        ({"namespace": "n" * 101}, "namespace: found 101 characters"),
        ({"namespace": 5}, "namespace: found a int"),
        ({"deadline_ms": 0}, "deadline_ms: found 0, wanted 1 or more"),
        ({"deadline_ms": float("nan")}, "deadline_ms: found nan"),
        ({"deadline_ms": float("inf")}, "deadline_ms: found inf"),
        ({"deadline_ms": "1"}, "deadline_ms: found a str, wanted a number"),
        ({"strict": 1}, "strict: found a int, wanted True or False"),
        ({"copy": "no"}, "copy: found a str"),
        ({"backend": "redis", "url": "redis://:hunter2@h:notaport/0"}, "url: found one that redis-py refuses"),
        ({"backend": "redis", "url": "redis://:hunter2@h/0?colour=red"}, "url: found one that redis-py refuses"),
    ],
)
def test_bad_config(config: Any, message: str) -> None:
    """An unusable config is refused in one line that says where, what was found, what was wanted; passwords are never shown."""
    registry = CacheRegistry()
    with pytest.raises(CacheConfigInvalid, match=message) as refused:
        registry.get_cache("c", config)

    assert "\n" not in str(refused.value)
    assert "hunter2" not in f"{refused.value!r} {refused.value.__cause__!r}"
    assert () == registry.caches()


@pytest.mark.parametrize("name", ["", "n" * 101, None, 5])
def test_bad_name(name: Any) -> None:
    """A name is a text of 1 to 100 characters."""
    with pytest.raises(CacheConfigInvalid, match=r"^cache name: found .*, wanted a str of 1 to 100 characters$"):
        CacheRegistry.get_cache(name)


def test_password_is_not_shown() -> None:
    """A config does not show its url."""
    assert "hunter2" not in repr(CacheConfig.of({"backend": "redis", "url": URL}))


def test_namespaces_are_apart() -> None:
    """Two caches of a registry may not share a namespace in the same Redis, or one's clear would empty the other."""
    registry = CacheRegistry()
    redis = {"backend": "redis", "url": URL}
    cache = registry.get_cache("a", redis)
    registry.get_cache("memory", {"namespace": "a"})

    assert cache is registry.get_cache("a", redis | {"max_size": 1000})
    assert False is cache.process_local
    with pytest.raises(CacheConfigInvalid, match="cache 'b': namespace: found the one of cache 'a'"):
        registry.get_cache("b", redis | {"namespace": "a"})
    registry.get_cache("c", redis)
    registry.reset()


def test_memory_needs_no_redis() -> None:
    """Who has only memory caches does not import a Redis client."""
    code = "import sys, oms.unified.cache as c; c.CacheRegistry.get_cache('x').set('k', 1); sys.exit('redis' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode


def test_public_names() -> None:
    """Every exported name is there, the lazy one too; another is an AttributeError."""
    assert [] == [name for name in oms.unified.cache.__all__ if getattr(oms.unified.cache, name, None) is None]
    assert MemoryBackend is oms.unified.cache.MemoryBackend
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = oms.unified.cache.Nothing
