"""The seams of each phase: Protocols whose methods say what they do."""

from oms.domain.phase import Phase
from oms.seams.cache import CACHE
from oms.seams.config import CONFIG
from oms.seams.observability import OBSERVABILITY
from oms.seams.resilience import RESILIENCE
from oms.seams.security import SECURITY

PHASES: dict[str, Phase] = {phase.name: phase for phase in (CONFIG, RESILIENCE, CACHE, SECURITY, OBSERVABILITY)}
"""Every phase of the roadmap, in its order."""
