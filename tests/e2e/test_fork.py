"""A prefork server: a parent that has built and started everything forks the processes that serve."""

from __future__ import annotations

import os
import re
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from oms.domain.stage import Stage
from tests.e2e.command import wait_until
from tests.e2e.fleet import Fleet, client_of

pytestmark = pytest.mark.timeout(900)


def test_fork(tmp_path: Path) -> None:
    """Each child follows flips, shows where it stands by itself, and its counts are in the journal once."""
    fleet = Fleet(tmp_path)
    fleet.put(Stage.SHADOW)
    with ExitStack() as stack:
        parent = stack.enter_context(fleet.process("--children", "3", module="tests.e2e.odd_worker"))
        lines = [parent.wait_for_line(containing="listening on") for _ in range(3)]
        pids = [int(found[1]) for line in lines if (found := re.match(r"pid (\d+) ", line))]
        clients = [client_of(line, stack) for line in lines]
        wait_until(lambda: {parent.process.pid, *pids} == {each.pid for each in fleet.standings()}, "all four beat")

        calls = [40, 50, 60]
        for client, count in zip(clients, calls, strict=True):
            for number in range(count):
                assert 200 == client.get(f"/types/{('Hotel', 'Zoo')[number % 2]}/ancestors").status_code
        report = fleet.moved("flip", "cache", "live")
        stages = [client.get("/health").json()["phases"]["cache"]["stage"] for client in clients]
        back = fleet.moved("rollback", "cache")

        # At its end a process has ten seconds for the journal, which a busy disk may well take.
        wait_until(lambda: sum(calls) + 7 <= fleet.total(), "what was counted is written")
        assert 0 == parent.end(signal.SIGTERM), parent.lines_so_far(containing="")
    assert 3 == len(set(pids) - {parent.process.pid})
    assert [(4, 4)] * 2 == [(each["processes"], each["acknowledged"]) for each in (report, back)]
    assert ["live"] * 3 == stages
    assert [] == list((fleet.var / "run").iterdir())
    assert dict.fromkeys([parent.process.pid, *pids], "clean") == fleet.endings()
    assert sum(calls) + 7 == fleet.total()
    # Each child computes each of the two answers once.
    assert 2 * 3 == fleet.total(operation="set")
    assert [] == [line for line in parent.lines_so_far(containing="") if not line.startswith(("pid", "parent"))]


def test_killed_child(tmp_path: Path) -> None:
    """A child that is killed is no longer counted; what its siblings and its parent do goes on."""
    fleet = Fleet(tmp_path)
    with ExitStack() as stack:
        parent = stack.enter_context(fleet.process("--children", "2", module="tests.e2e.odd_worker"))
        lines = [parent.wait_for_line(containing="listening on") for _ in range(2)]
        victim, sibling = (client_of(line, stack) for line in lines)
        wait_until(lambda: 3 == len(fleet.standings()), "all three beat")
        pid = victim.get("/health").json()["pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: 2 == len(fleet.standings()), "it is gone")
        report = fleet.moved("flip", "cache", "dualwrite")

        assert (2, 2) == (report["processes"], report["acknowledged"])
        assert "dualwrite" == sibling.get("/health").json()["phases"]["cache"]["stage"]
