"""``oms pin`` of what retries and breakers do: the recorded outcomes script the function, red until the sides agree."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from oms.domain.phase import Seam
from oms.domain.stage import Side, Stage
from oms.journal import Journal, JournalReader
from oms.journal.entries import DivergenceGroup
from oms.routing import LaneLimits, Runtime
from oms.routing.replay.script import LONGEST, error_named, script_of
from oms.seams.resilience import BREAKER, RESILIENCE, RETRY, TIME, living_in
from oms.testing import Replayed, VirtualTime, fixed_stage
from tests.architecture.sources import ROOT
from tests.unit.cli.conftest import Oms
from tests.unit.cli.place import Place
from tests.unit.cli.planted import run_pytest, write_planted

SECRET = "payments-of-jane-4711"

PLANTED = '''
"""Two retries or breakers of one make; what unified has for numbers is planted."""

import uuid
from dataclasses import replace

from oms.legacy_adapters import resilience
from oms.testing import Sides


def retries(**changes):
    numbers = {"max_attempts": 3, "jitter": False, **changes}
    return resilience.RetryStrategyAdapter({"standard": resilience.RetryConfig(**numbers)}, prefix=uuid.uuid4().hex)


def breakers(**changes):
    return resilience.ProtectionBreakerAdapter(replace(resilience.CircuitBreakerConfig(), **changes))


def make_sides(seam):
    make = {"retry": retries, "breaker": breakers}[seam.name]
    return Sides(legacy=make(), unified=make(**UNIFIED))
'''


def plant(folder: Path, **unified: object) -> Any:
    """Plant two retries or breakers and return the module."""
    return write_planted(folder, f"{PLANTED}\n\nUNIFIED = {unified!r}\n")


def raising(*errors: BaseException | None) -> Callable[[], Awaitable[str]]:
    """Return a function that takes 0.2 s and then raises the next of *errors*, or returns for None; the last one again and again."""
    left = iter(errors)

    async def function() -> str:
        error = next(left, errors[-1])
        await TIME.get().asleep(0.2)
        if error is not None:
            raise error
        return SECRET

    return function


def lived(
    place: Place,
    planted: Any,
    seam: Seam[Any, Any],
    *scripts: tuple[BaseException | None, ...],
    stage: Stage = Stage.SHADOW,
) -> list[DivergenceGroup]:
    """Make a call for each of *scripts*, a second apart, in a real runtime at *stage* with a journal; return what it has then."""
    runtime = Runtime(limits=LaneLimits(cpu_share=50.0, block_s=60.0))
    sides = planted.make_sides(seam)
    runtime.bind(seam, legacy=sides.legacy, unified=sides.unified)
    runtime.publish(fixed_stage(stage, RESILIENCE))
    port: Any = runtime.facade(seam)
    subject = {"operation": SECRET, "policy": "standard"} if seam is RETRY else {"name": SECRET}
    time = VirtualTime()

    async def story() -> None:
        with living_in(time.source):
            for script in scripts:
                time.advance(1)
                with contextlib.suppress(Exception):
                    await port.acall(raising(*script), **subject)

    asyncio.run(story())
    runtime.stop(10)
    journal = Journal(place.var / "journal.db", runtime.drain)
    assert journal.flush()
    journal.stop(10)
    with JournalReader(place.var / "journal.db") as reader:
        return reader.divergences()


@dataclass(frozen=True)
class Case:
    """What is planted, what is called, and where the sides part."""

    seam: Seam[Any, Any]
    planted: dict[str, object]
    scripts: list[Any]
    path: str


FAILS, WELL = (ConnectionError(SECRET),), (None,)
CASES = {
    # Legacy's budget has to be earned first, so what came before matters.
    "gives up earlier": Case(RETRY, {"max_attempts": 2}, [*[WELL] * 300, FAILS], "standard.retried.ConnectionError"),
    "waits longer": Case(RETRY, {"initial_delay": 9.0}, [*[WELL] * 300, (*FAILS, None)], "standard.delays"),
    "opens earlier": Case(BREAKER, {"failure_threshold": 3}, [FAILS] * 3, "state"),
}


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_red_until_the_sides_agree(oms: Oms, place: Place, folder: Path, case: Case, stage: Stage) -> None:
    """A planted divergence is pinned as a clean test that is red for the right reason, shows no value, and is green once they agree."""
    groups = lived(place, plant(folder, **case.planted), case.seam, *case.scripts, stage=stage)
    group = next(one for one in groups if one.path == case.path)

    done = oms("pin", group.fingerprint, "--out", str(folder))
    file = folder / f"test_pinned_{group.fingerprint}.py"
    source = file.read_text()
    red = run_pytest(file)
    clean = [
        subprocess.run([sys.executable, "-m", "ruff", *words, "--config", str(ROOT / "pyproject.toml"), str(file)], check=False).returncode
        for words in (["check"], ["format", "--check"])
    ]  # fmt: skip
    plant(folder)
    green = run_pytest(file)

    assert (0, "") == (done.code, done.err), done.out + red.stdout
    assert f"{file}: written; it is red, for unified has to change: pytest {file}" == done.out.splitlines()[0]
    assert SECRET not in source + done.out
    assert f"control=Side.{'LEGACY' if stage is Stage.SHADOW else 'UNIFIED'}" in source
    assert (1, [0, 0]) == (red.returncode, clean)
    assert f"unified has to change: {group.kind} at {case.path}" in red.stdout
    assert (0, "1 passed") == (green.returncode, green.stdout.splitlines()[-1][:8])


def test_class_that_cannot_be_made_again(oms: Oms, place: Place, folder: Path) -> None:
    """An attempt that ended with a class that nobody can import is refused with one line that names it, and nothing is written."""

    class OutOfReach(ConnectionError):
        pass

    groups = lived(place, plant(folder, failure_threshold=3), BREAKER, *[(OutOfReach(SECRET),)] * 3)
    done = oms("pin", groups[0].fingerprint, "--out", str(folder))

    assert (3, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert "OutOfReach, which cannot be made here, wanted a class that can be imported" in done.err
    assert SECRET not in done.err
    assert [] == list(folder.glob("test_pinned_*"))


def test_divergence_of_an_older_version(oms: Oms, place: Place, folder: Path) -> None:
    """What was stored without the outcomes of its attempts is refused with one line."""
    group = lived(place, plant(folder, failure_threshold=3), BREAKER, *[FAILS] * 3)[0]
    with contextlib.closing(sqlite3.connect(place.var / "journal.db")) as connection:
        bare = [[at, {**sample, "replay": {}}] for at, sample in group.samples]
        connection.execute("UPDATE divergence SET samples = ?", (json.dumps(bare),))
        connection.commit()

    done = oms("pin", group.fingerprint, "--out", str(folder))

    assert (3, "", 1) == (done.code, done.out, len(done.err.splitlines()))
    assert "found no sample that says what the caller's function did" in done.err


def test_call_that_is_not_compared_is_no_agreement(folder: Path) -> None:
    """A replay that comes to no comparison says so: green means that the sides were compared, and agree."""
    assert ["the call was not compared: follow_on"] == Replayed((), "follow_on").differences(mend=Side.UNIFIED)
    assert [] == Replayed((), "matched").differences(mend=Side.UNIFIED)


def test_long_past_is_kept_short() -> None:
    """A script fits a sample whatever came before: what is oldest is left out, what is newest stays, like calls are one run."""
    words = ("ok", "builtins:ConnectionError", "httpx:HTTPStatusError.503")
    past = [(float(number), (words[number % 3],)) for number in range(256)]
    alike = [(float(number), ("ok",)) for number in range(256)]
    short, runs = (script_of([], draws=[], past=one, began_s=300.0) for one in (past, alike))

    assert LONGEST >= len(json.dumps(short))
    assert [45.0, 45.0, 1, [words[255 % 3]]] == short["past"][-1]
    assert [[300.0, 45.0, 256, ["ok"]]] == runs["past"]


@pytest.mark.parametrize(
    ("word", "kind", "status"),
    [
        ("builtins:ConnectionResetError", ConnectionResetError, None),
        ("httpx:HTTPStatusError.429", httpx.HTTPStatusError, 429),
        ("httpx:ReadError", httpx.ReadError, None),
    ],
)
def test_errors_by_name(word: str, kind: type[BaseException], status: int | None) -> None:
    """An error is made of its class's name, with the status that its label ends in."""
    error = error_named(word)

    assert kind is type(error)
    assert status == getattr(getattr(error, "response", None), "status_code", None)
    assert SECRET not in str(error)


@pytest.mark.parametrize("word", ["", "ok", "builtins:print", "builtins:Nothing", "nowhere.at.all:Error", "gone"])
def test_no_error_by_that_name(word: str) -> None:
    """What is no exception class here is not made."""
    with pytest.raises(LookupError):
        error_named(word)
