"""The codemods over files that nobody wrote for them: those of the installed packages."""

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
from oms.migration.resilience import migration as retries
from oms.migration.resilience.rewriting import Options as RetryOptions
from oms.migration.resilience.rewriting import may_retry
from oms.migration.resilience.terms import Unified
from oms.migration.rewrite.migration import plan_migration
from oms.migration.rewrite.rewriting import Options
from oms.migration.scan.source import may_access
from oms.unified.resilience.policies import RETRIED_STATUS, RETRY_POLICIES

FILES = 1000
# The trees that the roadmap is about have about 280 lines a file; what is tiny or generated is left out.
LINES = range(60, 901)
# As many as in those trees have a word of the environment in them.
WITH_WORDS = 140
ROUNDS = 5
# Modules that all have retries, as no tree has.
WRITTEN = 200


def measure() -> list[Line]:
    """Return the rates of analyze and migrate, on one core, in processor time."""
    with tempfile.TemporaryDirectory() as folder:
        lines = _fill(Path(folder))
        analysis = analyze(Path(folder))
        plan = plan_migration(Path(folder), Options(), verified=True)
        about = f"{FILES} files of {lines // FILES} lines, {len(analysis.accesses)} accesses, {plan.moved} reads moved"
        return [
            _rate("oms env analyze", 300, about, lambda: analyze(Path(folder))),
            _rate(
                "oms env migrate, planned and verified",
                100,
                about,
                lambda: plan_migration(Path(folder), Options(), verified=True),
            ),
            _retries(Path(folder), lines),
            _written_retries(),
        ]


def _retries(folder: Path, lines: int) -> Line:
    options = RetryOptions(Unified(RETRY_POLICIES, RETRIED_STATUS))
    plan = retries.plan_migration(folder, options)
    looked = sum(may_retry(path.read_bytes()) for path in folder.rglob("*.py"))
    about = f"{FILES} files of {lines // FILES} lines, {looked} with a word of it, {len(plan.loops)} retries written by hand"
    return _rate("oms migrate resilience, planned", 100, about, lambda: retries.plan_migration(folder, options))


def _written_retries() -> Line:
    """Return the rate over modules that all have retries: legacy decorators, their configuration, a loop by hand."""
    options = RetryOptions(Unified(RETRY_POLICIES, RETRIED_STATUS))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(WRITTEN):
            Path(folder, f"m{number}.py").write_text(_MODULE + _PLAIN * 20)
        plan = retries.plan_migration(Path(folder), options)
        lines = (_MODULE + _PLAIN * 20).count("\n")
        about = f"{WRITTEN} files of {lines} lines, {len(plan.moved)} sites moved, {len(plan.loops)} retries written by hand"
        return _rate(
            "oms migrate resilience, planned",
            None,
            about,
            lambda: retries.plan_migration(Path(folder), options),
            files=WRITTEN,
        )


_MODULE = """
import asyncio
from utils.retry_strategy import DB_READ_CONFIG, DB_WRITE_CONFIG, RetryConfig, with_retry


@with_retry("read", DB_READ_CONFIG)
async def read(client, name):
    return await client.get(f"/documents/{name}")


@with_retry("write", config=DB_WRITE_CONFIG, bulkhead_resource="terminusdb")
async def write(client, name, document):
    return await client.put(f"/documents/{name}", json=document)


@with_retry("send", RetryConfig(max_attempts=5, initial_delay=0.5, timeout=30.0))
async def send(client, message):
    return await client.post("/messages", json=message)


async def forward(client):
    for attempt in range(3):
        try:
            return await client.get("/")
        except OSError:
            await asyncio.sleep(2**attempt)
"""
_PLAIN = """

def total(rows, *, least=0):
    found = {}
    for name, value in rows:
        if value >= least:
            found[name] = found.get(name, 0) + value
    return sorted(found.items(), key=lambda row: (-row[1], row[0]))
"""


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


def _rate(what: str, budget: float | None, about: str, work: Callable[[], object], *, files: int = FILES) -> Line:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    rate = files / statistics.median(times)
    if budget is None:
        return Line(f"{what}: {about}", rate, "files/s")
    return Line(f"{what}: {about}", rate, "files/s", f">= {budget:g} files/s", rate >= budget)
