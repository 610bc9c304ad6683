"""``oms rehearse --virtual``: many seeds, each a walk of its own in virtual time."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TextIO

from oms.app.injection import Faults
from oms.app.rehearsal.folder import prepare
from oms.app.virtual.service import PHASE
from oms.app.virtual.walk import PROFILE, SeedResult, Walk
from oms.domain.errors import CouldNot

GOOD, BAD_NEWS = 0, 3

_HEAD = f"{'seed':>6}  {'calls':>7}  {'hours':>5}  {'stands at':<9}  what happened"


def run(
    *,
    first_seed: int,
    seeds: int,
    faults: Faults,
    flags: Path,
    as_json: bool = False,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Walk *seeds* seeds from *first_seed* on, and return the exit code: 0 if each came to its good end, else 3.

    A good end is the top of the ladder where nothing is injected, and a rollback by the controller where something is.

    Args:
        flags: Folder of the flag files and the policy; copied for each seed.
        stdout, stderr: Where result and progress go; None for the process's own.

    Raises:
        BadInput: if there are no flags.
        CouldNot: if something cannot be written, or a process of its own is killed.
    """
    began, err, out = time.monotonic(), stderr or sys.stderr, stdout or sys.stdout
    results: list[SeedResult] = []
    if not as_json:
        out.write(f"virtual time, profile {PROFILE}, whole ladder, injected: {faults}\n{_HEAD}\n")
    for result in _walk_all(range(first_seed, first_seed + seeds), faults, flags):
        results.append(result)
        (err if as_json else out).write(f"{line_of(result)}\n")
        (err if as_json else out).flush()
    good = all(each.is_good for each in results)
    if as_json:
        out.write(json.dumps(object_of(results, faults, time.monotonic() - began)) + "\n")
    else:
        out.write(f"{_sum_of(results)} in {time.monotonic() - began:.1f} s\n")
    return GOOD if good else BAD_NEWS


def object_of(results: Sequence[SeedResult], faults: Faults, seconds: float) -> dict[str, object]:
    """Return the object of ``--json``."""
    return {
        "schema": 1,
        "virtual": True,
        "profile": PROFILE,
        "faults": str(faults),
        "rolled_back": sum(each.tripped is not None for each in results),
        "seconds": round(seconds, 1),
        "seeds": [each.as_json() for each in results],
    }


def line_of(result: SeedResult) -> str:
    """Return one row of the table."""
    stands = result.steps[-1] if result.steps else "off"
    return f"{result.seed:>6}  {result.calls:>7,}  {result.hours:>5.1f}  {stands:<9}  {_happened(result)}"


def walk_one(seed: int, *, faults: Faults, flags: Path) -> SeedResult:
    """Walk one seed in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="oms-virtual-") as folder:
        root = Path(folder) / "out"
        prepare(root, flags=flags, phases=[PHASE])
        return Walk(root, seed=seed, faults=faults).go()


def _walk_all(seeds: Sequence[int], faults: Faults, flags: Path) -> Iterator[SeedResult]:
    one = partial(walk_one, faults=faults, flags=flags)
    workers = min(len(seeds), os.cpu_count() or 1)
    if workers == 1:
        yield from map(one, seeds)
        return
    # A forked child would inherit threads that are half alive.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(one, seeds)
        except BrokenProcessPool:
            raise CouldNot(
                "--virtual: found one of its processes killed, wanted all of them until the end; is there memory enough?"
            ) from None


def _happened(result: SeedResult) -> str:
    tripped = result.tripped
    if tripped is not None:
        calls = "" if result.calls_to_trip is None else f" {result.calls_to_trip:,} calls after the injection"
        return f"{tripped.before} > {tripped.to}: {tripped.guard} {tripped.operation}{calls}"
    if result.is_good:
        return "no rollback"
    return f"not at {result.top}: {'; '.join(result.holds) or 'no time left'}"


def _sum_of(results: Sequence[SeedResult]) -> str:
    back, calls = sum(each.tripped is not None for each in results), sum(each.calls for each in results)
    hours = sum(each.hours for each in results)
    return f"{len(results)} seeds, {calls:,} calls, {hours:.0f} virtual hours: {back} rolled back"
