"""An analysis as text, Markdown, JSON and SARIF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from oms.migration.analysis.analysis import Analysis
from oms.migration.analysis.conflicts import Conflict
from oms.migration.sarif import Finding, sarif
from oms.migration.scan.scanning import Access

LIMITS = (
    "Not seen: a member of os that reaches a file through another module of the code base, text that is run as code, "
    "settings classes whose base stands in another file, files without the ending .py or .pyw."
)
HIDDEN = "(hidden: a secret)"
RULES = {
    "env-access": "A place that reaches the environment.",
    "env-secret-default": "A secret with a literal default: anybody who reads the source knows it.",
    "env-conflict": "Places that read one variable in different ways.",
    "env-unparsed": "A file that could not be understood: about it nothing is known.",
}


def as_json(analysis: Analysis) -> dict[str, Any]:
    """Return the analysis as one object; lines and columns count from 1, columns in characters."""
    return {
        "schema": 1,
        "path": analysis.path,
        "files": analysis.files,
        "unparsed": [{"file": each.file, "reason": each.reason} for each in analysis.unparsed],
        "accesses": [
            {
                "file": each.file,
                "line": each.line,
                "column": each.column,
                "idiom": each.idiom,
                "variable": each.variable,
                "default": each.default,
                "secret": each.secret,
                "write": each.write,
            }
            for each in analysis.accesses
        ],
        "conflicts": [
            {
                "variable": each.variable,
                "kind": each.kind,
                "sites": [
                    {"file": site.file, "line": site.line, "column": site.column, "value": site.value}
                    for site in each.sites
                ],
            }
            for each in analysis.conflicts
        ],
        "notes": [{"file": each.file, "note": each.text} for each in analysis.notes],
    }


def as_text(analysis: Analysis) -> str:
    """Return the analysis for a terminal."""
    return "\n".join(_text(analysis))


def _text(analysis: Analysis) -> Iterator[str]:
    for access in analysis.accesses:
        yield f"{access.file}:{access.line}:{access.column} {access.idiom} {variable(access)}{_default(access)}{_remark(access)}"
    for conflict in analysis.conflicts:
        yield f"conflict of {conflict.kind}: {conflict.variable}"
        yield from (f"  {site.file}:{site.line} {_shown(site.value, conflict)}" for site in conflict.sites)
    yield from (f"not analysed: {each.file}: {each.reason}" for each in analysis.unparsed)
    yield from (f"note: {each.file}: {each.text}" for each in analysis.notes)
    yield ""
    for idiom, count in _idioms(analysis):
        yield f"{count:6} {idiom}"
    yield summary(analysis)
    yield LIMITS


def summary(analysis: Analysis) -> str:
    """Return the counts in one sentence."""
    files = len({access.file for access in analysis.accesses})
    variables = len({access.variable for access in analysis.accesses if access.variable is not None})
    return (
        f"{len(analysis.accesses)} accesses of {variables} variables in {files} of {analysis.files} files; "
        f"{len(analysis.conflicts)} conflicts; {len(analysis.unparsed)} files not analysed"
    )


def as_markdown(analysis: Analysis) -> str:
    """Return the analysis for a pull request; literal defaults of secrets are left out of it."""
    return "\n".join(_markdown(analysis))


def _markdown(analysis: Analysis) -> Iterator[str]:
    yield from (
        f"# Environment of `{analysis.path}`",
        "",
        summary(analysis) + ".",
        "",
        "| idiom | accesses |",
        "|---|---|",
    )
    yield from (f"| `{idiom}` | {count} |" for idiom, count in _idioms(analysis))
    yield from ("", "## Variables", "", "| variable | secret | accesses | files | defaults |", "|---|---|---|---|---|")
    for name in sorted({variable(access) for access in analysis.accesses}):
        rows = [access for access in analysis.accesses if variable(access) == name]
        defaults = sorted({_cell(each.default) for each in rows if each.default is not None})
        shown = HIDDEN if rows[0].secret and defaults else ", ".join(f"`{each}`" for each in defaults)
        yield f"| `{_cell(name)}` | {'yes' if rows[0].secret else ''} | {len(rows)} | {len({row.file for row in rows})} | {shown} |"
    yield from ("", "## Conflicts", "")
    for conflict in analysis.conflicts:
        yield f"- `{conflict.variable}`: {conflict.kind}"
        yield from (f"  - `{site.file}:{site.line}` {_code(_shown(site.value, conflict))}" for site in conflict.sites)
    yield from ("", "## Not analysed", "", *(f"- `{each.file}`: {each.reason}" for each in analysis.unparsed))
    yield from ("", "## Notes", "", *(f"- `{each.file}`: {each.text}" for each in analysis.notes), "", LIMITS)


def as_sarif(analysis: Analysis, base: str = "") -> dict[str, Any]:
    """Return the analysis as a SARIF log; *base* goes before each path, so that it is relative to the repository."""
    return sarif(_findings(analysis, base), RULES)


def _findings(analysis: Analysis, base: str) -> Iterator[Finding]:
    for each in analysis.accesses:
        place, key = (base + each.file, each.line, each.column), f"{each.file} {variable(each)}"
        if is_secret_default(each):
            message = f"{each.variable} is a secret with a literal default"
            yield Finding("env-secret-default", "error", message, *place, key=key)
        yield Finding("env-access", "note", f"{each.idiom} {variable(each)}", *place, key=f"{key} {each.idiom}")
    for conflict in analysis.conflicts:
        for site in conflict.sites:
            message = f"{conflict.variable}: conflict of {conflict.kind}: here {_shown(site.value, conflict)}"
            key = f"{site.file} {conflict.variable} {conflict.kind}"
            yield Finding("env-conflict", "warning", message, base + site.file, site.line, site.column, key)
    for unparsed in analysis.unparsed:
        yield Finding("env-unparsed", "error", unparsed.reason, base + unparsed.file, 1, 1, unparsed.file)


def variable(access: Access) -> str:
    """Return the variable's name, ``<dynamic>`` where the text does not say."""
    return access.variable if access.variable is not None else "<dynamic>"


def is_secret_default(access: Access) -> bool:
    """Return whether a secret has a default that stands in the source and is not empty."""
    return (
        access.secret
        and not access.write
        and access.default is not None
        and access.default[-1:] in "'\""
        and len(access.default) > 2
    )


def _idioms(analysis: Analysis) -> list[tuple[str, int]]:
    return Counter(access.idiom for access in analysis.accesses).most_common()


def _default(access: Access) -> str:
    if access.default is None:
        return ""
    return f" default {HIDDEN}" if is_secret_default(access) else f" default {' '.join(access.default.split())}"


def _remark(access: Access) -> str:
    remarks = {
        "secret": access.secret,
        "secret with a literal default": is_secret_default(access),
        "write": access.write,
        "always true: bool of text": is_bool_of_text(access),
        "never true": not access.conversion.satisfiable,
    }
    return "".join(f" [{remark}]" for remark, so in remarks.items() if so)


def is_bool_of_text(access: Access) -> bool:
    """Return whether ``bool(...)`` is taken of a text that is never empty unless somebody sets it so: "false" is true."""
    literal = access.default is not None and access.default[-1:] in "'\"" and len(access.default) > 2
    return access.conversion.kind == "bool" and access.conversion.whole and literal


def _shown(value: str, conflict: Conflict) -> str:
    return HIDDEN if conflict.secret else " ".join(value.split())


def _code(text: str) -> str:
    return text if text == HIDDEN else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("`", "'")
