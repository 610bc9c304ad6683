"""Retry, backoff and circuit breakers (roadmap 2.2). Its ports stand in the table of the design and are bound when the phase starts."""

from oms.domain.phase import Phase

RESILIENCE = Phase("resilience")
