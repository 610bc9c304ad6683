"""Metrics and logs (roadmap 2.4). Its ports are declared and bound when the phase starts."""

from oms.domain.phase import Phase

OBSERVABILITY = Phase("observability", writes=True)
