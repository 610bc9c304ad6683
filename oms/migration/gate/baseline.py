"""The accesses that are known: a file that may only shrink.

One entry for a file and a variable, with a count; no line numbers, for they move with every edit; sorted and one entry a line, so that two
branches that both mend something merge.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oms.domain.errors import BadInput, CouldNot

RULE = "no-direct-os-getenv"
DYNAMIC = "<dynamic>"
SCHEMA = 1

Key = tuple[str, str]
"""A file below the folder that is gated, and a variable or `DYNAMIC`."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Files that may reach the environment: a pattern for their path, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is known.

    Attributes:
        counts: How many accesses each key may have.
        unparsed: Files that are known not to parse.
        allowed: Files that the gate does not judge.
        increases: The reason of each time the baseline was made to grow, oldest first.
    """

    counts: Mapping[Key, int] = field(default_factory=dict)
    unparsed: tuple[str, ...] = ()
    allowed: tuple[Allowed, ...] = ()
    increases: tuple[str, ...] = ()


def read_baseline(path: Path) -> Baseline:
    """Read *path*.

    Raises:
        BadInput: it is not there, not JSON, of another schema or rule, or has an entry that is none: never an empty baseline instead.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            str(path), found="no such file", wanted="a baseline", mend="--update writes a first one"
        ) from None
    except (OSError, ValueError) as error:
        raise BadInput(str(path), found=f"{type(error).__name__}", wanted="a baseline as JSON in UTF-8") from None
    if not isinstance(found, dict) or (found.get("schema"), found.get("rule")) != (SCHEMA, RULE):
        raise BadInput(str(path), found="another schema or rule", wanted=f"schema {SCHEMA}, rule {RULE}")
    try:
        return _baseline(found)
    except (KeyError, TypeError, ValueError, AttributeError):
        mend = "take it from git, or write it anew with --update"
        raise BadInput(
            str(path), found="an entry of another shape", wanted="file, variable and a count of 1 or more", mend=mend
        ) from None


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write *baseline* to *path*, as a whole or not at all.

    Raises:
        CouldNot: the machine did not comply.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_text(render(baseline), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise CouldNot(f"{path}: cannot be written: {error.strerror}") from error


def render(baseline: Baseline) -> str:
    """Return *baseline* as it stands in its file."""
    parts = [f' "schema": {SCHEMA}', f' "rule": {json.dumps(RULE)}']
    entries = [
        {"file": file, "variable": variable, "count": count}
        for (file, variable), count in sorted(baseline.counts.items())
    ]
    parts.append(_rows("allowed", [{"path": each.path, "reason": each.reason} for each in baseline.allowed]))
    parts.append(_rows("entries", entries))
    parts.append(_rows("unparsed", sorted(baseline.unparsed)))
    parts.append(_rows("increases", list(baseline.increases)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def counted(keys: Iterable[Key]) -> dict[Key, int]:
    """Return how often each of *keys* comes."""
    return dict(sorted(Counter(keys).items()))


def _rows(name: str, rows: Iterable[Any]) -> str:
    lines = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    return f' "{name}": [\n{lines}\n ]' if lines else f' "{name}": []'


def _baseline(found: dict[str, Any]) -> Baseline:
    counts = {(_text(row["file"]), _text(row["variable"])): _count(row["count"]) for row in found["entries"]}
    if len(counts) != len(found["entries"]):
        raise ValueError("an entry comes twice")
    allowed = tuple(Allowed(_text(row["path"]), _text(row["reason"])) for row in found.get("allowed", []))
    unparsed = tuple(_text(name) for name in found.get("unparsed", []))
    return Baseline(counts, unparsed, allowed, tuple(_text(each) for each in found.get("increases", [])))


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("wanted text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise TypeError("wanted a count of 1 or more")
    return value
