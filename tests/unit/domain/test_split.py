"""Splits, the wishes that are typed, and how far a flip may go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oms.domain.errors import BadInput, FlipRefused
from oms.domain.split import WHOLE, Split, Wish, advance, is_rollback, parse_wish, percent_text
from oms.domain.stage import Stage, after, before, is_legal_mix, stages_of

OFF, DUALWRITE, SHADOW, LIVE, RAMPDOWN, COMPLETE = Stage


def canary(stage: Stage, weight: int, rest: Stage) -> Split:
    """Return the split with *weight* at *stage* and the rest of 10,000 at *rest*."""
    return Split(((stage, weight), (rest, WHOLE - weight)))


def share_at_or_above(split: Split, stage: Stage) -> int:
    """Return how much of 10,000 stands at *stage* or higher."""
    return sum(weight for other, weight in split.weights if other.rank >= stage.rank)


MOVES = [
    (current, wish, writes)
    for writes in (True, False)
    for current in stages_of(writes=writes)
    for wish in stages_of(writes=writes)
]
"""Every move within each kind of phase."""

weights = st.integers(1, WHOLE - 1)


@st.composite
def splits(draw: st.DrawFn, *, writes: bool = True) -> Split:
    """Whole splits, and canaries over two neighbouring stages."""
    stage = draw(st.sampled_from(stages_of(writes=writes)))
    rest = before(stage, writes=writes)
    if rest is None or draw(st.booleans()) or not is_legal_mix({stage, rest}, writes=writes):
        return Split.whole(stage)
    return canary(stage, draw(weights), rest)


def test_whole() -> None:
    """A whole split has everybody at one stage."""
    split = Split.whole(SHADOW)

    assert split.is_whole
    assert ({SHADOW}, SHADOW, SHADOW) == (split.stages, split.most_advanced, split.least_advanced)
    assert (WHOLE, 0) == (split.share(SHADOW), split.share(LIVE))


def test_canary() -> None:
    """A canary has two stages, and knows the higher from the lower."""
    split = canary(LIVE, 500, SHADOW)

    assert not split.is_whole
    assert ({LIVE, SHADOW}, LIVE, SHADOW) == (split.stages, split.most_advanced, split.least_advanced)
    assert (500, 9500) == (split.share(LIVE), split.share(SHADOW))


@pytest.mark.parametrize(
    ("split", "text"),
    [
        (Split.whole(SHADOW), "shadow"),
        (canary(LIVE, 500, SHADOW), "live=5"),
        (canary(LIVE, 1, SHADOW), "live=0.01"),
        (canary(LIVE, 1250, SHADOW), "live=12.5"),
        (canary(LIVE, 9999, SHADOW), "live=99.99"),
        (canary(LIVE, 1000, SHADOW), "live=10"),
    ],
)
def test_text(split: Split, text: str) -> None:
    """A split reads as it would be typed."""

    assert text == str(split)


@given(weights)
def test_percent_round_trip(weight: int) -> None:
    """Every weight of 10,000 can be written as a percentage and typed again."""

    assert Wish(LIVE, weight) == parse_wish(f"live={percent_text(weight)}", writes=True)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("off", Wish(OFF, WHOLE)),
        ("live", Wish(LIVE, WHOLE)),
        ("live=100", Wish(LIVE, WHOLE)),
        ("live=5", Wish(LIVE, 500)),
        ("live=0.01", Wish(LIVE, 1)),
        ("live=99.99", Wish(LIVE, 9999)),
        ("live=05", Wish(LIVE, 500)),
        ("live=29.57", Wish(LIVE, 2957)),
    ],
)
def test_wish(text: str, wish: Wish) -> None:
    """A wish is a stage, or a stage and a percentage with at most two decimals."""

    assert wish == parse_wish(text, writes=True)


@pytest.mark.parametrize(
    "share",
    [
        "",
        "0",
        "0.00",
        "-1",
        "101",
        "100.01",
        "1000",
        "5%",
        "5.",
        ".5",
        "0.001",
        "1e1",
        "nan",
        "inf",
        "5=5",
        " 5",
        "5 ",
        "\u0665",
        "5\n",
    ],
)
def test_wish_share_refused(share: str) -> None:
    """A percentage that is not above 0, at most 100 and of two decimals is bad input that says what it wants."""
    with pytest.raises(BadInput) as caught:
        parse_wish(f"live={share}", writes=True)

    assert f"PERCENT: found {share!r}, wanted above 0, at most 100, at most two decimals, as in live=5" == str(
        caught.value
    )


def test_wish_stage_refused() -> None:
    """An unknown stage is bad input, and the nearest one is offered."""
    with pytest.raises(BadInput) as caught:
        parse_wish("lvie", writes=True)

    assert "STAGE: found 'lvie', wanted one of off dualwrite shadow live rampdown complete; did you mean live?" == str(
        caught.value
    )


@pytest.mark.parametrize("text", ["", "=5", "LIVE", "live ", "nothing like it"])
def test_wish_without_stage(text: str) -> None:
    """Stages are spelled as they are, and one must be there."""
    with pytest.raises(BadInput, match=r"^STAGE: found "):
        parse_wish(text, writes=True)


@pytest.mark.parametrize("stage", [DUALWRITE, RAMPDOWN])
def test_wish_stage_of_writes(stage: Stage) -> None:
    """A phase without writes has no dualwrite and no rampdown."""
    with pytest.raises(BadInput, match="wanted one of off shadow live complete"):
        parse_wish(stage, writes=False)


@pytest.mark.parametrize(("current", "wish", "writes"), MOVES)
def test_advance_whole(current: Stage, wish: Stage, writes: bool) -> None:
    """Towards unified a flip goes one stage of the phase's ladder; towards legacy any way."""
    if wish.rank <= current.rank or wish is after(current, writes=writes):
        assert Split.whole(wish) == advance(Split.whole(current), Wish(wish, WHOLE), writes=writes)
    else:
        with pytest.raises(
            FlipRefused,
            match=f"^{wish} is more than one stage above {current}, .* go to {after(current, writes=writes)} first",
        ):
            advance(Split.whole(current), Wish(wish, WHOLE), writes=writes)


