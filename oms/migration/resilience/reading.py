"""What a legacy call was told, read from its arguments, and the unified policy for it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from oms.migration.resilience.terms import PRESETS, Legacy
from oms.migration.scan.source import Spans

_POSITIONS = (
    "strategy",
    "max_attempts",
    "initial_delay",
    "max_delay",
    "exponential_base",
    "jitter",
    "jitter_factor",
    "retryable_exceptions",
    "non_retryable_exceptions",
    "timeout",
    "circuit_breaker_threshold",
    "circuit_breaker_timeout",
    "bulkhead_size",
    "retry_budget_percent",
    "retry_budget_window",
)
"""Parameters of legacy's RetryConfig, in order."""

_ERRORS = frozenset({"retryable_exceptions", "non_retryable_exceptions"})
_NUMBERS = {"initial_delay": "initial_delay", "max_delay": "max_delay", "exponential_base": "backoff_multiplier"}
_MOST_ATTEMPTS = 1000
_NO_EXCEPTION = frozenset({"BaseException", "KeyboardInterrupt", "SystemExit", "GeneratorExit", "CancelledError"})

NameOf = Callable[[ast.expr], str | None]
"""The legacy name that an expression means, None if none."""


class Unreadable(Exception):
    """What was told cannot be read or cannot be kept; the text is a key of ``REASONS``."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a legacy retry was told.

    Attributes:
        legacy: Its terms.
        policy: Name of the unified policy that stands for it.
        changes: What of the policy changes, as values; what the site says in numbers and differs from legacy's own default.
        texts: The same as source text, with the fields that hold classes.
    """

    legacy: Legacy
    policy: str
    changes: Mapping[str, object]
    texts: Mapping[str, str]

    def as_policy(self) -> str:
        """Return the expression of the policy."""
        if not self.texts:
            return f'"{self.policy}"'
        return f'RETRY_POLICIES["{self.policy}"].but({_keywords(self.texts)})'

    def as_arguments(self) -> str:
        """Return the arguments of ``with_retry``: what it has a parameter for is given as one."""
        own = {"retry_on": "on", "give_up_on": "give_up_on", "attempt_timeout": "attempt_timeout"}
        policy = replace(self, texts={name: text for name, text in self.texts.items() if name not in own})
        beside = {own[name]: text for name, text in self.texts.items() if name in own}
        return ", ".join([f"policy={policy.as_policy()}", *([_keywords(beside)] if beside else [])])


def preset(name: str) -> Told:
    """Return what the preset or strategy called *name* says."""
    legacy, policy = PRESETS[name]
    return Told(legacy, policy, {}, {})


def plain(legacy: Legacy | None = None) -> Told:
    """Return what nothing at all says."""
    return Told(Legacy() if legacy is None else legacy, "standard", {}, {})


def read_backoff(call: ast.Call, spans: Spans) -> Told:
    """Read the arguments of ``retry_with_backoff``.

    Raises:
        Unreadable: if they cannot be kept.
    """
    given = arguments(call, ("max_attempts", "base_delay"))
    renamed = {"initial_delay" if name == "base_delay" else name: value for name, value in given.items()}
    return _told(renamed, spans)


def read_config(call: ast.Call, spans: Spans) -> Told:
    """Read the arguments of ``RetryConfig``.

    Raises:
        Unreadable: if they cannot be kept.
    """
    return _told(arguments(call, _POSITIONS), spans)


def read_strategy(call: ast.Call, name_of: NameOf) -> Told:
    """Read the argument of ``RetryConfig.for_strategy``.

    Raises:
        Unreadable: if it is no strategy by name.
    """
    member = arguments(call, ("strategy",)).get("strategy")
    if not isinstance(member, ast.Attribute) or name_of(member.value) != "RetryStrategy" or member.attr not in PRESETS:
        raise Unreadable("dynamic-config")
    return preset(member.attr)


