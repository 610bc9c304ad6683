"""Where processes say that they stand, whatever the disk does and however they end."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from oms.domain.standing import PhaseStanding
from oms.journal import ProcessFile, read_processes
from oms.journal.identity import start_ticks
from oms.journal.run_folder import MAGIC, read_run_folder, remove_stale

CACHE = PhaseStanding("0123456789abcdef", 1_000_000.0, 999_999.0, 2, "shadow", 3)


@pytest.fixture
def run_dir(tmp_path):
    """Where the files stand."""
    return tmp_path / "run"


@pytest.fixture
def file(run_dir):
    """The file of this process, open."""
    file = ProcessFile(run_dir, lambda: {"cache": CACHE})
    file.open()
    yield file
    file.close()


def test_standing_comes_back_whole(file, run_dir):
    """Everything an acknowledgement needs is in the file."""
    (process,) = read_processes(run_dir)

    assert {"cache": CACHE} == process.phases
    assert (os.getpid(), True) == (process.pid, process.alive)
    assert process.acknowledges("cache", "0123456789abcdef")
    assert abs(time.time() - process.beat_at) < 10


def test_beat_shows_the_newest_standing(run_dir):
    """Right after a publish the new digest is there."""
    digests = iter(f"{number:016x}" for number in range(100))
    file = ProcessFile(run_dir, lambda: {"cache": PhaseStanding(next(digests), 0.0)})
    file.open()
    for number in range(1, 20):
        file.beat()

        assert f"{number:016x}" == read_processes(run_dir)[0].phases["cache"].digest
    file.close()


def test_clean_end_removes_the_file(file, run_dir):
    """A process that ended well is nobody to wait for."""
    file.close()

    assert [] == read_processes(run_dir)


def test_reads_are_whole_while_it_is_written(run_dir):
    """Thousands of beats, read at the same time: each read is one beat, of all phases."""
    numbers = iter(range(10**9))

    def standing():
        number = next(numbers)
        return {
            f"phase{place}": PhaseStanding(f"{number:016x}" * (1 + number % 3), float(number)) for place in range(8)
        }

    file = ProcessFile(run_dir, standing)
    file.open()
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            file.beat()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    reads, deadline = 0, time.monotonic() + 60
    while reads < 500 or (len(seen) <= 10 and time.monotonic() < deadline):
        reads += 1
        folder = read_run_folder(run_dir)
        assert [] == folder.problems
        values = {standing.applied_at for standing in folder.processes[0].phases.values()}
        assert 1 == len(values)
        seen |= values
    stop.set()
    writer.join()
    file.close()

    assert len(seen) > 10


def test_standing_that_outgrows_the_file(run_dir):
    """More phases than fit make a larger file."""
    phases = {"cache": CACHE}
    file = ProcessFile(run_dir, lambda: phases)
    file.open()
    phases |= {f"phase{number}": CACHE for number in range(200)}
    file.beat()

    assert 201 == len(read_processes(run_dir)[0].phases)
    file.close()


@pytest.mark.parametrize("harm", ["unlink", "truncate"])
def test_file_that_somebody_harmed_is_made_anew(file, run_dir, harm):
    """A file cut off under the mapping must not kill the process, and a removed one comes back."""
    if harm == "unlink":
        file.path.unlink()
    else:
        os.truncate(file.path, 0)
    file.beat()

    assert {"cache": CACHE} == read_processes(run_dir)[0].phases


def test_failing_standing_is_a_problem_and_no_exception(run_dir):
    """A beat never raises: it is called by the thread that publishes flags."""
    answers = [RuntimeError("broken"), {"cache": CACHE}]

    def standing():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    file = ProcessFile(run_dir, standing)
    file.beat()
    problem = file.problem
    file.beat()

    assert problem is not None
    assert "RuntimeError: broken" in problem
    assert file.problem is None
    file.close()


def test_garbage_of_a_live_process_counts_as_silent(file, run_dir):
    """A live process whose file cannot be read is there, and acknowledges nothing."""
    file.path.write_bytes(b"x" * 16_392)
    folder = read_run_folder(run_dir)

    assert [(os.getpid(), True, {})] == [(process.pid, process.alive, process.phases) for process in folder.processes]
    assert "is alive and counts as silent" in folder.problems[0]


@pytest.mark.parametrize("torn", ["text", "sequence"])
def test_torn_beat_leaves_the_one_before(run_dir, torn):
    """A process stopped in the middle of a beat still shows its last one, even if the new one reads well."""
    digests = iter(("first", "other"))
    file = ProcessFile(run_dir, lambda: {"cache": PhaseStanding(next(digests), 0.0)})
    file.open()
    file.beat()
    before = read_processes(run_dir)[0].phases["cache"].digest
    content = bytearray(file.path.read_bytes())
    if torn == "text":
        content = content.replace(b"other", b"oTher")
    else:
        content[len(MAGIC)] += 1  # the second beat is in the first slot
    file.path.write_bytes(content)

    assert ["other", "first"] == [before, read_processes(run_dir)[0].phases["cache"].digest]
    file.close()


def test_other_files_are_named_and_left_out(file, run_dir):
    """What is no process file is no process."""
    (run_dir / "notes.txt").write_text("hello")
    folder = read_run_folder(run_dir)

    assert 1 == len(folder.processes)
    assert [True] == ["notes.txt: found another file" in problem for problem in folder.problems]


def test_missing_folder_has_no_processes(tmp_path):
    """Nobody serves: that is no error."""
    assert [] == read_processes(tmp_path / "nowhere")


def test_recycled_pid_is_not_taken_for_the_process(file, run_dir):
    """The same pid with another start time is somebody else."""
    file.path.rename(run_dir / f"{os.getpid()}-{(start_ticks(os.getpid()) or 0) - 1}")

    assert [False] == [process.alive for process in read_processes(run_dir)]


BEATING = """
    file = ProcessFile(path, lambda: {"cache": PhaseStanding("0123456789abcdef", 0.0)})
    file.start(beat_s=0.01)
    print("beating", flush=True)
    sys.stdin.readline()
    file.stop()
