"""What must be new in a forked child: locks that another thread held, threads that did not come along."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def renew_in_child(method: Callable[[], None]) -> None:
    """Call the bound *method* in every child forked from this process, as long as its object lives.

    The hook itself cannot be taken back, but it holds the object weakly.
    """
    held = weakref.WeakMethod(method)

    def renew() -> None:
        alive = held()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=renew)
