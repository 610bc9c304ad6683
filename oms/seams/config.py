"""Configuration (roadmap 2.1). Its port is declared and bound when the phase starts."""

from oms.domain.phase import Phase

CONFIG = Phase("config", rescuable=False)
