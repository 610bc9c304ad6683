"""What a replay may hold: of calls that never end, of subjects without end, of callers that are gone."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from oms.domain.stage import Side, Stage
from oms.routing.replay.desk import MAX_GAPS, MAX_LINES
from oms.routing.replay.recorder import MOST_ATTEMPTS
from oms.seams.resilience import TIME
from oms.testing import VirtualTime
from tests.unit.routing.replay.test_replay import call, failing
from tests.unit.routing.replay.tries import CALLING, Hall, Tries


def desk_of(hall: Hall) -> Any:
    """Return the desk of what legacy answers."""
    return hall.runtime._bound[CALLING.name, "again"].state.desks[Side.LEGACY]


def test_call_that_never_ends(time: VirtualTime) -> None:
    """Of a call with attempts without number no more are kept than the limit, and it is not compared."""
    waits = (0.01,) * (3 * MOST_ATTEMPTS)
    hall = Hall(Tries(waits), Tries(waits))

    assert "well" == call(hall, failing(2 * MOST_ATTEMPTS))
    assert {"calls": 1, "shadowed": 1, "uncomparable": 1, "uncomparable.not_replayable": 1} == hall.counts()


def test_tape_of_a_call_that_never_ends(time: VirtualTime) -> None:
    """While it runs, the tape stops growing."""
    waits = (0.01,) * (3 * MOST_ATTEMPTS)
    hall, longest = Hall(Tries(waits), Tries(waits)), 0
    desk, function = desk_of(hall), failing(2 * MOST_ATTEMPTS)

    async def watched() -> str:
        nonlocal longest
        longest = max(longest, len(desk._tape))
        return await function()

    call(hall, watched)
    hall.counts()

    assert MOST_ATTEMPTS <= longest <= 2 * MOST_ATTEMPTS + 2


def test_as_many_attempts_as_are_kept(time: VirtualTime) -> None:
    """Up to the limit each attempt is compared."""
    waits = (0.01,) * (MOST_ATTEMPTS - 1)
    hall = Hall(Tries(waits), Tries(waits))

    assert isinstance(call(hall, failing(MOST_ATTEMPTS)), ConnectionError)
    assert {"calls": 1, "shadowed": 1, "matched": 1} == hall.counts()


def test_forgotten_line(time: VirtualTime) -> None:
    """A twin that had to go is missed: its successor does not know what its control knows, and that is nobody's fault."""
    hall = Hall(Tries(opens_after=3), Tries(opens_after=3))
    for _ in range(2):
        call(hall, failing(1), "first")
    for number in range(MAX_LINES):
        call(hall, failing(0), f"subject {number}")
    call(hall, failing(1), "first")  # the control's third, the new twin's first: the control opens
    counts = hall.counts()

    assert [] == hall.differences()
    assert (MAX_LINES + 2, 1) == (counts["matched"], counts["uncomparable.follow_on"])


def test_gaps_are_bounded(time: VirtualTime) -> None:
    """Beyond so many names of calls that were not recorded, each unknown subject is taken for one of them."""
    hall = Hall(Tries(opens_after=2), Tries(opens_after=2))
    desk = desk_of(hall)
    hall.stand(Stage.OFF)
    call(hall, failing(1), "one of many")
    hall.stand(Stage.SHADOW)
    for number in range(MAX_GAPS):
        desk.lost(f"subject {number}")
    desk.lost("one of many")
    call(hall, failing(1), "one of many")  # the control's second, which opens it; the twin's first
    counts = hall.counts()

    assert MAX_GAPS == len(desk._gaps)
    assert ([], 1) == (hall.differences(), counts["uncomparable.follow_on"])


def test_closed_in_a_strangers_context(time: VirtualTime) -> None:
    """A call whose coroutine is closed where somebody else runs leaves that one's time alone, and counts as cancelled."""
    hall = Hall(Tries((1,)), Tries((1,)))
    other = VirtualTime().source

    async def waits_for_ever() -> None:
        await asyncio.Event().wait()

    async def began() -> Any:
        coroutine = hall.again.acall(waits_for_ever)
        contextvars.copy_context().run(coroutine.send, None)
        return coroutine

    coroutine = asyncio.run(began())
    token = TIME.set(other)
    try:
        coroutine.close()
        assert TIME.get() is other
    finally:
        TIME.reset(token)
    assert {"calls": 1, "cancelled": 1} == hall.counts()


def test_an_error_that_is_kept(time: VirtualTime) -> None:
    """A caller that keeps its exception does not keep the twin with it."""
    unified = Tries((1,))
    hall = Hall(Tries((1,)), unified)
    error = call(hall, failing(2))
    hall.counts()
    gone = weakref.ref(unified.twins[0])
    desk_of(hall)._lines.clear()
    unified.twins.clear()
    gc.collect()

    assert isinstance(error, ConnectionError)
    assert gone() is None


def test_the_error_as_it_was(time: VirtualTime) -> None:
    """The twin sees an error as it was when it was raised, whatever its caller has made of it since."""
    seen = []

    class Reads(Tries):
        """Notes what it sees, as a twin."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Call once."""
            try:
                return await super().acall(function, name=name)
            except ConnectionError as error:
                if self.is_twin:
                    seen.append((error.args, error.code, error.__notes__))
                raise

    mine = ConnectionError("mine")
    mine.code = 1
    mine.add_note("then")

    async def function() -> None:
        raise mine

    hall = Hall(Tries(), Reads())
    call(hall, function)
    mine.args, mine.code = ("other",), 2
    mine.add_note("later")
    hall.counts()

    assert [(("mine",), 1, ["then"])] == seen


def test_left_behind(time: VirtualTime) -> None:
    """A task that the control leaves behind still gets the user's function run, in its own time, and nothing more is written down."""
    behind: list[asyncio.Task[Any]] = []

    class Hedges(Tries):
        """Calls once more when it has its answer."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Call, and leave a second call behind."""
            answer = await function()
            if not self.is_twin:
                behind.append(asyncio.ensure_future(function()))
            return answer

    hall, function = Hall(Hedges(), Hedges()), failing(0)

    async def caller() -> None:
        await hall.again.acall(function)
        await asyncio.gather(*behind)

    asyncio.run(caller())

    assert 2 == function.ran
    assert {"calls": 1, "shadowed": 1, "matched": 1} == hall.counts()


def test_keyboard_interrupt(time: VirtualTime) -> None:
    """Ctrl-C comes out as it is, its time given back; both sides end with it, and the lane lives on."""

    async def interrupted() -> None:
        raise KeyboardInterrupt

    hall = Hall(Tries((1,)), Tries((1,)))
    coroutine = hall.again.acall(interrupted)

    async def caller() -> None:
        with pytest.raises(KeyboardInterrupt):
            await coroutine

    asyncio.run(caller())

    assert TIME.get() is time.source
    assert "well" == call(hall, failing(0))
    assert {"calls": 2, "shadowed": 2, "matched": 2} == hall.counts()
