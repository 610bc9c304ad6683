"""``python -m bench``: measure every section and write ``bench/RESULTS.md``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from pathlib import Path

from bench.results import Line, page

SECTIONS = {
    "at_rest": "The facade at rest and a canary's decision",
    "endpoints": "Each endpoint with facades at rest, beside the legacy caches alone",
    "shadow": "What a shadow costs the caller",
    "flips": "From flip to effect",
    "cache_twins": "Unified beside its legacy twin",
    "resilience": "Retries and breakers beside their peers and legacy twins",
    "journal": "The journal and its report",
    "evidence": "Reading back what guards and verdicts need",
    "config_reads": "A setting read, beside os.getenv",
    "env_toolkit": "The environment toolkit, on one core",
    "guardrails": "Guardrails and verdicts",
}
_RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> int:
    """Measure; exit 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("section", nargs="*", metavar="SECTION", help=f"of {' '.join(SECTIONS)}; default all")
    wanted = parser.parse_args().section or list(SECTIONS)
    if unknown := [name for name in wanted if name not in SECTIONS]:
        parser.error(f"SECTION: found {unknown[0]!r}, wanted one of {' '.join(SECTIONS)}")
    measured: list[tuple[str, list[Line]]] = []
    for name in wanted:
        print(f"{name} ...", file=sys.stderr, flush=True)
        lines = importlib.import_module(f"bench.{name}").measure()
        measured.append((SECTIONS[name], lines))
        for line in lines:
            print(
                f"  {line.what}: {line.value:.4g} {line.unit} {'MISSED ' if line.is_met is False else ''}{line.budget}"
            )
    if wanted == list(SECTIONS):
        load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"
        _RESULTS.write_text(page(measured, "make bench", load))
    return int(any(line.is_met is False for _, lines in measured for line in lines))


if __name__ == "__main__":
    sys.exit(main())
