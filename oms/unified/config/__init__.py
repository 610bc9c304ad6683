"""Configuration of the unified wing: ``unified_env``, groups of variables, and one error for all that is wrong.

Names are imported when they are first asked for: the command reads ``settings`` and must not wait for a settings library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oms.seams.config import Secret
    from oms.unified.config.environment import UnifiedEnv
    from oms.unified.config.errors import ConfigurationError, NotDeclarable, Problem, UnknownVariable
    from oms.unified.config.explain import Explanation
    from oms.unified.config.group import Group
    from oms.unified.config.groups import standard_groups
    from oms.unified.config.process import unified_env, validate
    from oms.unified.config.profile import DEPLOYED, Profile
    from oms.unified.config.reading import UnifiedSettings
    from oms.unified.config.variables import env_var, security_var

_HOMES = {
    "ConfigurationError": "errors", "NotDeclarable": "errors", "Problem": "errors", "UnknownVariable": "errors",
    "Explanation": "explain", "Group": "group", "DEPLOYED": "profile", "Profile": "profile", "UnifiedEnv": "environment",
    "UnifiedSettings": "reading", "env_var": "variables", "security_var": "variables", "standard_groups": "groups",
    "unified_env": "process", "validate": "process",
}  # fmt: skip

__all__ = [
    "DEPLOYED", "ConfigurationError", "Explanation", "Group", "NotDeclarable", "Problem", "Profile", "Secret", "UnifiedEnv", "UnifiedSettings",
    "UnknownVariable", "env_var", "security_var", "standard_groups", "unified_env", "validate",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Return a public name, and keep it, so that it is looked for once."""
    if name == "Secret":
        home = import_module("oms.seams.config")
    elif name in _HOMES:
        home = import_module(f"{__name__}.{_HOMES[name]}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
