"""The source of flags: what it takes from the files, what it keeps, what it tells."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oms.domain.decision import DecisionTable
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.flagging.source import FlagSource
from oms.seams import PHASES

WaitUntil = Callable[[Callable[[], bool]], bool]
CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))


class Published:
    """Takes tables, and remembers what was told."""

    def __init__(self) -> None:
        self.tables: list[DecisionTable] = []
        self.told: list[str] = []

    def __call__(self, table: DecisionTable) -> None:
        self.tables.append(table)

    @property
    def stages(self) -> set[str]:
        """The stages of the cache phase in the last table."""
        return {stage.value for stage in self.tables[-1].phases["cache"].stages}


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def source(files: FlagFiles, tmp_path: Path, published: Published) -> Iterator[FlagSource]:
    """A source over the folder, loaded, not yet following it."""
    followed = FlagSource(
        files, snapshots=tmp_path / "last-good", publish=published, poll_s=0.002, report=published.told.append
    )
    followed.load()
    yield followed
    followed.stop()


def again(source: FlagSource, tmp_path: Path, published: Published) -> FlagSource:
    """Return a source of a later run over the same folders, loaded."""
    later = FlagSource(
        FlagFiles(tmp_path / "flags", PHASES),
        snapshots=tmp_path / "last-good",
        publish=published,
        report=published.told.append,
    )
    later.load()
    return later


def test_load_publishes_before_it_returns(source: FlagSource, published: Published) -> None:
    """The first table is there when load returns: one table, every phase, from its file."""
    assert [source.table] == published.tables
    assert dict.fromkeys(PHASES, "file") == source.origins
    assert {} == source.problems
    assert {"off"} == published.stages
    assert source.last_poll_at is not None


def test_flip_is_one_publication(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """A flip is one new table, under the digest that writing returned; the other phases keep their very decision."""
    before = published.tables[-1]
    digest = files.write("cache", CANARY, based_on=None)
    source.refresh()
    source.refresh()

    assert 2 == len(published.tables)
    assert digest == published.tables[-1].phases["cache"].digest
    assert before.phases["config"] is published.tables[-1].phases["config"]


def test_two_flips_at_once_are_one_table(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """What changed between two looks is published together."""
    files.write("cache", CANARY, based_on=None)
    files.write("config", Split.whole(Stage.SHADOW), based_on=None)
    source.refresh()

    assert 2 == len(published.tables)
    assert {Stage.SHADOW} == published.tables[-1].phases["config"].stages


def test_touched_file(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """A file whose times change but not its content is no change."""
    os.utime(files.path("cache"))
    source.refresh()

    assert 1 == len(published.tables)


def test_older_file_moved_back(source: FlagSource, files: FlagFiles, tmp_path: Path, published: Published) -> None:
    """A backup with an older time takes effect."""
    backup = tmp_path / "backup"
    backup.write_bytes(files.read_raw("cache"))
    os.utime(backup, (1, 1))
    files.write("cache", Split.whole(Stage.LIVE), based_on=None)
    source.refresh()
    assert {"live"} == published.stages

    backup.rename(files.path("cache"))
    source.refresh()

    assert {"off"} == published.stages


def test_same_time_and_size(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """Another content of the same length and the same modification time takes effect."""
    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    source.refresh()
    times = files.path("cache").stat()
    files.path("cache").write_bytes(
        files.read_raw("cache").replace(b'"defaultVariant": "shadow"', b'"defaultVariant": "off"   ')
    )
    os.utime(files.path("cache"), ns=(times.st_atime_ns, times.st_mtime_ns))
    source.refresh()

    assert times.st_size == files.path("cache").stat().st_size
    assert {"off"} == published.stages


def test_second_write_leaves_no_trace(files: FlagFiles, tmp_path: Path, published: Published) -> None:
    """Two writes within one tick of the file system's clock look alike from outside; the second is read all the same."""

    class OneTick(FlagFiles):
        def signature(self, phase: str) -> tuple[int, int, int, int, int]:
            return (1, 1, 1, 1, 1)

    source = FlagSource(OneTick(files.folder, PHASES), snapshots=tmp_path / "kept", publish=published)
    source.load()
    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    source.refresh()

    assert {"shadow"} == published.stages


def test_linked_folder_is_swapped(files: FlagFiles, tmp_path: Path, published: Published) -> None:
    """Files that are links through a linked folder, which is swapped, are followed; so a mounted ConfigMap does it."""
    first, second, mount = tmp_path / "..1", tmp_path / "..2", tmp_path / "mount"
    files.folder.rename(first)
    second.mkdir()
    mount.mkdir()
    for name in PHASES:
        stage = Stage.SHADOW if name == "cache" else Stage.OFF
        FlagFiles(second, PHASES).save(name, files.render(name, Split.whole(stage)))
        (mount / f"{name}.flagd.json").symlink_to(f"../..data/{name}.flagd.json")
    (tmp_path / "..data").symlink_to(first)
    source = FlagSource(FlagFiles(mount, PHASES), snapshots=tmp_path / "kept", publish=published)
    source.load()
    assert {"off"} == published.stages

    (tmp_path / "..new").symlink_to(second)
    (tmp_path / "..new").replace(tmp_path / "..data")
    source.refresh()

    assert {"shadow"} == published.stages


