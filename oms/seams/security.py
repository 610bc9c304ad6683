"""Sanitizers (roadmap 2.4). Its ports stand in the table of the design and are bound when the phase starts."""

from oms.domain.phase import Phase

SECURITY = Phase("security", rescuable=False)
