"""The memory storage: exact bound, order of eviction, expiry, counts, threads and forks."""

from __future__ import annotations

import enum
import gc
import sys
import threading
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.unified.cache import MISSING, CacheConfigInvalid, MemoryBackend

from .conftest import FakeClock, exit_code_of_child


@pytest.mark.parametrize("size", [0, -1])
def test_no_room(size: int) -> None:
    """A cache without room is refused when it is built."""
    with pytest.raises(CacheConfigInvalid, match=rf"max_size: found {size}, wanted 1 or more"):
        MemoryBackend(size)


def test_bound_is_exact() -> None:
    """It holds exactly max_size entries; setting a key that is there evicts nobody."""
    backend = MemoryBackend(3)
    for key in "abc":
        backend.set_sync(key, key, None)
    backend.set_sync("b", "again", None)

    assert (3, 0) == (backend.size, backend.counts.evicted)
    backend.set_sync("d", "d", None)
    assert (3, 1) == (backend.size, backend.counts.evicted)
    assert {"c": "c", "b": "again", "d": "d"} == backend.get_many_sync("abcd")


def test_order_of_eviction() -> None:
    """A get and a set make an entry the last to go; exists does not."""
    backend = MemoryBackend(3)
    for key in "abc":
        backend.set_sync(key, key, None)
    backend.get_sync("a")
    assert backend.exists_sync("b")
    backend.set_sync("d", "d", None)

    assert [False, True, True, True] == [backend.exists_sync(key) for key in "bacd"]
    backend.set_sync("c", "c", None)
    backend.set_sync("e", "e", None)
    assert [False, True, True, True] == [backend.exists_sync(key) for key in "adce"]


def test_expires_on_the_dot(clock: FakeClock) -> None:
    """An entry is there until its ttl has passed, and gone at that very moment."""
    backend = MemoryBackend(10, clock=clock)
    backend.set_sync("k", "v", 5.0)
    clock.advance(4.999)

    assert "v" == backend.get_sync("k")
    clock.advance(0.001)
    assert False is backend.exists_sync("k")
    assert MISSING is backend.get_sync("k")
    assert (0, 1, 1, 1) == (backend.size, backend.counts.expired, backend.counts.hits, backend.counts.misses)


def test_expired_go_before_the_living(clock: FakeClock) -> None:
    """A full cache drops what has expired, wherever it stands in the order, before it evicts anything alive."""
    backend = MemoryBackend(3, clock=clock)
    backend.set_sync("old", 1, None)
    backend.set_sync("dead", 1, 5.0)
    backend.set_sync("young", 1, None)
    clock.advance(5)
    backend.set_sync("new", 1, None)

    assert ["old", "young", "new"] == list(backend.get_many_sync(["old", "dead", "young", "new"]))
    assert (0, 1) == (backend.counts.evicted, backend.counts.expired)


@pytest.mark.parametrize("ttl_s", [None, 60.0])
def test_outdated_deadline(clock: FakeClock, ttl_s: float | None) -> None:
    """The deadline of an earlier value of a key does not remove the present one."""
    backend = MemoryBackend(10, clock=clock)
    backend.set_sync("k", "old", 1.0)
    backend.set_sync("k", "new", ttl_s)
    clock.advance(2)
    backend.set_sync("other", 1, 60.0)

    assert "new" == backend.get_sync("k")
    assert 0 == backend.counts.expired


def test_str_subclass_as_key() -> None:
    """A text is a text, whatever it calls itself: an enum member that is one finds the same entry."""
    backend = MemoryBackend(10)
    backend.set_sync(Word.K, 1, None)

    assert (1, 1) == (backend.get_sync("k"), backend.get_sync(Word.K))
    assert MISSING is backend.get_sync(Word.NOBODY)


def test_mass_expiry_is_shared_out(clock: FakeClock) -> None:
    """Thousands that expire at once go a few with each set, so that no single caller pays for all."""
    backend = MemoryBackend(5000, clock=clock)
    for n in range(5000):
        backend.set_sync(str(n), n, 1.0)
    clock.advance(1)
    sizes = []
    for n in range(3):
        backend.set_sync(f"new {n}", n, None)
        sizes.append(backend.size)

    assert [5001 - 16, 5002 - 32, 5003 - 48] == sizes
    assert 0 == backend.counts.evicted


def test_deadlines_stay_bounded(clock: FakeClock) -> None:
    """Setting the same keys for ever does not pile up outdated deadlines."""
    backend = MemoryBackend(10, clock=clock)
    for n in range(10_000):
        backend.set_sync(str(n % 20), n, 1000.0 + n)

    assert 2 * 10 + 64 >= len(backend._deadlines)
    clock.advance(5000)
    backend.set_sync("another", 1, 1.0)
    assert 10 == backend.size


def test_set_does_not_walk(clock: FakeClock) -> None:
    """A set costs a full cache no more steps of the interpreter than an empty one, expiry included."""

    def steps(size: int) -> int:
        backend = MemoryBackend(100_000, clock=clock)
        for n in range(size):
            backend.set_sync(f"k{n}", n, 60.0)
        count = 0

        def trace(*_: Any) -> Any:
            nonlocal count
            count += 1
            return trace

        before = sys.gettrace()
        # A collection in between would run finalizers of other tests' garbage, and count their steps.
        gc.disable()
        sys.settrace(trace)
        try:
            backend.set_sync("one more", 1, 60.0)
        finally:
            sys.settrace(before)
            gc.enable()
        return count

    assert steps(100) == steps(10_000)


