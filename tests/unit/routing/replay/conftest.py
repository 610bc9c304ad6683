"""Virtual time for every test of replay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oms.seams.resilience import living_in
from oms.testing import VirtualTime


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    """The time that the test lives in."""
    virtual = VirtualTime()
    with living_in(virtual.source):
        yield virtual
