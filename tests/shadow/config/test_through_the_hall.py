"""A shadow over the configuration: conflicts by their id, fingerprints by their place, and no secret anywhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from sides.config import SECRETS, fill, make_sides
from sides.patience import AMPLE, patient

from oms.domain.stage import Stage
from oms.journal import Journal
from oms.routing import Runtime
from oms.seams.config import CONFIG, SETTINGS, Secret, Settings
from oms.seams.known import load_known
from oms.testing import MemoryJournal, fixed_stage
from oms.unified.config import ConfigurationError

MakeHall = Callable[[Stage], tuple[Runtime, Settings]]
IAM = "core/iam/iam_integration.py"


@pytest.fixture
def make_hall() -> Iterator[MakeHall]:
    """Makes a hall with the configuration bound, at a stage."""
    with ExitStack() as stack:

        def make(stage: Stage) -> tuple[Runtime, Settings]:
            runtime = Runtime(rules=load_known("config"), hash_key=b"test", limits=AMPLE)
            stack.callback(runtime.stop, limit_s=10.0)
            runtime.publish(fixed_stage(stage, CONFIG))
            both = make_sides()
            runtime.bind(patient(SETTINGS), legacy=both.legacy, unified=both.unified)
            return runtime, runtime.facade(SETTINGS)

        yield make


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_conflicts_by_their_id(make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    """Each conflict is ignored under its id, whoever answers, and each place has a fingerprint of its own."""
    fill(monkeypatch, ENVIRONMENT="Production", **SECRETS)
    runtime, settings = make_hall(stage)
    places = [
        ("IAM_TIMEOUT", "core/integrations/iam_service_client_with_fallback.py"),
        ("GRPC_PORT", "services/embedding-service/app/grpc_server.py"),
        ("SERVICE_NAME", "shared/terminus_context/constants.py"),
        ("MTLS_ENABLED", "shared/config/unified_config.py"),
        ("JWT_SECRET", IAM),
    ]
    for name, site in places:
        settings.read(name, site=site)
    journal = MemoryJournal(runtime.drain)
    runtime.stop(limit_s=10.0)

    assert ({"CF-06", "CF-14", "CF-20", "CF-21"}, []) == (journal.known(), journal.unknown())
    assert {f"{name}@{site}" for name, site in places[:4]} == {divergence.path for divergence in journal.divergences}
    assert 4 == len({divergence.fingerprint for divergence in journal.divergences})
    assert (1, 4, 0) == (journal.count("matched"), journal.count("ignored"), journal.count("mismatched"))


def test_a_wrong_secret_is_seen(make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two secrets that differ are a mismatch, although nobody can read them."""
    fill(monkeypatch, ENVIRONMENT="production", **SECRETS)
    runtime, settings = make_hall(Stage.SHADOW)
    journal = MemoryJournal(runtime.drain)
    settings.read("JWT_SECRET", IAM)
    journal.wait_for(lambda seen: seen.count("matched") == 1)
    # Legacy reads at each call, unified has read.
    monkeypatch.setenv("JWT_SECRET", "0f1e2d3c" * 8)
    settings.read("JWT_SECRET", IAM)
    journal.wait_for(lambda seen: seen.count("mismatched") == 1)

    assert [("JWT_SECRET@" + IAM, "value")] == [(one.path, one.kind) for one in journal.unknown()]


def test_no_rescue(make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch) -> None:
    """In live a refusal of unified reaches the caller: legacy's well-known key never stands in."""
    fill(monkeypatch, ENVIRONMENT="production")
    runtime, settings = make_hall(Stage.LIVE)
    with pytest.raises(ConfigurationError):
        settings.read("JWT_SECRET", IAM)
    journal = MemoryJournal(runtime.drain)
    journal.wait_for(lambda seen: seen.count("ignored") == 1)

    assert {"CF-01"} == journal.known()
    assert 0 == journal.count("rescued")


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.LIVE])
def test_no_secret_is_written(
    make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stage: Stage
) -> None:
    """The caller can use the secret; neither the journal's file nor a sample holds it, nor any well-known one."""
    fill(monkeypatch, ENVIRONMENT="production", **SECRETS)
    runtime, settings = make_hall(stage)
    journal = Journal(tmp_path / "journal.db", runtime.drain, hash_key=b"k" * 32)
    journal.start()
    found = settings.read("JWT_SECRET", IAM)
    settings.read("JWT_SECRET_KEY", "grpc_services/server.py")
    settings.read("TERMINUSDB_ADMIN_PASS", "core/backup/main.py")
    runtime.stop(limit_s=10.0)
    journal.stop(10.0)

    assert isinstance(found, Secret)
    assert found.reveal() == SECRETS["JWT_SECRET"]
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        samples = [row[0] for row in connection.execute("SELECT samples FROM divergence")]
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert 2 == len(samples)
    assert [] == [name for name, text in SECRETS.items() if text.encode() in written]
    assert b"changeme-admin-pass" not in written
    assert b"JWT_SECRET_KEY@grpc_services/server.py" in written


def test_a_flip_back_reaches_the_next_read(make_hall: MakeHall, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback changes the very next answer of a place that reads at each request."""
    fill(monkeypatch, ENVIRONMENT="Production", **SECRETS)
    runtime, settings = make_hall(Stage.LIVE)
    with runtime.scope(targeting_key="tenant-1"):
        before = settings.read("ENVIRONMENT", "middleware/auth_msa.py")
        runtime.publish(fixed_stage(Stage.SHADOW, CONFIG))
        after = settings.read("ENVIRONMENT", "middleware/auth_msa.py")

    assert (True, False) == (before, after)
