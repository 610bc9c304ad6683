"""What a process writes is in the file, once, whole, and soon."""

from __future__ import annotations

import time
from dataclasses import replace

from oms.domain.record import Batch, Place, Repair, Tally, Trip
from oms.journal import Journal, JournalReader

NOW = float(int(time.time()))
LIVE = Place("cache", "types", "get", "live")


def test_counts_add_up_over_flushes(journal, feed, total):
    """Two drains of one counter are one sum."""
    feed.calls(3)
    journal.flush()
    feed.calls(4)
    journal.flush()

    assert 7 == total()


def test_histograms_add_up_bucket_by_bucket(journal, feed, path):
    """Two drains of one histogram are one histogram."""
    feed.latencies({3: 1, 40: 2})
    journal.flush()
    feed.latencies({40: 5, 41: 1})
    journal.flush()
    with JournalReader(path) as reader:
        (latency,) = reader.latencies()

    assert {3: 1, 40: 7, 41: 1} == latency.buckets


def test_thread_writes_by_itself(path, feed, total, until):
    """Between start and stop nobody has to ask for a write."""
    journal = Journal(path, feed, flush_s=0.01)
    journal.start()
    feed.calls(5)
    until(lambda: path.exists() and total() == 5)

    assert journal.stop(5.0)


def test_two_stages_are_counted_apart(journal, feed, path):
    """The same operation at another stage is another sum."""
    feed.calls(1)
    feed.calls(2, place=LIVE)
    journal.flush()
    journal.flush()
    with JournalReader(path) as reader:
        counts = {tally.place.stage: tally.count for tally in reader.tallies()}

    assert {"shadow": 1, "live": 2} == counts


def test_divergences_of_one_cause_are_one_group(journal, feed, path, divergence):
    """A thousand of the same are one line with a count and both ends of the time."""
    feed.divergences(*(divergence(NOW + second) for second in range(1000)))
    journal.flush()
    with JournalReader(path) as reader:
        (group,) = reader.divergences()

    assert (1000, NOW, NOW + 999) == (group.count, group.first_seen, group.last_seen)


def test_samples_are_the_first_ones_and_the_newest(journal, feed, path, divergence):
    """Later causes show up, and so does how it began, over any number of flushes."""
    for tens in range(0, 50, 10):
        feed.divergences(*(divergence(NOW + tens + one) for one in range(10)))
        journal.flush()
    with JournalReader(path) as reader:
        (group,) = reader.divergences()

    assert [0, 1, 47, 48, 49] == [seen_at - NOW for seen_at, _ in group.samples]


def test_known_divergence_does_not_hide_an_unknown_one(journal, feed, path, divergence):
    """One fingerprint, covered by a rule in one call and not in another, is two groups."""
    feed.divergences(divergence(known="TC-01"), divergence(known="TC-01"), divergence())
    journal.flush()
    with JournalReader(path) as reader:
        counts = {group.known: group.count for group in reader.divergences()}

    assert {"TC-01": 2, None: 1} == counts


def test_divergence_at_two_stages_is_one_group_that_names_both(journal, feed, path, divergence):
    """The cause is the same; the stages stand beside it."""
    feed.divergences(divergence(), divergence(stage="live"))
    journal.flush()
    with JournalReader(path) as reader:
        (group,) = reader.divergences()

    assert (2, ["live", "shadow"]) == (group.count, sorted(group.stages))


def test_long_sample_is_left_out(journal, feed, path, divergence):
    """A sample beyond the limit is replaced by its length: the file stays small."""
    feed.divergences(divergence(sample={"text": "x" * 5_000}))
    journal.flush()
    with JournalReader(path) as reader:
        (group,) = reader.divergences()

    assert {"left_out": "a sample of 5012 characters"} == group.samples[0][1]


def test_path_with_a_lone_surrogate_is_stored(journal, feed, path, divergence):
    """Text that is legal in Python and not in UTF-8 holds nothing up."""
    feed.divergences(divergence(path="na\ud800me"))
    written = journal.flush()
    with JournalReader(path) as reader:
        (group,) = reader.divergences()

    assert (True, "na\\ud800me") == (written, group.path)