def test_copy_off() -> None:
    """With copy off the very object is handed out, even one that cannot be copied."""
    backend = MemoryBackend(10, copy=False)
    lock = threading.Lock()
    backend.set_sync("k", lock, None)

    assert lock is backend.get_sync("k")


class Word(enum.StrEnum):
    K = "k"
    NOBODY = "nobody"


class Treacherous:
    """Pickles well, and cannot be read back."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def test_unreadable_value_is_a_miss() -> None:
    """A value whose class breaks its own pickles is a miss and an error, and is dropped."""
    backend = MemoryBackend(10)
    backend.set_sync("k", Treacherous(), None)

    assert MISSING is backend.get_sync("k")
    assert (0, 1, 1, 0) == (backend.counts.hits, backend.counts.misses, backend.counts.errors, backend.size)


def test_delete_of_the_expired(clock: FakeClock) -> None:
    """Deleting what has expired says that there was nothing."""
    backend = MemoryBackend(10, clock=clock)
    backend.set_sync("k", 1, 1.0)
    clock.advance(1)

    assert False is backend.delete_sync("k")
    assert (0, 1) == (backend.counts.deleted, backend.counts.expired)


def test_every_removal_has_one_cause(clock: FakeClock) -> None:
    """What was set is still there or was removed for exactly one cause."""
    backend = MemoryBackend(7, clock=clock)
    for n in range(500):
        backend.set_sync(str(n % 11), n, 3.0 if n % 3 else None)
        clock.advance(0.5)
        if n % 13 == 0:
            backend.delete_sync(str(n % 5))
        if n == 250:
            backend.clear_sync()
    counts = backend.counts

    assert counts.sets - backend.size == (
        counts.replaced + counts.evicted + counts.expired + counts.deleted + counts.cleared
    )
    assert all((counts.replaced, counts.evicted, counts.expired, counts.deleted, counts.cleared))


KEYS = st.sampled_from("abcdef")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), KEYS, st.sampled_from([None, 0, 1.0, 2.5, 7.0])),
        st.tuples(st.just("get"), KEYS, st.none()),
        st.tuples(st.just("exists"), KEYS, st.none()),
        st.tuples(st.just("delete"), KEYS, st.none()),
        st.tuples(st.just("wait"), st.none(), st.sampled_from([0.5, 1.0, 3.0])),
    ),
    max_size=60,
)


class Model:
    """The same cache written to be obvious: purges everything expired at every step."""

    def __init__(self, max_size: int) -> None:
        self.now, self.max_size = 0.0, max_size
        self.entries: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def step(self, what: str, key: str, ttl: float | None, value: int) -> Any:
        for expired in [other for other, (_, deadline) in self.entries.items() if deadline <= self.now]:
            del self.entries[expired]
        return getattr(self, what)(key, ttl, value)

    def wait(self, key: str, ttl: float | None, value: int) -> None:
        self.now += ttl or 0

    def get(self, key: str, ttl: float | None, value: int) -> Any:
        if key in self.entries:
            self.entries.move_to_end(key)
        return self.entries.get(key, (MISSING,))[0]

    def exists(self, key: str, ttl: float | None, value: int) -> bool:
        return key in self.entries

    def delete(self, key: str, ttl: float | None, value: int) -> bool:
        return self.entries.pop(key, None) is not None

    def set(self, key: str, ttl: float | None, value: int) -> bool:
        self.entries.pop(key, None)
        if ttl != 0:
            self.entries[key] = value, self.now + (float("inf") if ttl is None else ttl)
        if len(self.entries) > self.max_size:
            self.entries.popitem(last=False)
        return True


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 4))
def test_behaves_like_the_obvious_cache(steps: list[Any], max_size: int) -> None:
    """Whatever is done to it, every answer is that of a cache that purges all expired entries at each step."""
    clock, model = FakeClock(), Model(max_size)
    backend = MemoryBackend(max_size, clock=clock)
    for value, (what, key, ttl) in enumerate(steps):
        expected = model.step(what, key, ttl, value)
        if what == "wait":
            clock.advance(ttl)
            continue
        arguments = (key, value, ttl) if what == "set" else (key,)
        actual = getattr(backend, f"{what}_sync")(*arguments)

        assert expected == actual
        assert max_size >= backend.size


def test_threads() -> None:
    """Under many threads no count is lost, the bound holds, and nobody reads what was not written under that key."""
    backend = MemoryBackend(50)
    wrong: list[Any] = []
    start = threading.Barrier(8)

    def work(seed: int) -> None:
        start.wait()
        for n in range(2000):
            key = str((n * 7 + seed) % 100)
            backend.set_sync(key, [key], 60.0)
            found = backend.get_sync(key)
            if found is not MISSING and found != [key]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    counts = backend.counts

    assert [] == wrong
    assert (16_000, 16_000) == (counts.sets, counts.hits + counts.misses)
    assert (50, 16_000 - 50) == (backend.size, counts.replaced + counts.evicted)


def test_fork_while_locked() -> None:
    """A child forked while another thread holds the lock can use what it inherited."""
    backend = MemoryBackend(10)
    backend.set_sync("k", "v", None)
    with backend._lock:
        assert 0 == exit_code_of_child(lambda: backend.get_sync("k") == "v")
