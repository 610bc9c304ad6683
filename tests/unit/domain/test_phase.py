"""Phases, seams and marks: what an operation declares, and what a port may not leave out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from oms.domain.errors import BindingError
from oms.domain.observation import Returned
from oms.domain.phase import REPLAY_DEADLINE_S, Operation, Phase, effects, reads, writes
from oms.domain.stage import Effect, Stage

QUEUE = Phase("queue", writes=True)
PLAIN = Phase("plain")


class Store(Protocol):
    """A port with one operation of each kind of key."""

    @reads(rescue=True, deadline_s=0.25)
    def get(self, key: str) -> bytes | None:
        """Return what is under *key*."""

    @reads
    def size(self) -> int:
        """Return how much there is."""
        ...

    @reads(key="prefix", errors={"KeyError": ("code",)}, values=frozenset({"name"}))
    def names(self, prefix: str, key: str = "") -> list[str]:
        """Return names under *prefix*."""
        ...

    @writes(key="key")
    def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        """Put *value* under *key*."""

    @writes
    def clear(self) -> None:
        """Forget all."""


class AsyncStore(Protocol):
    """The same state for async callers."""

    @reads
    async def aget(self, key: str) -> bytes | None:
        """Return what is under *key*."""


class Caller(Protocol):
    """A port whose operation runs the caller's code."""

    @effects
    async def acall(self, function: Any) -> Any:
        """Run *function*."""


def fault(phase: Phase, *ports: type) -> BindingError:
    """Return the error by which a seam over *ports* is refused."""
    seam = phase.seam("s", port=ports[0]) if len(ports) == 1 else phase.seam("s", port=ports[0], aport=ports[1])
    with pytest.raises(BindingError) as caught:
        seam.operations()
    return caught.value


def test_phase() -> None:
    """A phase is off and reads only, unless it says otherwise; its flag has its name."""

    assert (Stage.OFF, False, "phase.plain") == (PLAIN.default, PLAIN.writes, PLAIN.flag)


def test_seam() -> None:
    """A seam knows its phase, its ports and its full name."""
    seam = QUEUE.seam("jobs", port=Store, aport=AsyncStore)

    assert (QUEUE, "queue.jobs", (Store, AsyncStore)) == (seam.phase, seam.full_name, seam.ports)
    assert (Store,) == QUEUE.seam("jobs", port=Store).ports


def test_seam_explains() -> None:
    """A seam carries its port's tolerance."""
    seam = QUEUE.seam("jobs", port=Store, reasonable=lambda legacy, unified, facts: "because")

    assert seam.reasonable is not None
    assert "because" == seam.reasonable(Returned(1), Returned(2), None)


def test_operations() -> None:
    """A seam lists the operations of both its ports with what their marks say."""
    operations = QUEUE.seam("jobs", port=Store, aport=AsyncStore).operations()

    assert {
        "get": Operation(Effect.READS, "get", key="key", rescue=True, deadline_s=0.25),
        "size": Operation(Effect.READS, "size"),
        "names": Operation(
            Effect.READS, "names", key="prefix", errors={"KeyError": ("code",)}, values=frozenset({"name"})
        ),
        "put": Operation(Effect.WRITES, "put", key="key"),
        "clear": Operation(Effect.WRITES, "clear"),
        "aget": Operation(Effect.READS, "aget", key="key", is_async=True),
    } == operations


def test_signature() -> None:
    """An operation's signature is the method's without self: names, kinds and defaults."""
    operations = QUEUE.seam("jobs", port=Store).operations()

    assert ["key", "value", "ttl"] == list(operations["put"].signature.parameters)
    assert None is operations["put"].signature.parameters["ttl"].default


def test_effects() -> None:
    """A port of effects needs no phase with writes."""
    operations = PLAIN.seam("calls", port=Caller).operations()

    assert {"acall": Operation(Effect.EFFECTS, "acall", is_async=True, deadline_s=REPLAY_DEADLINE_S)} == operations


