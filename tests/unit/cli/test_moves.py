"""``oms flip`` and ``oms rollback`` with real files and real processes."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.journal import JournalReader
from oms.rollout import flip as flip_module
from oms.rollout.audit import AuditOutcome
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import WAIT_S, Done, Place, until

CANARY = Split(((Stage.LIVE, 500), (Stage.SHADOW, 9500)))
LIBC = ctypes.CDLL(None, use_errno=True)
HOLDER = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, f"{os.getpid()}".encode(), 0)
print("held", flush=True)
sys.stdin.read()
"""


def hold_lock(place: Place) -> subprocess.Popen[str]:
    """Start a process that holds the lock of *place* until its stdin closes."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place.var / "flags.lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    place.children.append(child)
    assert child.stdout is not None
    assert "held\n" == child.stdout.readline()
    return child


def has_open(child: subprocess.Popen[str], path: Path) -> bool:
    """Tell whether *child* has *path* open."""
    try:
        return path in [entry.readlink() for entry in Path(f"/proc/{child.pid}/fd").iterdir()]
    except FileNotFoundError:  # it closed one while we looked
        return False


def without_privilege() -> None:
    """Give up root's right to write where the mode forbids it, between fork and exec; others have no such right."""
    if os.geteuid() == 0:
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
            if LIBC.prctl(24, capability, 0, 0, 0):  # PR_CAPBSET_DROP
                raise OSError(ctypes.get_errno(), "prctl")


def finished(child: subprocess.Popen[str]) -> Done:
    """Wait for the end of a command that was started."""
    out, err = child.communicate(timeout=100)
    return Done(child.returncode, out, err)


def test_flip_says_all(oms: Oms, place: Place) -> None:
    """A flip prints from and to, the digest, the processes that confirmed and the seconds."""
    place.follower()
    place.follower()

    done = oms("flip", "cache", "dualwrite", "--why", "clean", "--wait", WAIT_S)

    assert (0, "") == (done.code, done.err)
    wanted = rf"cache: off -> dualwrite \| digest {place.files.read('cache').digest} \| 2 of 2 processes confirmed \| in \d+\.\d{{3}} s\n"
    assert re.fullmatch(wanted, done.out)
    assert "dualwrite" == place.stands()


def test_flip_as_json(oms: Oms, place: Place) -> None:
    """With --json stdout has one object and nothing else."""
    place.follower()

    done = oms("flip", "cache", "dualwrite", "--why", "clean", "--json", "--wait", WAIT_S)

    seconds = done.json["seconds"]
    assert 0 <= seconds < float(WAIT_S)
    assert {
        "schema": 1, "phase": "cache", "from": "off", "to": "dualwrite", "digest": place.files.read("cache").digest,
        "processes": 1, "acknowledged": 1, "seconds": seconds, "silent": [],
    } == done.json  # fmt: skip


def test_flip_is_kept(oms: Oms, place: Place) -> None:
    """Audit and journal know who moved it, why, from where and to where; without --who it is the login name."""
    oms("flip", "cache", "dualwrite", "--why", "clean", "--who", "ana")
    oms("flip", "cache", "shadow", "--why", "go on")

    import getpass

    first, second = place.audit().lines
    assert ("ana", "clean", "off", "dualwrite") == (
        first.flip.who, first.flip.why, first.flip.from_split, first.flip.to_split,
    )  # fmt: skip
    assert getpass.getuser() == second.flip.who
    with JournalReader(place.var / "journal.db") as journal:
        assert [("off", "dualwrite", "ana"), ("dualwrite", "shadow", getpass.getuser())] == [
            (flip.from_split, flip.to_split, flip.who) for flip in journal.flips()
        ]


def test_flip_skips_no_stage(oms: Oms, place: Place) -> None:
    """A skipped stage is refused with exit code 3; force goes there and says so in the audit."""
    refused = oms("flip", "cache", "live", "--why", "hurry")

    assert (3, "", "off") == (refused.code, refused.out, place.stands())
    assert "more than one stage above off" in refused.err
    assert (0, "live") == (oms("flip", "cache", "live", "--why", "hurry", "--force").code, place.stands())
    assert [(AuditOutcome.REFUSED, False), (AuditOutcome.DONE, True)] == [
        (line.outcome, line.flip.forced) for line in place.audit().lines
    ]


