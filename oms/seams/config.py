"""Configuration (roadmap 2.1). Its port stands in the table of the design and is bound when the phase starts."""

from oms.domain.phase import Phase

CONFIG = Phase("config", rescuable=False)
