"""The source of flags: follows the files of a folder and publishes what they say, or the last good of it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from oms.domain.decision import DecisionTable, FixedDecision
from oms.domain.errors import CouldNot, FlagFileInvalid
from oms.domain.split import Split
from oms.flagging.decision import FlagDecision
from oms.flagging.definition import digest_of
from oms.flagging.files import FlagFiles
from oms.flagging.handmade import lowest_if_rollback
from oms.flagging.served import Origin, Served, Watched

_log = logging.getLogger("oms.flagging")

Listener = Callable[[frozenset[str]], None]
"""Told the names of the phases whose decision has changed, after the table was published."""

KEEP_AGAIN_S = 1.0
"""A last good file that could not be kept is tried again after this time."""


class FlagSource:
    """Follows one folder of flag files.

    A file that is broken, empty, gone or half written leaves what was served in force; the failure is told once and stands under
    ``problems`` until the file is good again. Every phase is on its own.

    Args:
        snapshots: The folder where the last good file of each phase is kept, for a start when its file is not good.
        publish: Takes each new table. Called by ``load`` and then by the thread; if it raises there, the table is offered again.
        poll_s: Seconds between two looks at the files.
        report: Told of each failure, warning and recovery once.

    Attributes:
        table: The table in force.
        last_poll_at: When the files were last looked at, Unix time in seconds; None before the first time.
    """

    def __init__(
        self,
        files: FlagFiles,
        *,
        snapshots: Path,
        publish: Callable[[DecisionTable], None],
        poll_s: float = 0.015,
        report: Callable[[str], None] = _log.warning,
    ) -> None:
        self._files = files
        self._snapshots = FlagFiles(snapshots, files.phases, report=lambda text: self._trouble("fsync", text))
        self._publish = publish
        self._poll_s = poll_s
        self._report = report
        self._watched = {
            name: Watched(phase, Served(FixedDecision(phase.default, "default")))
            for name, phase in files.phases.items()
        }
        self._owed = set(files.phases)
        self._unkept: set[str] = set()
        self._keep_after = 0.0
        self._troubles: dict[str, str] = {}
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._follows_forks = False
        self.last_poll_at: float | None = None
        self.table = self._table()

    @property
    def problems(self) -> Mapping[str, str]:
        """Why the file of a phase is not served, in one line; phases whose file is good are left out."""
        return {name: watched.problem for name, watched in self._watched.items() if watched.problem}

    @property
    def warnings(self) -> Mapping[str, str]:
        """Why the file of a phase is not served as it is written although it counts: a rollback by hand with a mistake in it."""
        return {name: watched.served.warning for name, watched in self._watched.items() if watched.served.warning}

    @property
    def origins(self) -> Mapping[str, Origin]:
        """Where the decision of each phase comes from."""
        return {name: watched.origin for name, watched in self._watched.items()}

    @property
    def mismatched(self) -> frozenset[str]:
        """Phases whose compiled rule failed the self-check, so that flagd-core evaluates it."""
        decisions = self.table.phases.items()
        return frozenset(
            name for name, decision in decisions if isinstance(decision, FlagDecision) and decision.mismatched
        )

    def load(self) -> None:
        """Read and validate every file and publish the table before returning; a phase without a good file gets its last good one."""
        with self._lock:
            for watched in self._watched.values():
                self._recall_locked(watched)
            self._look_at_all_locked()

    def refresh(self) -> None:
        """Look at every file now, and publish if anything has changed."""
        with self._lock:
            self._look_at_all_locked()

    def start(self) -> None:
        """Follow the files from now on in a thread; a forked child goes on by a thread of its own.

        Loads first if nothing was loaded yet. Starting twice is starting once.
        """
        if self.last_poll_at is None:
            self.load()
        with self._lock:
            if self._thread is None:
                self._start_thread()
            if not self._follows_forks:
                _follow_forks(self)
                self._follows_forks = True

    def stop(self) -> None:
        """Stop following. What is in force stays in force."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have *listener* told of every change from now on. Returns what ends that."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return end

    def after_fork(self) -> None:
        """Make whole what a fork halved: the thread is gone, a lock may be held by nobody. Called in the child.

        The thread is started here and not at a first use: a call at rest does not pass the source, so nothing would ever wake it. It reads
        every file anew and publishes, whatever the parent was in the middle of.
        """
        self._lock = threading.RLock()
        if self._thread is None:
            return
        for watched in self._watched.values():
            watched.forget()
        self._owed = set(self._watched)
        try:
            self._start_thread()
        except RuntimeError as error:
            self._thread = None
            self._tell(
                f"flags are not followed in this forked process: {error}; what it was forked with stays in force"
            )

    def _start_thread(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(self._stop,), name="oms-flags", daemon=True)
        self._thread.start()

    def _follow(self, stop: threading.Event) -> None:
        while True:
            try:
                self.refresh()
                self._troubles.pop("look", None)
            except Exception as error:
                self._trouble(
                    "look", f"flags: a look at the files failed with {type(error).__name__}: {error}; trying again"
                )
            if stop.wait(self._poll_s):
                return

    def _look_at_all_locked(self) -> None:
        changed = {name for name, watched in self._watched.items() if self._look_locked(watched)}
        self._owed |= changed
        self._unkept |= changed
        if self._owed:
            self._publish_locked()
        if self._unkept and time.monotonic() >= self._keep_after:
            self._keep_all_locked()
        self.last_poll_at = time.time()

    def _look_locked(self, watched: Watched) -> bool:
        """Look at one file; return whether something else is served now."""
        name = watched.phase.name
        # Taken before the read: whatever changes after it has another signature at the next look.
        if not watched.wants_reading(self._files.signature(name)):
            return False
        try:
            return self._judge_locked(watched, self._files.read_raw(name))
        except (CouldNot, FlagFileInvalid) as error:
            watched.unread()
            self._refuse(watched, str(error))
        except Exception as error:
            self._refuse(watched, f"{self._files.path(name)}: cannot be judged, {type(error).__name__}: {error}")
        return False

    def _judge_locked(self, watched: Watched, content: bytes) -> bool:
        digest = digest_of(content)
        if digest == watched.examined:
            return False
        watched.examined = digest
        if digest == watched.served.content:
            self._serve(watched, watched.served)
            return False
        try:
            decision = self._files.state_of(watched.phase.name, content).decision
        except FlagFileInvalid as error:
            return self._take_back_locked(watched, content, str(error))
        self._serve(watched, Served(decision, digest, content))
        return True

    def _take_back_locked(self, watched: Watched, content: bytes, mistake: str) -> bool:
        """Serve an invalid file that is a rollback by hand, else refuse it."""
        lowest = lowest_if_rollback(content, watched.phase, watched.served.decision.stages)
        if lowest is None:
            self._refuse(watched, mistake)
            return False
        keep = self._files.render(watched.phase.name, Split.whole(lowest))
        decision = self._files.state_of(watched.phase.name, keep).decision
        warning = f"{mistake}; it names nothing above what was served, so it counts as a rollback: everybody is at {lowest.value}"
        self._tell(f"phase {watched.phase.name!r}: {warning}")
        self._serve(watched, Served(decision, digest_of(content), keep, warning))
        return True

    def _serve(self, watched: Watched, served: Served) -> None:
        if watched.problem:
            self._tell(f"phase {watched.phase.name!r}: its flag file is good again")
        watched.served, watched.origin, watched.problem = served, "file", ""

    def _refuse(self, watched: Watched, problem: str) -> None:
        if problem != watched.problem:
            watched.problem = problem
            kept = {
                "file": "the last good file",
                "last-good": "the last good file of an earlier run",
                "default": "the declared default",
            }
            self._tell(f"phase {watched.phase.name!r}: {problem}; {kept[watched.origin]} stays in force")

    def _recall_locked(self, watched: Watched) -> None:
        """Take the last good file of an earlier run, until the file itself is read."""
        if watched.origin != "default":
            return
        try:
            state = self._snapshots.read(watched.phase.name)
        except (CouldNot, FlagFileInvalid):
            # No snapshot is what a first start looks like, and a bad one is no better than none.
            return
        watched.served, watched.origin = Served(state.decision, state.digest, state.raw), "last-good"

    def _table(self) -> DecisionTable:
        return DecisionTable(
            MappingProxyType({name: watched.served.decision for name, watched in self._watched.items()})
        )

    def _publish_locked(self) -> None:
        self.table = self._table()
        self._publish(self.table)
        changed, self._owed = frozenset(self._owed), set()
        for listener in self._listeners:
            try:
                listener(changed)
            except Exception as error:
                self._tell(f"flags: a listener failed with {type(error).__name__}: {error}")

    def _keep_all_locked(self) -> None:
        for name in tuple(self._unkept):
            try:
                self._keep_locked(name, self._watched[name].served.keep)
            except (CouldNot, OSError) as error:
                self._keep_after = time.monotonic() + KEEP_AGAIN_S
                self._trouble(f"keep {name}", f"phase {name!r}: its last good flag file is not kept: {error}")
            else:
                self._unkept.discard(name)
                self._troubles.pop(f"keep {name}", None)

    def _keep_locked(self, name: str, content: bytes) -> None:
        with contextlib.suppress(CouldNot, FlagFileInvalid):
            if self._snapshots.read_raw(name) == content:
                return
        self._snapshots.folder.mkdir(parents=True, exist_ok=True)
        self._snapshots.save(name, content)

    def _trouble(self, what: str, text: str) -> None:
        """Tell of a trouble that may come back at every look, once."""
        if self._troubles.get(what) != text:
            self._troubles[what] = text
            self._tell(text)

    def _tell(self, text: str) -> None:
        with contextlib.suppress(Exception):
            self._report(text)


def _follow_forks(source: FlagSource) -> None:
    """Have *source* made whole in every forked child, for as long as somebody holds it: the registration itself cannot be taken back."""
    held = weakref.ref(source)

    def in_child() -> None:
        alive = held()
        if alive is not None:
            alive.after_fork()

    os.register_at_fork(after_in_child=in_child)
