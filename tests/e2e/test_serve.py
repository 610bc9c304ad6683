"""``oms serve`` from the outside: the service over HTTP, its flips, its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.command import DEADLINE_S, ROOT, WAIT_S, Running, oms, running, wait_until

pytestmark = pytest.mark.timeout(900)


@dataclass
class Service:
    """A running service with folders of its own."""

    command: Running
    client: httpx.Client
    flags: Path
    var: Path

    def stage(self) -> str:
        """Return what the service says it serves for the cache phase."""
        stage: str = self.client.get("/health").json()["phases"]["cache"]["stage"]
        return stage


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Serve on any free port, with a copy of the flags."""
    flags, var = tmp_path / "flags", tmp_path / "var"
    shutil.copytree(ROOT / "flags", flags)
    with running("serve", "--port", "0", "--flags", flags, "--var", var) as command:
        url = command.wait_for_line(containing="listening on").split("listening on ")[1].split(",")[0]
        with httpx.Client(base_url=url, timeout=DEADLINE_S) as client:
            yield Service(command, client, flags, var)


def test_walk_by_hand(service: Service) -> None:
    """Each stage is reached by the command, acknowledged by the service, and answers the same."""
    folders = ("--json", "--wait", WAIT_S, "--flags", service.flags, "--var", service.var)
    for stage in ("dualwrite", "shadow", "live=5", "live"):
        done = oms("flip", "cache", stage, "--why", "test", *folders)

        assert 0 == done.returncode, done.stderr + done.stdout
        assert (1, 1) == (json.loads(done.stdout)["processes"], json.loads(done.stdout)["acknowledged"])
        assert stage == service.stage()
        for tenant in ("tenant-1", "tenant-2"):
            ancestors = service.client.get("/types/LocalBusiness/ancestors", headers={"X-Tenant": tenant})
            assert ["Organization", "Place", "Thing"] == ancestors.json()
    back = oms("rollback", "cache", *folders)

    assert 0 == back.returncode, back.stderr
    assert "shadow" == service.stage()


def test_whole_service(service: Service) -> None:
    """Types, validation, documents and caches over HTTP."""
    document = {"@type": "Place", "name": "Kew", "keywords": ["b", "a"], "dateCreated": "1759-01-01"}

    assert 404 == service.client.get("/types/Nobody").status_code
    assert service.client.post("/validate", json={"@type": "Person", "name": "Ada"}).json()["valid"]
    assert 201 == service.client.put("/documents/doc-1", json=document).status_code
    assert "1759-01-01" == service.client.get("/documents/doc-1").json()["dateCreated"]
    assert 204 == service.client.delete("/documents/doc-1").status_code
    assert 204 == service.client.delete("/cache/documents").status_code
    assert 404 == service.client.get("/documents/doc-1").status_code


def test_no_identity_check_in_service(service: Service) -> None:
    """What only the rehearsal asks is not answered by the service."""

    assert 404 == service.client.get("/_rehearsal/identity").status_code


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT])
def test_ends_in_good_order(service: Service, signal_: signal.Signals) -> None:
    """With a client still connected it ends with 0, and the journal knows that it ended."""
    service.client.get("/health")

    assert 0 == service.command.end(signal_)
    assert [] == list((service.var / "run").glob("[0-9]*-*"))


def test_port_taken(tmp_path: Path) -> None:
    """A port that somebody has is exit code 4 and one line."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = oms("serve", "--port", str(taken.getsockname()[1]), "--var", tmp_path / "var")

    assert 4 == done.returncode
    assert ["oms"] == [line.split(":")[0] for line in done.stderr.splitlines()]
    assert "cannot listen there" in done.stderr


def test_flag_by_hand(service: Service) -> None:
    """A flag file that is moved into place takes effect; a broken one does not, and is told."""
    before = service.stage()
    fresh = service.flags / "new"
    fresh.write_bytes(
        (service.flags / "cache.flagd.json")
        .read_bytes()
        .replace(b'"defaultVariant": "off"', b'"defaultVariant": "dualwrite"')
    )
    fresh.rename(service.flags / "cache.flagd.json")
    wait_until(lambda: "dualwrite" == service.stage(), "the moved file is served")
    (service.flags / "cache.flagd.json").write_text("{")
    service.command.wait_for_line(containing="cache.flagd.json")

    assert "off" == before
    assert "dualwrite" == service.stage()


LAUNCHER = """
import sys

from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

reader = PeriodicExportingMetricReader(ConsoleMetricExporter(out=open(sys.argv[1], "w")), export_interval_millis=3_600_000)
provider = MeterProvider([reader], shutdown_on_exit=False)
set_meter_provider(provider)
from oms.cli.main import main

code = main(sys.argv[2:])
provider.shutdown()
sys.exit(code)
"""
"""What OpenTelemetry's own launcher does before it runs a command."""


def test_counts_go_to_the_provider_of_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is started with a meter provider exports its counts there."""
    flags, var, exported = tmp_path / "flags", tmp_path / "var", tmp_path / "metrics.json"
    shutil.copytree(ROOT / "flags", flags)
    (tmp_path / "launcher.py").write_text(LAUNCHER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    oms("flip", "cache", "dualwrite", "--why", "test", "--flags", flags, "--var", var)
    words = (exported, "serve", "--port", "0", "--flags", flags, "--var", var)
    with running(*words, module="launcher") as command:
        url = command.wait_for_line(containing="listening on").split("listening on ")[1].split(",")[0]
        assert 200 == httpx.get(f"{url}/types/Person", timeout=30).status_code
        assert 0 == command.end(signal.SIGTERM)

    assert '"name": "oms.calls"' in exported.read_text()
    assert '"seam": "types"' in exported.read_text()