def arguments(call: ast.Call, names: Sequence[str]) -> dict[str, ast.expr]:
    """Return the arguments of *call* by the names of its parameters.

    Raises:
        Unreadable: if it unpacks, or has an argument that the function does not take.
    """
    if any(isinstance(each, ast.Starred) for each in call.args) or len(call.args) > len(names):
        raise Unreadable("dynamic-arguments")
    given = dict(zip(names, call.args, strict=False))
    for keyword in call.keywords:
        if keyword.arg is None or keyword.arg not in names or keyword.arg in given:
            raise Unreadable("dynamic-arguments")
        given[keyword.arg] = keyword.value
    return given


def _told(given: Mapping[str, ast.expr], spans: Spans) -> Told:
    values: dict[str, object] = {}
    texts: dict[str, str] = {}
    for name, node in given.items():
        if name in _ERRORS:
            values[name] = _classes(node, spans)
        elif name != "strategy":  # A label that nobody reads.
            values[name] = _number(name, node)
            texts[name] = spans.text(node)
    told = {name: value for name, value in values.items() if value is not None}
    legacy = Legacy(**told)  # type: ignore[arg-type]  # the fields have the names of the parameters, and the types were read
    return _policy(legacy, texts)


def _policy(legacy: Legacy, texts: Mapping[str, str]) -> Told:
    if legacy.max_attempts < 1:
        raise Unreadable("no-attempt")
    if legacy.max_attempts > _MOST_ATTEMPTS:
        raise Unreadable("no-end")
    if legacy.bulkhead_size is not None:
        raise Unreadable("bulkhead")
    default = Legacy()
    differs = {each.name for each in fields(Legacy) if getattr(legacy, each.name) != getattr(default, each.name)}
    changes: dict[str, object] = {}
    said: dict[str, str] = {}
    if "max_attempts" in differs:
        changes["max_retries"] = legacy.max_attempts - 1
        said["max_retries"] = str(legacy.max_attempts - 1)
    for name, field in _NUMBERS.items():
        if name in differs:
            changes[field], said[field] = getattr(legacy, name), texts[name]
    if not legacy.jitter or not legacy.jitter_factor:
        changes["jitter"], said["jitter"] = False, "False"
    if legacy.retryable_exceptions:
        said["retry_on"] = _tuple(legacy.retryable_exceptions)
    if legacy.non_retryable_exceptions:
        said["give_up_on"] = _tuple(legacy.non_retryable_exceptions)
    if legacy.timeout:
        changes["attempt_timeout"], said["attempt_timeout"] = legacy.timeout, texts["timeout"]
    return Told(legacy, "standard", changes, said)


def keep_cap(told: Told, cap: float) -> Told:
    """Return *told* with legacy's longest wait, if the first one that it names is above *cap*, the policy's own."""
    if "max_delay" in told.changes or told.legacy.initial_delay <= cap or not told.texts:
        return told
    longest = told.legacy.max_delay
    return replace(
        told, changes={**told.changes, "max_delay": longest}, texts={**told.texts, "max_delay": f"{longest:.1f}"}
    )


def _number(name: str, node: ast.expr) -> object:
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    value = node.value if isinstance(node, ast.Constant) else ...
    if value is None and name in {"timeout", "bulkhead_size"}:
        return None
    if not isinstance(value, (int, float)):
        raise Unreadable("dynamic-arguments" if value is ... else "invalid-number")
    if name == "max_attempts" and type(value) is not int:
        raise Unreadable("invalid-number")
    return value if sign == 1 else -value


def _classes(node: ast.expr, spans: Spans) -> tuple[str, ...] | None:
    """Return the classes of a display. An empty one is the default, as it was for legacy (RT-10)."""
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "set" and not node.args:
        return None
    if not isinstance(node, (ast.Set, ast.Tuple, ast.List)):
        raise Unreadable("dynamic-arguments")
    if not all(isinstance(each, (ast.Name, ast.Attribute)) for each in node.elts):
        raise Unreadable("dynamic-arguments")
    names = tuple(spans.text(each) for each in node.elts)
    if not _NO_EXCEPTION.isdisjoint(name.rpartition(".")[2] for name in names):
        raise Unreadable("invalid-errors")
    return names or None


def _tuple(names: Sequence[str]) -> str:
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def _keywords(texts: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={text}" for name, text in texts.items())
