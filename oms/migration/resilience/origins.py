"""Which names of a file are legacy's, and from where."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from oms.migration.scan.scopes import Import

DECORATORS = frozenset({"with_retry", "retry_with_backoff"})
PRESET_NAMES = frozenset({"DB_READ_CONFIG", "DB_WRITE_CONFIG", "DB_CRITICAL_CONFIG"})
NAMES = (
    DECORATORS
    | PRESET_NAMES
    | {
        "BatchRetryExecutor",
        "Bulkhead",
        "BulkheadFullError",
        "CircuitBreaker",
        "CircuitBreakerOpenError",
        "CircuitState",
        "RetryBudget",
        "RetryBudgetExhaustedError",
        "RetryConfig",
        "RetryContext",
        "RetryExecutor",
        "RetryStrategy",
        "calculate_delay",
        "exponential_backoff",
        "get_bulkhead",
        "get_circuit_breaker",
        "get_retry_budget",
        "is_retryable_exception",
    }
)
"""Public names of the legacy modules, and the one that the roadmap speaks of."""

_MODULES = (("utils", "retry_strategy"), ("middleware", "common"), ("middleware", "common", "retry"))
_LIBRARIES = frozenset(
    {"backoff.on_exception", "backoff.on_predicate", "tenacity.retry", "retry.retry", "retrying.retry"}
)


@dataclass(frozen=True, slots=True)
class Origins:
    """Which modules are legacy's.

    Attributes:
        file: The file that imports, below the folder that was given: what its relative imports are relative to.
        more: Further modules that somebody said are.
    """

    file: str
    more: tuple[str, ...] = ()

    def name(self, binding: object) -> str | None:
        """Return the legacy name that *binding* binds, None if none."""
        module, _, name = binding.dotted.rpartition(".") if isinstance(binding, Import) else ("", "", "")
        return name if name in NAMES and self.is_module(module) else None

    def is_module(self, module: str) -> bool:
        """Return whether *module*, with leading dots if it is relative, is a legacy one, under whatever package."""
        parts = self._parts(module)
        return ".".join(parts) in self.more or any(parts[-len(each) :] == each for each in _MODULES)

    def is_hollow(self, binding: object) -> bool:
        """Return whether *binding* is the decorator that does nothing, of the module ``shared.utils`` itself."""
        module, _, name = binding.dotted.rpartition(".") if isinstance(binding, Import) else ("", "", "")
        return name == "with_retry" and self._parts(module)[-2:] == ("shared", "utils")

    def _parts(self, module: str) -> tuple[str, ...]:
        rest = module.lstrip(".")
        level = len(module) - len(rest)
        around = PurePosixPath(self.file).parts[:-1]
        above = around[: len(around) - level + 1] if level else ()
        return (*above, *(rest.split(".") if rest else ()))


def is_library(binding: object, attribute: str | None) -> bool:
    """Return whether *binding*, or its *attribute*, is the decorator of a library that retries."""
    if not isinstance(binding, Import):
        return False
    return (binding.dotted if attribute is None else f"{binding.dotted}.{attribute}") in _LIBRARIES


def module_imports(nodes: Iterable[ast.AST], origins: Origins) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield those of *nodes* that import a legacy module as such, or all its names at once."""
    for node in nodes:
        if isinstance(node, ast.Import) and any(origins.is_module(each.name) for each in node.names):
            yield node
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            inner = (f"{module}{'' if module.endswith('.') else '.'}{each.name}" for each in node.names)
            starred = any(each.name == "*" for each in node.names)
            if (starred and origins.is_module(module)) or any(origins.is_module(each) for each in inner):
                yield node
