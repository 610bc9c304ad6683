"""StrictEnv, EnvironmentConfig and the core's own: kept as they were, quirks included."""

from __future__ import annotations

import os

import pytest

from oms.legacy.core.config import environment as core
from oms.legacy.shared.config import environment as shared
from oms.legacy.shared.config.environment import ConfigErrorAction, ConfigurationError, EnvironmentConfig, StrictEnv
from oms.legacy.shared.config.unified_config import log_level

GOOD = {
    "TERMINUS_DB_URL": "http://t", "TERMINUS_DB_TOKEN": "t", "TERMINUS_DB_TEAM": "t", "TERMINUS_DB_NAME": "t", "REDIS_URL": "redis://r",
    "JWT_SECRET": "s", "JWT_SECRET_KEY": "s", "USER_SERVICE_URL": "http://u", "IAM_SERVICE_URL": "http://i",
}  # fmt: skip
PRODUCTION = ["TERMINUS_DB_URL", "REDIS_URL", "NATS_URL", "JWT_SECRET_KEY", "DATABASE_URL", "ACTIONS_SERVICE_URL"]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        *GOOD,
        *PRODUCTION,
        "ENVIRONMENT",
        "ENV",
        "LOG_LEVEL",
        "SCHEDULER_SERVICE_ENDPOINT",
        "AUDIT_SERVICE_URL",
        "OMS_TEST",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shared, "_config", None)


def test_strict_get(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset name raises ValueError; empty counts as set; a default is taken."""
    with pytest.raises(ValueError, match="OMS_TEST is not set"):
        StrictEnv.get("OMS_TEST")
    monkeypatch.setenv("OMS_TEST", "")

    assert ("", "d") == (StrictEnv.get("OMS_TEST"), StrictEnv.get("OMS_TEST_2", "d"))


def test_strict_get_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment called test it says None instead."""
    monkeypatch.setenv("ENVIRONMENT", "test")

    assert None is StrictEnv.get("OMS_TEST")


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("1", True), ("YES", True), ("on", True), ("", False), ("y", False)]
)
def test_strict_words(monkeypatch: pytest.MonkeyPatch, text: str, truth: bool) -> None:
    """It knows four words for yes; all else is no."""
    monkeypatch.setenv("OMS_TEST", text)

    assert (truth, True, 7) == (
        StrictEnv.get_bool("OMS_TEST"),
        StrictEnv.get_bool("OMS_TEST_2", True),
        StrictEnv.get_int("OMS_TEST_2", 7),
    )


def test_strict_validation_exits() -> None:
    """What is missing ends the process with 1, whatever a supervisor may think of that."""
    with pytest.raises(SystemExit) as caught:
        StrictEnv.validate_or_die()

    assert 1 == caught.value.code


def test_strict_validation_in_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment called test nothing is validated."""
    monkeypatch.setenv("ENVIRONMENT", "test")
    StrictEnv.validate_or_die()

    assert "REDIS_URL" not in os.environ


def test_strict_validation_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults of optional names are written into the environment; a bad optional value passes, its validator never runs."""
    for name, text in GOOD.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("ACTIONS_SERVICE_URL", "no url")
    monkeypatch.setenv("SCHEDULER_SERVICE_ENDPOINT", "x")
    monkeypatch.delenv("SCHEDULER_SERVICE_ENDPOINT")
    StrictEnv.validate(["actions", "scheduler"])

    assert ("scheduler-service:50056", "no url") == (
        os.environ["SCHEDULER_SERVICE_ENDPOINT"],
        os.environ["ACTIONS_SERVICE_URL"],
    )


@pytest.mark.parametrize(("name", "text"), [("REDIS_URL", "http://r"), ("IAM_SERVICE_URL", "i")])
def test_strict_validation_raises(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    """A required value that is not fit is named."""
    for each, good in {**GOOD, name: text}.items():
        monkeypatch.setenv(each, good)
    with pytest.raises(ConfigurationError, match=name):
        StrictEnv.validate(action=ConfigErrorAction.RAISE)
    StrictEnv.validate(action=ConfigErrorAction.WARN)


def test_config_caches_the_callers_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first caller's default is everybody's, for ever, also once the variable is set."""
    config = shared.get_config()
    first = config.get("OMS_TEST", "mine")
    monkeypatch.setenv("OMS_TEST", "set")

    assert ("mine", "mine", "mine") == (first, config.get("OMS_TEST"), shared.get_config().get("OMS_TEST", "other"))


def test_config_refuses_localhost_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production a value with localhost in it raises, also where it stands inside of a secret."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    for name in PRODUCTION:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("OMS_TEST", "my-localhost-password")
    with pytest.raises(ConfigurationError, match="OMS_TEST"):
        EnvironmentConfig().get("OMS_TEST")


def test_config_demands_six_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production six names are demanded when it is made; an unknown environment is refused."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    with pytest.raises(ConfigurationError, match="NATS_URL"):
        EnvironmentConfig()
    monkeypatch.setenv("ENVIRONMENT", "Production")
    with pytest.raises(ConfigurationError, match="Invalid ENVIRONMENT"):
        EnvironmentConfig()


def test_config_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses have defaults on localhost in development, and none in staging and test."""
    here = EnvironmentConfig()
    monkeypatch.setenv("ENVIRONMENT", "staging")
    there = EnvironmentConfig()

    assert ["http://localhost:6363", "redis://localhost:6379", "nats://localhost:4222", "http://localhost:8009"] == [
        here.terminus_db_url, here.redis_url, here.nats_url, here.actions_service_url,
    ]  # fmt: skip
    assert [None] * 4 == [there.terminus_db_url, there.redis_url, there.nats_url, there.actions_service_url]


def test_config_types() -> None:
    """Numbers, truths and lists come from the built-in defaults too."""
    config = EnvironmentConfig()

    assert (3600, True, ["json"], [], 5) == (
        config.get_int("CACHE_DEFAULT_TTL"), config.get_bool("METRICS_ENABLED"), config.get_list("LOG_FORMAT"), config.get_list("OMS_TEST"),
        config.get_int("OMS_TEST", 5),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [("PRODUCTION", "production"), ("local", "local"), ("prod", "development"), (None, "development")],
)
def test_core(monkeypatch: pytest.MonkeyPatch, text: str | None, found: str) -> None:
    """The core reads ENV, knows local, and takes what it does not know for development."""
    if text is not None:
        monkeypatch.setenv("ENV", text)
    config = core.EnvironmentConfig()

    assert (found, found == "production", found in ("development", "local")) == (
        config.current_env, config.is_production, config.is_development,
    )  # fmt: skip


def test_level_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """In production the level is WARNING, whatever is set."""
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    before = log_level()
    monkeypatch.setenv("ENVIRONMENT", "production")

    assert ("DEBUG", "WARNING") == (before, log_level())
