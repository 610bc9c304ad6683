"""Findings as SARIF 2.1.0, the format that code scanning takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote

INFORMATION_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html"
# GitHub keeps 5,000 results of a run and refuses a run of more than 25,000.
MOST = 5_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One result.

    Attributes:
        rule: Its stable id.
        level: ``error``, ``warning`` or ``note``.
        message: One sentence.
        file: Relative path with forward slashes; resolved against the base ``SRCROOT``.
        line, column: From 1.
        key: What stays the same while lines move: becomes the fingerprint.
    """

    rule: str
    level: str
    message: str
    file: str
    line: int
    column: int
    key: str


def sarif(findings: Iterable[Finding], rules: Mapping[str, str]) -> dict[str, Any]:
    """Return one SARIF log with *findings*; *rules* maps each rule's id to one sentence about it."""
    results = [_result(finding) for finding in findings]
    driver = {
        "name": "oms env",
        "informationUri": INFORMATION_URI,
        "rules": [{"id": rule, "shortDescription": {"text": text}} for rule, text in rules.items()],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder that oms env was started in"}}},
        "results": results[:MOST],
    }
    if len(results) > MOST:
        run["properties"] = {"leftOut": len(results) - MOST}
    return {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}


def _result(finding: Finding) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "level": finding.level,
        "message": {"text": finding.message},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(finding.file), "uriBaseId": "SRCROOT"},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
        "partialFingerprints": {"omsEnv/v1": sha256(finding.key.encode()).hexdigest()[:32]},
    }
