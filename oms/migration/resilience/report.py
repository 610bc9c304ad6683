"""A migration of retries as text and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from oms.migration.resilience.loops import Loop
from oms.migration.resilience.migration import Plan
from oms.migration.resilience.reasons import INSTEAD, REASONS
from oms.migration.resilience.rewriting import Left, Moved
from oms.migration.resilience.terms import Terms
from oms.migration.rewrite.applying import Written

_WIDTH = 98


def as_json(plan: Plan, written: Written | None) -> dict[str, Any]:
    """Return the migration as one object. ``sites`` is what was found: the rows of ``rewritten`` and ``left`` add up to it."""
    return {
        "schema": 1,
        "files": plan.files,
        "sites": len(plan.moved) + len(plan.left),
        "changed": [each.source.file for each in plan.changed],
        "rewritten": [
            {
                **_place(each),
                "name": each.name,
                "where": each.where,
                "becomes": each.text,
                "behaviour": {"before": _terms(each.before), "after": _terms(each.after)},
            }
            for each in plan.moved
        ],
        "left": [
            {
                **_place(each),
                "name": each.name,
                "where": each.where,
                "reason": each.reason,
                "because": REASONS[each.reason],
                "instead": INSTEAD.get(each.name),
            }
            for each in plan.left
        ],
        "loops": [
            {
                **_place(each),
                "where": each.function,
                "attempts": each.attempts,
                "waits": each.waits,
                "errors": each.errors,
            }
            for each in plan.loops
        ],
        "unparsed": [asdict(each) for each in plan.unparsed],
        "notes": [{"file": each.file, "note": each.text} for each in plan.notes],
        "written": list(written.files) if written else [],
        "failed": list(written.failed) if written else [],
        "undo": written.undo if written else None,
    }


def _place(row: Moved | Left | Loop) -> dict[str, Any]:
    return {"file": row.file, "line": row.line, "column": row.column}


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "attempts": terms.attempts,
        "waits_s": [round(wait, 6) for wait in terms.waits_s],
        "waits": terms.waits,
        "errors": terms.errors,
        "guards": terms.guards,
        "result": terms.result or None,
    }


def as_text(plan: Plan) -> Iterator[str]:
    """Yield the migration line by line, none wider than 100 columns unless a path or a name is."""
    for each in plan.moved:
        yield from _moved(each)
    for left in plan.left:
        yield f"left {left.file}:{left.line}:{left.column} {left.name}{_of(left.where)}: {left.reason}"
    for loop in plan.loops:
        yield from _loop(loop)
    yield from (f"not analysed: {each.file}: {each.reason}" for each in plan.unparsed)
    yield from (f"note: {each.file}: {each.text}" for each in plan.notes)
    for reason, count in plan.reasons:
        yield from _wrapped(f"{count:6} left, {reason}: ", REASONS[reason])
    for name in sorted({left.name for left in plan.left if left.reason == "no-counterpart"} & INSTEAD.keys()):
        yield f"       {name}: look at {INSTEAD[name]}"
    yield from _wrapped(
        "",
        f"{len(plan.moved) + len(plan.left)} sites in {plan.files} files: {len(plan.moved)} rewritten in "
        f"{len(plan.changed)} files, {len(plan.left)} left; {len(plan.loops)} retries written by hand, which are never "
        f"rewritten; {len(plan.unparsed)} files not analysed",
    )


def _moved(site: Moved) -> Iterator[str]:
    yield f"change {site.file}:{site.line}:{site.column} {site.name}{_of(site.where)}"
    yield from _wrapped("  becomes   ", site.text)
    before, after = site.before, site.after
    if before == after or site.name == "RetryConfig":
        # Nobody knows, or it is told at each function that takes the configuration.
        return
    rows = (
        ("attempts", before.attempts_text, after.attempts_text),
        ("waits", before.waits, after.waits),
        ("errors", before.errors, after.errors),
        ("guards", before.guards, after.guards),
        *([("result", before.result, after.result)] if after.result else []),
    )
    for word, old, new in rows:
        if old == new:
            yield from _wrapped(f"  {word:9} same: ", old)
        else:
            yield from _wrapped(f"  {word:9} before: ", old)
            yield from _wrapped(f"  {'':9} after:  ", new)
    if (after.attempts or 0) > (before.attempts or math.inf):
        yield "  mind      more attempts than before: is it safe to repeat?"
    if after.result:
        yield "  mind      a plain function: who awaits its calls must stop, and it waits in its thread"


def _loop(loop: Loop) -> Iterator[str]:
    times = f"{loop.attempts} attempts" if loop.attempts is not None else "attempts not told"
    yield f"by hand {loop.file}:{loop.line}:{loop.column} in {loop.function}: {times}"
    yield from _wrapped("  waits     ", loop.waits)
    yield from _wrapped("  errors    ", loop.errors)


def _of(where: str) -> str:
    return f" of {where}" if where else ""


def _wrapped(start: str, text: str) -> list[str]:
    lines = textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
        break_long_words=False,
    )
    return lines or [start.rstrip()]
