"""A secret in any error text is a defect."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.seams.config import Secret, SecretGone
from oms.unified.config import ConfigurationError, UnifiedEnv, standard_groups

SECURITY = tuple(
    str.split(
        "JWT_SECRET PII_ENCRYPTION_KEY TERMINUS_DB_PASSWORD REDIS_PASSWORD BACKUP_MASTER_KEY DATABASE_URL JWT_SECRET_KEY TERMINUSDB_KEY"
    )
)
PLAIN = ("IAM_TIMEOUT", "MTLS_ENABLED", "LOG_LEVEL", "ENVIRONMENT", "REDIS_SOCKET_TIMEOUT", "LOG_FORMAT")
LETTERS = st.sampled_from("qwzjkxvQWZJKXV0123456789#%&!*é")
VALUES = st.text(LETTERS, min_size=6, max_size=60).map(lambda text: f"Zq{text}")
"""Texts that no message of ours holds by chance."""


def all_texts(error: BaseException) -> str:
    """Return everything that may be printed of *error*: messages, causes, tracebacks with all their locals, logs, dumps."""
    stream = io.StringIO()
    logger = logging.Logger("leaks")
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("failed: %s %r", error, error, exc_info=error)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    chain = [
        str(each) + repr(each) + repr(each.args) + repr(vars(each))
        for each in (error, error.__cause__, error.__context__)
        if each
    ]
    return "".join([*chain, *told.format(), stream.getvalue(), repr(pickle.dumps(error))])


def raised_by(ask: Callable[[], object]) -> ConfigurationError | None:
    """Return what *ask* raises. The traceback begins here, where no local holds a value of its own."""
    try:
        ask()
    except ConfigurationError as error:
        return error
    return None


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(SECURITY + PLAIN), VALUES, min_size=1, max_size=8))
def test_no_value_in_any_error(texts: dict[str, str]) -> None:
    """Whatever is set, and however unfit: no value is in str, repr, cause, context, traceback, its locals, log or pickle of an error."""
    env = UnifiedEnv(standard_groups, environment=texts)
    asked = [env.validate, *(partial(env.get, name) for name in texts)]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        errors = [error for ask in asked if (error := raised_by(ask)) is not None]
    told = "".join(map(all_texts, errors)) + "".join(str(each.message) for each in warned)
    told += repr(env) + "".join(line for name in SECURITY for line in env.explain(name).lines())

    assert [] == [name for name, text in texts.items() if text in told or repr(text)[1:-1] in told]
    assert [] == [error for error in errors if error.__cause__ or error.__context__]
    assert errors


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_no_value_in_explanations(text: str) -> None:
    """What explains a secret says where it came from and never what it is."""
    env = UnifiedEnv(standard_groups, environment={"ENVIRONMENT": "development", "JWT_SECRET": text * 8})
    found = env.explain("JWT_SECRET")

    assert text not in json.dumps(found.as_json()) + "".join(found.lines()) + repr(found)
    assert "environment" == found.source


@settings(max_examples=30, deadline=None)
@given(VALUES)
def test_no_value_in_a_secret(text: str) -> None:
    """A Secret shows its value to nobody who does not ask for it: no text form, no pickle, no copy, no local of a traceback."""
    secret = Secret(text)
    shown = (
        f"{secret} {secret!r} {secret!s} {[secret]} %s" % secret
        + repr(pickle.dumps(secret))
        + str(vars(type(secret)).get("_value"))
    )

    assert text not in shown
    assert text == secret.reveal()


def test_groups_show_no_value(good: dict[str, str]) -> None:
    """The repr, the dump and the pickle of a group hold no secret."""
    from oms.unified.config.groups.security import SecuritySettings

    env = UnifiedEnv(standard_groups, environment={"ENVIRONMENT": "production", **good})
    group = env.group(SecuritySettings)
    shown = f"{group} {group!r}" + repr(group.model_dump()) + repr(pickle.dumps(group))

    assert [] == [name for name, text in good.items() if text in shown]
    assert good["JWT_SECRET"] == group.JWT_SECRET.reveal()  # type: ignore[union-attr]  # it is set


def test_copies_of_a_secret() -> None:
    """A copy compares as the original does and cannot be read."""
    secret = Secret("a-secret-of-some-length")
    for copied in (pickle.loads(pickle.dumps(secret)), copy.deepcopy(secret), copy.copy(secret)):
        assert secret == copied
        assert hash(secret) == hash(copied)
        assert Secret("another") != copied
        with pytest.raises(SecretGone):
            copied.reveal()


def test_secrets_compare() -> None:
    """Equal texts are equal secrets; nothing else equals a secret, and an empty one is false."""
    texts: list[Any] = [Secret("a"), "a", Secret("b"), None]

    assert [True, False, False, False] == [Secret("a") == other for other in texts]
    assert [True, False] == [bool(Secret("a")), bool(Secret(""))]


def test_credentials_in_a_url(make_env: Any) -> None:
    """A URL is shown without what stands before its @."""
    env = make_env(ENVIRONMENT="development", REDIS_URL="redis://user:hunter2-hunter2@redis:6379")

    assert "redis://**********@redis:6379" == env.explain("REDIS_URL").value
