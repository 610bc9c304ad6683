"""Replaying a twin on what the control lived through: what matches, what differs, and by which name."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from oms.domain.decision import DecisionTable
from oms.domain.errors import BindingError
from oms.domain.known import KnownClass, KnownDivergence
from oms.domain.phase import Phase, effects
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.routing import LaneLimits, Runtime
from oms.seams.resilience import TIME
from oms.testing import VirtualTime
from tests.unit.routing.replay.tries import AGAIN, Hall, Refused, Tries


def failing(
    times: int, error: type[BaseException] = ConnectionError, *, took: float = 0.0
) -> Callable[[], Awaitable[str]]:
    """Return a function that fails *times* times and then says well; its attribute ``ran`` tells how often it ran."""

    async def function() -> str:
        function.ran += 1
        await TIME.get().asleep(took)
        if function.ran <= times:
            raise error("why")
        return "well"

    function.ran = 0
    return function


def call(hall: Hall, function: Callable[[], Awaitable[Any]], name: str = "a") -> Any:
    """Call through the facade; return the answer, or the exception that came out."""

    async def caller() -> Any:
        try:
            return await hall.again.acall(function, name=name)
        except Exception as error:
            return error

    return asyncio.run(caller())


def test_the_function_runs_for_the_control_alone(time: VirtualTime) -> None:
    """Three attempts are three runs, both sides agree, and the backoff took no time here either."""
    hall, function = Hall(Tries((1, 2)), Tries((1, 2))), failing(2)

    assert "well" == call(hall, function)
    assert {"calls": 1, "shadowed": 1, "matched": 1} == hall.counts()
    assert 3 == function.ran


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_twin_would_go_on(time: VirtualTime, stage: Stage) -> None:
    """Where the twin would call and nothing was recorded there is one divergence, named after the error that parted them."""
    patient, hasty = Tries((1, 1)), Tries()
    legacy, unified = (hasty, patient) if stage is Stage.SHADOW else (patient, hasty)
    hall = Hall(legacy, unified, stage)

    assert isinstance(call(hall, failing(1)), ConnectionError)
    assert 1 == hall.counts()["mismatched"]
    assert [("no outcome", "retried.ConnectionError")] == hall.differences()


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_twin_gives_up_earlier(time: VirtualTime, stage: Stage) -> None:
    """The control tried again where the twin would not have."""
    patient, hasty = Tries((1, 1)), Tries()
    legacy, unified = (patient, hasty) if stage is Stage.SHADOW else (hasty, patient)
    hall = Hall(legacy, unified, stage)

    assert "well" == call(hall, failing(1))
    assert 1 == hall.counts()["mismatched"]
    assert [("value", "retried.ConnectionError")] == hall.differences()


def test_waits_within_the_band(time: VirtualTime) -> None:
    """The same dice give the same waits; other rules give others, which are reasonable within the control's band."""
    same = Hall(Tries((1, 2), spread=0.5), Tries((1, 2), spread=0.5))
    call(same, failing(2))
    near = Hall(Tries((1, 2), spread=0.5), Tries((1.1, 2.1)))
    call(near, failing(2))
    far = Hall(Tries((1, 2), spread=0.5), Tries((1, 3.5)))
    call(far, failing(2))

    assert (1, 0) == (same.counts()["matched"], len(same.divergences))
    assert (1, 0) == (near.counts()["reasonable"], len(near.divergences))
    assert 1 == far.counts()["mismatched"]
    assert [("value", "delays")] == far.differences()


def test_breakers_agree(time: VirtualTime) -> None:
    """A line of calls opens both breakers at once, both refuse, and both let the first one in again after their time."""
    hall = Hall(Tries(opens_after=3), Tries(opens_after=3))
    for _ in range(5):
        call(hall, failing(1))
    time.advance(61)

    assert "well" == call(hall, failing(0))
    assert {"calls": 6, "shadowed": 6, "matched": 6} == hall.counts()


