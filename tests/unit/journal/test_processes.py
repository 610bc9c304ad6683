"""Several processes, some of which die."""

from __future__ import annotations

import signal

from oms.journal import Journal, JournalReader

WRITER = """
    batches = iter([Batch([Tally(GET, "calls", n), Tally(GET, "matched", 1)], [Latency(GET, "legacy", {n % 7: 1})]) for n in range(200)])
    journal = Journal(path, lambda: next(batches, Batch()))
    for _ in range(200):
        journal.flush()
    sys.exit(0 if journal.stop(20.0) and journal.lost == 0 else 1)
"""


def test_processes_that_write_at_once_add_up_exactly(child, path, total):
    """Four writers, two hundred transactions each: nothing twice, nothing missing."""
    children = [child(WRITER, path) for _ in range(4)]

    assert [0, 0, 0, 0] == [one.end() for one in children]
    assert 4 * sum(range(200)) == total()
    assert 4 * 200 == total("matched")
    with JournalReader(path) as reader:
        assert 4 * 200 == sum(reader.latencies()[0].buckets.values())
        assert ["clean"] * 4 == [process.ending for process in reader.processes()]


KILLED = """
    queue = [Batch([Tally(GET, "calls", 70)])]
    journal = Journal(path, lambda: queue.pop() if queue else Batch(), flush_s=0.01)
    journal.start()
    until(lambda: not queue and path.exists())
    journal.flush()
    print("written", flush=True)
    signal.pause()
"""


def test_kill_9_loses_nothing_that_was_flushed(child, path, total):
    """What a flush has written stays, and the report says how the process ended."""
    one = child(KILLED, path)

    assert "written" == one.line()
    one.process.kill()
    one.end()
    assert 70 == total()
    with JournalReader(path) as reader:
        assert ["killed"] == [process.ending for process in reader.processes()]


def test_next_process_records_that_one_was_killed(child, path, feed):
    """A reader on another day, or on another host, need not find out by itself."""
    one = child(KILLED, path)
    one.line()
    one.process.kill()
    one.end()
    journal = Journal(path, feed)
    journal.start()
    journal.stop(5.0)
    import sqlite3

    connection = sqlite3.connect(path)
    endings = connection.execute("SELECT ending, ended_at = seen_at FROM process ORDER BY id").fetchall()
    connection.close()

    assert [("killed", 1), ("clean", 1)] == endings


def test_stopped_process_is_not_taken_for_killed(child, path):
    """SIGSTOP is not an end."""
    one = child(KILLED, path)
    one.line()
    one.process.send_signal(signal.SIGSTOP)
    with JournalReader(path) as reader:
        endings = [process.ending for process in reader.processes()]

    assert ["running"] == endings


FORKING = """
    queue = [Batch([Tally(GET, "calls", 1)])]
    journal = Journal(path, lambda: queue.pop() if queue else Batch(), flush_s=0.01)
    journal.start()
    until(lambda: not queue)
    queue.append(Batch([Tally(GET, "calls", 10)]))
    until(lambda: not queue)
    pids = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            queue[:] = [Batch([Tally(GET, "calls", 100)])]
            until(lambda: not queue)
            sys.exit(0 if journal.stop(10.0) else 1)
        pids.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    queue.append(Batch([Tally(GET, "calls", 1000)]))
    until(lambda: not queue)
    sys.exit(0 if journal.stop(10.0) and codes == [0, 0, 0] else 1)
"""


def test_forked_children_write_for_themselves(child, path, total):
    """Each child has its own thread, connection and rows; the parent's are written once, by the parent."""
    assert 0 == child(FORKING, path).end()
    assert 1 + 10 + 3 * 100 + 1000 == total()
    with JournalReader(path) as reader:
        processes = reader.processes()

    assert (4, {"clean"}) == (len({process.pid for process in processes}), {process.ending for process in processes})


IDLE_FORK = """
    journal = Journal(path, Batch, flush_s=0.01)
    journal.start()
    until(path.exists)
    pid = os.fork()
    if pid == 0:
        until(lambda: threading.active_count() > 1)
        os._exit(0)
    os.waitpid(pid, 0)
    sys.exit(0 if journal.stop(10.0) else 1)
"""


def test_child_without_anything_to_say_is_not_in_the_journal(child, path):
    """A helper process that serves nothing would only read as one more that was killed."""
    assert 0 == child(IDLE_FORK, path).end()
    with JournalReader(path) as reader:
        assert ["clean"] == [process.ending for process in reader.processes()]


READING = """
    journal = Journal(path, lambda: Batch([Tally(GET, "calls", 1)]))
    for turn in range(200):
        journal.flush()
        with JournalReader(path) as reader:
            reader.tallies()
    sys.exit(0 if journal.stop(20.0) else 1)
"""


def test_reading_beside_writing_costs_no_lock(child, path, total):
    """A process that reads its own journal while others come and go keeps the locks that protect its write-ahead log."""
    reader = child(READING, path)
    comers = [child(WRITER.replace("200", "20"), path) for _ in range(4)]

    assert [0] * 5 == [one.end() for one in (reader, *comers)]
    assert 201 + 4 * sum(range(20)) == total()
