"""What the contract of the caches is asked of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sides.cache import make_sides

from oms.domain.phase import Seam
from oms.seams.cache import Cache
from oms.testing import FakeClock, Sides


@pytest.fixture
def sides(clock: FakeClock) -> Callable[[Seam[Any, Any]], Sides]:
    """Makes both sides of a cache seam."""
    return partial(make_sides, clock=clock)


@pytest.fixture
def cache(subject: Cache) -> Cache:
    """The cache that the contract is asked of."""
    return subject
