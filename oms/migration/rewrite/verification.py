"""Evaluation of moved expressions, before and after, on a grid of environments.

The widest expression around a read that calls nothing of the program's own is evaluated: ``int(os.getenv("N", "4")) * 2`` as a whole, of
``connect(os.getenv("HOST"))`` the read alone. A default that is such a call is replaced by one and the same text on both sides.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import CodeType

from oms.migration.rewrite.closing import BUILTINS, Closing
from oms.migration.rewrite.grid import GridEnviron, UnifiedReference, before, settings
from oms.migration.rewrite.moves import NAME
from oms.migration.rewrite.rewriting import Rewritten


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one evaluation gave: the type of the value or of the exception, and its text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Difference:
    """An expression that differs; *environment* names which variables were set, never to what."""

    file: str
    line: int
    environment: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What the evaluation of one file found.

    Attributes:
        reads: How many moved reads were evaluated: all of them.
        expressions: In how many expressions they stand.
        evaluations: How often, both sides together.
        differences: The first environment in which each expression differs.
    """

    reads: int = 0
    expressions: int = 0
    evaluations: int = 0
    differences: tuple[Difference, ...] = ()


def verify(rewritten: Rewritten, unified: Callable[[Mapping[str, str]], object] = UnifiedReference) -> Verified:
    """Evaluate every moved expression of *rewritten* as it was and as it is; *unified* is what stands for `unified_env`."""
    closing = Closing(rewritten)
    differences: list[Difference] = []
    evaluations = 0
    roots = closing.roots()
    for root in roots:
        old, new = _compiled(closing.closed_before(root)), _compiled(closing.closed_after(root))
        for environment in settings(closing.variables(root)):
            evaluations += 2
            one = _evaluate(old, {"os": before(environment)})
            other = _evaluate(new, {NAME: unified(GridEnviron(environment))})
            if one != other:
                line = getattr(root, "lineno", 0)
                kinds = one.kind, other.kind
                differences.append(Difference(rewritten.scanned.source.file, line, tuple(sorted(environment)), *kinds))
                break
    return Verified(len(rewritten.moves), len(roots), evaluations, tuple(differences))


def _compiled(expression: ast.expr) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compile(ast.fix_missing_locations(ast.Expression(expression)), "<expression>", "eval")


def _evaluate(code: CodeType, names: dict[str, object]) -> Outcome:
    try:
        value = eval(code, {"__builtins__": dict(BUILTINS), **names})
    except Exception as error:
        return Outcome(type(error).__name__, str(error))
    return Outcome(type(value).__name__, repr(value))


def total(each: Iterable[Verified]) -> Verified:
    """Return the findings of several files as one."""
    rows = list(each)
    differences = tuple(difference for row in rows for difference in row.differences)
    return Verified(
        sum(row.reads for row in rows),
        sum(row.expressions for row in rows),
        sum(row.evaluations for row in rows),
        differences,
    )