def remove(path: Path) -> None:
    path.unlink()


def half_write(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (remove, "found no file"),
        (half_write, "no JSON"),
        (lambda path: path.write_bytes(b""), "an empty file"),
        (lambda path: path.write_bytes(b"{}"), "found nothing, wanted one flag, phase.cache"),
        (lambda path: path.write_bytes(b"[]"), "an empty list"),
        (lambda path: path.write_bytes(b"\xff\xff"), "no JSON"),
    ],
)
def test_harmed_file(
    source: FlagSource, files: FlagFiles, published: Published, harm: Callable[[Path], object], found: str
) -> None:
    """A file that is gone, half written, empty or no flag file changes nothing; it is told once, with file and mend, until it is good again."""
    good = files.render("cache", CANARY)
    files.save("cache", good)
    source.refresh()
    harm(files.path("cache"))
    for _ in range(20):
        source.refresh()

    assert {"live", "shadow"} == published.stages
    assert 2 == len(published.tables)
    assert ["cache"] == list(source.problems)
    assert str(files.path("cache")) in source.problems["cache"]
    assert found in source.problems["cache"]
    assert "oms rollback cache" in source.problems["cache"]
    assert 1 == len(published.told)

    files.save("cache", good)
    source.refresh()

    assert {} == source.problems
    assert "file" == source.origins["cache"]
    assert 2 == len(published.tables)
    assert 2 == len(published.told)
    assert "good again" in published.told[1]


