"""What is latched outlives whoever latched it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from oms.domain.errors import CouldNot
from oms.rollout.guard.latches import EvenClock, Latched, Latches, Order, PhaseLatch, StepMark, Tripped

TRIPPED = Tripped(
    guard="errors",
    operation="types.get",
    version="v",
    why="because",
    at_s=1.0,
    before="live=5",
    to="shadow",
    done=True,
    seconds=0.5,
    also=("mismatch types.get",),
)
FULL = PhaseLatch(
    tripped=TRIPPED,
    paused=Order(who="ana", why="lunch", at_s=2.0),
    frozen=Order(who="bo", why="stock", at_s=3.0, until_s=9.0),
    step=StepMark(plan="p", policy="q"),
    since_s=5.0,
    ahead_s=8.0,
)
CLOCK = EvenClock(boot="b", offset_s=1.5, since_s=2.5)


@pytest.fixture
def latches(tmp_path: Path) -> Latches:
    """Latches over a folder that is not there yet."""
    return Latches(tmp_path / "var" / "rollout.json")


def test_no_file(latches: Latches) -> None:
    """Nothing is latched where there is no file."""
    assert Latched() == latches.read()


def test_comes_back_as_it_was(latches: Latches) -> None:
    """Everything that is written is read again, each phase apart."""
    latches.change("cache", lambda latch: FULL)
    latches.change("config", lambda latch: replace(latch, since_s=7.0))
    latches.change_all(lambda latched: replace(latched, frozen=Order(who="cy", why="all", at_s=6.0), clock=CLOCK))

    again = Latches(latches.path).read()

    assert (FULL, PhaseLatch(since_s=7.0)) == (again.of("cache"), again.of("config"))
    assert ("cy", PhaseLatch()) == (again.frozen.who if again.frozen else "", again.of("security"))
    assert (CLOCK, 2.5) == (again.clock, again.even_since_s)


def test_written_by_another_version(latches: Latches) -> None:
    """What another version leaves out or writes besides does not make a trip unreadable."""
    latches.change("cache", lambda latch: FULL)
    raw = json.loads(latches.path.read_bytes())
    del raw["clock"], raw["phases"]["cache"]["ahead_s"]
    raw["phases"]["cache"]["step"]["at_s"] = 4.0
    raw["phases"]["cache"]["tripped"]["more"] = [1]
    latches.path.write_text(json.dumps(raw))

    assert replace(FULL, ahead_s=0.0) == latches.read().of("cache")
    assert 0.0 == latches.read().even_since_s


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "[" * 100_000, "{}", '{"phases": {"cache": {}}, "frozen": null}', '{"phases": 3, "frozen": null}'],
)
def test_a_broken_file(latches: Latches, content: str) -> None:
    """A file that cannot be read is told as such, never taken for nothing, and not written over but for somebody who asks for it."""
    latches.path.parent.mkdir()
    latches.path.write_text(content)

    with pytest.raises(CouldNot, match="wanted the latches of oms guard; oms resume writes a new one"):
        latches.change("cache", lambda latch: FULL)
    assert content == latches.path.read_text()
    assert FULL == latches.change_all(lambda latched: Latched(phases={"cache": FULL}), anew=True).of("cache")
    assert FULL == latches.read().of("cache")


def test_two_at_once(latches: Latches) -> None:
    """Changes of several processes and threads follow one another: none is lost."""

    def count() -> None:
        for _ in range(20):
            Latches(latches.path).change("cache", lambda latch: replace(latch, since_s=latch.since_s + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 80.0 == latches.read().of("cache").since_s
    assert [latches.path.name, "rollout.lock"] == sorted(entry.name for entry in latches.path.parent.iterdir())


def test_standstill() -> None:
    """Tripped, paused and frozen each speak against moving on; a freeze that is over does not."""
    latched = Latched(phases={"cache": FULL}, frozen=Order(who="cy", why="all", at_s=6.0))

    assert ["tripped", "paused", "frozen", "frozen"] == [
        next(word for word in ("tripped", "paused", "frozen") if word in sentence)
        for sentence in latched.standstill("cache", now_s=8.0)
    ]
    assert 3 == len(latched.standstill("cache", now_s=9.0))
    assert 1 == len(latched.standstill("config", now_s=9.0))
