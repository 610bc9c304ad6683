"""What the service reads at its start and at each request, and what it tells of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sides.config import SECRETS, fill, make_sides

from oms.app.configuration import Configuration, Read
from oms.app.ontology import Ontology
from oms.app.rehearsal.environment import rehearsal_environment
from oms.app.service import service
from oms.domain.split import Split
from oms.domain.stage import Side, Stage
from oms.flagging.files import FlagFiles
from oms.seams import PHASES
from oms.seams.config import Settings, Value
from oms.unified.config import ConfigurationError, UnifiedEnv, standard_groups
from oms.wiring import build


class Watched:
    """Settings that write down what is read."""

    def __init__(self, inner: Settings) -> None:
        self.inner = inner
        self.reads: list[tuple[str, str]] = []

    def read(self, name: str, site: str) -> Value:
        """Return what the settings inside say."""
        self.reads.append((name, site))
        return self.inner.read(name, site)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Legacy's settings over an environment of production, watched."""
    fill(monkeypatch, ENVIRONMENT="production", REDIS_URL="redis://hunter2@r", IAM_TIMEOUT="7", **SECRETS)
    return Watched(make_sides().legacy)


Ask = Callable[..., httpx.Response]


def asking(configured: Configuration, facades: Any, ontology: Ontology) -> Ask:
    """Return what sends one request to a service with that configuration."""
    app = service(facades, serving=dict, configuration=configured, ontology=ontology)

    def send(method: str, path: str) -> httpx.Response:
        async def go() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://oms") as client:
                return await client.request(method, path)

        return asyncio.run(go())

    return send


def test_read_once(watched: Watched, facades: Any, ontology: Ontology) -> None:
    """What is read at the start is not read again; what is read at each request is read then, and not before."""
    configured = Configuration(watched, reread=lambda: None)
    configured.load()
    at_start = len(watched.reads)
    ask = asking(configured, facades, ontology)
    ask("GET", "/health")
    after = watched.reads[at_start:]

    assert at_start > 40
    assert ["REDIS_URL", "DATABASE_URL", "TEST_MODE"] == [name for name, _ in after]


def test_what_is_told(watched: Watched, facades: Any, ontology: Ontology) -> None:
    """Each setting is marked by when it is read; of texts and secrets nothing is told but whether they are set."""
    configured = Configuration(watched, reread=lambda: None)
    configured.load()
    answer = asking(configured, facades, ontology)("GET", "/configuration")
    told = {(each["name"], each["site"]): each for each in answer.json()["settings"]}

    assert ("start", 7) == tuple(
        told["IAM_TIMEOUT", "core/integrations/iam_service_client.py"][key] for key in ("read", "value")
    )
    assert ("request", "set") == tuple(
        told["REDIS_URL", "core/health/health_checker.py"][key] for key in ("read", "value")
    )
    assert "set" == told["JWT_SECRET", "core/iam/iam_integration.py"]["value"]
    assert [] == [text for text in (*SECRETS.values(), "hunter2") if text in answer.text]
    assert set(Read) == {each["read"] for each in told.values()}


@pytest.mark.parametrize(("environment", "status"), [("production", 404), ("development", 200)])
def test_docs(watched: Watched, facades: Any, ontology: Ontology, environment: str, status: int) -> None:
    """The page that describes the service is not there in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENVIRONMENT", environment)
        answer = asking(Configuration(watched, reread=lambda: None), facades, ontology)("GET", "/docs")

    assert status == answer.status_code


def test_dependencies(watched: Watched, facades: Any, ontology: Ontology) -> None:
    """Health tells which dependencies are configured."""
    answer = asking(Configuration(watched, reread=lambda: None), facades, ontology)("GET", "/health")

    assert {"redis": True, "postgres": False, "mocks": False} == answer.json()["dependencies"]


def test_reload(facades: Any, ontology: Ontology, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload takes what the environment says now; if that is not fit, the service goes on with what it had."""
    fill(monkeypatch, ENVIRONMENT="production", **SECRETS)
    env = UnifiedEnv(standard_groups)
    from oms.unified.config import UnifiedSettings

    configured = Configuration(UnifiedSettings(env), reread=env.reload)
    configured.load()
    ask = asking(configured, facades, ontology)
    monkeypatch.setenv("IAM_TIMEOUT", "8")
    good = ask("POST", "/configuration/reload").status_code
    monkeypatch.setenv("IAM_TIMEOUT", "no-number-9")
    bad = ask("POST", "/configuration/reload")
    held = {each.name: each.value for each in configured.held()}

    assert (204, 409, 8) == (good, bad.status_code, held["IAM_TIMEOUT"])
    assert "IAM_TIMEOUT" in bad.text
    assert "no-number-9" not in bad.text


