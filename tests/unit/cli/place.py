"""Folders for the oms command, a way to run it, and real processes that follow the flags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.rollout.audit import Audit, AuditTrail
from oms.seams import PHASES
from tests.architecture.sources import ROOT

FOLLOWER = """
import sys, time
from pathlib import Path
from oms.domain.standing import PhaseStanding
from oms.flagging.files import FlagFiles
from oms.flagging.source import FlagSource
from oms.journal import ProcessFile
from oms.seams import PHASES

flags, var = Path(sys.argv[1]), Path(sys.argv[2])
source = FlagSource(FlagFiles(flags, PHASES), snapshots=var / "last-good", publish=lambda table: None)
process_file = ProcessFile(var / "run", lambda: {"cache": PhaseStanding(source.table.phases["cache"].digest, time.time())})
source.load()
source.listen(lambda names: process_file.beat())
process_file.start()
source.start()
print("ready", flush=True)
sys.stdin.read()
source.stop()
process_file.stop()
"""


@dataclass(frozen=True)
class Done:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON object that stdout holds; anything else on it is an error."""
        (line,) = self.out.splitlines()
        return json.loads(line)


@dataclass
class Place:
    """One pair of folders, every phase off, and what runs there."""

    folder: Path
    children: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flags, self.var = self.folder / "flags", self.folder / "var"
        self.flags.mkdir()
        self.var.mkdir()
        self.files = FlagFiles(self.flags, PHASES)
        for phase in PHASES:
            self.stand(Stage.OFF, phase)

    def stand(self, split: Stage | Split, phase: str = "cache") -> None:
        """Put *phase* where a test begins."""
        whole = Split.whole(split) if isinstance(split, Stage) else split
        self.files.write(phase, whole, based_on=None)

    def stands(self, phase: str = "cache") -> str:
        """Return where *phase* stands, as the command line writes it."""
        return str(self.files.read(phase).split)

    def audit(self) -> AuditTrail:
        """Return the diary."""
        return Audit(self.var / "audit.jsonl").read()

    def contents(self) -> dict[str, bytes]:
        """Return every file below the folder with its content; the lock file has none that counts."""
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.name != "flags.lock")
        return {str(path): path.read_bytes() for path in files}

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start the command in a process of its own, in this folder."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
        return self._started([sys.executable, "-m", "oms.cli", *words], env=environment, cwd=self.folder, **more)

    def run(self, *words: str, **more: Any) -> Done:
        """Run the command in a process of its own and wait for its end."""
        child = self.start(*words, **more)
        out, err = child.communicate(timeout=100)
        return Done(child.returncode, out, err)

    def follower(self) -> subprocess.Popen[str]:
        """Start a process that follows the flags and shows where it stands; it does when this returns."""
        child = self._started(
            [sys.executable, "-c", FOLLOWER, str(self.flags), str(self.var)], stdin=subprocess.PIPE, cwd=ROOT
        )
        assert child.stdout is not None
        assert "ready\n" == child.stdout.readline()
        return child

    def close(self) -> None:
        """End everything that still runs."""
        for child in self.children:
            child.kill()
            child.communicate()

    def _started(self, command: list[str], **more: Any) -> subprocess.Popen[str]:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        child: subprocess.Popen[str] = subprocess.Popen(command, text=True, **streams)
        self.children.append(child)
        return child


WAIT_S = "60"
"""How long a command waits for processes that are to confirm, so that it says what they do and not how busy the machine is."""


def until(condition: Callable[[], object], *, limit_s: float = 60.0) -> None:
    """Wait until *condition* holds; a test fails if it does not within *limit_s* seconds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
