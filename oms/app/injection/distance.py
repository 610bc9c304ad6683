"""How far away a store is: time that both sides' async reads take, so that a factor on it means something."""

from __future__ import annotations

import asyncio
import functools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from oms.app.injection.methods import Replaced, chance_of, reads_of
from oms.domain.phase import Seam
from oms.domain.stage import Side


@dataclass(frozen=True, slots=True)
class Distance:
    """Lognormal time of one answer from across a network.

    A call into memory takes about a microsecond; twice that is nothing that a caller could notice, nor a guard tell from a busy machine.
    The form is that of the reference simulations (p99 at 6.4 times the median), with half of their median, so that a rehearsal does
    not take for ever.

    Attributes:
        median_s: Half of the answers come within it, in seconds.
        sigma: Standard deviation of the logarithm.
    """

    median_s: float = 0.010
    sigma: float = 0.8

    def draw(self, chance: random.Random) -> float:
        """Return the seconds that one answer takes."""
        return chance.lognormvariate(math.log(self.median_s), self.sigma)

    def around(self, seam: Seam[Any, Any], side: Side, implementation: object, *, seed: int) -> object:
        """Return *implementation* with its async reads this far away. Sync ones would hold up the whole thread and stay as they are."""
        names = [name for name, operation in reads_of(seam).items() if operation.is_async]
        methods = {
            name: self._delayed(getattr(implementation, name), chance_of(seed, seam, side, name)) for name in names
        }
        return Replaced(implementation, methods) if methods else implementation

    def _delayed(self, method: Callable[..., Any], chance: random.Random) -> Callable[..., Any]:
        @functools.wraps(method)
        async def delayed(*args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(self.draw(chance))
            return await method(*args, **kwargs)

        return delayed