def test_control_refuses_where_twin_calls(time: VirtualTime) -> None:
    """One divergence, when the control's breaker opened alone; then the twin's is as open, and they are in step."""
    hall = Hall(Tries(opens_after=3, open_s=10), Tries())
    for _ in range(3):
        call(hall, failing(1))
    refused = [call(hall, failing(0)) for _ in range(4)]
    time.advance(11)
    after = call(hall, failing(0))
    counts = hall.counts()

    assert ["Refused"] * 4 + ["str"] == [type(one).__name__ for one in (*refused, after)]
    # The third failure opened the control's breaker alone: that shows in the state. The twin then adopts it, and refuses likewise.
    assert [("value", "state")] == hall.differences()
    assert (1, 7) == (counts["mismatched"], counts["matched"])


def test_follow_on(time: VirtualTime) -> None:
    """A twin that cannot adopt a breaker parts at each call: one divergence, the others follow on from it."""

    class Deaf(Tries):
        """Has no breaker that it could be told of."""

        adopt_open = None

    hall = Hall(Tries(opens_after=1), Deaf())
    for _ in range(6):
        call(hall, failing(1))
    counts = hall.counts()

    assert [("value", "state"), ("no outcome", "admitted")] == hall.differences()
    assert (2, 4) == (counts["mismatched"], counts["uncomparable.follow_on"])


def test_twin_refuses_where_control_calls(time: VirtualTime) -> None:
    """The other way round: the twin is replaced by one that is as closed as the control."""
    hall = Hall(Tries(), Tries(opens_after=2))
    answers = [call(hall, failing(1)) for _ in range(2)] + [call(hall, failing(0)) for _ in range(3)]

    assert ["well"] * 3 == answers[2:]
    assert 1 == hall.counts()["mismatched"]
    assert [("value", "state")] == hall.differences()


def test_who_raised(time: VirtualTime) -> None:
    """Errors are counted two by two, except where nobody knows what the twin would have got."""
    hall = Hall(Tries((1,), opens_after=2), Tries())
    call(hall, failing(0))
    call(hall, failing(5), "both")
    call(hall, failing(1), "unified")
    hall.counts()

    assert {"none": 1, "both": 1, "unified": 1} == hall.errors


def test_who_raised_by_design(time: VirtualTime) -> None:
    """Where one side alone raises as a known divergence says, nobody is accused; what nobody accepted is counted."""
    rule = KnownDivergence(
        id="CA-01", seam="calling.again", operation="acall", kind="*", path="*", when="always", klass=KnownClass.ACCEPTED,
        owner="somebody", reason="known", expires=dt.date(2999, 1, 1), anchor="docs/migration/calling.md#ca-01",
        predicate=lambda difference, facts: True,
    )  # fmt: skip
    for rules, errors in (((), {"none": 1, "unified": 1}), ((rule,), {"none": 1})):
        hall = Hall(Tries((1,)), Tries(), rules=rules)
        call(hall, failing(0))
        call(hall, failing(1))
        counts = hall.counts()

        assert (errors, len(rules)) == (hall.errors, counts["ignored"])


def test_in_flight_while_they_part(time: VirtualTime) -> None:
    """A call that began before the sides parted, and ends after it, follows on from it."""
    hall = Hall(Tries(opens_after=1), Tries())

    async def everybody() -> None:
        gate = asyncio.Event()

        async def slow() -> None:
            await gate.wait()

        slow_call = asyncio.create_task(hall.again.acall(slow))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionError):
            await hall.again.acall(failing(1))
        gate.set()
        await slow_call

    asyncio.run(everybody())
    counts = hall.counts()

    assert [("value", "state")] == hall.differences()
    assert (1, 1) == (counts["mismatched"], counts["uncomparable.follow_on"])


def test_lines_are_apart(time: VirtualTime) -> None:
    """What happens on one breaker says nothing about another."""
    hall = Hall(Tries(opens_after=2), Tries(opens_after=2))
    for name in ("a", "b", "a", "b", "c"):
        call(hall, failing(1), name)

    assert isinstance(call(hall, failing(0), "a"), Refused)
    assert "well" == call(hall, failing(0), "c")
    assert 7 == hall.counts()["matched"]


