"""A cache in the virtual world: it knows every key, and takes the time and the trouble that the world has for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oms.app.virtual.clock import VirtualClock
from oms.app.virtual.world import World
from oms.domain.stage import Side
from oms.seams.cache import Ttl, Value


def key_of(number: int) -> str:
    """Return the key that call *number* reads, so that whoever reads it later knows the call."""
    return f"call:{number}"


@dataclass(frozen=True, slots=True)
class VirtualCache:
    """One side; the writes do nothing.

    Attributes:
        at_s: Returns when a call came, by its number.
    """

    side: Side
    world: World
    clock: VirtualClock
    at_s: Callable[[int], float]

    def get(self, key: str) -> str:
        """Answer as the world has it for the call that *key* names.

        Raises:
            Unavailable: where the world has that.
        """
        number = int(key.partition(":")[2])
        self.world.meet(self.side, number, self.at_s(number), self.clock.spend)
        return f"{number} as {self.side}" if self.world.is_odd(self.side, number) else f"{number}"

    async def aget(self, key: str) -> str:
        """As ``get``."""
        return self.get(key)

    def set(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Do nothing."""

    async def aset(self, key: str, value: Value, *, ttl: Ttl = None) -> None:
        """Do nothing."""

    def delete(self, key: str) -> bool:
        """Do nothing, and say that there was something."""
        return True

    async def adelete(self, key: str) -> bool:
        """As ``delete``."""
        return True

    def clear(self) -> None:
        """Do nothing."""

    async def aclear(self) -> None:
        """Do nothing."""

    def forget(self, key: str | None) -> None:
        """Do nothing: there is nothing stale."""

    async def aforget(self, key: str | None) -> None:
        """Do nothing."""