def test_subject() -> None:
    """What the calls share is a parameter; any other name is refused."""

    class Named:
        """A port."""

        @effects(subject="nobody")
        async def acall(self, function: object, *, name: str) -> object:
            """Call."""

    with pytest.raises(BindingError, match="has no parameter 'nobody', which its mark calls the subject"):
        PLAIN.seam("s", port=Named).operations()


def test_mark_changes_nothing() -> None:
    """A marked function is the same function, bare or with arguments."""

    def get(self: object, key: str) -> str:
        return key

    assert (get, get, get, get, get) == (reads(get), reads(rescue=True)(get), writes(get), effects(get), effects()(get))
    assert "k" == get(None, "k")


def test_async_generator_is_lazy() -> None:
    """An async generator is not an operation to await."""

    class Stream(Protocol):
        @reads
        async def rows(self) -> AsyncIterator[int]:
            yield 1

    assert not PLAIN.seam("s", port=Stream).operations()["rows"].is_async


def test_read_without_writes_has_no_key() -> None:
    """Without a write to share a key with, a read has one only if it says so."""

    class Reader(Protocol):
        @reads
        def get(self, key: str) -> str: ...

    assert None is PLAIN.seam("s", port=Reader).operations()["get"].key


def test_inherited_operation() -> None:
    """A port has the operations of the ports it extends, and its own mark wins."""

    class Wider(Store, Protocol):
        @reads
        def get(self, key: str) -> bytes | None: ...

        @reads
        def has(self, key: str) -> bool: ...

    operations = QUEUE.seam("jobs", port=Wider).operations()

    assert {"get", "size", "names", "put", "clear", "has"} == operations.keys()
    assert not operations["get"].rescue


def test_private_and_plain_members() -> None:
    """Private methods and plain attributes of a port are no operations."""

    class Quiet(Protocol):
        limit: int = 3

        @reads
        def get(self) -> str: ...

        def _check(self) -> None: ...

    assert ["get"] == list(PLAIN.seam("s", port=Quiet).operations())


def test_unmarked_method() -> None:
    """A method without a mark is refused by name."""

    class Unmarked(Protocol):
        def get(self) -> str: ...

    error = fault(PLAIN, Unmarked)

    assert "phase 'plain', seam 's': Unmarked.get() has no mark, wanted @reads, @writes or @effects" == str(error)
    assert ("plain", "s", None, "get", None) == (error.phase, error.seam, error.side, error.method, error.parameter)


def test_override_loses_its_mark() -> None:
    """Overriding an operation without a mark is refused: it may do something else."""

    class Wider(Store, Protocol):
        def size(self) -> int: ...

    assert "size" == fault(QUEUE, Wider).method


def test_unknown_key() -> None:
    """A key that names no parameter is refused."""

    class Keyless(Protocol):
        @writes(key="id")
        def put(self, key: str) -> None: ...

    error = fault(QUEUE, Keyless)

    assert "phase 'queue', seam 's': Keyless.put() has no parameter 'id', which its mark calls the key" == str(error)
    assert ("put", "id") == (error.method, error.parameter)


def test_self_is_no_key() -> None:
    """The key is a parameter of the call, which self is not."""

    class Selfish(Protocol):
        @writes(key="self")
        def put(self, key: str) -> None: ...

    assert "self" == fault(QUEUE, Selfish).parameter


def test_write_in_a_phase_without_writes() -> None:
    """A phase that is declared without writes cannot have one: it lacks the stages for it."""
    error = fault(PLAIN, Store)

    assert "put" == error.method
    assert "phase 'plain', seam 's': Store.put() writes, but the phase is declared without writes" == str(error)


def test_same_name_in_both_ports() -> None:
    """Two ports over one state may not share a method name."""
    error = fault(QUEUE, Store, Store)

    assert "phase 'queue', seam 's': get() stands in both ports; name the async one with a in front" == str(error)