def test_reload_on_legacy(watched: Watched, facades: Any, ontology: Ontology, monkeypatch: pytest.MonkeyPatch) -> None:
    """Legacy's own error quotes the text, the answer does not."""
    monkeypatch.setenv("IAM_TIMEOUT", "no-number-9")
    answer = asking(Configuration(watched, reread=lambda: None), facades, ontology)("POST", "/configuration/reload")

    assert 409 == answer.status_code
    assert "no-number-9" not in answer.text


@pytest.fixture
def flags(tmp_path: Path) -> Callable[[Split], Path]:
    """Makes a folder of flags whose config phase stands at a split."""

    def make(split: Split) -> Path:
        files = FlagFiles(tmp_path / "flags", PHASES)
        (tmp_path / "flags").mkdir()
        for phase in PHASES:
            files.write(phase, split if phase == "config" else Split.whole(Stage.OFF), based_on=None)
        return tmp_path / "flags"

    return make


@pytest.mark.parametrize("stage", [Stage.OFF, Stage.SHADOW])
def test_nothing_is_refused_while_legacy_answers(flags: Any, tmp_path: Path, stage: Stage) -> None:
    """Below live a process starts on any environment, as it always did."""
    oms = build(
        flags=flags(Split.whole(stage)), var=tmp_path / "var", environment=UnifiedEnv(standard_groups, environment={})
    )
    oms.start()
    oms.stop()


@pytest.mark.parametrize(
    "split",
    [Split.whole(Stage.LIVE), Split.whole(Stage.COMPLETE), Split(((Stage.LIVE, 1), (Stage.SHADOW, 9_999)))],
    ids=str,
)
def test_a_start_on_an_unfit_environment(flags: Any, tmp_path: Path, split: Split) -> None:
    """Where unified answers anybody, a canary of one in ten thousand too, the process does not start, and nothing of it runs."""
    var = tmp_path / "var"
    oms = build(
        flags=flags(split), var=var, environment=UnifiedEnv(standard_groups, environment={"ENVIRONMENT": "production"})
    )
    with pytest.raises(ConfigurationError) as caught:
        oms.start()

    assert {"JWT_SECRET", "PII_ENCRYPTION_KEY", "REDIS_PASSWORD", "TERMINUS_DB_PASSWORD"} == {
        each.name for each in caught.value.problems
    }
    assert [] == [*(var / "run").glob("*")]


def test_where_the_actions_service_is(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address is what was read at the start; before that, and where it is set to nothing, there is none."""
    configured = Configuration(watched, reread=lambda: None)
    before = configured.actions_url()
    configured.load()
    default = configured.actions_url()
    monkeypatch.setenv("ACTIONS_SERVICE_URL", "")
    kept = configured.actions_url()
    configured.reload()

    assert (None, "http://actions-service:8009", "http://actions-service:8009", None) == (
        before,
        default,
        kept,
        configured.actions_url(),
    )


def test_the_environment_of_a_rehearsal() -> None:
    """It is fit for production, is the same whoever starts it but for its secrets, and takes over no variable of the service."""
    outside = {"PATH": "/bin", "HOSTNAME": "h", "JWT_SECRET": "theirs", "TERMINUSDB_KEY": "theirs", "IAM_TIMEOUT": "3"}
    one, other = (
        rehearsal_environment(UnifiedEnv(standard_groups, environment=outside), actions_url="http://127.0.0.1:1")
        for _ in range(2)
    )
    UnifiedEnv(standard_groups, environment=one).validate()

    assert ("/bin", "h", "http://127.0.0.1:1") == (one["PATH"], one["HOSTNAME"], one["ACTIONS_SERVICE_URL"])
    assert "theirs" not in json.dumps(one)
    assert set(SECRETS) == {name for name in one if one[name] != other[name]}
    assert {"IAM_TIMEOUT", "TERMINUSDB_KEY"} & one.keys() == set()


def test_sides_of_the_wiring(flags: Any, tmp_path: Path) -> None:
    """Both sides of the configuration are wrapped like those of every seam."""
    seen: list[tuple[str, Side]] = []

    def wrap(seam: Any, side: Side, implementation: object) -> object:
        seen.append((seam.full_name, side))
        return implementation

    build(flags=flags(Split.whole(Stage.OFF)), var=tmp_path / "var", wrap=wrap)

    assert {("config.settings", Side.LEGACY), ("config.settings", Side.UNIFIED)} <= set(seen)