def test_both_cut(time: VirtualTime) -> None:
    """An attempt that the control's limit ended is ended by a twin's that is as short or shorter."""
    hall = Hall(Tries(limit=5), Tries(limit=5))

    assert isinstance(call(hall, failing(0, took=7)), TimeoutError)
    assert {"calls": 1, "shadowed": 1, "matched": 1} == hall.counts()


def test_censored(time: VirtualTime) -> None:
    """Nobody knows what a twin with more patience would have seen."""
    hall = Hall(Tries(limit=5), Tries(limit=9))

    assert isinstance(call(hall, failing(0, took=7)), TimeoutError)
    assert {"calls": 1, "shadowed": 1, "uncomparable": 1, "uncomparable.censored": 1} == hall.counts()


def test_twin_cuts_earlier(time: VirtualTime) -> None:
    """The control waited for the result, the twin would not have."""
    hall = Hall(Tries(limit=9), Tries((1,), limit=5))

    assert "well" == call(hall, failing(0, took=7))
    assert 1 == hall.counts()["mismatched"]
    assert [("no outcome", "retried.cut")] == hall.differences()


def test_cancelled_caller(time: VirtualTime) -> None:
    """A caller that goes away is no comparison; control and twin give their permits back, and the next call agrees."""
    control, other = Tries((1,)), Tries((1,))
    hall = Hall(control, other)

    async def cancelled() -> None:
        started = asyncio.Event()

        async def waiting() -> None:
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(hall.again.acall(waiting))
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert "well" == call(hall, failing(0))
    counts = hall.counts()

    assert {"calls": 2, "cancelled": 1, "shadowed": 1, "matched": 1} == counts
    assert (0, 0) == (control.permits["a"], other.twins[0].permits["a"])


def test_the_callers_exception_is_its_own(time: VirtualTime) -> None:
    """It comes out as the very object, and the twin never touched it."""

    class Marks(Tries):
        """Writes on what it sees, as a twin only."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Call once, and write a note on the error."""
            try:
                return await super().acall(function, name=name)
            except ConnectionError as error:
                if self.is_twin:
                    error.add_note("seen by the twin")
                    error.args = ("changed",)
                raise

    mine = ConnectionError("mine", 7)
    mine.add_note("my own")

    async def function() -> None:
        raise mine

    hall = Hall(Tries(), Marks())

    assert mine is call(hall, function)
    assert 1 == hall.counts()["matched"]
    assert (["my own"], ("mine", 7)) == (mine.__notes__, mine.args)


def test_the_function_lives_in_its_own_time(time: VirtualTime) -> None:
    """What it sleeps is not the control's backoff, and its clock runs on."""
    seen = []

    async def function() -> None:
        seen.append(TIME.get().monotonic())
        await TIME.get().asleep(3)
        seen.append(TIME.get().monotonic())

    hall = Hall(Tries((1,)), Tries((1,)))
    call(hall, function)

    assert [3.0] == [seen[1] - seen[0]]
    assert 1 == hall.counts()["matched"]
    assert TIME.get() is time.source


