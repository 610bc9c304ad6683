"""Retry, backoff and circuit breakers (roadmap 2.2). Its ports are declared and bound when the phase starts."""

from oms.domain.phase import Phase

RESILIENCE = Phase("resilience")
