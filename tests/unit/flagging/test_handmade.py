"""Which invalid files count as a rollback by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oms.domain.stage import Stage
from oms.flagging.handmade import lowest_if_rollback, stages_named
from oms.seams import PHASES

CACHE = PHASES["cache"]
FLOATS = {"fractional": [["live", 5.0], ["shadow", 95.0]]}


@pytest.mark.parametrize(
    ("members", "served", "lowest"),
    [
        ({"targeting": FLOATS}, "live", "shadow"),
        ({"targeting": FLOATS}, "live shadow", "shadow"),
        ({"targeting": FLOATS}, "rampdown", "shadow"),
        ({"targeting": {"fractional": [["live", 5], ["off", 95]]}, "defaultVariant": "off"}, "live", "off"),
        ({"targeting": {"fractional": [["shadow", 90], ["live", 10]]}}, "live", "shadow"),
        ({"defaultVarient": "live", "defaultVariant": "off"}, "shadow", "off"),
        ({"state": "ENABLE"}, "shadow", "shadow"),
        ({"defaultVariant": ...}, "shadow", "off"),
        ({"variants": ..., "defaultVariant": "dualwrite"}, "shadow", "dualwrite"),
        ({"state": "DISABLED", "variants": {}}, "complete", "off"),
    ],
)
def test_rollback_by_hand(flag: Callable[..., bytes], members: dict[str, Any], served: str, lowest: str) -> None:
    """An invalid file that names nothing above what is served counts, at the lowest stage it names."""
    assert Stage(lowest) == lowest_if_rollback(flag(**members), CACHE, frozenset(map(Stage, served.split())))


@pytest.mark.parametrize(
    ("members", "served"),
    [
        ({"targeting": FLOATS}, "shadow"),
        ({"targeting": FLOATS}, "live dualwrite"),
        ({"defaultVariant": "live", "targeting": {"iff": 1}}, "live shadow"),
        ({"defaultVariant": "shadw"}, "complete"),
        ({"variants": {"shadow": "shadw"}}, "complete"),
        ({"variants": {"shadow": 1}}, "complete"),
    ],
)
def test_no_rollback(flag: Callable[..., bytes], members: dict[str, Any], served: str) -> None:
    """A file that names a higher stage, would raise somebody, or names none that is known does not count."""
    assert None is lowest_if_rollback(flag(**members), CACHE, frozenset(map(Stage, served.split())))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"flags": []}', b'{"flags": {"phase.cache": "off"}}'])
def test_unreadable(content: bytes) -> None:
    """What does not define the flag names nothing: an emptied file is an accident, not a rollback."""
    assert None is stages_named(content, CACHE)


def test_stage_that_the_phase_lacks(flag: Callable[..., bytes]) -> None:
    """dualwrite means nothing in a phase that does not write."""
    assert None is stages_named(flag(phase="config", defaultVariant="dualwrite"), PHASES["config"])
