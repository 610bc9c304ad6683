"""Configuration (roadmap 2.1): one port, every place where the monolith reads its environment."""

from __future__ import annotations

import functools
import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Protocol

from oms.domain.comparison import Difference
from oms.domain.errors import OmsError
from oms.domain.known import Predicate
from oms.domain.observation import Facts, StandIn
from oms.domain.phase import Phase, reads


class Asks(StrEnum):
    """What a place wants to know of a variable."""

    VALUE = "value"
    """The value, in the type that the place works with; None if there is none."""
    SECRET = "secret"
    """The value as a :class:`Secret`; None if there is none."""
    IS_SET = "is_set"
    """Whether there is a value."""
    IS_PRODUCTION = "is_production"
    """Whether the environment is production."""
    IS_DEPLOYED = "is_deployed"
    """Whether the environment is production or staging."""
    IS_DEVELOPMENT = "is_development"
    """Whether the environment is development."""
    LOGS_JSON = "logs_json"
    """Whether logs are JSON."""


class UnknownSetting(OmsError):
    """A variable that no registry knows, or a place that no table lists: a slip of the programmer, never of the environment."""


class SecretGone(OmsError):
    """The value of a secret was asked of a copy, which never has it."""


_KEY = secrets.token_bytes(32)
"""Of the hashes by which secrets of this process compare; it is in no file and ends with the process."""


class Secret:
    """A secret's value, to be held and compared without being shown.

    Two are equal if their hashes, keyed with a key of this process, are. Text forms and hashes for reports tell nothing; a pickle or a
    copy carries the keyed hash alone, so what a lane, a journal or a dump holds can be compared and never read.
    """

    __slots__ = ("_digest", "_value")

    def __init__(self, value: str) -> None:
        self._value: str | None = value
        self._digest = hmac.new(_KEY, value.encode(errors="surrogateescape"), hashlib.sha256).digest()

    def reveal(self) -> str:
        """Return the value, for the library that needs it.

        Raises:
            SecretGone: of a copy.
        """
        if self._value is None:
            raise SecretGone("secret: found a copy, which has no value, wanted the one that was read")
        return self._value

    def __eq__(self, other: object) -> bool:
        return hmac.compare_digest(self._digest, other._digest) if isinstance(other, Secret) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._digest)

    def __bool__(self) -> bool:
        return self != _NOTHING

    def __repr__(self) -> str:
        return "Secret(**********)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        return _copy_of, (self._digest,)


def _copy_of(digest: bytes) -> Secret:
    copied = object.__new__(Secret)
    copied._digest, copied._value = digest, None
    return copied


_NOTHING = Secret("")

Value = str | int | float | bool | list[str] | Secret | None


class Settings(Protocol):
    """Tells what the environment says."""

    @reads(named_by=("name", "site"))
    def read(self, name: str, site: str) -> Value:
        """Return what the place *site* asks of the variable *name*; ``SITES`` lists both.

        Raises:
            UnknownSetting: if the table does not list *name* at *site*.
        """
        ...


@functools.cache
def sites() -> Mapping[str, Mapping[str, Asks]]:
    """Return the places that read each variable, with what they ask, from ``config.sites.toml``."""
    table = tomllib.loads((files("oms.seams") / "config.sites.toml").read_text("utf-8"))
    return MappingProxyType(
        {name: MappingProxyType({site: Asks(asks) for site, asks in row.items()}) for name, row in table.items()}
    )


def asks_at(name: str, site: str) -> Asks:
    """Return what *site* asks of *name*.

    Raises:
        UnknownSetting: if the table does not list them together.
    """
    try:
        return sites()[name][site]
    except KeyError:
        raise UnknownSetting(
            f"setting {name!r} at {site!r}: found in no table, wanted one of config.sites.toml"
        ) from None


# -- known divergences: what each rule of config.known.toml asks for. Paths are ``VARIABLE@site``.

_ONE_DEFAULT: Mapping[str, tuple[Value, frozenset[Value]]] = {
    "IAM_SERVICE_URL": ("https://iam-service:8443", frozenset({"http://user-service:8000"})),
    "IAM_TIMEOUT": (10, frozenset({5})),
    "REDIS_URL": ("redis://redis:6379", frozenset({"redis://localhost:6379", None})),
    "NATS_URL": (None, frozenset({"nats://localhost:4222"})),
    "JAEGER_ENABLED": (False, frozenset({True})),
    "JAEGER_AGENT_PORT": (6831, frozenset({14268})),
    "USER_SERVICE_URL": ("https://user-service:8443", frozenset({"http://localhost:18002"})),
    "SCHEMA_SERVICE_URL": ("https://schema-service:8443", frozenset({"http://schema-service:8000"})),
    "BRANCH_SERVICE_URL": ("https://branch-service:8443", frozenset({"http://branch-service:8000"})),
    "VALIDATION_SERVICE_URL": ("https://validation-service:8443", frozenset({"http://validation-service:8000"})),
    "GRPC_PORT": (50051, frozenset({50055})),
    "SERVICE_NAME": ("oms-service", frozenset({"oms"})),
}
"""By variable: the default of unified, and those that some places of legacy have in its stead."""

