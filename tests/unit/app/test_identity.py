"""The check that a caller gets the control's own object or exception."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest

from oms.app.identity import IdentityCheck
from oms.routing.binding import bind
from oms.seams.cache import DOCUMENTS, TYPES


class Side:
    """One side of a cache whose reads do what a test wants."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self.read = read

    def get(self, key: str) -> Any:
        return self.read()

    async def aget(self, key: str) -> Any:
        await asyncio.sleep(0)
        return self.read()

    def set(self, key: str, value: Any, *, ttl: Any = None) -> None: ...
    def delete(self, key: str) -> bool:
        return self.read()

    def clear(self) -> None: ...
    async def aset(self, key: str, value: Any, *, ttl: Any = None) -> None: ...
    async def adelete(self, key: str) -> bool:
        return self.read()

    async def aclear(self) -> None: ...


class Routed(Side):
    """A facade as a test wants it: *route* gets both sides' read and answers."""

    def __init__(self, legacy: Any, unified: Any, route: Callable[[Any, Any], Any]) -> None:
        super().__init__(lambda: route(legacy.get, unified.get))


def answer(
    *, legacy: Callable[[], Any], unified: Callable[[], Any], route: Callable[[Any, Any], Any]
) -> dict[str, int]:
    """Return the counts after one call of a facade that routes as *route* does."""
    check = IdentityCheck()
    facade = check.facade(TYPES, Routed(check.side(TYPES, Side(legacy)), check.side(TYPES, Side(unified)), route))
    with contextlib.suppress(ConnectionError):
        facade.get("key")
    return check.as_json()


def in_lane(function: Callable[[str], Any]) -> None:
    """Run a candidate as a lane does: in another thread, within a copy of the caller's context."""
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: context.run(function, "key"))
    thread.start()
    thread.join()


def test_control_answers() -> None:
    """The control's own object is fine, and the candidate's work in a lane is not taken for it."""

    def shadowed(legacy: Any, unified: Any) -> Any:
        in_lane(unified)
        return legacy("key")

    assert {"checked": 1, "rescued": 0, "violations": 0} == answer(legacy=dict, unified=dict, route=shadowed)


def test_an_equal_object_is_not_the_same() -> None:
    """A copy of the control's answer is a violation."""

    def copied(legacy: Any, unified: Any) -> Any:
        return copy.copy(legacy("key"))

    assert 1 == answer(legacy=lambda: [1], unified=list, route=copied)["violations"]


def test_the_candidates_object_is_a_violation() -> None:
    """Whoever gets what a lane produced did not get the control's."""

    def swapped(legacy: Any, unified: Any) -> Any:
        legacy("key")
        found: list[Any] = []
        in_lane(lambda key: found.append(unified(key)))
        return found[0]

    assert 1 == answer(legacy=lambda: [1], unified=lambda: [1], route=swapped)["violations"]


def test_second_write_in_the_caller_is_a_violation_as_an_answer() -> None:
    """A write runs both sides in the caller; the answer is the first one's."""

    def second(legacy: Any, unified: Any) -> Any:
        legacy("key")
        return unified("key")

    def first(legacy: Any, unified: Any) -> Any:
        found = legacy("key")
        unified("key")
        return found

    assert 1 == answer(legacy=lambda: [1], unified=lambda: [1], route=second)["violations"]
    assert 0 == answer(legacy=lambda: [1], unified=lambda: [1], route=first)["violations"]


def fail() -> Any:
    """Raise as a side that is down."""
    raise ConnectionError("down")


def test_rescue_is_counted_apart() -> None:
    """Legacy's answer after unified raised is a rescue, no violation."""

    def rescued(legacy: Any, unified: Any) -> Any:
        try:
            return unified("key")
        except ConnectionError:
            return legacy("key")

    assert {"checked": 1, "rescued": 1, "violations": 0} == answer(legacy=dict, unified=fail, route=rescued)


def test_the_exception_object_itself() -> None:
    """The control's exception passes; one of the same class in its place does not."""

    def replaced(legacy: Any, unified: Any) -> Any:
        try:
            return legacy("key")
        except ConnectionError as error:
            raise ConnectionError("down") from error

    assert 0 == answer(legacy=fail, unified=dict, route=lambda legacy, unified: legacy("key"))["violations"]
    assert 1 == answer(legacy=fail, unified=dict, route=replaced)["violations"]


def test_an_answer_from_nowhere() -> None:
    """An answer that no side produced is a violation."""

    assert 1 == answer(legacy=dict, unified=dict, route=lambda legacy, unified: {})["violations"]


def test_async_candidates_are_other_tasks() -> None:
    """On a loop the candidate runs in a task of its own, within a copy of the context, and is not taken for the control."""
    check = IdentityCheck()
    legacy, unified = check.side(DOCUMENTS, Side(dict)), check.side(DOCUMENTS, Side(dict))

    class Lane(Side):
        async def aget(self, key: str) -> Any:
            lane = asyncio.create_task(unified.aget(key))
            await lane
            return await legacy.aget(key)

    asyncio.run(check.facade(DOCUMENTS, Lane(dict)).aget("key"))

    assert {"checked": 1, "rescued": 0, "violations": 0} == check.as_json()


def test_cancelled_callers() -> None:
    """A cancelled caller gets its cancellation, whether a side had begun or not."""
    check = IdentityCheck()
    side = check.side(DOCUMENTS, Side(dict))

    class Waiting(Side):
        async def aget(self, key: str) -> Any:
            return await side.aget(key)

    async def cancel(after_turns: int) -> None:
        task = asyncio.create_task(check.facade(DOCUMENTS, Waiting(dict)).aget("key"))
        for _ in range(after_turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel(1))

    assert {"checked": 1, "rescued": 0, "violations": 0} == check.as_json()


def test_wrapped_sides_still_fit_the_port() -> None:
    """Names, signatures and everything beside the port are those of the side itself."""

    class Whole(Side):
        process_local = False

        def forget(self, key: str | None) -> None: ...
        async def aforget(self, key: str | None) -> None: ...

    check = IdentityCheck()
    binding = bind(TYPES, legacy=check.side(TYPES, Whole(dict)), unified=check.side(TYPES, Whole(dict)))

    assert not any(binding.is_process_local(side) for side in binding.sides)
