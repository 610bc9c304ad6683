"""A judgement as text, as GitHub annotations, as SARIF and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oms.migration.gate.baseline import RULE
from oms.migration.gate.judging import Judgement, Worse
from oms.migration.sarif import Finding, sarif

# GitHub shows ten annotations of a kind in a step.
_SHOWN = 10
_MEND = "read it through unified_env (oms env migrate does it), or let the baseline grow with a reason (--update --allow-increase --reason)"
RULES = {
    RULE: "A place that reaches the environment and that the baseline does not know.",
    "env-unparsed": "A file that could not be understood: about it nothing is known.",
}


def as_text(judgement: Judgement, base: str = "") -> Iterator[str]:
    """Yield the judgement line by line; *base* goes before each path."""
    for worse in judgement.worse:
        for access in worse.accesses:
            yield f"{base}{worse.file}:{access.line}:{access.column}: {RULE}: {_message(worse, access.idiom)}"
    yield from (f"not analysed: {base}{each.file}: {each.reason}" for each in judgement.unparsed)
    for moved in judgement.moved:
        yield f"moved: {moved.variable} from {base}{moved.source} to {base}{moved.target}, {moved.count} accesses"
    yield from (
        f"gone: {base}{file}: {variable}, {count} accesses"
        for (file, variable), count in sorted(judgement.gone.items())
    )
    if judgement.can_shrink:
        yield "the baseline can shrink: --update"
    yield summary(judgement)
    if judgement.worse:
        yield f"mend: {_MEND}"


def summary(judgement: Judgement) -> str:
    """Return the counts in one sentence."""
    new = sum(len(worse.accesses) for worse in judgement.worse)
    moved = sum(each.count for each in judgement.moved)
    return (
        f"{RULE}: {sum(judgement.counts.values())} accesses, {new} of them new, {moved} moved, {sum(judgement.gone.values())} gone, "
        f"{len(judgement.unparsed)} files not analysed"
    )


def as_github(judgement: Judgement, base: str = "") -> Iterator[str]:
    """Yield workflow commands that annotate a pull request: the new accesses only, then the counts."""
    findings = list(_findings(judgement, base))
    for each in findings[:_SHOWN]:
        place = f"file={_property(each.file)},line={each.line},col={each.column},title={_property(each.rule)}"
        yield f"::error {place}::{_escaped(each.message)}"
    if len(findings) > _SHOWN:
        yield f"::notice title={RULE}::{len(findings) - _SHOWN} more; oms env gate shows all of them"
    yield summary(judgement)


def as_sarif(judgement: Judgement, base: str = "") -> dict[str, Any]:
    """Return the new accesses as a SARIF log."""
    return sarif(_findings(judgement, base), RULES)


def as_json(judgement: Judgement) -> dict[str, Any]:
    """Return the judgement as one object."""
    return {
        "schema": 1,
        "rule": RULE,
        "accesses": sum(judgement.counts.values()),
        "new": [
            {
                "file": worse.file,
                "variable": worse.variable,
                "count": worse.count,
                "allowed": worse.allowed,
                "sites": [{"line": each.line, "column": each.column, "idiom": each.idiom} for each in worse.accesses],
            }
            for worse in judgement.worse
        ],
        "moved": [
            {"variable": each.variable, "from": each.source, "to": each.target, "count": each.count}
            for each in judgement.moved
        ],
        "gone": [
            {"file": file, "variable": variable, "count": count}
            for (file, variable), count in sorted(judgement.gone.items())
        ],
        "unparsed": [{"file": each.file, "reason": each.reason} for each in judgement.unparsed],
    }


def _findings(judgement: Judgement, base: str) -> Iterator[Finding]:
    for worse in judgement.worse:
        for number, access in enumerate(worse.accesses):
            key = f"{worse.file} {worse.variable} {number}"
            yield Finding(
                RULE, "error", _message(worse, access.idiom), base + worse.file, access.line, access.column, key
            )
    for each in judgement.unparsed:
        yield Finding("env-unparsed", "error", f"not analysed: {each.reason}", base + each.file, 1, 1, each.file)


def _message(worse: Worse, idiom: str) -> str:
    return f"{idiom} {worse.variable}: found {worse.count} accesses in this file, wanted at most {worse.allowed}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
