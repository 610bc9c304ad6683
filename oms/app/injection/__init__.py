"""Faults for rehearsals: asked for on the command line, put around unified's reads at wiring, begun from outside once live is reached."""

from oms.app.injection.distance import Distance
from oms.app.injection.faults import Faults, parse_faults
from oms.app.injection.faulty import Injected, Injection

__all__ = ["Distance", "Faults", "Injected", "Injection", "parse_faults"]
