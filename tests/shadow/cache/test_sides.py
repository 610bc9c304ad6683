"""Any traffic: what the sides answer differently is a quirk with an id."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sides.cache import make_sides

from oms.domain.comparison import Difference, compare
from oms.domain.known import matching_rule
from oms.domain.observation import Facts, Raised, Returned, StandIn
from oms.domain.phase import Seam
from oms.domain.stage import Side, Stage
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION
from oms.seams.known import load_known
from oms.testing import FakeClock
from oms.testing.driven import Driven

RULES = load_known("cache")
KEYS = st.sampled_from("abc")
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
TYPED = (
    PLAIN | st.tuples(PLAIN, st.integers()) | st.sets(st.integers(), max_size=3) | st.dates() | st.binary(max_size=3)
)
# No sum of these is a ttl: at the very end of one, legacy still answers and unified does not.
STEPS = st.sampled_from([0.3001, 1.3001, 61.3001])


class Pair:
    """Both sides of a seam on one clock, and what is known of the last write of each key."""

    def __init__(self, seam: Seam[Any, Any], runner: asyncio.Runner) -> None:
        self.clock = FakeClock(0.0)
        self._seam = seam
        sides = make_sides(seam, self.clock)
        is_async = seam is DOCUMENTS
        self._legacy = Driven(sides.legacy, runner) if is_async else sides.legacy
        self._unified = Driven(sides.unified, runner) if is_async else sides.unified
        self._prefix = "a" if is_async else ""
        self._written: dict[str, tuple[float, object]] = {}

    def call(self, name: str, key: str, *args: object, **kwargs: object) -> list[str]:
        """Call both sides; return the id of each difference, or its kind where no rule takes it."""
        legacy = _observed(self._legacy, name, key, *args, **kwargs)
        unified = _observed(self._unified, name, key, *args, **kwargs)
        if name == "set":
            self._written[key] = (self.clock(), kwargs.get("ttl"))
        at, ttl = self._written.get(key, (None, None))
        facts = Facts(
            operation=f"{self._prefix}{name}",
            stage=Stage.SHADOW,
            control=Side.LEGACY,
            read_s=self.clock(),
            compared_s=self.clock(),
            written_s=at,
            write=(("ttl", ttl),) if at is not None else (),
            keys_written=len(self._written),
        )
        if name == "delete":
            self._written.pop(key, None)
        return [self._named(difference, facts) for difference in compare(legacy=legacy, unified=unified)]

    def _named(self, difference: Difference, facts: Facts) -> str:
        rule = matching_rule(RULES, self._seam.full_name, difference, facts)
        return rule.id if rule else f"unknown {difference.kind} at {difference.path!r} of {facts.operation}"


def _observed(side: Any, name: str, *args: object, **kwargs: object) -> Returned | Raised:
    try:
        return Returned(getattr(side, name)(*args, **kwargs))
    except Exception as error:
        return Raised(StandIn(type(error).__qualname__))


def differences(seam: Seam[Any, Any], calls: list[tuple[Any, ...]]) -> set[str]:
    """Return what differs when *calls* are made on both sides: ids of rules, and what no rule takes."""
    found: set[str] = set()
    with asyncio.Runner() as runner:
        pair = Pair(seam, runner)
        for name, *args in calls:
            if name == "advance":
                pair.clock.advance(args[0])
            elif name == "set":
                found.update(pair.call("set", args[0], args[1], ttl=args[2]))
            else:
                found.update(pair.call(name, args[0]))
    return found


def traffic(
    values: st.SearchStrategy[Any], ttls: st.SearchStrategy[Any], *keyed: str
) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Return a strategy for calls: sets, gets, a clock that moves, and the further operations *keyed*."""
    call = (
        st.tuples(st.just("set"), KEYS, values, ttls)
        | st.tuples(st.sampled_from(["get", *keyed]), KEYS)
        | st.tuples(st.just("advance"), STEPS)
    )
    return st.lists(call, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([TYPES, VALIDATION, DOCUMENTS]), traffic(PLAIN, st.sampled_from([1, 60, 0.6])))
def test_plain_traffic_matches(seam: Seam[Any, Any], calls: list[tuple[Any, ...]]) -> None:
    """What JSON knows, written for a time above 0, is answered alike by both sides of every seam."""
    assert set() == differences(seam, calls)


@settings(max_examples=60, deadline=None)
@given(traffic(TYPED, st.sampled_from([None, 0, 1, 60])))
def test_types_differ_by_tc_01_alone(calls: list[tuple[Any, ...]]) -> None:
    """Whatever the values and times, the traversal cache differs by TC-01 and by nothing else."""
    assert differences(TYPES, calls) <= {"TC-01"}


@settings(max_examples=60, deadline=None)
@given(traffic(TYPED, st.sampled_from([0, 1, 60])))
def test_validation_differs_by_vc_09_alone(calls: list[tuple[Any, ...]]) -> None:
    """With a time given, the validation cache differs by VC-09 and by nothing else."""
    assert differences(VALIDATION, calls) <= {"VC-09"}


@settings(max_examples=60, deadline=None)
@given(traffic(TYPED, st.sampled_from([None, 0, 1, 60]), "delete"))
def test_documents_differ_by_two_quirks(calls: list[tuple[Any, ...]]) -> None:
    """Whatever the values and times, the document cache differs by TM-01 and TM-06 and by nothing else."""
    assert differences(DOCUMENTS, calls) <= {"TM-01", "TM-06"}


def test_vc_01_by_its_id() -> None:
    """VC-01: a set without ttl."""
    assert {"VC-01"} == differences(VALIDATION, [("set", "a", 1, None)])


def test_vc_09_by_its_id() -> None:
    """VC-09: a read in the same tick as the set for 0 seconds, and not in the next one."""
    once = [("set", "a", 1, 0), ("get", "a")]

    assert {"VC-09"} == differences(VALIDATION, once)
    assert set() == differences(VALIDATION, [once[0], ("advance", 0.3001), once[1]])


def test_ca_01_is_not_hidden() -> None:
    """CA-01: legacy finds an expired entry to delete; the facts of a delete do not tell that it had expired, so no rule takes it."""
    calls = [("set", "a", 1, 1), ("advance", 1.3001), ("delete", "a")]

    assert {"unknown value at '' of delete"} == differences(TYPES, calls) == differences(VALIDATION, calls)
    assert {"unknown value at '' of delete"} == differences(TYPES, [("set", "a", 1, 0), ("delete", "a")])