@pytest.mark.parametrize(("current", "wish", "writes"), MOVES)
def test_advance_share(current: Stage, wish: Stage, writes: bool) -> None:
    """A canary stands on the stage before it, all of which must be there."""
    if wish is after(current, writes=writes):
        assert canary(wish, 500, current) == advance(Split.whole(current), Wish(wish, 500), writes=writes)
    else:
        with pytest.raises(
            FlipRefused, match=f"^{wish}=5 needs the rest to stand at the stage before it, but it stands at {current}$"
        ):
            advance(Split.whole(current), Wish(wish, 500), writes=writes)


@given(weights, weights)
def test_advance_share_again(first: int, second: int) -> None:
    """A canary of the same two stages grows and shrinks freely."""

    assert canary(LIVE, second, SHADOW) == advance(canary(LIVE, first, SHADOW), Wish(LIVE, second), writes=True)


@pytest.mark.parametrize("wish", [RAMPDOWN, COMPLETE])
def test_advance_from_canary(wish: Stage) -> None:
    """From a canary nobody goes further until all have come."""
    with pytest.raises(FlipRefused, match="go to live first"):
        advance(canary(LIVE, 9999, SHADOW), Wish(wish, WHOLE), writes=True)
    with pytest.raises(FlipRefused, match=r"it stands at live=99\.99"):
        advance(canary(LIVE, 9999, SHADOW), Wish(wish, 1), writes=True)


def test_advance_share_beside_a_third_stage() -> None:
    """A hand-written mix of stages that are no neighbours takes no canary: some of it would have to move down."""
    with pytest.raises(FlipRefused, match=r"it stands at live=5$"):
        advance(canary(LIVE, 500, DUALWRITE), Wish(SHADOW, 500), writes=True)


@pytest.mark.parametrize("wish", [LIVE, SHADOW, DUALWRITE, OFF])
def test_advance_ends_canary(wish: Stage) -> None:
    """A canary ends at its upper stage, at its lower one, or below."""

    assert Split.whole(wish) == advance(canary(LIVE, 500, SHADOW), Wish(wish, WHOLE), writes=True)


@given(st.data(), st.booleans())
def test_advance_goes_one_stage(data: st.DataObject, writes: bool) -> None:
    """Whatever is wished, nobody is moved more than one stage up, and every split that comes out is a legal mix that sums to 10,000."""
    current = data.draw(splits(writes=writes))
    wish = Wish(data.draw(st.sampled_from(stages_of(writes=writes))), data.draw(st.integers(1, WHOLE)))
    try:
        split = advance(current, wish, writes=writes)
    except FlipRefused:
        return

    ladder = stages_of(writes=writes)
    assert ladder.index(split.most_advanced) <= ladder.index(current.least_advanced) + 1
    assert WHOLE == sum(weight for _, weight in split.weights)
    assert is_legal_mix(split.stages, writes=writes)
    assert [stage for stage, _ in split.weights] == sorted(split.stages, key=lambda stage: -stage.rank)
    assert wish.weight == split.share(wish.stage)


@given(splits(), splits())
def test_is_rollback(current: Split, new: Split) -> None:
    """A rollback puts no more traffic at or above any stage than there was."""
    raised = [stage for stage in Stage if share_at_or_above(new, stage) > share_at_or_above(current, stage)]

    assert (not raised) is is_rollback(current, new)


@pytest.mark.parametrize(
    ("current", "new", "expected"),
    [
        (Split.whole(LIVE), Split.whole(SHADOW), True),
        (Split.whole(LIVE), Split.whole(LIVE), True),
        (Split.whole(SHADOW), Split.whole(LIVE), False),
        (canary(LIVE, 500, SHADOW), canary(LIVE, 400, SHADOW), True),
        (canary(LIVE, 500, SHADOW), canary(LIVE, 501, SHADOW), False),
        (canary(LIVE, 500, SHADOW), Split.whole(SHADOW), True),
        (canary(LIVE, 500, SHADOW), Split.whole(LIVE), False),
        (canary(LIVE, 500, SHADOW), canary(SHADOW, 9999, DUALWRITE), True),
        # Lower for most, but 5 % that stood at shadow would stand at live.
        (Split.whole(SHADOW), canary(LIVE, 500, OFF), False),
    ],
)
def test_is_rollback_cases(current: Split, new: Split, expected: bool) -> None:
    """A lower share is a rollback; one person higher is none."""

    assert expected is is_rollback(current, new)
