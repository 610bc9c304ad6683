"""``oms config explain``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sides.config import SECRETS, fill

from oms.cli.main import main
from oms.unified.config import unified_env


@pytest.fixture(autouse=True)
def _production(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An environment that is fit for production; read anew before and after."""
    fill(monkeypatch, ENVIRONMENT="production", IAM_TIMEOUT="7", **SECRETS)
    unified_env.reload()
    yield
    unified_env.reload()


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: value, source, owner, and every place that reads it."""
    code = main(["config", "explain", "IAM_TIMEOUT"])
    told = capsys.readouterr().out

    assert 0 == code
    assert "  value     7\n  source    environment\n" in told
    assert "  owner     platform-security (group access)\n" in told
    assert "  reader    core/integrations/iam_service_client_with_fallback.py\n" in told


def test_explain_json(capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: one object, with the canonical name of an older one."""
    code = main(["config", "explain", "JWT_SECRET_KEY", "--json"])
    told = json.loads(capsys.readouterr().out)

    assert (0, 1, "JWT_SECRET", "JWT_SECRET_KEY") == (code, told["schema"], told["name"], told["asked"])
    assert ("**********", "environment", True) == (told["value"], told["source"], told["security"])
    assert "grpc_services/server.py (as JWT_SECRET_KEY)" in told["readers"]


@pytest.mark.parametrize("name", [*SECRETS, "JWT_SECRET_KEY", "TERMINUSDB_KEY"])
def test_no_secret_is_shown(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Neither form shows the value of a secret."""
    main(["config", "explain", name])
    main(["config", "explain", name, "--json"])
    told = "".join(capsys.readouterr())

    assert name in told
    assert [] == [text for text in SECRETS.values() if text in told]


def test_an_unfit_value(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 78, and the problem without the value."""
    monkeypatch.setenv("JWT_SECRET", "short-9f3a")
    unified_env.reload()
    code = main(["config", "explain", "JWT_SECRET"])
    told = "".join(capsys.readouterr())

    assert 78 == code
    assert "found fewer than 32 characters" in told
    assert "short-9f3a" not in told


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and the nearest name, on one line."""
    code = main(["config", "explain", "JWT_SECRT"])
    wanted = "oms: NAME: found 'JWT_SECRT', wanted a variable that is declared; did you mean JWT_SECRET?\n"

    assert (2, wanted) == (code, capsys.readouterr().err)
