"""The registry of this process: the one that ``from oms.unified.config import unified_env`` gives."""

from __future__ import annotations

from oms.unified.config.environment import UnifiedEnv
from oms.unified.config.groups import standard_groups

# A process has one environment, so it has one registry of it; tests put texts over it by override(), which ends with its block.
unified_env = UnifiedEnv(standard_groups)


def validate() -> None:
    """Read the environment of this process anew and judge all of it.

    Raises:
        ConfigurationError: with every problem of every group at once.
    """
    unified_env.validate()