"""


def test_thread_beats_by_itself(child, run_dir, until):
    """Nobody has to call beat for a process to be heard of."""
    child(BEATING, run_dir).line()
    first = read_processes(run_dir)[0].beat_at
    until(lambda: read_processes(run_dir)[0].beat_at > first)


def test_killed_process_is_reported_dead(child, run_dir):
    """Its file stays, and says who is missing; even as a zombie it is not alive."""
    one = child(BEATING, run_dir)
    one.line()
    os.kill(one.process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, one.process.pid, os.WEXITED | os.WNOWAIT)

    assert [(one.process.pid, False)] == [(process.pid, process.alive) for process in read_processes(run_dir)]
    one.end()
    assert [(one.process.pid, False)] == [(process.pid, process.alive) for process in read_processes(run_dir)]


def test_stopped_process_lives_and_falls_silent(child, run_dir, until):
    """SIGSTOP leaves it alive; only the age of its beat tells."""
    one = child(BEATING, run_dir)
    one.line()
    os.kill(one.process.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, one.process.pid, os.WSTOPPED | os.WNOWAIT)
    first = read_processes(run_dir)[0]
    until(lambda: time.time() - first.beat_at > 0.2)
    second = read_processes(run_dir)[0]

    assert (True, first.beat_at) == (second.alive, second.beat_at)
    os.kill(one.process.pid, signal.SIGCONT)


def test_stale_files_go_after_a_while(child, run_dir):
    """The file of a process that is gone is kept for an hour, then removed by whoever starts next."""
    one = child(BEATING, run_dir)
    one.line()
    one.process.kill()
    one.end()
    remove_stale(run_dir)
    kept = len(read_processes(run_dir))
    (path,) = run_dir.iterdir()
    os.utime(path, (0, 0))
    remove_stale(run_dir)

    assert (1, []) == (kept, read_processes(run_dir))


def test_stale_sweep_leaves_the_living(file, run_dir):
    """A process that has been silent for long is alive all the same."""
    os.utime(file.path, (0, 0))
    remove_stale(run_dir)

    assert 1 == len(read_processes(run_dir))


FORKING = """
    file = ProcessFile(path, lambda: {"cache": PhaseStanding("0123456789abcdef", 0.0)})
    file.start(beat_s=0.01)
    pid = os.fork()
    if pid == 0:
        until(lambda: any(process.pid == os.getpid() for process in read_processes(path)))
        file.stop()
        os._exit(0)
    mine = os.getpid()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    alive = [process.pid for process in read_processes(path) if process.alive]
    file.stop()
    sys.exit(0 if code == 0 and alive == [mine] else 1)
"""


def test_forked_child_has_a_file_of_its_own(child, run_dir):
    """The child beats for itself, its end leaves the parent's file alone."""
    assert 0 == child(FORKING, run_dir).end()
    assert [] == read_processes(run_dir)


FULL = """
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    digests = ["before"]
    file = ProcessFile(path, lambda: {"cache": PhaseStanding(digests[0], 0.0)})
    file.open()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    digests[0] = "after"
    file.beat()
    print(read_processes(path)[0].phases["cache"].digest, file.problem, flush=True)
    late = ProcessFile(path.with_name("late"), lambda: {})
    late.open()
    print(late.problem, flush=True)
"""


def test_beats_go_on_while_nothing_can_grow(child, run_dir):
    """A full disk stops no acknowledgement; a file that cannot be made then is a problem on one line, and kills nobody."""
    one = child(FULL, run_dir)

    assert "after None" == one.line()
    assert "this process counts as silent" in one.line()
    assert 0 == one.end()
