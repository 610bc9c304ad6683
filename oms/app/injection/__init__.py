"""Faults for rehearsals: asked for on the command line, put around unified's reads at wiring, begun from outside once live is reached."""

from oms.app.injection.distance import Distance
from oms.app.injection.faults import Faults, parse_faults
from oms.app.injection.faulty import Injected, Injection
from oms.app.injection.order import Order
from oms.app.injection.pace import Pace
from oms.app.injection.switch import follow, turn_on

__all__ = ["Distance", "Faults", "Injected", "Injection", "Order", "Pace", "follow", "parse_faults", "turn_on"]