def test_repair_is_open_until_it_is_closed(journal, feed, path):
    """An opened repair is listed, a closed one no longer."""
    repair = Repair(1, "cache", "types", "unified", "object-type:Person", NOW, None, process_local=True)
    feed.batches.append(Batch(repairs=[repair, replace(repair, id=2)]))
    journal.flush()
    feed.batches.append(Batch(repairs=[replace(repair, closed_at=NOW + 1)]))
    journal.flush()
    with JournalReader(path) as reader:
        repairs = [repair.id for _, repair in reader.open_repairs()]

    assert [2] == repairs


def test_repair_of_an_ended_process_is_open_only_on_a_shared_side(journal, feed, path):
    """A process-local side dies with its process, a shared store does not."""
    repair = Repair(1, "cache", "types", "unified", "k", NOW, None, process_local=True)
    feed.batches.append(Batch(repairs=[repair, replace(repair, id=2, process_local=False)]))
    journal.stop(2.0)
    with JournalReader(path) as reader:
        repairs = [repair.id for _, repair in reader.open_repairs()]

    assert [2] == repairs


def test_key_of_a_repair_is_a_keyed_hash(path, feed):
    """The key itself may be somebody's name: it is nowhere in the file."""
    repair = Repair(1, "cache", "types", "unified", "tenant-of-Alice", NOW, None, process_local=False)
    feed.batches.append(Batch(repairs=[repair, replace(repair, id=2, key=None)]))
    journal = Journal(path, feed, hash_key=b"0" * 32)
    journal.stop(2.0)
    with JournalReader(path) as reader:
        keys = [repair.key for _, repair in reader.open_repairs()]

    assert [16, None] == [key and len(key) for key in keys]
    assert b"Alice" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_trip_is_kept_with_the_pid(journal, feed, path):
    """A guard that took a phase back by itself is on record."""
    trip = Trip("cache", "types", "get", "watchdog", "live", "shadow", "in flight for 2.0 s", NOW)
    feed.batches.append(Batch(trips=[trip]))
    journal.flush()
    with JournalReader(path) as reader:
        ((_, found),) = reader.trips()

    assert trip == found


def test_clean_end_is_recorded_with_the_last_counts(path, feed, total):
    """Stop writes what is left and says that the process ended."""
    journal = Journal(path, feed)
    journal.start()
    feed.calls(9)

    assert journal.stop(5.0)
    assert 9 == total()
    with JournalReader(path) as reader:
        assert ["clean"] == [process.ending for process in reader.processes()]


def test_stop_is_bounded(path, feed, journal):
    """A journal that somebody else has locked does not hold up the end of the process."""
    import sqlite3

    journal.flush()
    feed.calls(1)
    journal.flush()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    other = Journal(path, feed)
    feed.calls(1)
    other.start()
    began = time.monotonic()

    assert not other.stop(0.3)
    # Far more than it takes: whoever waits for the lock waits for ever.
    assert time.monotonic() - began < 30
    holder.execute("ROLLBACK")
    holder.close()


def test_failing_drain_is_a_problem_until_it_works_again(path):
    """Whatever the process does, the next drain comes."""
    answers = [RuntimeError("broken"), Batch([Tally(LIVE, "calls", 1)])]

    def drain() -> Batch:
        answer = answers.pop(0) if answers else Batch()
        if isinstance(answer, Exception):
            raise answer
        return answer

    journal = Journal(path, drain)
    journal.flush()
    problem = journal.problem
    journal.flush()

    assert problem is not None
    assert "draining failed with RuntimeError" in problem
    assert journal.problem is None
    assert journal.stop(1.0)


def test_rows_that_cannot_be_stored_are_lost_alone(journal, feed, total):
    """A name that is no text for SQLite is counted as lost and holds up nothing that comes after it."""
    feed.calls(5, name="\ud800")
    feed.calls(3)

    assert [False, True] == [journal.flush(), journal.flush()]
    assert (5, 3) == (journal.lost, total())


def test_lost_divergences_of_the_process_are_in_the_report(journal, feed, path):
    """What the process itself could not keep is shown beside the journal's own losses."""
    feed.batches.append(Batch(lost_divergences=4))
    journal.flush()
    with JournalReader(path) as reader:
        (gap,) = reader.gaps()

    assert (4, 4) == (gap.lost, journal.lost)
