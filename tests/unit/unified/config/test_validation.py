"""One reading, one error, every problem in it."""

from __future__ import annotations

from typing import Any

import pytest

from oms.unified.config import ConfigurationError, Group, Profile, UnifiedEnv, env_var
from oms.unified.config.group import UNFIT

REQUIRED = ["JWT_SECRET", "PII_ENCRYPTION_KEY", "REDIS_PASSWORD", "TERMINUS_DB_PASSWORD"]


def problems(env: UnifiedEnv) -> dict[str, str]:
    """Return what is wrong, in words, by variable; nothing if all is well."""
    try:
        env.validate()
    except ConfigurationError as error:
        return {problem.name: problem.found for problem in error.problems}
    return {}


@pytest.mark.parametrize("profile", ["production", "staging", "Prod"])
def test_required_secrets(make_env: Any, profile: str) -> None:
    """In production and staging the four secrets of the roadmap are required, and all of them are named at once."""
    assert dict.fromkeys(REQUIRED, "nothing") == problems(make_env(ENVIRONMENT=profile))


def test_unset_is_production(make_env: Any) -> None:
    """Who says nothing of where it runs is taken for production."""
    assert dict.fromkeys(REQUIRED, "nothing") == problems(make_env())


@pytest.mark.parametrize("profile", ["development", "test", "dev", " Local "])
def test_not_required_elsewhere(make_env: Any, profile: str) -> None:
    """On the machine of a developer and in tests nothing is required; an unset secret is None."""
    env = make_env(ENVIRONMENT=profile)

    assert {} == problems(env)
    assert [None] * 4 == [env.get(name) for name in REQUIRED]


def test_good_production(make_env: Any, good: dict[str, str]) -> None:
    """With good secrets production is fit, and each can be used."""
    env = make_env(ENVIRONMENT="production", **good)

    assert {} == problems(env)
    assert good == {name: env.get(name).reveal() for name in good}


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("JWT_SECRET", "", "an empty text"),
        ("JWT_SECRET", " \t ", "blanks only"),
        ("JWT_SECRET", "short-9f3a", "fewer than 32 characters"),
        ("JWT_SECRET", "your-secret-key", "a placeholder"),
        ("JWT_SECRET", "changeme-admin-pass", "a placeholder"),
        ("JWT_SECRET", "dev-secret-dev-secret-dev-secret-dev", "a placeholder"),
        ("JWT_SECRET", "${JWT_SECRET}", "a placeholder"),
        ("JWT_SECRET", "<put your key here, 32 characters or more>", "a placeholder"),
        ("JWT_SECRET", "root", "a placeholder"),
        ("JWT_SECRET", "x" * 64, "a placeholder"),
        ("JWT_SECRET", "abab" * 16, "a text with too little randomness"),
        ("JWT_SECRET", "c1a7f0d2e6b34958\nc1a7f0d2e6b34958", "a line break inside"),
        ("TERMINUS_DB_PASSWORD", "root", "a placeholder"),
        ("REDIS_PASSWORD", "Password", "a placeholder"),
        ("PII_ENCRYPTION_KEY", "no fernet key: 0123 4567 89ab cdef 0123", "no URL-safe base64"),
        ("PII_ENCRYPTION_KEY", "c2hvcnQga2V5IG9mIGZld2VyIGJ5dGVz", "base64 of another length"),
    ],
)
def test_unfit_secrets(make_env: Any, good: dict[str, str], name: str, text: str, found: str) -> None:
    """Empty, blank, placeholder, short, typed and malformed secrets are each told from the others, in every profile."""
    in_production = problems(make_env(ENVIRONMENT="production", **{**good, name: text}))
    in_development = problems(make_env(ENVIRONMENT="development", **{name: text}))

    assert [{name: found}] * 2 == [in_production, in_development]


