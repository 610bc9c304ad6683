"""Bytes that become others, in one file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from oms.migration.scan.source import Spans


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes *start* to *end* become *text*; offsets are those of the UTF-8 text."""

    start: int
    end: int
    text: bytes


def splice(spans: Spans, edits: Iterable[Edit]) -> str:
    """Return the text of *spans* with *edits*, which do not overlap; every byte outside them is kept."""
    pieces, end = [], 0
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        pieces += [spans.data[end : edit.start], edit.text]
        end = edit.end
    return b"".join([*pieces, spans.data[end:]]).decode()
