"""What a read is turned into by the code around it: a number, a truth value and by which words, a list, an enum."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

# Words that mean yes or no; a comparison with others is a choice between names, not a truth value.
TRUTH_WORDS = frozenset(
    (
        "true",
        "false",
        "1",
        "0",
        "yes",
        "no",
        "y",
        "n",
        "on",
        "off",
        "t",
        "f",
        "enable",
        "disable",
        "enabled",
        "disabled",
    ),
)
_HELPERS = frozenset(
    {"strtobool", "str2bool", "str_to_bool", "parse_bool", "to_bool", "as_bool", "truthy", "is_truthy"}
)
_CHANGES: Mapping[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper, "casefold": str.casefold}
_TYPES = frozenset({"int", "float", "bool"})
_KEEPS_TEXT = frozenset(
    {"lower", "upper", "casefold", "strip", "lstrip", "rstrip", "title", "capitalize", "replace", "format"}
)
_SPLITS = frozenset({"split", "rsplit", "splitlines"})


@dataclass(frozen=True, slots=True)
class Conversion:
    """What becomes of the text.

    Attributes:
        kind: ``text``, ``int``, ``float``, ``bool``, ``list``, ``json``, ``enum`` or ``presence``.
        vocabulary: Of a truth value: which words mean what, ``lower, == true`` for example.
        instead: The literal of ``or literal`` after the read, as source text.
        satisfiable: False if a comparison can never be true, ``.lower() == "TRUE"`` for example.
        whole: Whether the read itself is what is converted, with no step between.
    """

    kind: str = "text"
    vocabulary: str | None = None
    instead: str | None = None
    satisfiable: bool = True
    whole: bool = False


def conversion_of(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> Conversion:
    """Return what the expression *node*, the read of a variable, is turned into."""
    steps: list[str] = []
    instead: str | None = None
    while True:
        above = parents.get(node)
        if isinstance(above, ast.Attribute) and _called(above, parents) and above.attr in _KEEPS_TEXT:
            steps.append(above.attr)
            node = parents[above]
        elif isinstance(above, ast.BoolOp) and isinstance(above.op, ast.Or) and above.values[-1] is not node:
            last = above.values[-1]
            instead = ast.unparse(last) if isinstance(last, ast.Constant) else instead
            node = above
        else:
            break
    found = _final(node, above, parents, steps)
    return replace(found, instead=instead, whole=found.whole and not steps)


def _final(node: ast.AST, above: ast.AST | None, parents: Mapping[ast.AST, ast.AST], steps: list[str]) -> Conversion:
    if isinstance(above, ast.Compare) and len(above.ops) == 1:
        return _comparison(node, above, steps)
    if isinstance(above, ast.Call) and above.args[:1] == [node]:
        return _call(above)
    if isinstance(above, ast.Attribute) and above.attr in _SPLITS and _called(above, parents):
        return Conversion("list")
    tested = isinstance(above, (ast.If, ast.While, ast.IfExp, ast.Assert)) and above.test is node
    if tested or (isinstance(above, ast.UnaryOp) and isinstance(above.op, ast.Not)):
        return Conversion("presence")
    return Conversion()


def _call(call: ast.Call) -> Conversion:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if isinstance(call.func, ast.Name) and name in _TYPES:
        return Conversion(name, "any text but the empty one" if name == "bool" else None, whole=True)
    if name.lstrip("_") in _HELPERS:
        return Conversion("bool", f"{name}()")
    if name == "loads" and isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "json":
        return Conversion("json")
    if isinstance(call.func, ast.Name) and name[:1].isupper() and len(call.args) == 1 and not call.keywords:
        return Conversion("enum" if name not in {"Path", "Decimal", "URL"} else "text")
    return Conversion()


def _comparison(node: ast.AST, compare: ast.Compare, steps: list[str]) -> Conversion:
    other = compare.comparators[0] if compare.left is node else compare.left
    words = _words(other)
    operator = {ast.Eq: "==", ast.NotEq: "!=", ast.In: "in", ast.NotIn: "not in"}.get(type(compare.ops[0]))
    if words is None or operator is None or (operator.endswith("in") and compare.left is not node):
        return Conversion("presence" if isinstance(other, ast.Constant) and other.value is None else "text")
    possible = all(_reachable(word, steps) for word in words)
    if not words or not {word.strip().lower() for word in words} <= TRUTH_WORDS:
        return Conversion("enum", satisfiable=possible)
    sign = "==" if operator in {"==", "in"} else "!="
    return Conversion(
        "bool", " ".join([*(f"{step}," for step in steps), sign, "|".join(sorted(words))]), satisfiable=possible
    )


def _words(node: ast.AST) -> list[str] | None:
    items = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    values = [item.value if isinstance(item, ast.Constant) else None for item in items]
    return (
        [value for value in values if isinstance(value, str)]
        if all(isinstance(value, str) for value in values)
        else None
    )


def _reachable(word: str, steps: list[str]) -> bool:
    """Return whether text that went through *steps* can equal *word* at all."""
    last = next((_CHANGES[step] for step in reversed(steps) if step in _CHANGES), None)
    return (last is None or last(word) == word) and ("strip" not in steps or word.strip() == word)


def _called(attribute: ast.Attribute, parents: Mapping[ast.AST, ast.AST]) -> bool:
    call = parents.get(attribute)
    return isinstance(call, ast.Call) and call.func is attribute
