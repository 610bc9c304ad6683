"""From a flip to its effect: in one process by the source alone, and across eight processes to the last acknowledgement."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType

from bench.results import Line, within
from bench.timing import quantile
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES
from oms.wiring import build

_FLIPS = 200


def measure() -> list[Line]:
    """Return the lines of this section."""
    ours, theirs = _in_a_process(), _flagd_provider()
    peer = f"flagd file provider, default poll: p50 {quantile(theirs, 0.5):.0f}, p95 {quantile(theirs, 0.95):.0f} ms"
    across = _across(8)
    return [
        within("flip to effect in a process, p99", quantile(ours, 0.99), "ms", 50, peer),
        Line("the same, p50", quantile(ours, 0.5), "ms"),
        within("flip acknowledged by 8 processes, worst of 20", max(across), "s", 1.0),
        Line("the same, median", statistics.median(across), "s"),
    ]


def _in_a_process() -> list[float]:
    with TemporaryDirectory() as folder:
        flags = Path(folder) / "flags"
        files = _write_all(flags)
        oms = build(flags=flags, var=Path(folder) / "var")
        oms.start()
        taken = []
        for number in range(_FLIPS):
            wanted = (Stage.DUALWRITE, Stage.OFF)[number % 2]
            time.sleep(0.007 + number % 13 / 1000)
            files.write("cache", Split.whole(wanted), based_on=None)
            began = time.perf_counter()
            while oms.runtime.current.decision(PHASES["cache"]).default is not wanted:
                time.sleep(0.0002)
            taken.append((time.perf_counter() - began) * 1e3)
        oms.stop(0)
    return taken


def _flagd_provider() -> list[float]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "peer.json"

        def write(variant: str) -> None:
            flag = {"state": "ENABLED", "variants": {"a": "a", "b": "b"}, "defaultVariant": variant, "targeting": {}}
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps({"flags": {"f": flag}}))
            fresh.replace(path)

        write("a")
        api.set_provider_and_wait(FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path)))
        client, taken = api.get_client(), []
        for number in range(12):
            wanted = "ba"[number % 2]
            time.sleep(0.03 + number * 0.041)
            write(wanted)
            began = time.perf_counter()
            while client.get_string_value("f", "") != wanted:
                time.sleep(0.002)
            taken.append((time.perf_counter() - began) * 1e3)
        api.shutdown()
    return taken


def _across(processes: int) -> list[float]:
    with TemporaryDirectory() as folder:
        flags, var = Path(folder) / "flags", Path(folder) / "var"
        _write_all(flags)
        serving = [_serving(flags, var) for _ in range(processes)]
        try:
            taken = [_flip(flags, var, number, processes) for number in range(20)]
        finally:
            for process in serving:
                process.kill()
                process.wait()
    return taken


def _flip(flags: Path, var: Path, number: int, processes: int) -> float:
    command = (
        ["flip", "cache", "dualwrite", "--why", "bench"] if number % 2 == 0 else ["rollback", "cache", "--why", "bench"]
    )
    ran = subprocess.run(
        [sys.executable, "-m", "oms.cli", *command, "--flags", flags, "--var", var, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads(ran.stdout)
    if report["acknowledged"] != processes:
        raise RuntimeError(f"{report['acknowledged']} of {processes} processes acknowledged")
    return float(report["seconds"])


def _serving(flags: Path, var: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-m", "bench.flips", flags, var], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _write_all(flags: Path) -> FlagFiles:
    flags.mkdir()
    files = FlagFiles(flags, PHASES)
    for phase in PHASES:
        files.write(phase, Split.whole(Stage.OFF), based_on=None)
    return files


if __name__ == "__main__":
    serving = build(flags=Path(sys.argv[1]), var=Path(sys.argv[2]))
    serving.start()
    print("serving", flush=True)
    threading.Event().wait()
