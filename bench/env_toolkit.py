"""The environment toolkit over files that nobody wrote for it: those of the installed packages."""

from __future__ import annotations

import shutil
import statistics
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.results import Line
from oms.migration.analysis.analysis import analyze
from oms.migration.rewrite.migration import plan_migration
from oms.migration.rewrite.rewriting import Options
from oms.migration.scan.source import may_access

FILES = 1000
# The trees that the roadmap is about have about 280 lines a file; what is tiny or generated is left out.
LINES = range(60, 901)
# As many as in those trees have a word of the environment in them.
WITH_WORDS = 140
ROUNDS = 5


def measure() -> list[Line]:
    """Return the rates of analyze and migrate, on one core, in processor time."""
    with tempfile.TemporaryDirectory() as folder:
        lines = _fill(Path(folder))
        analysis = analyze(Path(folder))
        plan = plan_migration(Path(folder), Options(), verified=True)
        about = f"{FILES} files of {lines // FILES} lines, {len(analysis.accesses)} accesses, {plan.moved} reads moved"
        return [
            _rate("analyze", 300, about, lambda: analyze(Path(folder))),
            _rate(
                "migrate, planned and verified",
                100,
                about,
                lambda: plan_migration(Path(folder), Options(), verified=True),
            ),
        ]


def _fill(folder: Path) -> int:
    """Copy files of the installed packages into *folder*, spread over all of them, and return how many lines they have."""
    packages = Path(sysconfig.get_path("purelib"))
    fit = [path for path in sorted(packages.rglob("*.py")) if len(path.read_bytes().splitlines()) in LINES]
    words = [path for path in fit if may_access(path.read_bytes())]
    plain = [path for path in fit if not may_access(path.read_bytes())]
    chosen = [*_spread(words, WITH_WORDS), *_spread(plain, FILES - WITH_WORDS)]
    for path in chosen:
        target = folder / path.relative_to(packages)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return sum(len(path.read_bytes().splitlines()) for path in chosen)


def _spread(paths: list[Path], count: int) -> list[Path]:
    return [paths[number * len(paths) // count] for number in range(count)]


def _rate(what: str, budget: float, about: str, work: Callable[[], object]) -> Line:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    rate = FILES / statistics.median(times)
    return Line(f"oms env {what}: {about}", rate, "files/s", f">= {budget:g} files/s", rate >= budget)
