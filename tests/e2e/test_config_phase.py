"""The configuration phase from the outside: a rehearsal that meets the conflicts, and starts that are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oms.domain.split import Split
from oms.domain.stage import Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES
from tests.e2e.command import oms

LONG_S = 400.0
"""For a whole rehearsal on a busy machine."""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return folder and result of a rehearsal of the configuration, begun by somebody with secrets of their own."""
    out = tmp_path_factory.mktemp("rehearsal") / "out"
    done = oms(
        "rehearse",
        "--phase",
        "config",
        "--calls",
        "6000",
        "--out",
        out,
        "--json",
        env={"JWT_SECRET": "theirs-and-nobody-elses"},
        limit_s=LONG_S,
    )

    assert 0 == done.returncode, done.stderr
    return out, json.loads(done.stdout)


def test_conflicts_are_found(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """The service's own traffic and start meet at least ten of the conflicts, everything has a name, and no caller sees an error."""
    phase = rehearsed[1]["phases"]["config"]
    known = {each["known"] for each in phase["divergences"]}

    assert 0 == rehearsed[1]["caller_errors"]
    assert 10 <= len({id_ for id_ in known if id_ and id_.startswith("CF-")})
    # How many comparisons timed out is the machine's doing.
    assert (0, 0) == (phase["outcomes"]["mismatched"], phase["rescued"])


def test_stages(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """A phase that writes nothing goes through fewer stages, and every process acknowledges the way back."""
    phase = rehearsed[1]["phases"]["config"]

    assert ["off", "shadow", "live=5", "live=50", "live"] == phase["stages"]
    assert (3, 3, []) == (phase["rollback"]["processes"], phase["rollback"]["acknowledged"], phase["trips"])


def test_no_secret_is_left(rehearsed: tuple[Path, dict[str, Any]]) -> None:
    """Nothing that a rehearsal leaves holds the secret of whoever began it, nor one that stands in legacy's source; the logs are silent."""
    files = [path for path in rehearsed[0].rglob("*") if path.is_file()]
    held = [
        path.name
        for path in files
        for text in (b"theirs-and-nobody", b"changeme-admin", b"your-secret-key")
        if text in path.read_bytes()
    ]

    assert [] == held
    assert [""] * 3 == [path.read_text() for path in files if path.name.startswith("worker-")]


def flags_at(folder: Path, stage: Stage) -> Path:
    """Return a folder of flags whose config phase stands at *stage*."""
    folder.mkdir()
    files = FlagFiles(folder, PHASES)
    for phase in PHASES:
        files.write(phase, Split.whole(stage if phase == "config" else Stage.OFF), based_on=None)
    return folder


def test_a_service_that_does_not_start(tmp_path: Path) -> None:
    """Exit code 78 and every problem on stderr, none of them with a value."""
    unfit = {
        "ENVIRONMENT": "production",
        "JWT_SECRET": "Zq9-too-short",
        "REDIS_PASSWORD": "",
        "MTLS_ENABLED": "Zq9-perhaps",
    }
    done = oms(
        "serve",
        "--port",
        "0",
        "--flags",
        flags_at(tmp_path / "flags", Stage.LIVE),
        "--var",
        tmp_path / "var",
        env=unfit,
    )

    assert 78 == done.returncode
    assert [] == [
        name
        for name in ("JWT_SECRET", "PII_ENCRYPTION_KEY", "REDIS_PASSWORD", "TERMINUS_DB_PASSWORD", "MTLS_ENABLED")
        if name not in done.stderr
    ]
    assert "Zq9" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