_FAMILY_DEFAULTS: Mapping[str, frozenset[Value]] = {
    "TERMINUSDB_DB": frozenset({"oms_db", "oms"}),
    "TERMINUSDB_URL": frozenset({"http://localhost:6363", "http://terminusdb:6363"}),
    "TERMINUSDB_ENDPOINT": frozenset({"http://localhost:6363", "http://terminusdb:6363"}),
    "OMS_DATABASE_URL": frozenset({"http://localhost:6363"}),
    "TERMINUSDB_USER": frozenset({"admin"}),
    "TERMINUSDB_ADMIN_USER": frozenset({"admin"}),
}
"""By variable that unified knows as an alias: what legacy falls back on where another name of the family is set, or none."""

_WELL_KNOWN = tuple(
    Secret(text)
    for text in (
        "your-secret-key", "dev-secret", "secret", "root", "changeme-admin-pass", "default-insecure-key", "default-secret-key", "minioadmin123",
        "postgresql://oms_user:oms_password@postgres:5432/oms_db", "postgresql+asyncpg://user:password@localhost/oms_db", "",
    )
)  # fmt: skip
"""What the monolith takes for a secret where none is set. Anybody can read them."""


def _another_default(difference: Difference, facts: Facts) -> bool:
    """Legacy falls back on the default of its place, and unified on the one that all places have."""
    unified, others = _ONE_DEFAULT[difference.path.partition("@")[0]]
    return difference.legacy in others and type(difference.unified) is type(unified) and difference.unified == unified


def _another_name(difference: Difference, facts: Facts) -> bool:
    """Legacy falls back on a default because this name is not set; unified has a value of the family's."""
    known = _FAMILY_DEFAULTS[difference.path.partition("@")[0]]
    return difference.legacy in known and isinstance(difference.unified, str) and bool(difference.unified)


def _well_known_key(difference: Difference, facts: Facts) -> bool:
    """Legacy takes a secret that anybody can read, or goes on without one; unified takes none, another one, or refuses."""
    legacy, unified = difference.legacy, difference.unified
    if legacy is None:
        return _is_refused(unified)
    has_another = isinstance(unified, Secret) and unified not in _WELL_KNOWN
    is_open = isinstance(legacy, Secret) and legacy in _WELL_KNOWN
    return is_open and (unified is None or has_another or _is_refused(unified))


def _one_key(difference: Difference, facts: Facts) -> bool:
    """Legacy finds nothing under this name; unified has the secret under another name of its family."""
    return (
        difference.legacy is None and isinstance(difference.unified, Secret) and difference.unified not in _WELL_KNOWN
    )


def _insisted(difference: Difference, facts: Facts) -> bool:
    """StrictEnv raises for an unset variable, in tests it says None; unified has a default for it, or refuses in its own words."""
    legacy, unified = difference.legacy, difference.unified
    answered = isinstance(unified, str) or unified is None
    if isinstance(legacy, StandIn):
        return legacy.type_name == "ValueError" and (answered or _is_refused(unified))
    return legacy is None and answered


def _development_by_default(difference: Difference, facts: Facts) -> bool:
    """Legacy takes an unset name for development; unified knows from another name, or by its default, that it is not."""
    return difference.legacy in ("development", "dev") and difference.unified in ("production", "staging", "test")


def _same_environment(difference: Difference, facts: Facts) -> bool:
    """Both mean the same word, as legacy has it and as unified writes it; or unified sees production or staging where legacy misses it."""
    legacy, unified = difference.legacy, difference.unified
    if legacy is False and unified is True:
        name, _, site = difference.path.partition("@")
        return asks_at(name, site) in (Asks.IS_PRODUCTION, Asks.IS_DEPLOYED)
    cut = {"production": "prod", "staging": "stage", "development": "dev"}.get(str(unified))
    return _other_letters(difference, facts) or (cut is not None and _word(legacy) == cut)


def _other_letters(difference: Difference, facts: Facts) -> bool:
    """Both have the same word in other letters."""
    return isinstance(difference.unified, str) and _word(difference.legacy) == difference.unified.lower()


def _word(value: object) -> str | None:
    return value.strip().lower() if isinstance(value, str) else None


def _forced_to_warning(difference: Difference, facts: Facts) -> bool:
    """Legacy raises the level to WARNING in production, whatever is set; unified leaves it as it is set."""
    return difference.legacy == "WARNING" and difference.unified in ("DEBUG", "INFO", "ERROR", "CRITICAL")


def _turned_on(difference: Difference, facts: Facts) -> bool:
    """Legacy says no, unified says yes; never the other way round, which would take a protection away."""
    return difference.legacy is False and difference.unified is True


def _is_refused(unified: object) -> bool:
    return isinstance(unified, StandIn) and unified.type_name == "ConfigurationError"


PREDICATES: dict[str, Predicate] = {
    "another default": _another_default,
    "another name": _another_name,
    "well-known key": _well_known_key,
    "one key": _one_key,
    "insisted": _insisted,
    "development by default": _development_by_default,
    "same environment": _same_environment,
    "other letters": _other_letters,
    "forced to warning": _forced_to_warning,
    "turned on": _turned_on,
}
"""Predicates by the name that ``config.known.toml`` gives them."""

CONFIG = Phase("config", rescuable=False)
SETTINGS = CONFIG.seam("settings", port=Settings)
