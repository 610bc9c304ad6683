"""The unified side of ``config.settings``: one meaning for a variable, whoever asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oms.seams.config import Asks, Value, asks_at
from oms.unified.config.profile import DEPLOYED, Profile

if TYPE_CHECKING:
    from oms.unified.config.environment import UnifiedEnv


class UnifiedSettings:
    """Answers every place from one registry; the place only says what it asks."""

    def __init__(self, env: UnifiedEnv) -> None:
        self._env = env

    def read(self, name: str, site: str) -> Value:
        """Return what *site* asks of *name*.

        Raises:
            UnknownSetting: if the table does not list them together.
            ConfigurationError: if what is set is not fit, or nothing is set where it must be.
        """
        return _ANSWERS[asks_at(name, site)](self._env, name)


def _value(env: UnifiedEnv, name: str) -> Value:
    value = env.get(name)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, str) else value


def _has_value(env: UnifiedEnv, name: str) -> bool:
    return env.get(name) is not None


def _runs_in(*profiles: Profile) -> Callable[[UnifiedEnv, str], bool]:
    def answer(env: UnifiedEnv, name: str) -> bool:
        return env.get(name) in profiles

    return answer


def _logs_json(env: UnifiedEnv, name: str) -> bool:
    return env.get("LOG_FORMAT") == "json" or env.get("LOG_JSON") is True


_ANSWERS: dict[Asks, Callable[[Any, str], Value]] = {
    Asks.VALUE: _value,
    Asks.SECRET: _value,
    Asks.IS_SET: _has_value,
    Asks.IS_PRODUCTION: _runs_in(Profile.PRODUCTION),
    Asks.IS_DEPLOYED: _runs_in(*DEPLOYED),
    Asks.IS_DEVELOPMENT: _runs_in(Profile.DEVELOPMENT),
    Asks.LOGS_JSON: _logs_json,
}
