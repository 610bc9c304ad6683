"""A migration as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oms.migration.rewrite.applying import Written
from oms.migration.rewrite.grid import VALUES
from oms.migration.rewrite.migration import Plan
from oms.migration.rewrite.reasons import REASONS
from oms.migration.rewrite.verification import Verified


def as_json(plan: Plan, written: Written | None) -> dict[str, Any]:
    """Return the migration as one object. ``reads`` is what was found: ``rewritten`` and the rows of ``left`` add up to it."""
    return {
        "schema": 1,
        "files": plan.files,
        "reads": plan.moved + len(plan.left),
        "rewritten": plan.moved,
        "changed": [{"file": each.scanned.source.file, "rewritten": len(each.moves)} for each in plan.changed],
        "left": [
            {
                "file": each.access.file,
                "line": each.access.line,
                "column": each.access.column,
                "idiom": each.access.idiom,
                "variable": each.access.variable,
                "reason": each.reason,
            }
            for each in plan.left
        ],
        "unparsed": [{"file": each.file, "reason": each.reason} for each in plan.unparsed],
        "notes": [{"file": each.file, "note": each.text} for each in plan.notes],
        "verified": None if plan.verified is None else _verified(plan.verified),
        "written": list(written.files) if written else [],
        "failed": list(written.failed) if written else [],
        "undo": written.undo if written else None,
    }


def _verified(verified: Verified) -> dict[str, Any]:
    return {
        "reads": verified.reads,
        "expressions": verified.expressions,
        "evaluations": verified.evaluations,
        "same": verified.expressions - len(verified.differences),
        "differs": [
            {
                "file": each.file,
                "line": each.line,
                "set": list(each.environment),
                "before": each.before,
                "after": each.after,
            }
            for each in verified.differences
        ],
    }


def as_text(plan: Plan) -> Iterator[str]:
    """Yield the migration line by line."""
    yield from (f"change {each.scanned.source.file}: {len(each.moves)} reads" for each in plan.changed)
    for left in plan.left:
        access = left.access
        name = access.variable if access.variable is not None else "<dynamic>"
        yield f"left {access.file}:{access.line}:{access.column} {access.idiom} {name}: {left.reason}"
    yield from (f"not analysed: {each.file}: {each.reason}" for each in plan.unparsed)
    yield from (f"note: {each.file}: {each.text}" for each in plan.notes)
    yield from (f"{count:6} left, {reason}: {REASONS[reason]}" for reason, count in plan.reasons)
    yield (
        f"{plan.moved + len(plan.left)} accesses in {plan.files} files: {plan.moved} reads rewritten in {len(plan.changed)} files, "
        f"{len(plan.left)} accesses left, {len(plan.unparsed)} files not analysed"
    )
    if plan.verified is not None:
        yield from _verified_lines(plan.verified)
    if plan.changed:
        yield "import os may now be unused in a changed file: ruff check --select F401 finds it"


def _verified_lines(verified: Verified) -> Iterator[str]:
    yield (
        f"verified: {verified.reads} reads in {verified.expressions} expressions, evaluated before and after "
        f"on {len(VALUES)} values a variable: "
        f"{verified.expressions - len(verified.differences)} the same, {len(verified.differences)} differ"
    )
    for each in verified.differences:
        yield f"differs: {each.file}:{each.line} with {', '.join(each.environment) or 'nothing'} set: {each.before} became {each.after}"
