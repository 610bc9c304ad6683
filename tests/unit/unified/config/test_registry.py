"""Declaring variables, finding them, older names, overrides."""

from __future__ import annotations

import inspect
import threading
import warnings
from typing import Any

import pytest
from pydantic import Field

from oms.seams.config import Secret, sites
from oms.unified.config import (
    ConfigurationError,
    Group,
    NotDeclarable,
    UnifiedEnv,
    UnknownVariable,
    env_var,
    security_var,
    standard_groups,
    unified_env,
)


class MailSettings(Group):
    """Mail."""

    MAIL_HOST: str = env_var("localhost", aliases=("SMTP_HOST", "SMTP_SERVER"))
    MAIL_PORT: int = env_var(25)
    MAIL_TO: tuple[str, ...] = env_var(())
    MAIL_PASSWORD: Secret | None = security_var(least=12)


def mail(**texts: str) -> UnifiedEnv:
    """Return a registry of the group above."""
    env = UnifiedEnv(environment=texts)
    env.register(MailSettings, owner="team-mail")
    return env


def test_no_security_variable_has_a_default() -> None:
    """Not one of the service's: reflected over the registry, and the declaration has no such parameter."""
    groups = [each.group for each in standard_groups()]
    security = [(group, name) for group in groups for name, variable in group.declared.items() if variable.is_security]

    assert {"JWT_SECRET", "PII_ENCRYPTION_KEY", "TERMINUS_DB_PASSWORD", "REDIS_PASSWORD"} <= {
        name for _, name in security
    }
    assert [] == [name for group, name in security if group.model_fields[name].get_default() is not None]
    assert "default" not in inspect.signature(security_var).parameters
    with pytest.raises(TypeError):
        security_var(default="x")  # type: ignore[call-arg]  # that it cannot be given is the test


def test_a_default_cannot_be_smuggled_in() -> None:
    """A security variable that got a default on another way is refused when its class is made."""
    smuggled = Field(default=Secret("x" * 40), json_schema_extra=security_var().json_schema_extra)
    with pytest.raises(NotDeclarable, match="A_KEY: found a default"):
        type(
            "BadSettings",
            (Group,),
            {"__annotations__": {"A_KEY": Secret | None}, "A_KEY": smuggled, "__module__": __name__},
        )


@pytest.mark.parametrize(
    ("annotation", "value", "found"),
    [
        (str, "plain", "a plain field"),
        (dict, env_var({}), "a type that no text becomes"),
        (bytes, env_var(b""), "a type that no text"),
    ],
)
def test_bad_declarations(annotation: Any, value: Any, found: str) -> None:
    """A field that was not declared with our functions, or whose type no text becomes, is refused when the class is made."""
    with pytest.raises(NotDeclarable, match=found):
        type("BadSettings", (Group,), {"__annotations__": {"A": annotation}, "A": value, "__module__": __name__})


def test_one_owner() -> None:
    """A name stands in one group, aliases counted."""

    class OtherSettings(Group):
        """Takes an alias of another group."""

        SMTP_HOST: str = env_var("x")

    env = mail()
    with pytest.raises(NotDeclarable, match="SMTP_HOST: found it in MailSettings too"):
        env.register(OtherSettings, owner="team-other")
    assert "localhost" == env.get("SMTP_HOST")


def test_types() -> None:
    """Values come in their type, lists without blanks and empty entries."""
    env = mail(ENVIRONMENT="development", MAIL_PORT=" 2_500 ", MAIL_TO="a@x, b@x,,", MAIL_PASSWORD="k9#Vq2!xLm8&")

    assert ("localhost", 2500, ("a@x", "b@x")) == (env.get("MAIL_HOST"), env.get("MAIL_PORT"), env.get("MAIL_TO"))
    assert Secret("k9#Vq2!xLm8&") == env.get("MAIL_PASSWORD")


def test_unknown_names() -> None:
    """A name that nobody declares is a slip in the code, with the nearest one."""
    with pytest.raises(UnknownVariable, match="did you mean MAIL_PORT"):
        mail(MAIL_PASSWORD="k9#Vq2!xLm8&").get("MAIL_PROT")
    with pytest.raises(UnknownVariable, match="OtherSettings"):
        mail(MAIL_PASSWORD="k9#Vq2!xLm8&").group(type("OtherSettings", (Group,), {"__module__": __name__}))


def test_names_are_case_sensitive() -> None:
    """mail_port is not MAIL_PORT, and looks like a slip."""
    env = mail(ENVIRONMENT="production", mail_port="1", MAIL_PROT="2", MAIL="3", PATH="/bin")

    assert 25 == env.get("MAIL_PORT")
    assert [
        "MAIL_PROT is set, which nobody reads; did you mean MAIL_PORT?",
        "mail_port is set, which nobody reads: names are case-sensitive; did you mean MAIL_PORT?",
    ] == list(env.hints())


