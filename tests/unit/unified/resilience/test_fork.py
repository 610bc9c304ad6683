"""What budgets and breakers leave behind when they are gone."""

from __future__ import annotations

import os

import pytest

from oms.unified.resilience import DependencyBreakers, DependencyRetries


def test_no_hook_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter never forgets a fork hook, and a replay makes twins all day long: none of them registers one."""
    hooks = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hook: hooks.append(hook))
    for _ in range(3):
        DependencyRetries().twin()
        DependencyBreakers().twin().adopt_open("a", 3)

    assert [] == hooks


def test_renewed_in_a_child() -> None:
    """What lives is renewed in a forked child, what is gone is not missed."""
    breakers, gone = DependencyBreakers(), DependencyBreakers()
    breakers.adopt_open("a", 300)
    gone.adopt_open("a", 300)
    del gone
    lock = breakers._of("a")._lock
    lock.acquire()
    child = os.fork()
    if child == 0:  # pragma: no cover - in the child
        is_free = breakers._of("a")._lock.acquire(timeout=5)
        os._exit(0 if is_free else 1)
    lock.release()

    assert 0 == os.waitpid(child, 0)[1]
