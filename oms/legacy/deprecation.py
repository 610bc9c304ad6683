"""Whoever comes to the old building from outside is told once where to go instead.

Legacy code is not touched: ``oms.legacy`` has a class of its own, and a package of that class hands it on to each module that is loaded
into it. It sees every name that is taken out of a legacy module, by ``from ... import`` and by attribute, and nothing that happens inside
one: a module reads its own names past its class. What was taken once is the plain object, so it costs nothing to call.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from types import FrameType, MappingProxyType, ModuleType

INSIDE = ("oms.legacy", "oms.legacy_adapters")
"""Packages that may use legacy; wiring has what it hands on from the adapters."""

_IMPORT_SYSTEM = ("importlib", "_frozen_importlib", "_frozen_importlib_external")

REPLACEMENTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        f"oms.legacy.{module}": (f"oms.unified.{replacement}", f"docs/migration/{replacement.partition('.')[0]}.md")
        for module, replacement in {
            "api.gateway.circuit_breaker": "resilience.UnifiedCircuitBreaker",
            "api.gateway.models": "resilience.GatewayRoute",
            "api.gateway.router": "resilience.GatewayRoute",
            "core.config.environment": "config.unified_env",
            "core.scheduler.schedule_calculator": "resilience.UnifiedBackoffCalculator",
            "core.traversal.cache": "cache.CacheRegistry",
            "core.validation.enterprise.implementations.validation_cache": "cache.CacheRegistry",
            "env_reads": "config.unified_env",
            "middleware.common": "resilience.with_retry",
            "shared.cache.terminusdb_cache": "cache.CacheRegistry",
            "shared.clients.unified_http_client": "resilience.ResilientClient",
            "shared.config.environment": "config.unified_env",
            "shared.config.unified_config": "config.unified_env",
            "shared.security.protection_facade": "resilience.UnifiedCircuitBreaker",
            "shared.utils": "resilience.with_retry",
            "utils.retry_strategy": "resilience.with_retry",
        }.items()
    }
)
"""For each legacy module what replaces it, and the page that tells what changes. A package that only holds modules has none."""


class LegacyModule(ModuleType):
    """A module that tells who takes something out of it, once for each module that does.

    Attributes:
        known: Pairs of a module and the legacy module that it was told about, or may use. It lives as long as the process, like the modules
            themselves.
    """

    known: set[tuple[object, str]] = set()

    def __getattribute__(self, name: str) -> object:
        value = ModuleType.__getattribute__(self, name)
        if name[:2] != "__":
            # A module that lies in a package is spoken of by its own name.
            _look(value if isinstance(value, LegacyModule) else self, sys._getframe(1))
        return value

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and value.__name__.startswith("oms.legacy."):
            # The import system binds a module in its package when it was loaded. `import a.b` takes no name out of it, so this is the moment.
            value.__class__ = LegacyModule
        ModuleType.__setattr__(self, name, value)
        if isinstance(value, LegacyModule):
            _look(value, sys._getframe(1))


def _look(module: ModuleType, frame: FrameType) -> None:
    """Tell who is at work in *frame* about *module*, unless it knows."""
    legacy = ModuleType.__getattribute__(module, "__name__")
    if (frame.f_globals.get("__name__"), legacy) in LegacyModule.known:
        return
    found, user = REPLACEMENTS.get(legacy), _user(frame)
    if found is None or user is None:
        return
    caller = user.f_globals.get("__name__") or user.f_code.co_filename
    if (caller, legacy) in LegacyModule.known:
        return
    LegacyModule.known.add((caller, legacy))
    if _is_below(caller, *INSIDE):
        return
    replacement, page = found
    warnings.warn_explicit(
        f"{legacy} is legacy, found in use by {caller}, wanted {replacement}; {page} tells what changes",
        DeprecationWarning,
        user.f_code.co_filename,
        user.f_lineno,
        module=caller,
        registry=user.f_globals.setdefault("__warningregistry__", {}),
    )


def _user(frame: FrameType | None) -> FrameType | None:
    """Return *frame*, or the nearest one around it that is not the import system's."""
    while frame is not None and _is_below(frame.f_globals.get("__name__"), *_IMPORT_SYSTEM):
        frame = frame.f_back
    return frame


def _is_below(module: str | None, *packages: str) -> bool:
    return any(module == package or (module or "").startswith(f"{package}.") for package in packages)
