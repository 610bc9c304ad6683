"""Targeting rules compiled to closures that answer as flagd-core does, without its lock and at a fraction of its cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openfeature.contrib.tools.flagd.core.targeting.custom_ops import fractional as flagd_fractional
from openfeature.contrib.tools.flagd.core.targeting.targeting import OPERATORS

from oms.flagging.bucketing import Bucketing

Attributes = Mapping[str, Any]
Node = Callable[[Any, Attributes], Any]
"""Takes the targeting key and the attributes, returns the value of an expression."""

_to_bool = OPERATORS["!!"]
_ask = OPERATORS["var"]
_PURE = frozenset(
    {
        "==",
        "!=",
        "===",
        "!==",
        "<",
        ">",
        "<=",
        ">=",
        "!",
        "!!",
        "in",
        "+",
        "-",
        "*",
        "/",
        "%",
        "min",
        "max",
        "cat",
        "substr",
        "merge",
    }
    | {"starts_with", "ends_with", "sem_ver"}
)
"""Operators that look at their arguments only. Their functions are flagd-core's own, so they cannot differ from it."""


class Unsupported(Exception):
    """The rule asks for something that is not compiled. flagd-core evaluates it then."""


def compile_logic(logic: object, flag: str) -> Node:
    """Return *logic* as a closure.

    Raises:
        Unsupported: if a part of it is not compiled.
    """
    if isinstance(logic, list):
        return _list(logic, flag)
    if not isinstance(logic, Mapping) or len(logic) != 1:
        return _constant(logic)
    ((name, given),) = logic.items()
    return _operation(name, given if isinstance(given, list) else [given], flag)


def _operation(name: str, arguments: Sequence[object], flag: str) -> Node:
    if name in _BY_ARGUMENTS:
        return _BY_ARGUMENTS[name](arguments, flag)
    nodes = [compile_logic(argument, flag) for argument in arguments]
    if name in ("if", "?:"):
        return _if(nodes)
    if name in ("and", "or"):
        return _settle(nodes, name == "or")
    if name in _PURE:
        return _call(OPERATORS[name], nodes)
    raise Unsupported(name)


def _constant(value: object) -> Node:
    def constant(key: Any, attributes: Attributes) -> Any:
        return value

    return constant


def _list(items: list[object], flag: str) -> Node:
    if not any(isinstance(item, (Mapping, list)) for item in items):
        return _constant(items)
    nodes = [compile_logic(item, flag) for item in items]

    def listed(key: Any, attributes: Attributes) -> Any:
        return [node(key, attributes) for node in nodes]

    return listed


def _call(function: Callable[..., Any], nodes: Sequence[Node]) -> Node:
    if len(nodes) == 2:
        first, second = nodes

        def call_two(key: Any, attributes: Attributes) -> Any:
            return function(None, first(key, attributes), second(key, attributes))

        return call_two

    def call(key: Any, attributes: Attributes) -> Any:
        return function(None, *[node(key, attributes) for node in nodes])

    return call


def _if(nodes: Sequence[Node]) -> Node:
    branches = list(zip(nodes[:-1:2], nodes[1::2], strict=False))
    otherwise = nodes[-1] if len(nodes) % 2 else _constant(None)

    def branch(key: Any, attributes: Attributes) -> Any:
        for condition, then in branches:
            met = condition(key, attributes)
            if met is True or (met is not False and _to_bool(None, met)):
                return then(key, attributes)
        return otherwise(key, attributes)

    return branch


def _settle(nodes: Sequence[Node], truth: bool) -> Node:
    def settle(key: Any, attributes: Attributes) -> Any:
        value = None
        for node in nodes:
            value = node(key, attributes)
            if _to_bool(None, value) is truth:
                return value
        return value

    return settle


def _variable(arguments: Sequence[object], flag: str) -> Node:
    name = arguments[0] if arguments else None
    if not isinstance(name, str) or not all(name.split(".")) or len(arguments) > 2:
        raise Unsupported("a name known only at the call")
    default = compile_logic(arguments[1], flag) if len(arguments) > 1 else None
    first, _, rest = name.partition(".")
    if first == "$flagd":
        return _of_flagd(rest, flag)
    look = _key if first == "targetingKey" else _attribute(first)
    if rest:
        look = _deeper(look, rest)
    return look if default is None else _or_default(look, default)


def _of_flagd(name: str, flag: str) -> Node:
    if name != "flagKey":
        raise Unsupported("the clock")
    return _constant(flag)


def _key(key: Any, attributes: Attributes) -> Any:
    return key


def _attribute(name: str) -> Node:
    def attribute(key: Any, attributes: Attributes) -> Any:
        return attributes.get(name)

    return attribute


def _deeper(look: Node, rest: str) -> Node:
    def deeper(key: Any, attributes: Attributes) -> Any:
        return _ask(look(key, attributes), rest)

    return deeper


def _or_default(look: Node, default: Node) -> Node:
    def looked_up(key: Any, attributes: Attributes) -> Any:
        # The default is evaluated whether it is needed or not, as flagd-core does: it may fail.
        otherwise = default(key, attributes)
        value = look(key, attributes)
        return otherwise if value is None else value

    return looked_up


def _fractional(arguments: Sequence[object], flag: str) -> Node:
    if arguments and isinstance(arguments[0], list):
        return _by_targeting_key(arguments, flag)
    return _by_value(compile_logic(arguments[0], flag), arguments[1:], flag)


def _by_targeting_key(entries: Sequence[Any], flag: str) -> Node:
    bucketing = Bucketing(_weights(entries), flag=flag)
    variants = _names(entries)

    def fractional(key: Any, attributes: Attributes) -> Any:
        if not isinstance(key, str) or not key:
            return None
        try:
            return variants[bucketing.share(key)]
        except UnicodeEncodeError:
            return None

    return fractional


def _by_value(value: Node, entries: Sequence[Any], flag: str) -> Node:
    """Bucket by any value. A text is hashed here; anything else goes through flagd-core's own function."""
    bucketing = Bucketing(_weights(entries), flag=None)
    variants = _names(entries)

    def fractional(key: Any, attributes: Attributes) -> Any:
        by = value(key, attributes)
        if by is None:
            return None
        if type(by) is not str:
            return flagd_fractional({"targetingKey": key, "$flagd": {"flagKey": flag}}, by, *entries)
        try:
            return variants[bucketing.share(by)]
        except UnicodeEncodeError:
            return None

    return fractional


def _names(entries: Sequence[Any]) -> list[str]:
    if not all(isinstance(entry[0], str) for entry in entries):
        raise Unsupported("a share whose variant is known only at the call")
    return [entry[0] for entry in entries]


def _weights(entries: Sequence[Any]) -> list[int]:
    return [entry[1] if len(entry) == 2 else 1 for entry in entries]


_BY_ARGUMENTS: Mapping[str, Callable[[Sequence[Any], str], Node]] = {"var": _variable, "fractional": _fractional}
