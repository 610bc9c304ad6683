"""Checks before a commit."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class HooksSettings(Group):
    """Checks before a commit."""

    DEBUG_TERMINUS_CONTEXT: bool = env_var(False)
    ENABLE_AUDIT: bool = env_var(True)
    ENABLE_PII_VALIDATION: bool = env_var(True)
    MAX_DIFF_SIZE_MB: int = env_var(10)
    STRICT_SECURITY: bool = env_var(False)
    STRICT_VALIDATION: bool = env_var(False)
    VALIDATION_ASYNC: bool = env_var(False)