def plainly(function: Callable[[], Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    """Return a plain function that returns what *function* does."""

    def plain() -> Awaitable[str]:
        return function()

    return plain


class Called:
    """An object whose call is async."""

    def __init__(self, function: Callable[[], Awaitable[str]]) -> None:
        self.function = function

    async def __call__(self) -> str:
        """Call."""
        return await self.function()


@pytest.mark.parametrize("form", [plainly, functools.partial, Called])
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_whatever_returns_something_to_await(time: VirtualTime, form: Callable[..., Any], stage: Stage) -> None:
    """A lambda, a partial, an object: each is written down like an async def, its time and its errors as well."""
    hall, function = Hall(Tries((1, 2)), Tries((1, 2)), stage), failing(2, took=3)

    assert "well" == call(hall, form(function))
    assert {"calls": 1, "shadowed": 1, "matched": 1} == hall.counts()
    assert (3, TIME.get()) == (function.ran, time.source)


def test_plain_function_that_raises(time: VirtualTime) -> None:
    """One that raises before there is anything to await has made an attempt like any other."""
    left = [ConnectionError(), ConnectionError()]

    def plain() -> Awaitable[str]:
        if left:
            raise left.pop()
        return failing(0)()

    hall = Hall(Tries((1, 1)), Tries((1,)))

    assert "well" == call(hall, plain)
    assert 1 == hall.counts()["mismatched"]
    assert [("value", "retried.ConnectionError")] == hall.differences()


def test_not_replayable_function(time: VirtualTime) -> None:
    """What returns nothing to await fails as it does without a hall, and is counted; a generator reaches the control as it is."""
    got = []

    class Looks(Tries):
        """Notes what it is given."""

        async def acall(self, function: Any, *, name: str = "a") -> Any:
            """Await what *function* returns."""
            got.append(function)
            return await function()

    def generator() -> Any:
        yield 1

    hall = Hall(Looks(), Looks())

    assert [TypeError, TypeError] == [type(call(hall, one)) for one in (lambda: 5, generator)]
    assert generator in got
    assert {"calls": 2, "shadowed": 2, "uncomparable": 2, "uncomparable.not_replayable": 2} == hall.counts()


def test_unmakeable_exception(time: VirtualTime) -> None:
    """An exception of which no second one can be made ends the comparison, not the call."""

    class Single(ConnectionError):
        """Can be made once."""

        made = 0

        def __new__(cls, *args: object) -> Single:
            cls.made += 1
            if cls.made > 1:
                raise RuntimeError("only one")
            return super().__new__(cls, *args)

    hall = Hall(Tries((1,)), Tries((1,)))
    answer = call(hall, failing(2, Single))

    assert isinstance(answer, RuntimeError)  # its second attempt could not raise it either
    assert {"calls": 1, "shadowed": 1, "uncomparable": 1, "uncomparable.not_replayable": 1} == hall.counts()


def test_twin_that_waits_for_something_else(time: VirtualTime) -> None:
    """A twin that needs more than time and outcomes cannot be driven, and is not waited for."""

    class Foreign:
        """What only some other framework understands."""

        def __await__(self) -> Any:
            yield self

    class Elsewhere(Tries):
        """Waits for something that is no matter of time."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Never call, as a twin."""
            if self.is_twin:
                await Foreign()
            return await function()

    class Endless(Tries):
        """Gives way for ever."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Never call, as a twin."""
            while self.is_twin:
                await asyncio.sleep(0)
            return await function()

    for side in (Elsewhere(), Endless()):
        hall = Hall(Tries(), side)

        assert "well" == call(hall, failing(0))
        assert 1 == hall.counts()["uncomparable.not_replayable"]


def test_side_without_a_twin_in_the_end(time: VirtualTime, caplog: pytest.LogCaptureFixture) -> None:
    """A side whose twin() raises is said so, and costs nobody but its own comparisons."""

    class Barren(Tries):
        """Cannot."""

        def twin(self) -> Tries:
            """Raise."""
            raise OSError("no twin today")

    hall = Hall(Tries(), Barren())

    assert ["well", "well"] == [call(hall, failing(0)) for _ in range(2)]
    assert {"calls": 2, "shadowed": 2, "uncomparable": 2, "uncomparable.not_replayable": 2} == hall.counts()
    assert "calling.again: cannot replay" in caplog.text


def test_gap(time: VirtualTime) -> None:
    """After calls that were not recorded the twin knows too little: what differs first in whom they let in is a follow-on."""
    hall = Hall(Tries(opens_after=3), Tries(opens_after=3))
    call(hall, failing(1))
    hall.stand(Stage.OFF)
    call(hall, failing(1))
    hall.stand(Stage.SHADOW)
    call(hall, failing(1))  # the control's third, the twin's first: the control opens
    call(hall, failing(0))
    counts = hall.counts()

    assert [] == hall.differences()
    assert (3, 2, 1) == (counts["shadowed"], counts["matched"], counts["uncomparable.follow_on"])


def test_bystanders(time: VirtualTime) -> None:
    """Where some are in shadow and others off, the twin sees all that its control does; only the shadowed are compared."""
    hall = Hall(Tries(opens_after=4), Tries(opens_after=4))
    hall.runtime.publish(DecisionTable.of(calling=_Split(Split(((Stage.SHADOW, 5_000), (Stage.OFF, 5_000))))))

    async def both() -> None:
        for key in ("off", "shadow", "off", "shadow", "shadow"):
            with hall.runtime.scope(targeting_key=key):
                try:
                    await hall.again.acall(failing(1))
                except (ConnectionError, Refused):
                    continue

    asyncio.run(both())
    counts = hall.counts()

    assert (2, 3, 3) == (counts["unshadowed"], counts["shadowed"], counts["matched"])


def test_handing_over(time: VirtualTime) -> None:
    """The side that begins to answer adopts what is open in the other: nobody is called who is known to be down. Both ways."""
    legacy, unified = Tries(opens_after=1, open_s=30), Tries(opens_after=1, open_s=30)
    hall = Hall(legacy, unified)
    call(hall, failing(1))
    hall.stand(Stage.LIVE)
    refused = call(hall, failing(0))
    time.advance(31)
    call(hall, failing(1))
    hall.stand(Stage.SHADOW)

    assert isinstance(refused, Refused)
    assert 30.0 == legacy.open_for_s("a")
    assert isinstance(call(hall, failing(0)), Refused)
    assert 0 == hall.counts()["mismatched"]


def test_guard(time: VirtualTime) -> None:
    """Unified that refuses by itself where legacy calls takes the phase back in this process."""

    class Shut(Tries):
        """Refuses everybody."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Refuse."""
            raise Refused(name)

    hall = Hall(Tries(), Shut(), Stage.LIVE)
    for number in range(40):
        call(hall, failing(0), f"subject {number}")
        if hall.runtime.standing()["calling"].tripped:
            break
    hall.runtime.stop(30)

    assert "shadow" == hall.runtime.standing()["calling"].tripped
    assert "well" == call(hall, failing(0))


def test_sampled_out(time: VirtualTime) -> None:
    """When the lanes have spent their allowance calls go on unrecorded, and are counted so."""
    hall = Hall(Tries((1,)), Tries((1,)), limits=LaneLimits(cpu_share=1e-9))
    for _ in range(300):
        call(hall, failing(1))
    counts = hall.counts()

    assert 300 == counts["calls"] == counts["sampled_out"] + counts["shadowed"]
    assert counts["shadowed"] == counts["matched"] + counts["uncomparable"]


def test_binding() -> None:
    """An effect that cannot be replayed is an error at wiring, with names."""

    class NoSubject:
        """A port."""

        @effects
        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Call."""

    class Sync:
        """A port."""

        @effects(subject="name")
        def acall(self, function: Callable[[], Any], *, name: str = "a") -> Any:
            """Call."""

    class Twinless:
        """A side."""

        async def acall(self, function: Callable[[], Awaitable[Any]], *, name: str = "a") -> Any:
            """Call."""
            return await function()

    phase = Phase("odd")
    for port, side, words in (
        (NoSubject, Tries(), "names no subject, wanted @effects(subject=...)"),
        (Sync, Tries(), "is marked @effects and sync, wanted async"),
        (AGAIN.port, Twinless(), "Twinless has no twin(), wanted a method that returns a separate instance"),
    ):
        with pytest.raises(BindingError, match=".*".join(words.split("(")[:1])) as caught:
            Runtime().bind(phase.seam("s", port=port), legacy=side, unified=side)
        assert words in str(caught.value)


class _Split:
    """A decision by the targeting key, which is the stage's name."""

    by_operation = False
    digest = "split"
    default = Stage.OFF

    def __init__(self, split: Split) -> None:
        self.split = split
        self.stages = frozenset({Stage.OFF, Stage.SHADOW})

    def decide(self, context: Any, seam: str, operation: str) -> Stage:
        """Return the stage that the key names."""
        return Stage(context.targeting_key)
