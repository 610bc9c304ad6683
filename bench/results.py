"""One measured line, and the page it stands on."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One figure with its budget and its peer.

    Attributes:
        value, unit: The figure as it is written.
        budget: What the design allows, as text; empty where it sets none.
        is_met: Whether the figure is within the budget; None without a budget.
        peer: The peer measured in the same run and the ratio to it, as text.
    """

    what: str
    value: float
    unit: str
    budget: str = ""
    is_met: bool | None = None
    peer: str = ""


def page(sections: Iterable[tuple[str, list[Line]]], command: str, load: str) -> str:
    """Return ``RESULTS.md``."""
    out = [
        "# Measured",
        "",
        f"Made by `{command}`: each section is one run, cases interleaved, medians; peers in the same run.",
        f"{platform.python_implementation()} {platform.python_version()}, {load}.",
        "Other work on the machine moves absolute figures by tens of per cent: read the ratios first.",
    ]
    for title, lines in sections:
        out += ["", f"## {title}", "", "| what | measured | budget | met | peer |", "|---|---:|---|---|---|"]
        out += [
            f"| {line.what} | {line.value:.4g} {line.unit} | {line.budget} | {_met(line)} | {line.peer} |"
            for line in lines
        ]
    return "\n".join(out) + "\n"


def _met(line: Line) -> str:
    return {True: "yes", False: "**no**", None: ""}[line.is_met]


def within(what: str, value: float, unit: str, budget: float, peer: str = "") -> Line:
    """Return a line whose value must not be above *budget*, in the same unit."""
    return Line(what, value, unit, f"<= {budget:g} {unit}", value <= budget, peer)