def test_stopped_process(oms: Oms, place: Place) -> None:
    """A stopped process refuses a promotion by name; a rollback goes through and names it as silent with exit code 1."""
    place.stand(CANARY)
    place.follower()
    stopped = place.follower()
    stopped.send_signal(signal.SIGSTOP)
    until(lambda: "silent" in oms("status", "cache").out)

    refused = oms("flip", "cache", "live=10", "--why", "on", "--wait", "0.1")
    back = oms("rollback", "cache", "--json", "--wait", "0.3")
    # The other one may take longer than that; typed again, the command waits again.
    until(lambda: 1 == rolled_back_again(oms).json["acknowledged"])
    again = rolled_back_again(oms)

    assert (3, True) == (refused.code, f"pid {stopped.pid} is silent" in refused.err)
    assert (1, "live=5", "shadow", True) == (
        back.code, back.json["from"], back.json["to"], stopped.pid in back.json["silent"],
    )  # fmt: skip
    assert (1, 2, 1, [stopped.pid]) == (
        again.code, again.json["processes"], again.json["acknowledged"], again.json["silent"],
    )  # fmt: skip
    assert "shadow" == place.stands()
    stopped.send_signal(signal.SIGCONT)
    assert 0 == oms("rollback", "cache", "--to", "shadow", "--wait", WAIT_S).code


def rolled_back_again(oms: Oms) -> Done:
    """Type the way back to shadow once more."""
    return oms("rollback", "cache", "--to", "shadow", "--json", "--wait", "0.3")


def test_killed_process_does_not_count(oms: Oms, place: Place) -> None:
    """A process that was killed is neither waited for nor counted."""
    place.follower()
    killed = place.follower()
    killed.kill()
    killed.wait()

    done = oms("flip", "cache", "dualwrite", "--why", "on", "--json", "--wait", WAIT_S)

    assert (0, 1, []) == (done.code, done.json["processes"], done.json["silent"])


def _is_asleep(pid: int) -> bool:
    """Tell whether the process waits for something, as the system has it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_interrupt_during_the_wait(place: Place) -> None:
    """Ctrl-C while waiting leaves the move as it is, says so, and exits with 1."""
    place.stand(Stage.LIVE)
    follower = place.follower()
    follower.send_signal(signal.SIGSTOP)
    child = place.start("rollback", "cache", "--wait", WAIT_S)
    until(lambda: "shadow" == place.stands() and len(place.audit().lines) == 1)
    # Between the audit line and the wait lies a moment in which Ctrl-C ends the command with other words.
    until(lambda: _is_asleep(child.pid))

    child.send_signal(signal.SIGINT)

    done = finished(child)
    assert 1 == done.code
    assert "the wait was interrupted: the flip stands" in done.err
    assert "cache: live -> shadow" in done.out
    assert "shadow" == place.stands()


def test_moved_while_waiting_for_the_lock(place: Place) -> None:
    """A flip that finds another state under the lock than it was based on is refused."""
    place.stand(Stage.DUALWRITE)
    holder = hold_lock(place)
    child = place.start("flip", "cache", "shadow", "--why", "on")
    until(lambda: has_open(child, place.var / "flags.lock"))
    place.stand(Stage.OFF)
    holder.communicate()

    done = finished(child)

    assert (3, "off") == (done.code, place.stands())
    assert "phase 'cache' has moved in between: found off" in done.err


def test_lock_held_by_another_process(oms: Oms, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flip gives up on a held lock with exit code 4 and the holder's pid; a rollback goes on after a second."""
    monkeypatch.setattr(flip_module, "LOCK_WAIT_S", 0.1)
    place.stand(Stage.LIVE)
    holder = hold_lock(place)

    flipped = oms("flip", "cache", "rampdown", "--why", "on")
    began = time.monotonic()
    back = oms("rollback", "cache")

    assert (4, "live -> shadow") == (flipped.code, back.out[len("cache: ") :].partition(" |")[0])
    assert f"held by pid {holder.pid}" in flipped.err
    assert (0, "shadow") == (back.code, place.stands())
    assert "went on without the lock" in back.err
    assert 1 <= time.monotonic() - began < 60


@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff", b'{"flags": {}}', None])
def test_broken_file_then_rollback(oms: Oms, place: Place, content: bytes | None) -> None:
    """While processes serve the last good flag a flip is refused, and a rollback starts from it and mends the file."""
    place.stand(CANARY)
    place.follower()
    good = place.files.read_raw("cache")
    path = place.files.path("cache")
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)

    flipped = oms("flip", "cache", "live=10", "--why", "on")
    status = oms("status", "cache", "--json")
    back = oms("rollback", "cache", "--json", "--wait", WAIT_S)

    assert (True, "") == (flipped.code in (3, 4), flipped.out)
    assert "oms rollback cache" in flipped.err
    assert ("cache: last-good", {"live": 500, "shadow": 9500}) == (
        status.json["source"], status.json["phases"]["cache"]["split"],
    )  # fmt: skip
    assert (0, "live=5", "shadow", 1, 1) == (
        back.code, back.json["from"], back.json["to"], back.json["processes"], back.json["acknowledged"],
    )  # fmt: skip
    assert ("shadow", False) == (place.stands(), good == place.files.read_raw("cache"))