def test_equal_secrets(make_env: Any, good: dict[str, str]) -> None:
    """Two variables with one secret are a problem that names both."""
    good["REDIS_PASSWORD"] = good["JWT_SECRET"]

    assert {"REDIS_PASSWORD": "the same as in JWT_SECRET"} == problems(make_env(ENVIRONMENT="production", **good))


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("IAM_TIMEOUT", "ten", "something else"),
        ("IAM_TIMEOUT", "10s", "something else"),
        ("REDIS_SOCKET_TIMEOUT", "1,5", "something else"),
        ("MTLS_ENABLED", "yep", "another word"),
        ("LOG_LEVEL", "LOUD", "another word"),
        ("LOG_FORMAT", "xml", "another word"),
        ("ENVIRONMENT", "prodution", "another word"),
    ],
)
def test_unfit_values(make_env: Any, good: dict[str, str], name: str, text: str, found: str) -> None:
    """What is no number, no word for yes or no, no level, no profile is a problem, and never a silent default."""
    assert {name: found} == problems(make_env(**{"ENVIRONMENT": "production", **good, name: text}))


def test_everything_at_once(make_env: Any) -> None:
    """Problems of every group stand in one error, with group, owner and mend, in the order of the groups."""
    env = make_env(
        ENVIRONMENT="production",
        JWT_SECRET="secret",
        IAM_TIMEOUT="x",
        DB_MAX_CONNECTIONS="y",
        MTLS_ENABLED="z",
        JWT_SECRETT="w",
    )
    with pytest.raises(ConfigurationError) as caught:
        env.validate()
    names = [problem.name for problem in caught.value.problems]

    assert {"IAM_TIMEOUT", "DB_MAX_CONNECTIONS", "MTLS_ENABLED", *REQUIRED} == set(names)
    assert {"security", "access", "database"} == {problem.group for problem in caught.value.problems}
    assert all(problem.owner.startswith("platform-") and problem.wanted for problem in caught.value.problems)
    assert ("JWT_SECRETT is set, which nobody reads; did you mean JWT_SECRET?",) == caught.value.hints
    assert 1 + len(names) + 1 == len(str(caught.value).splitlines())


def test_a_bad_value_beside_good_ones(make_env: Any, good: dict[str, str]) -> None:
    """What is fit can be read although something else in its group is not; the unfit one raises for itself alone."""
    env = make_env(ENVIRONMENT="production", IAM_TIMEOUT="x", IAM_CACHE_TTL="7", IAM_SERVICE_URL="http://i", **good)
    with pytest.raises(ConfigurationError) as caught:
        env.get("IAM_TIMEOUT")

    assert (7, "http://i", True) == (env.get("IAM_CACHE_TTL"), env.get("IAM_SERVICE_URL"), env.get("MTLS_ENABLED"))
    assert ["IAM_TIMEOUT"] == [problem.name for problem in caught.value.problems]


@pytest.mark.parametrize("text", ["", "   "])
def test_empty_is_unset(make_env: Any, text: str) -> None:
    """A variable that is set to nothing has its default."""
    env = make_env(ENVIRONMENT="development", IAM_TIMEOUT=text, REDIS_URL=text, MTLS_ENABLED=text)

    assert (10, "redis://redis:6379", True) == (env.get("IAM_TIMEOUT"), env.get("REDIS_URL"), env.get("MTLS_ENABLED"))


def test_required_by_its_group() -> None:
    """A group can demand all of its variables in a profile."""

    class MailSettings(Group):
        """Mail."""

        MAIL_HOST: str | None = env_var(None)

    env = UnifiedEnv(environment={})
    env.register(MailSettings, owner="team-mail", required_in={Profile.PRODUCTION})

    assert {"MAIL_HOST": "nothing"} == problems(env)


def test_foreign_errors_are_not_quoted() -> None:
    """An error that pydantic makes by itself is told by its type alone."""
    from oms.unified.config.loading import _problem

    assert "fits" not in str(_problem("A", {"type": "string_type", "msg": "the secret abc fits not"}))
    assert "oms_unfit" == UNFIT


def test_validate_reads_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was mended since the last reading counts."""
    env = UnifiedEnv()

    class OneSettings(Group):
        """One variable."""

        OMS_TEST_ONE: int = env_var(1)

    env.register(OneSettings, owner="team")
    monkeypatch.setenv("OMS_TEST_ONE", "x")
    before = problems(env)
    monkeypatch.setenv("OMS_TEST_ONE", "2")

    assert ({"OMS_TEST_ONE": "something else"}, {}, 2) == (before, problems(env), env.get("OMS_TEST_ONE"))
