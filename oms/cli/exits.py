"""What an exit code of oms means ; the end of docs/rollout.md tells the same."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """One meaning everywhere."""

    GOOD = 0
    NOT_YET = 1
    BAD_INPUT = 2
    REFUSED = 3
    COULD_NOT = 4
    CONFIGURATION = 78
