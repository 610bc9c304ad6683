"""What a forked child must begin anew."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def reset_in_child(reset: Callable[[], None]) -> None:
    """Have the bound method *reset* called in a forked child for as long as its object lives: the interpreter never forgets a hook."""
    reference = weakref.WeakMethod(reset)

    def in_child() -> None:
        alive = reference()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=in_child)
