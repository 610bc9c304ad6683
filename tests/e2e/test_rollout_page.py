"""The commands of docs/rollout.md, run as they stand there against a running service."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from oms.journal import read_processes
from tests.e2e.command import DEADLINE_S, ROOT, oms, running, wait_until

pytestmark = pytest.mark.timeout(900)

PAGE = ROOT / "docs" / "rollout.md"
BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Traffic:
    """A client that asks for types and documents until it is stopped."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failed: list[str] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._url, timeout=DEADLINE_S) as client:
            for number in range(1_000_000):
                answer = client.get("/types/Hotel/ancestors", headers={"X-Tenant": f"tenant-{number % 100}"})
                if answer.status_code != 200:
                    self.failed.append(answer.text)
                if self._stop.wait(0.005):
                    return


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as the page expects it, with the command on the path."""
    shutil.copytree(ROOT / "flags", tmp_path / "flags")
    command = tmp_path / "bin" / "oms"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m oms.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


@pytest.fixture
def traffic(folder: Path) -> Iterator[Traffic]:
    """The service over that folder, under traffic."""
    with running("serve", "--port", "0", "--flags", folder / "flags", "--var", folder / "var") as command:
        url = command.wait_for_line(containing="listening on").split("listening on ")[1].split(",")[0]
        with Traffic(url) as traffic:
            yield traffic


def run(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one block as a reader would, but stop at the first command that fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OMS_")}
    environment = {**kept, "PATH": f"{folder / 'bin'}:{kept['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def is_beating(folder: Path) -> bool:
    """Tell whether the service has just been heard of: who is silent is in the way of a flip, and a busy machine makes it so."""
    (process,) = read_processes(folder / "var" / "run")
    return time.time() - process.beat_at < 0.5


def is_compared(folder: Path) -> bool:
    """Tell whether the shadow of the cache has come to an answer."""
    found = json.loads(oms("report", "cache", "--json", "--var", folder / "var").stdout)
    phases = found.get("phases", {})
    return any(operation["compared"] for phase in phases.values() for operation in phase["operations"])


def test_docs_rollout_commands(folder: Path, traffic: Traffic) -> None:
    """Every command succeeds, callers see no error, and the audit ends where the page says."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert 8 <= len(blocks) == text.count("```bash")

    for block in blocks:
        if "oms report" in block:
            wait_until(lambda: is_compared(folder), "something was compared")
        wait_until(lambda: is_beating(folder), "the service beats")
        done = run(block, folder)
        assert 0 == done.returncode, f"{block}\n{done.stdout}\n{done.stderr}"
        assert "warning" not in done.stderr, f"{block}\n{done.stderr}"

    assert [] == traffic.failed
    stages = [json.loads(line)["to"] for line in (folder / "var" / "audit.jsonl").read_text().splitlines()]
    assert ["dualwrite", "shadow", "live=5", "live=25", "live=5", "live"] == [
        stage for stage in stages if stage not in ("off", "rampdown")
    ][:6]
    assert "live" == stages[-1]


def test_docs_rollout_names_commands() -> None:
    """The page speaks of each command that moves or shows something."""
    text = PAGE.read_text(encoding="utf-8")

    assert [] == [name for name in ("status", "flip", "rollback", "flags check", "report") if f"oms {name}" not in text]
