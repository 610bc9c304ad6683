"""What the contract of retries, breakers and waits is asked of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sides.resilience import SteppingTime, make_sides

from oms.domain.phase import Seam
from oms.seams.resilience import Backoff, living_in
from oms.testing import Sides
from oms.testing.driven import Driven


@pytest.fixture(autouse=True)
def time() -> Iterator[SteppingTime]:
    """The time that the test lives in: a sleep moves its clock and takes none."""
    virtual = SteppingTime()
    with living_in(virtual.source):
        yield virtual


@pytest.fixture
def sides(time: SteppingTime) -> Callable[[Seam[Any, Any]], Sides]:
    """Makes both sides of a resilience seam, in the test's time."""
    return make_sides


@pytest.fixture
def backoff(subject: Backoff) -> Backoff:
    """The waits that the contract is asked of."""
    return subject


@pytest.fixture
def retry(subject: Driven) -> Driven:
    """The retries that the contract is asked of, under the name ``call``."""
    return subject


@pytest.fixture
def breaker(subject: Driven) -> Driven:
    """The breakers that the contract is asked of, under the name ``call``."""
    return subject
