"""The e-process: its formula against a plain sum over bets, restarts, addition, and Ville's promise."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from oms.domain.guardrails.eprocess import EProcess, TripLine, log_sum_exp

ALTERNATIVES = 3
ratios = st.tuples(*[st.floats(-3.0, 3.0)] * ALTERNATIVES)
steps = st.lists(ratios | st.just("restart"), max_size=40)
"""What happens to a process: an event's log likelihood ratios, or a restart."""


def run(happened: list[object], *, keep: int = 3) -> EProcess:
    """Return the process after *happened*."""
    process = EProcess.begun(ALTERNATIVES, keep=keep)
    for one in happened:
        process = process.restarted() if one == "restart" else process.after(one)
    return process


def plain_log_e(happened: list[object], *, keep: int) -> float:
    """Return ln E by the formula as it is written: every kept bet multiplied out by itself."""
    bets = [[0.0] * ALTERNATIVES]
    for one in happened:
        if one == "restart":
            bets.append([0.0] * ALTERNATIVES)
        else:
            bets = [[fortune + ratio for fortune, ratio in zip(bet, one, strict=True)] for bet in bets]
    laid = [
        -math.log(k * (k + 1)) - math.log(ALTERNATIVES) + fortune
        for k, bet in list(enumerate(bets, 1))[-keep:]
        for fortune in bet
    ]
    return float(logsumexp([*laid, -math.log(len(bets) + 1)]))


@given(steps, st.integers(1, 4))
def test_formula(happened: list[object], keep: int) -> None:
    """E is the weighted mean over kept bets and alternatives, and what is not yet laid."""

    assert plain_log_e(happened, keep=keep) == pytest.approx(run(happened, keep=keep).log_e, abs=1e-9)


def test_begins_at_one() -> None:
    """Before the first event E is 1, and so it is after any number of restarts as long as all bets are kept."""
    process = EProcess.begun(ALTERNATIVES, keep=8)

    assert 0.0 == pytest.approx(process.log_e, abs=1e-12)
    for _ in range(7):
        process = process.restarted()
        assert 0.0 == pytest.approx(process.log_e, abs=1e-12)


@given(steps)
def test_dropping_a_bet_lowers(happened: list[object]) -> None:
    """A process that keeps fewer bets is never above one that keeps more, so dropping keeps validity."""

    assert run(happened, keep=1).log_e <= run(happened, keep=50).log_e + 1e-9


@given(st.lists(ratios, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_order_does_not_matter(events: list[tuple[float, ...]], chance: object) -> None:
    """Between restarts E depends on what happened, not in which order, nor on being fed one by one."""
    shuffled = list(events)
    chance.shuffle(shuffled)
    at_once = EProcess.begun(ALTERNATIVES, keep=3).after(tuple(map(math.fsum, zip(*events, strict=True))))

    assert run(events).log_e == pytest.approx(run(shuffled).log_e, abs=1e-9)
    assert run(events).log_e == pytest.approx(at_once.log_e, abs=1e-9)


def parted(parts: list[list[tuple[float, ...]]]) -> EProcess:
    """Return a process that was fed each part and restarted after it."""
    process = EProcess.begun(ALTERNATIVES, keep=2)
    for part in parts:
        for event in part:
            process = process.after(event)
        process = process.restarted()
    return process


fed = st.lists(st.lists(ratios, max_size=4), min_size=3, max_size=3)


@given(fed, fed, fed)
def test_merge(a: list[list[object]], b: list[list[object]], c: list[list[object]]) -> None:
    """Adding up processes is the process that saw it all, in whatever order and grouping they are added."""
    one, two, three = parted(a), parted(b), parted(c)
    whole = parted([x + y + z for x, y, z in zip(a, b, c, strict=True)])

    assert whole.log_e == pytest.approx(one.merged(two).merged(three).log_e, abs=1e-9)
    assert whole.log_e == pytest.approx(three.merged(two.merged(one)).log_e, abs=1e-9)


def test_merge_needs_the_same_restarts() -> None:
    """Processes that restarted at different times cannot be added up, and say so."""
    one = EProcess.begun(ALTERNATIVES, keep=3)

    with pytest.raises(ValueError, match=r"bets \(1, 2\) cannot be added to bets \(1,\)"):
        one.merged(one.restarted())


@given(steps, st.floats(1e-4, 0.5))
def test_screen(happened: list[object], alpha: float) -> None:
    """The cheap first question never hides that the line is reached."""
    process = run(happened)

    assert (process.log_e >= -math.log(alpha)) is process.reaches(TripLine.at(alpha, alternatives=ALTERNATIVES))


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.integers(1, 12))
def test_ville(null: float, other: float, events: int) -> None:
    """While the null hypothesis holds, the mean of E over all that can happen is 1, restart or none."""
    ratio = {True: math.log(other / null), False: math.log((1 - other) / (1 - null))}
    mean = 0.0
    for path in range(1 << min(events, 8)):
        process, probability = EProcess.begun(1, keep=8), 1.0
        for i in range(min(events, 8)):
            bad = bool(path >> i & 1)
            process = process.after((ratio[bad],))
            process = process.restarted() if i == 3 else process
            probability *= null if bad else 1 - null
        mean += probability * math.exp(process.log_e)

    assert 1.0 == pytest.approx(mean, rel=1e-9)


@given(st.lists(st.floats(-700.0, 700.0), max_size=9))
def test_log_sum_exp(logs: list[float]) -> None:
    """The sum of exponentials agrees with scipy's, and of nothing it is minus infinity."""
    expected = float(logsumexp(logs)) if logs else -math.inf

    assert expected == pytest.approx(log_sum_exp(logs), abs=1e-9)
