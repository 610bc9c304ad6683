"""What must be new in a forked child: locks that another thread held, threads that did not come along."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable

_Renew = weakref.WeakMethod[Callable[[], None]]


class _Hook:
    """The one hook of this process: the interpreter never forgets a hook, and breakers and budgets come and go."""

    def __init__(self) -> None:
        self._methods: dict[int, _Renew] = {}
        os.register_at_fork(after_in_child=self._renew_all)

    def add(self, method: Callable[[], None]) -> None:
        """Call *method* in children for as long as its object lives."""
        held = _Renew(method, lambda dead: self._methods.pop(id(dead), None))
        self._methods[id(held)] = held

    def _renew_all(self) -> None:
        for held in list(self._methods.values()):
            method = held()
            if method is not None:
                method()


_HOOK = _Hook()  # as much the process's own as the interpreter's list of hooks is


def renew_in_child(method: Callable[[], None]) -> None:
    """Call the bound *method* in every child forked from this process, as long as its object lives. It is held weakly."""
    _HOOK.add(method)