def test_phases_are_on_their_own(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """A broken file of one phase does not keep another phase from moving."""
    files.path("config").write_bytes(b"{")
    files.write("cache", CANARY, based_on=None)
    source.refresh()

    assert {"live", "shadow"} == published.stages
    assert ["config"] == list(source.problems)


def test_refused_flip(source: FlagSource, files: FlagFiles, published: Published, flag: Callable[..., bytes]) -> None:
    """A file that flagd would accept but that would strand callers is not served."""
    files.path("cache").write_bytes(flag(targeting={"fractional": [["live", 5.0], ["shadow", 95.0]]}))
    source.refresh()

    assert {"off"} == published.stages
    assert "targeting.fractional[0][1]: found 5.0, wanted an integer" in source.problems["cache"]


def test_rollback_by_hand_with_a_mistake(
    source: FlagSource, files: FlagFiles, published: Published, tmp_path: Path, flag: Callable[..., bytes]
) -> None:
    """A hand-made rollback is never refused: it is served at its lowest stage, with a warning, and a later start keeps to that."""
    files.write("cache", Split.whole(Stage.LIVE), based_on=None)
    source.refresh()
    files.path("cache").write_bytes(flag(targeting={"fractional": [["live", 5.0], ["shadow", 95.0]]}))
    source.refresh()

    assert {"shadow"} == published.stages
    assert {} == source.problems
    assert "it counts as a rollback: everybody is at shadow" in source.warnings["cache"]
    assert 1 == len(published.told)

    later = Published()
    again(source, tmp_path, later)

    assert {"shadow"} == later.stages
    assert source.table.phases["cache"].digest == later.tables[-1].phases["cache"].digest


def test_disabled_flag(source: FlagSource, files: FlagFiles, published: Published, flag: Callable[..., bytes]) -> None:
    """A disabled flag is the declared default of its phase."""
    files.path("cache").write_bytes(flag(defaultVariant="live"))
    source.refresh()
    assert {"live"} == published.stages

    files.path("cache").write_bytes(flag(defaultVariant="live", state="DISABLED"))
    source.refresh()

    assert {"off"} == published.stages
    assert {} == source.problems


@pytest.mark.parametrize("harm", [remove, half_write])
def test_start_without_a_good_file(
    source: FlagSource, files: FlagFiles, published: Published, tmp_path: Path, harm: Callable[[Path], object]
) -> None:
    """A process that starts while its file is bad serves the last good one of an earlier run, and says so."""
    digest = files.write("cache", CANARY, based_on=None)
    source.refresh()
    harm(files.path("cache"))
    later = again(source, tmp_path, published)

    assert {"live", "shadow"} == published.stages
    assert digest == later.table.phases["cache"].digest
    assert "last-good" == later.origins["cache"]
    assert "the last good file of an earlier run stays in force" in published.told[-1]

    files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
    later.refresh()

    assert "file" == later.origins["cache"]
    assert {"shadow"} == published.stages


def test_start_without_anything(tmp_path: Path, published: Published) -> None:
    """Without a file and without a last good one, every phase is at its declared default, and that is told."""
    source = FlagSource(
        FlagFiles(tmp_path / "none", PHASES),
        snapshots=tmp_path / "kept",
        publish=published,
        report=published.told.append,
    )
    source.load()

    assert dict.fromkeys(PHASES, "default") == source.origins
    assert set(PHASES) == set(source.problems)
    assert {"off"} == published.stages
    assert all("the declared default stays in force" in text for text in published.told)


def test_bad_last_good_file(source: FlagSource, files: FlagFiles, published: Published, tmp_path: Path) -> None:
    """A last good file that is not good is no guess: the declared default it is."""
    files.path("cache").unlink()
    (tmp_path / "last-good" / "cache.flagd.json").write_bytes(b"{}")

    assert "default" == again(source, tmp_path, published).origins["cache"]


def test_last_good_cannot_be_kept(
    files: FlagFiles, tmp_path: Path, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the last good files cannot be kept, flags go on, and it is told once of each phase, however often it is tried."""
    monkeypatch.setattr("oms.flagging.source.KEEP_AGAIN_S", 0.0)
    (tmp_path / "kept").write_bytes(b"a file where a folder should be")
    source = FlagSource(files, snapshots=tmp_path / "kept", publish=published, report=published.told.append)
    source.load()
    for stage in (Stage.DUALWRITE, Stage.SHADOW):
        files.write("cache", Split.whole(stage), based_on=None)
        source.refresh()

    assert {"shadow"} == published.stages
    told = sorted(text.split(":")[0] for text in published.told)
    assert sorted(f"phase {name!r}" for name in PHASES) == told


def test_flip_during_load(files: FlagFiles, tmp_path: Path) -> None:
    """A flip that lands while the first table is being published is not lost."""
    tables: list[DecisionTable] = []

    def publish(table: DecisionTable) -> None:
        if not tables:
            files.write("cache", Split.whole(Stage.DUALWRITE), based_on=None)
        tables.append(table)

    source = FlagSource(files, snapshots=tmp_path / "kept", publish=publish)
    source.load()
    source.refresh()

    assert [{Stage.OFF}, {Stage.DUALWRITE}] == [set(table.phases["cache"].stages) for table in tables]


def test_followed_by_a_thread(
    source: FlagSource, files: FlagFiles, published: Published, wait_until: WaitUntil
) -> None:
    """Once started, a flip takes effect by itself; after stop none does."""
    source.start()
    source.start()
    files.write("cache", CANARY, based_on=None)

    assert wait_until(lambda: published.stages == {"live", "shadow"})
    assert 1 == [thread.name for thread in threading.enumerate()].count("oms-flags")

    source.stop()
    files.write("cache", Split.whole(Stage.OFF), based_on=None)

    assert "oms-flags" not in [thread.name for thread in threading.enumerate()]
    assert {"live", "shadow"} == published.stages


def test_start_loads(files: FlagFiles, tmp_path: Path, published: Published) -> None:
    """Starting without loading loads first."""
    source = FlagSource(files, snapshots=tmp_path / "kept", publish=published)
    source.start()
    source.stop()

    assert {"off"} == published.stages


def test_thread_survives(files: FlagFiles, tmp_path: Path, wait_until: WaitUntil) -> None:
    """A publisher that fails is offered the table again, and the failure is told once."""
    tables: list[DecisionTable] = []
    told: list[str] = []
    failures = iter([True, True, True])

    def publish(table: DecisionTable) -> None:
        if table.phases["cache"].stages != {Stage.OFF} and next(failures, False):
            raise RuntimeError("not now")
        tables.append(table)

    source = FlagSource(files, snapshots=tmp_path / "kept", publish=publish, poll_s=0.002, report=told.append)
    source.start()
    files.write("cache", Split.whole(Stage.DUALWRITE), based_on=None)

    assert wait_until(lambda: tables[-1].phases["cache"].stages == {Stage.DUALWRITE})
    assert ["flags: a look at the files failed with RuntimeError: not now; trying again"] == told
    source.stop()


def test_failing_report_stops_nothing(files: FlagFiles, tmp_path: Path, published: Published) -> None:
    """Whoever is told may fail; the flags do not."""

    def fail(text: str) -> None:
        raise RuntimeError(text)

    source = FlagSource(files, snapshots=tmp_path / "kept", publish=published, report=fail)
    files.path("config").unlink()
    source.load()
    files.write("cache", CANARY, based_on=None)
    source.refresh()

    assert {"live", "shadow"} == published.stages


def test_file_that_cannot_be_read_for_a_while(
    source: FlagSource, files: FlagFiles, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that could not be read is tried again although nothing about it changes."""
    files.write("cache", CANARY, based_on=None)
    really_open = os.open

    def fail(*args: object, **kwargs: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "open", fail)
    for _ in range(20):
        source.refresh()
    assert "Input/output error" in source.problems["cache"]

    monkeypatch.setattr(os, "open", really_open)
    source.refresh()

    assert {} == source.problems
    assert {"live", "shadow"} == published.stages


def test_listeners(source: FlagSource, files: FlagFiles, published: Published) -> None:
    """A listener is told which phases changed, after the table was published; one that fails harms nobody."""
    heard: list[tuple[frozenset[str], int]] = []

    def fail(phases: frozenset[str]) -> None:
        raise RuntimeError("no")

    source.listen(fail)
    end = source.listen(lambda phases: heard.append((phases, len(published.tables))))
    files.write("cache", CANARY, based_on=None)
    source.refresh()
    end()
    files.write("config", Split.whole(Stage.SHADOW), based_on=None)
    source.refresh()

    assert [(frozenset({"cache"}), 2)] == heard
    assert "listener failed" in published.told[0]


FORKING = """
    import os, signal, sys, threading, time
    from pathlib import Path
    from oms.domain.split import Split
    from oms.domain.stage import Stage
    from oms.flagging.files import FlagFiles
    from oms.flagging.source import FlagSource
    from oms.seams import PHASES

    files = FlagFiles(Path(sys.argv[1]), PHASES)
    tables = []
    source = FlagSource(files, snapshots=Path(sys.argv[2]), publish=tables.append, poll_s=0.001)
    source.start()

    def wait_for(stage):
        deadline = time.monotonic() + 60
        while tables[-1].phases["cache"].stages != {stage} and time.monotonic() < deadline:
            time.sleep(0.001)
        return tables[-1].phases["cache"].stages == {stage}
"""


def run_forking(files: FlagFiles, tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    program = textwrap.dedent(FORKING) + textwrap.dedent(script)
    command = [sys.executable, "-c", program, str(files.folder), str(tmp_path / "kept")]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=110, check=False, cwd=Path(__file__).parents[3]
    )


def test_forked_child_follows(files: FlagFiles, tmp_path: Path) -> None:
    """A forked child publishes anew and follows the files by a thread of its own, and so does its own child."""
    done = run_forking(
        files,
        tmp_path,
        """
        def generation(depth):
            if depth == 0:
                files.write("cache", Split.whole(Stage.DUALWRITE), based_on=None)
                return 0 if wait_for(Stage.DUALWRITE) else 1
            child = os.fork()
            if child == 0:
                signal.alarm(90)
                os._exit(generation(depth - 1))
            followed = wait_for(Stage.DUALWRITE)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return status or (0 if followed else 2)

        sys.exit(generation(2))
        """,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_fork_in_the_middle_of_a_look(files: FlagFiles, tmp_path: Path) -> None:
    """A child that was forked while the thread held its lock, again and again, still reads, publishes and stops."""
    done = run_forking(
        files,
        tmp_path,
        """
        flips = iter(range(10**9))
        ended = threading.Event()

        def flip_for_ever():
            while not ended.is_set():
                files.save("cache", files.render("cache", Split.whole(Stage.SHADOW)) + b" " * (next(flips) % 50))

        threading.Thread(target=flip_for_ever, daemon=True).start()
        wait_for(Stage.SHADOW)
        for _ in range(30):
            before = len(tables)
            child = os.fork()
            if child == 0:
                signal.alarm(90)
                source.refresh()
                good = len(tables) > before and tables[-1].phases["cache"].stages == {Stage.SHADOW}
                source.stop()
                os._exit(0 if good else 1)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            if status:
                sys.exit(f"child ended with {status}")
        ended.set()
        """,
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_fork_between_reading_and_serving(files: FlagFiles, tmp_path: Path) -> None:
    """A child that was forked when a new content was read but not yet served does not take it for known."""
    done = run_forking(
        files,
        tmp_path,
        """
        class ForksOnce(FlagFiles):
            parent = os.getpid()
            child = None

            def state_of(self, phase, content):
                if phase == "cache" and self.child is None and os.getpid() == self.parent and b'"shadow"\\n' in content:
                    self.child = os.fork()
                    if self.child == 0:
                        signal.alarm(90)
                        os._exit(0 if wait_for(Stage.SHADOW) else 1)
                return super().state_of(phase, content)

        source.stop()
        forking = ForksOnce(files.folder, PHASES)
        source = FlagSource(forking, snapshots=Path(sys.argv[2]), publish=tables.append, poll_s=0.001)
        source.start()
        files.write("cache", Split.whole(Stage.SHADOW), based_on=None)
        followed = wait_for(Stage.SHADOW)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(forking.child, 0)[1]) or (0 if followed else 2))
        """,
    )

    assert (0, "") == (done.returncode, done.stderr)