def test_var_that_is_no_folder(oms: Oms, place: Place) -> None:
    """With nowhere to write a flip changes nothing (exit code 4); a rollback goes back and warns."""
    place.stand(Stage.LIVE)
    place.var.rmdir()
    place.var.write_text("")

    flipped = oms("flip", "cache", "rampdown", "--why", "on", "--json")

    assert (4, "live") == (flipped.code, place.stands())
    assert "flags.lock" in flipped.json["error"]
    back = oms("rollback", "cache", "--json")
    assert (0, "shadow") == (back.code, back.json["to"])
    assert "went on without the lock" in back.err
    assert "not in the audit" in back.err


def test_var_that_is_read_only(place: Place) -> None:
    """A var folder that this user may not write to stops a flip, not a rollback."""
    place.stand(Stage.LIVE)
    place.var.chmod(0o555)
    flipped = place.run("flip", "cache", "rampdown", "--why", "on", preexec_fn=without_privilege)
    before = place.stands()
    back = place.run("rollback", "cache", preexec_fn=without_privilege)

    assert (4, "live") == (flipped.code, before)
    assert "flags.lock: Permission denied" in flipped.err
    assert (0, "shadow") == (back.code, place.stands())
    assert "not in the audit" in back.err


def test_flags_that_cannot_be_written(oms: Oms, place: Place) -> None:
    """A flag that cannot be replaced is exit code 4, for both, with what to see to."""
    place.files.path("cache").unlink()
    place.files.path("cache").mkdir()

    for words in (["flip", "cache", "dualwrite", "--why", "on"], ["rollback", "cache"]):
        done = oms(*words)
        assert (4, 1) == (done.code, len(done.err.splitlines()))
        assert "cache.flagd.json" in done.err


def test_off_is_done(oms: Oms, place: Place) -> None:
    """A rollback from off is done already and good."""
    before = place.files.signature("cache")

    done = oms("rollback", "cache")

    assert (0, before) == (done.code, place.files.signature("cache"))
    assert done.out.startswith("cache: off already, nothing changed")


def test_complete(oms: Oms, place: Place) -> None:
    """From complete a rollback is refused with what legacy has missed, until it is forced."""
    place.stand(Stage.RAMPDOWN)
    oms("flip", "cache", "complete", "--why", "done")

    refused = oms("rollback", "cache")
    forced = oms("rollback", "cache", "--force", "--why", "legacy again")

    assert 3 == refused.code
    assert "in complete legacy has missed every write since" in refused.err
    assert (0, "shadow") == (forced.code, place.stands())
    assert "in complete legacy has missed every write since" in forced.err


def test_all_of_them(oms: Oms, place: Place) -> None:
    """--all takes back what it can, names the rest, and exits with the worst."""
    place.stand(Stage.LIVE)
    place.stand(Stage.COMPLETE, "config")

    done = oms("rollback", "--all", "--json", "--why", "fire")

    assert 3 == done.code
    phases = {one["phase"]: one for one in done.json["phases"]}
    assert {"config", "resilience", "cache", "security", "observability"} == set(phases)
    assert ("live", "shadow") == (phases["cache"]["from"], phases["cache"]["to"])
    assert "in complete legacy has answered nobody" in phases["config"]["error"]
    assert "config was NOT taken back" in done.err
    assert ("shadow", "complete") == (place.stands(), place.stands("config"))


def test_journal_that_is_full(oms: Oms, place: Place) -> None:
    """A journal that takes no line is a warning: the flip stands and is good."""
    (place.var / "journal.db").mkdir()

    done = oms("flip", "cache", "dualwrite", "--why", "on")

    assert (0, "dualwrite") == (done.code, place.stands())
    assert "not in the journal" in done.err


def test_lock_of_a_dead_holder(oms: Oms, place: Place) -> None:
    """The lock ends with its holder, however it ended."""
    holder = hold_lock(place)
    holder.kill()
    holder.wait()

    with (place.var / "flags.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert 0 == oms("flip", "cache", "dualwrite", "--why", "on").code
