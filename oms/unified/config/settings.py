"""What oms itself reads from the environment: read directly, never routed.

A plain class and no settings library: every command reads it, and a rollback should not wait for an import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class OmsSettings:
    """Folders and looks of the oms command, and where its processes share state.

    Attributes:
        flags: Folder of the flag files; ``OMS_FLAGS``, default ``flags``.
        var: Folder of journal, process files and last-good snapshots; ``OMS_VAR``, default ``var``.
        no_color: True if ``NO_COLOR`` is set to anything but nothing (no-color.org).
        redis_url: Where the unified breakers of all processes keep their state; ``REDIS_URL``, default None: each process on its own.
            Never shown, it may hold a password.
    """

    flags: Path = Path("flags")
    var: Path = Path("var")
    no_color: bool = False
    redis_url: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> OmsSettings:
        """Return the settings of *environment*; a variable that is empty counts as not set."""
        return cls(
            flags=Path(environment.get("OMS_FLAGS") or "flags"),
            var=Path(environment.get("OMS_VAR") or "var"),
            no_color=bool(environment.get("NO_COLOR")),
            redis_url=environment.get("REDIS_URL") or None,
        )
