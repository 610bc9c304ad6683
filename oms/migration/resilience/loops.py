"""Retries that somebody wrote by hand: a loop that tries, sleeps after a failure and is left after a success. They are reported only."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oms.migration.scan.source import Spans

_Loop = ast.For | ast.AsyncFor | ast.While
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_TRIES = (ast.Try, ast.TryStar)
_WIDE = 60


@dataclass(frozen=True, slots=True)
class Loop:
    """A retry written by hand.

    Attributes:
        file: Path below the folder that was given.
        line, column: Of the loop, from 1.
        function: Where it stands, as a dotted name; ``<module>`` at the top.
        attempts: How often it tries at most, None if the text does not say.
        waits: What it sleeps, as source text.
        errors: What it catches, as source text.
    """

    file: str
    line: int
    column: int
    function: str
    attempts: int | None
    waits: str
    errors: str


def find_loops(tree: ast.Module, spans: Spans, file: str) -> list[Loop]:
    """Return the retries of *tree* that were written by hand, in source order."""
    found = [
        Loop(file, loop.lineno, spans.column(loop), name, _attempts(loop), _waits(sleeps, spans), _errors(tried, spans))
        for loop, name in _loops(tree.body, ())
        if (sleeps := _sleeps(loop)) and (tried := [each for each in _near(loop.body, _TRIES) if _repeats(each, loop)])
    ]
    return sorted(found, key=lambda each: (each.line, each.column))


def _loops(body: Iterable[ast.AST], names: tuple[str, ...]) -> Iterator[tuple[_Loop, str]]:
    todo = [(node, names) for node in body]
    while todo:
        node, around = todo.pop()
        if isinstance(node, _LOOPS):
            yield node, ".".join(around) or "<module>"
        inside = (
            (*around, node.name) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else around
        )
        todo += [
            (child, inside)
            for child in ast.iter_child_nodes(node)
            if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case))
        ]


def _near(body: Iterable[ast.AST], kinds: tuple[type, ...]) -> Iterator[ast.AST]:
    """Yield the nodes of *kinds* below *body*, not those of an inner loop or function."""
    todo = list(body)
    while todo:
        node = todo.pop(0)
        if isinstance(node, kinds):
            yield node
        if not isinstance(node, (*_LOOPS, *_INNER)):
            todo += ast.iter_child_nodes(node)


def _sleeps(loop: _Loop) -> list[ast.Call]:
    calls = (node for node in _near(loop.body, (ast.Call,)) if isinstance(node, ast.Call))
    return [call for call in calls if _last(call.func).lower().rstrip("_").endswith(("sleep", "sleep_for", "backoff"))]


def _repeats(tried: ast.AST, loop: _Loop) -> bool:
    """Return whether a failure of *tried* goes round again and a success leaves the loop."""
    if not isinstance(tried, _TRIES) or not tried.handlers:
        return False
    if all(_always_leaves(handler.body) for handler in tried.handlers):
        return False
    leaves = any(_leaving([*tried.body, *tried.orelse])) or any(_leaving(_after(tried, loop)))
    return leaves or (isinstance(loop, ast.While) and bool(_named(loop.test) & _stored(tried)))


def _always_leaves(body: list[ast.stmt]) -> bool:
    again = next(_near(body, (ast.Continue,)), None)
    return again is None and isinstance(body[-1], (ast.Raise, ast.Return, ast.Break))


def _leaving(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    return _near(body, (ast.Return, ast.Break))


def _after(tried: ast.AST, loop: _Loop) -> list[ast.stmt]:
    """Return the statements of the loop's own body after the one that holds *tried*."""
    for index, statement in enumerate(loop.body):
        if any(node is tried for node in ast.walk(statement)):
            return loop.body[index + 1 :]
    return []


def _named(expression: ast.expr) -> set[str]:
    # `while not done`: a flag. A comparison is a counter, which says nothing of success.
    flag = expression.operand if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.Not) else None
    return {flag.id} if isinstance(flag, ast.Name) else set()


def _stored(tried: ast.AST) -> set[str]:
    body = [*tried.body, *tried.orelse] if isinstance(tried, _TRIES) else []
    names = (node for node in _near(body, (ast.Name,)) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def _attempts(loop: _Loop) -> int | None:
    """Return the length of a ``range`` of literal numbers."""
    call = loop.iter if isinstance(loop, (ast.For, ast.AsyncFor)) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "range":
        return None
    values = [each.value if isinstance(each, ast.Constant) else None for each in call.args]
    whole = [value for value in values if isinstance(value, int)]
    if not 1 <= len(whole) <= 2 or len(whole) != len(values):
        return None
    return len(range(*whole))


def _waits(sleeps: list[ast.Call], spans: Spans) -> str:
    inner = {node for call in sleeps for node in ast.walk(call) if node is not call}
    return "; ".join(dict.fromkeys(_short(call, spans) for call in sleeps if call not in inner))


def _errors(tried: list[ast.AST], spans: Spans) -> str:
    handlers = [handler for each in tried if isinstance(each, _TRIES) for handler in each.handlers]
    kept = [handler for handler in handlers if not _always_leaves(handler.body)]
    return "; ".join(dict.fromkeys("everything" if each.type is None else _short(each.type, spans) for each in kept))


def _short(node: ast.expr, spans: Spans) -> str:
    text = " ".join(spans.text(node).split())
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 3]}..."


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
