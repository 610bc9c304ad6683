"""A service of several real processes over folders of its own, and traffic that knows the right answers."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from oms.app.ontology import Ontology
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.domain.standing import ProcessStanding
from oms.flagging.files import FlagFiles
from oms.journal.reader import JournalReader
from oms.journal.run_folder import read_processes
from oms.seams import PHASES
from tests.e2e.command import DEADLINE_S, ROOT, WAIT_S, Running, oms, running, wait_until

NAMES = ("Hotel", "LocalBusiness", "Person", "Volcano", "Recipe", "Zoo", "Movie", "Organization")


@dataclass(frozen=True)
class Worker:
    """One process of the service, and a client of it."""

    command: Running
    client: httpx.Client

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.command.process.pid

    def stage(self) -> str:
        """Return what it says it serves for the cache phase."""
        stage: str = self.client.get("/health").json()["phases"]["cache"]["stage"]
        return stage

    def ancestors(self, name: str = "Hotel") -> list[str]:
        """Ask for the ancestors of a type; anything but 200 is an error."""
        found: list[str] = self.client.get(f"/types/{name}/ancestors").raise_for_status().json()
        return found


class Fleet:
    """Workers over one copy of ``flags/``; all are killed when it closes. What a test starts in ``with fleet.some()`` ends before."""

    def __init__(self, folder: Path) -> None:
        self.flags, self.var = folder / "flags", folder / "var"
        shutil.copytree(ROOT / "flags", self.flags)
        self.file = self.flags / "cache.flagd.json"

    @contextlib.contextmanager
    def some(self, count: int, *more: str, module: str = "oms.cli") -> Iterator[list[Worker]]:
        """Start *count* processes at once, and yield them when all of them listen."""
        first = ("serve", "--port", "0") if module == "oms.cli" else ()
        with ExitStack() as stack:
            commands = [stack.enter_context(self.process(*first, *more, module=module)) for _ in range(count)]
            yield [worker(command, stack) for command in commands]

    def process(self, *words: str, module: str = "oms.cli") -> contextlib.AbstractContextManager[Running]:
        """Start one process over these folders, without waiting for it."""
        return running(*words, "--flags", self.flags, "--var", self.var, module=module)

    def oms(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command over these folders, to its end."""
        return oms(*words, "--flags", self.flags, "--var", self.var)

    def moved(self, *words: str) -> dict[str, Any]:
        """Run a command that moves a flag, which must be confirmed by all, and return what it says."""
        done = self.oms(*words, "--json", "--wait", WAIT_S, *(["--why", "a test"] if words[0] == "flip" else []))
        assert 0 == done.returncode, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def status(self) -> tuple[int, dict[str, Any]]:
        """Return exit code and object of ``oms status``."""
        done = self.oms("status", "--json")
        return done.returncode, json.loads(done.stdout)

    def is_well(self) -> bool:
        """Tell whether ``oms status`` finds nothing amiss; a process that the machine has not let beat for a while is."""
        return 0 == self.status()[0]

    def put(self, stage: Stage) -> str:
        """Write the flag file without asking anybody, and return its digest."""
        return FlagFiles(self.flags, PHASES).write("cache", Split.whole(stage), based_on=None)

    def standings(self) -> list[ProcessStanding]:
        """Return where each live process stands by its process file."""
        return [standing for standing in read_processes(self.var / "run") if standing.alive]

    def wait_for(self, stage: Stage, *workers: Worker) -> None:
        """Write the flag file, and wait until *workers* serve it."""
        digest = self.put(stage)
        pids = {worker.pid for worker in workers}
        wait_until(
            lambda: pids <= {each.pid for each in self.standings() if each.acknowledges("cache", digest)},
            f"{pids} serve {stage}",
        )

    def total(self, name: str = "calls", *, seam: str = "types", operation: str = "get", stage: str = "shadow") -> int:
        """Return what the journal has counted at one place; nothing before the first process has made it."""
        if not (self.var / "journal.db").exists():
            return 0
        with JournalReader(self.var / "journal.db") as journal:
            return sum(
                tally.count
                for tally in journal.tallies()
                if (seam, operation, stage, name)
                == (tally.place.seam, tally.place.operation, tally.place.stage, tally.name)
            )

    def endings(self) -> dict[int, str]:
        """Return how each process that the journal knows ended, by pid."""
        with JournalReader(self.var / "journal.db") as journal:
            return {process.pid: process.ending for process in journal.processes()}


def worker(command: Running, stack: ExitStack) -> Worker:
    """Return the worker behind *command* once it listens; its client closes with *stack*."""
    return Worker(command, client_of(command.wait_for_line(containing="listening on"), stack))


def client_of(line: str, stack: ExitStack) -> httpx.Client:
    """Return a client of the address that *line* names."""
    url = line.partition("listening on ")[2].partition(",")[0]
    return stack.enter_context(httpx.Client(base_url=url, timeout=DEADLINE_S))


class Traffic:
    """One thread a worker that asks for types, validates, and writes and reads documents, until the block ends.

    Attributes:
        wrong: What was not answered, or not as it must be.
        type_calls: Answers about types, each of which took one read of the cache of types.
    """

    def __init__(self, *workers: Worker) -> None:
        self._ontology = Ontology.load()
        self._right = {name: list(self._ontology.ancestors(name)) for name in NAMES}
        self._stop = threading.Event()
        self._answers = dict.fromkeys((worker.pid for worker in workers), 0)
        self._threads = [threading.Thread(target=self._run, args=(worker,), daemon=True) for worker in workers]
        self.wrong: list[str] = []
        self.type_calls = 0

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def goes_on(self, answers: int = 50) -> None:
        """Wait until each worker has given that many further answers."""
        wanted = {pid: so_far + answers for pid, so_far in self._answers.items()}
        wait_until(lambda: bool(self.wrong) or self._have_come(wanted), "traffic goes on")

    def _have_come(self, wanted: dict[int, int]) -> bool:
        return all(self._answers[pid] >= count for pid, count in wanted.items())

    def _run(self, worker: Worker) -> None:
        with httpx.Client(base_url=worker.client.base_url, timeout=DEADLINE_S) as client:
            for number in itertools.count():
                if self._stop.is_set() or not self._call(client, number):
                    return
                self._answers[worker.pid] += 1

    def _call(self, client: httpx.Client, number: int) -> bool:
        name, tenant = NAMES[number % len(NAMES)], {"X-Tenant": f"tenant-{number % 97}"}
        try:
            match number % 5:
                case 0:
                    body = {"@type": "Place", "name": f"place {number}"}
                    client.put(f"/documents/d{number % 20}", json=body, headers=tenant).raise_for_status()
                    found = client.get(f"/documents/d{number % 20}", headers=tenant).raise_for_status().json()["name"]
                    right: object = body["name"]
                case 1:
                    body = {"@type": "Person", "name": "Ada"}
                    found = client.post("/validate", json=body, headers=tenant).raise_for_status().json()["valid"]
                    right = True
                case _:
                    found = client.get(f"/types/{name}/ancestors", headers=tenant).raise_for_status().json()
                    self.type_calls += 1
                    right = self._right[name]
        except httpx.HTTPError as error:
            self.wrong.append(f"call {number}: {error!r}")
            return False
        if found != right:
            self.wrong.append(f"call {number}: found {found}, wanted {right}")
        return found == right
