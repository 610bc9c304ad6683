"""The environment of the workers: fit for production, and as carelessly put together as real ones are."""

from __future__ import annotations

import base64
import secrets

from oms.unified.config import UnifiedEnv

_CARELESS = {
    "ENVIRONMENT": "Production",
    "IAM_VERIFY_SSL": "1",
    "TEST_MODE": "1",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "warning",
    "CACHE_DEFAULT_TTL": "3600",
}
"""Words that the places of the monolith understand in different ways. What is not here is unset: then their defaults differ."""


def rehearsal_environment(env: UnifiedEnv, *, actions_url: str) -> dict[str, str]:
    """Return this process's environment without any variable of the service, and with those of a rehearsal; its secrets are drawn anew.

    Args:
        actions_url: Where the upstream of the rehearsal answers.

    A rehearsal finds the same whoever starts it, and no secret of theirs comes near it.
    """
    ours = {name for variable in env.variables().values() for name in variable.names} - {"HOSTNAME"}
    rest = {name: text for name, text in env.texts().items() if name not in ours}
    drawn = {name: secrets.token_urlsafe(32) for name in ("JWT_SECRET", "TERMINUS_DB_PASSWORD", "REDIS_PASSWORD")}
    drawn["PII_ENCRYPTION_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode("ascii")
    return {**rest, **_CARELESS, **drawn, "ACTIONS_SERVICE_URL": actions_url}
