"""What the tests of the flagging room share: a folder of real flag files and a way to write odd ones."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from oms.domain.phase import Phase
from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES

FlagWriter = Callable[..., bytes]


@pytest.fixture
def phases() -> Mapping[str, Phase]:
    """The phases of the roadmap."""
    return PHASES


@pytest.fixture
def files(tmp_path: Path) -> FlagFiles:
    """A folder in which every phase is off."""
    folder = tmp_path / "flags"
    folder.mkdir()
    flags = FlagFiles(folder, PHASES)
    for name in PHASES:
        flags.save(name, flags.render(name, Split.whole(Stage.OFF)))
    return flags


@pytest.fixture
def flag() -> FlagWriter:
    """Returns the content of a flag file of the cache phase, with members replaced or, given as ``...``, left out."""

    def write(*, phase: str = "cache", top: Mapping[str, Any] | None = None, **members: Any) -> bytes:
        stages = ["off", "dualwrite", "shadow", "live", "rampdown", "complete"]
        body = {
            "state": "ENABLED",
            "variants": {stage: stage for stage in stages},
            "defaultVariant": "shadow",
            **members,
        }
        body = {name: value for name, value in body.items() if value is not ...}
        return json.dumps({"flags": {f"phase.{phase}": body}, **(top or {})}).encode()

    return write


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], bool]:
    """Returns a wait for a condition with a deadline of a minute; its answer is whether the condition came true."""

    def wait(condition: Callable[[], bool]) -> bool:
        deadline, pause = time.monotonic() + 60, threading.Event()
        while not (met := condition()) and time.monotonic() < deadline:
            pause.wait(0.002)
        return met

    return wait


@pytest.fixture
def quiet_flagd() -> Iterator[None]:
    """flagd-core logs two errors for each evaluation without a key."""
    logger = logging.getLogger("openfeature.contrib")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)
