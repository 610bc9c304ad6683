"""A mistake of wiring is an error at wiring that names phase, seam, side, method and parameter."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from oms.domain.errors import BindingError
from oms.domain.phase import Phase, reads, writes
from oms.domain.stage import Stage
from oms.routing import Runtime
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION
from oms.seams.config import CONFIG
from oms.seams.security import SECURITY
from tests.unit.routing.sides import MapSide, runtime_with

PHASE = Phase("probe", writes=True)
MISSING = object()


class Port(Protocol):
    """A port with a parameter of each kind."""

    @reads
    def get(self, key: str, other: int = 1, *, flag: bool = False) -> object:
        """Read."""

    @writes(key="key")
    def put(self, key: str, value: object) -> None:
        """Write."""

    @reads
    async def aget(self, key: str) -> object:
        """Read, awaited."""


SEAM = PHASE.seam("things", port=Port)


class Good:
    """A side that fits; it may take more than the port gives, if that has a default."""

    def get(self, key: str, other: int = 1, *, flag: bool = False, more: int = 0, **rest: object) -> object:
        return key

    def put(self, key: str, value: object, *extra: object) -> None:
        pass

    async def aget(self, key: str) -> object:
        return key

    def forget(self, key: str | None) -> None:
        pass


def lacks_parameter(self: Any, key: str, *, flag: bool = False) -> object: ...
def other_kind(self: Any, key: str, *, other: int = 1, flag: bool = False) -> object: ...
def positional_only(self: Any, key: str, other: int = 1, /, *, flag: bool = False) -> object: ...
def other_default(self: Any, key: str, other: int = 2, *, flag: bool = False) -> object: ...
def no_default(self: Any, key: str, other: int, *, flag: bool = False) -> object: ...
def demands_more(self: Any, key: str, other: int = 1, *, more: int, flag: bool = False) -> object: ...
def swapped(self: Any, value: object, key: str) -> None: ...
def in_between(self: Any, key: str, extra: int = 0, other: int = 1, *, flag: bool = False) -> object: ...
async def is_async(self: Any, key: str, other: int = 1, *, flag: bool = False) -> object: ...
def is_sync(self: Any, key: str) -> object: ...
def forget_nothing(self: Any) -> None: ...
async def forget_async(self: Any, key: str | None) -> None: ...


@pytest.mark.parametrize("side", ["legacy", "unified"])
@pytest.mark.parametrize(
    ("method", "replacement", "parameter", "message"),
    [
        ("get", None, None, "Bad has no get(), which the port has"),
        ("get", lacks_parameter, "other", "Bad.get() lacks ['other'], which get() of the port takes"),
        ("get", other_kind, "other", "takes 'other' as keyword-only, wanted positional or keyword"),
        ("get", positional_only, "key", "takes 'key' as positional-only, wanted positional or keyword"),
        ("get", other_default, "other", "has the default 2 for 'other', wanted 1"),
        ("get", no_default, "other", "has the default nothing for 'other', wanted 1"),
        ("get", demands_more, "more", "demands 'more', which the port does not give"),
        ("put", swapped, "key", "Bad.put() takes 'value' in place 1, wanted 'key' as in the port"),
        ("get", in_between, "other", "Bad.get() takes 'extra' in place 2, wanted 'other' as in the port"),
        ("get", is_async, None, "Bad.get() is async, wanted sync as in the port"),
        ("aget", is_sync, None, "Bad.aget() is sync, wanted async as in the port"),
        ("forget", None, None, "Bad has no forget(key), wanted a sync method that makes a key a miss"),
        ("forget", forget_nothing, None, "Bad has no forget(key), wanted a sync method that makes a key a miss"),
        ("forget", forget_async, None, "Bad has no forget(key), wanted a sync method that makes a key a miss"),
    ],
)
def test_side_that_does_not_fit(side: str, method: str, replacement: Any, parameter: str | None, message: str) -> None:
    """The error says where, what was found and what was wanted, and carries the same as attributes."""
    bad = type("Bad", (Good,), {method: replacement})()
    sides: dict[str, Any] = {"legacy": Good(), "unified": Good(), side: bad}
    with pytest.raises(BindingError) as caught:
        Runtime().bind(SEAM, **sides)
    error = caught.value

    assert ("probe", "things", side, method, parameter) == (
        error.phase,
        error.seam,
        error.side,
        error.method,
        error.parameter,
    )
    assert str(error).startswith("phase 'probe', seam 'things': ")
    assert message in str(error)
    assert "\n" not in str(error)


def test_side_that_fits() -> None:
    """More parameters with defaults, and stars, are welcome."""
    runtime = Runtime()
    runtime.bind(SEAM, legacy=Good(), unified=Good())

    assert "k" == runtime.facade(SEAM).get("k")


def port_of(**methods: Any) -> type[Any]:
    """Return a port with *methods*."""
    return type("Made", (Protocol,), {"__module__": __name__, **methods})


def bare() -> Any:
    """Return a method without a mark."""

    def method(self: Any, key: str) -> object: ...

    return method


@pytest.mark.parametrize(
    ("phase", "ports", "method", "message"),
    [
        (PHASE, [port_of(get=bare())], "get", "Made.get() has no mark, wanted @reads, @writes or @effects"),
        (
            PHASE,
            [port_of(put=writes(key="name")(bare()))],
            "put",
            "has no parameter 'name', which its mark calls the key",
        ),
        (
            Phase("still"),
            [port_of(put=writes(key="key")(bare()))],
            "put",
            "writes, but the phase is declared without writes",
        ),
        (PHASE, [port_of(get=reads(bare())), port_of(get=reads(bare()))], "get", "stands in both ports"),
    ],
)
def test_port_at_fault(phase: Phase, ports: list[type[Any]], method: str, message: str) -> None:
    """A port that is not well marked is refused when it is bound, before any side is looked at."""
    seam: Any = phase.seam("made", port=ports[0], **({"aport": ports[1]} if len(ports) > 1 else {}))
    with pytest.raises(BindingError) as caught:
        Runtime().bind(seam, legacy=object(), unified=object())

    assert (phase.name, "made", None, method) == (
        caught.value.phase,
        caught.value.seam,
        caught.value.side,
        caught.value.method,
    )
    assert message in str(caught.value)


@pytest.mark.parametrize("phase", [CONFIG, SECURITY])
def test_rescue_where_it_is_never_right(phase: Phase) -> None:
    """In configuration and security legacy never stands in for unified: a read marked so is refused."""
    seam = phase.seam("made", port=port_of(get=reads(rescue=True)(bare())))
    with pytest.raises(BindingError, match="legacy must never stand in") as caught:
        Runtime().bind(seam, legacy=Good(), unified=Good())

    assert (phase.name, "made", "get") == (caught.value.phase, caught.value.seam, caught.value.method)


class OnlySync(MapSide):
    """Cannot forget asynchronously."""

    aforget: Any = None


def test_async_port_needs_async_forget() -> None:
    """A seam with both ports needs both ways to forget, one with sync writes only the sync one."""
    with pytest.raises(BindingError, match=r"OnlySync has no aforget\(key\), wanted an async method"):
        Runtime().bind(TYPES, legacy=OnlySync(), unified=MapSide())
    Runtime().bind(VALIDATION, legacy=OnlySync(), unified=OnlySync())


def test_bound_twice() -> None:
    """A seam is bound once."""
    runtime = runtime_with(MapSide(), MapSide())

    with pytest.raises(BindingError, match="phase 'cache', seam 'types': is bound already"):
        runtime.bind(TYPES, legacy=MapSide(), unified=MapSide())


def test_not_bound() -> None:
    """A facade of a seam that is not bound, or of a port that it has not, is an error at once."""
    runtime = Runtime()
    with pytest.raises(BindingError, match="phase 'cache', seam 'types': is not bound"):
        runtime.facade(TYPES)
    runtime.bind(DOCUMENTS, legacy=MapSide(), unified=MapSide())
    with pytest.raises(BindingError, match="phase 'cache', seam 'documents': has no async port beside its port"):
        runtime.afacade(DOCUMENTS)


def test_declared_default_until_published() -> None:
    """Until a table is published a phase stands at its declared default, and so does one that the table does not name."""
    phase = Phase("probe", default=Stage.COMPLETE, writes=True)
    runtime, unified = Runtime(), Good()
    seam = phase.seam("things", port=Port)
    runtime.bind(seam, legacy=Good(), unified=unified)

    assert runtime.facade(seam)._plan.get == unified.get  # the facade's own slot
    assert "default" == runtime.standing()["probe"].digest
