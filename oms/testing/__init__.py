"""The contract kit: one suite against legacy, unified and the facade in every stage, and fakes of what the hall takes from outside."""

from oms.testing.alike import alike
from oms.testing.both_sides import Asked, BothSides, shaped
from oms.testing.clock import FakeClock
from oms.testing.contract import KnownException, contract
from oms.testing.journal import MemoryJournal
from oms.testing.replayed import Earlier, Replayed, Script
from oms.testing.stages import fixed_stage
from oms.testing.vantage import Sides, Vantage, vantages
from oms.testing.virtual_time import VirtualTime

__all__ = [
    "Asked",
    "BothSides",
    "Earlier",
    "FakeClock",
    "KnownException",
    "MemoryJournal",
    "Replayed",
    "Script",
    "Sides",
    "Vantage",
    "VirtualTime",
    "alike",
    "contract",
    "fixed_stage",
    "shaped",
    "vantages",
]