def test_no_hints_for_what_is_declared() -> None:
    """No name of the registry, and none of an ordinary environment, is taken for a slip."""
    names = {name for variable in unified_env.variables().values() for name in variable.names}
    ordinary = str.split(
        "PATH HOME LANG LC_ALL SHELL TERM USER LOGNAME PWD OLDPWD TZ HOSTNAME EDITOR PYTHONPATH KUBERNETES_SERVICE_HOST"
    )

    assert () == UnifiedEnv(standard_groups, environment=dict.fromkeys([*names, *ordinary], "x")).hints()


def test_older_names_warn_once() -> None:
    """An older name is read, with one warning that names both; the present one wins without a word."""
    env = mail(SMTP_HOST="h")
    with pytest.warns(DeprecationWarning, match="SMTP_HOST is an older name of MAIL_HOST: set MAIL_HOST"):
        assert "h" == env.get("MAIL_HOST")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reload()
        assert "h" == env.get("SMTP_SERVER")
        assert "same" == mail(MAIL_HOST="same", SMTP_HOST="same").get("MAIL_HOST")


def test_older_names_that_disagree() -> None:
    """Two names of one variable with two values are a problem, because nobody can know which one is meant."""
    with pytest.raises(ConfigurationError, match="MAIL_HOST and SMTP_HOST set to different values"):
        mail(MAIL_HOST="a", SMTP_HOST="b").get("MAIL_HOST")


def test_group() -> None:
    """A group that is fit is an object with an attribute for each variable; it cannot be changed."""
    env = UnifiedEnv(environment={"MAIL_PORT": "26", "MAIL_PASSWORD": "k9#Vq2!xLm8&"})
    env.register(MailSettings, owner="team-mail")
    group = env.group(MailSettings)

    assert (26, "localhost") == (group.MAIL_PORT, group.MAIL_HOST)
    with pytest.raises(ValueError, match="frozen"):
        group.MAIL_PORT = 1


def test_group_with_a_problem() -> None:
    """A group that is not fit raises all of its problems."""
    env = UnifiedEnv(environment={"MAIL_PORT": "x"})
    env.register(MailSettings, owner="team-mail")
    with pytest.raises(ConfigurationError) as caught:
        env.group(MailSettings)

    assert ["MAIL_PORT", "MAIL_PASSWORD"] == [problem.name for problem in caught.value.problems]


def test_override() -> None:
    """What is put over the environment holds inside of the block, for this thread, and is gone after it, however it ends."""
    env = mail(MAIL_PORT="1", MAIL_PASSWORD="k9#Vq2!xLm8&")
    seen: list[object] = []
    with env.override({"MAIL_PORT": "2"}):
        inner = [env.get("MAIL_PORT"), env.getenv("MAIL_PORT"), env.explain("MAIL_PORT").source]
        thread = threading.Thread(target=lambda: seen.append(env.get("MAIL_PORT")))
        thread.start()
        thread.join()
        with env.override({"MAIL_PORT": None, "MAIL_HOST": "h"}):
            inner += [env.get("MAIL_PORT"), env.contains("MAIL_PORT"), env.group(MailSettings).MAIL_HOST]
        inner.append(env.require("MAIL_PORT"))
    with pytest.raises(RuntimeError), env.override({"MAIL_PORT": "3"}):
        raise RuntimeError

    assert [2, "2", "override", 25, False, "h", "2"] == inner
    assert ([1], 1) == (seen, env.get("MAIL_PORT"))


def test_explain() -> None:
    """Where a value came from, whose it is, who reads it."""
    env = mail(MAIL_PORT="x", SMTP_SERVER="h")
    with pytest.warns(DeprecationWarning, match="SMTP_SERVER"):
        host, port = env.explain("SMTP_HOST", ["a.py", "b.py"]), env.explain("MAIL_PORT")

    assert ("MAIL_HOST", "alias SMTP_SERVER", "h", "localhost", "mail", "team-mail") == (
        host.name, host.source, host.value, host.default, host.group, host.owner,
    )  # fmt: skip
    assert ("a.py", "b.py") == host.readers
    assert (None, "environment", "int") == (port.value, port.source, port.kind)
    assert 1 == len(port.problems)
    assert ("default", "unset") == (env.explain("MAIL_TO").source, env.explain("MAIL_PASSWORD").source)
    assert "MAIL_HOST (asked for as SMTP_HOST, an older name)" == next(host.lines())


def test_all_sites_are_declared() -> None:
    """Every variable that a place of the monolith reads is declared, and read by some place."""
    names = {name for variable in unified_env.variables().values() for name in variable.names}

    assert set() == set(sites()) - names


def test_threads_see_one_reading() -> None:
    """Threads that ask together get one reading: the very same values."""
    env = UnifiedEnv(standard_groups, environment={"ENVIRONMENT": "development", "JWT_SECRET": "c1a7f0d2e6b34958" * 2})
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(env.get("JWT_SECRET"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == len({id(each) for each in found})
    assert 8 == len(found)


def test_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the whole environment is no way into it."""
    monkeypatch.setenv("OMS_TEST_ONE", "1")
    unified_env.texts()["OMS_TEST_ONE"] = "2"

    assert "1" == unified_env.texts()["OMS_TEST_ONE"]
