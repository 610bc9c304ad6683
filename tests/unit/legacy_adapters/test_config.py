"""The adapter of the configuration: every place's idiom, a secret wrapped, nothing decided."""

from __future__ import annotations

import pytest
from sides.config import fill

from oms.legacy.env_reads import READS
from oms.legacy_adapters.config import legacy_settings
from oms.seams.config import Asks, Secret, UnknownSetting, Value, sites

GRAPHQL, CLIENT, IAM = "api/graphql/config.py", "core/integrations/iam_service_client.py", "core/iam/iam_integration.py"


def test_one_read_a_place() -> None:
    """The table of places and the reads of legacy hold the same."""
    assert {(name, site) for name, row in sites().items() for site in row} == READS.keys()


@pytest.mark.parametrize(
    ("name", "site", "text", "value"),
    [
        ("ENABLE_GQL_CACHE", GRAPHQL, "1", False),
        ("ENABLE_GQL_CACHE", GRAPHQL, "TRUE ", False),
        ("ENABLE_GQL_CACHE", GRAPHQL, "", False),
        ("ENABLE_GQL_CACHE", f"{GRAPHQL}#development", "True", True),
        ("TEST_MODE", "infra/siem/config.py", "yes", True),
        ("TEST_MODE", "infra/siem/config.py", "on", False),
        ("TEST_MODE", "infra/siem/config.py", " true", False),
        ("IAM_VERIFY_SSL", IAM, "0", True),
        ("IAM_VERIFY_SSL", IAM, "", True),
        ("IAM_VERIFY_SSL", IAM, "FALSE", False),
        ("IAM_VERIFY_SSL", CLIENT, "yes", False),
        ("TERMINUSDB_LRU_CACHE_SIZE", "database/clients/terminus_db.py", "500_000", 500_000),
        ("DB_MAX_CONNECTIONS", "database/clients/terminus_db.py", " 5 ", 5),
        ("REDIS_SOCKET_TIMEOUT", "config/redis_config.py", "1e3", 1000.0),
        ("CORS_ORIGINS", "api/graphql/modular_main.py", "a, b", ["a", " b"]),
        ("CORS_ORIGINS", "api/graphql/modular_main.py", "", [""]),
        ("JWT_ISSUER", IAM, "", ""),
        ("ENVIRONMENT", "middleware/auth_secure.py", " Prod ", True),
        ("ENVIRONMENT", "middleware/auth_msa.py", "Production", False),
        ("ENVIRONMENT", "utils/logger.py", "STAGING", True),
        ("DISABLE_AUTH", "middleware/auth_secure.py", "TRUE", False),
        ("NATS_URL", "core/event_publisher/__init__.py", "", False),
    ],
)
def test_idioms(monkeypatch: pytest.MonkeyPatch, name: str, site: str, text: str, value: Value) -> None:
    """Each place makes of a text what it always made of it."""
    fill(monkeypatch, **{name: text})
    found = legacy_settings().read(name, site)

    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize(
    ("name", "site"), [("IAM_CACHE_TTL", CLIENT), ("REDIS_SOCKET_TIMEOUT", "config/redis_config.py")]
)
@pytest.mark.parametrize("text", ["", "5e8s", "3600s"])
def test_no_number(monkeypatch: pytest.MonkeyPatch, name: str, site: str, text: str) -> None:
    """A text that is no number raises at the call; empty is no number."""
    fill(monkeypatch, **{name: text})
    with pytest.raises(ValueError, match=r"could not convert|invalid literal"):
        legacy_settings().read(name, site)


def test_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place that asks for a secret gets one, or None."""
    fill(monkeypatch, JWT_SECRET="abc")
    legacy = legacy_settings()
    places = [(name, site) for name, row in sites().items() for site, asks in row.items() if asks is Asks.SECRET]
    found = [legacy.read(name, site) for name, site in places if site != "shared/config/environment.py"]

    assert {Secret, type(None)} == {type(each) for each in found}
    assert Secret("abc") == legacy.read("JWT_SECRET", IAM)


def test_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place reads when it is asked."""
    legacy = legacy_settings()
    fill(monkeypatch, JWT_ISSUER="a")
    first = legacy.read("JWT_ISSUER", IAM)
    monkeypatch.setenv("JWT_ISSUER", "b")

    assert ("a", "b") == (first, legacy.read("JWT_ISSUER", IAM))


def test_unknown_place() -> None:
    """What is in no table is said so."""
    with pytest.raises(UnknownSetting, match=r"'JWT_ISSUER' at 'nowhere\.py'"):
        legacy_settings().read("JWT_ISSUER", "nowhere.py")
