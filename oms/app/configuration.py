"""What the service asks of its environment, all of it through the facade: most of it once at start, some at each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from oms.seams.config import Settings, Value

Place = tuple[str, str]
"""A variable, and the place of the monolith that this part of the service was made from."""

ACTIONS: Place = ("ACTIONS_SERVICE_URL", "core/action/service.py")
"""Where the actions service is."""

_AT_START: Mapping[str, tuple[Place, ...]] = MappingProxyType(
    {
        "tokens": (
            ("JWT_SECRET", "core/iam/iam_integration.py"),
            ("JWT_SECRET", "core/integrations/iam_service_client_with_fallback.py"),
            ("JWT_SECRET_KEY", "grpc_services/server.py"),
            ("JWT_ISSUER", "core/iam/iam_integration.py"),
            ("JWT_AUDIENCE", "core/iam/iam_integration.py"),
        ),
        "access": (
            ("ENVIRONMENT", "main_secure.py"),
            ("ENVIRONMENT", "middleware/auth_secure.py"),
            ("ENVIRONMENT", "core/auth/unified_auth.py"),
            ("MTLS_ENABLED", "shared/service_client.py"),
            ("MTLS_ENABLED", "shared/config/unified_config.py"),
            ("REQUIRE_AUTH", "main_secure.py"),
        ),
        "iam": (
            ("IAM_SERVICE_URL", "core/iam/iam_integration.py"),
            ("IAM_SERVICE_URL", "core/integrations/iam_service_client.py"),
            ("IAM_TIMEOUT", "core/integrations/iam_service_client.py"),
            ("IAM_TIMEOUT", "core/integrations/iam_service_client_with_fallback.py"),
            ("IAM_VERIFY_SSL", "core/iam/iam_integration.py"),
            ("IAM_VERIFY_SSL", "core/integrations/iam_service_client.py"),
            ("IAM_CACHE_TTL", "core/integrations/iam_service_client.py"),
        ),
        "database": (
            ("TERMINUSDB_ENDPOINT", "bootstrap/providers/database.py"),
            ("TERMINUSDB_URL", "core/backup/main.py"),
            ("TERMINUSDB_DB", "bootstrap/providers/database.py"),
            ("TERMINUSDB_DB", "core/branch/diff_engine.py"),
            ("TERMINUSDB_KEY", "bootstrap/providers/database.py"),
            ("TERMINUSDB_USER", "bootstrap/providers/database.py"),
            ("TERMINUS_DB_PASSWORD", "shared/config/unified_config.py"),
            ("DB_MAX_CONNECTIONS", "database/clients/terminus_db.py"),
        ),
        "cache": (
            ("REDIS_URL", "api/graphql/auth.py"),
            ("REDIS_PASSWORD", "config/redis_config.py"),
            ("CACHE_DEFAULT_TTL", "shared/cache/terminusdb_cache.py"),
        ),
        "events": (
            ("NATS_URL", "core/event_publisher/__init__.py"),
            ("NATS_URL", "shared/infrastructure/real_nats_client.py"),
        ),
        "logs": (
            ("ENVIRONMENT", "utils/logger.py"),
            ("LOG_FORMAT", "utils/logger.py"),
            ("LOG_JSON", "utils/unified_logger.py"),
            ("LOG_LEVEL", "data_kernel/main.py#uvicorn"),
            ("LOG_LEVEL", "utils/unified_logger.py"),
            ("LOG_TO_FILE", "utils/unified_logger.py"),
        ),
        "traces": (
            ("JAEGER_ENABLED", "infra/tracing/jaeger_adapter.py"),
            ("JAEGER_ENABLED", "infra/tracing/otel_init.py"),
            ("JAEGER_AGENT_PORT", "infra/tracing/jaeger_adapter.py"),
            ("JAEGER_AGENT_PORT", "infra/tracing/otel_init.py"),
            ("ENVIRONMENT", "infra/tracing/jaeger_adapter.py"),
        ),
        "neighbours": (
            ACTIONS,
            ("USER_SERVICE_URL", "main_secure.py"),
            ("USER_SERVICE_URL", "core/integrations/user_service_client.py"),
            ("SCHEMA_SERVICE_URL", "api/graphql/resolvers/base.py"),
            ("BRANCH_SERVICE_URL", "api/graphql/resolvers/base.py"),
            ("GRPC_PORT", "data_kernel/grpc_server.py"),
            ("GRPC_PORT", "services/embedding-service/app/grpc_server.py"),
        ),
        "identity": (
            ("SERVICE_NAME", "bootstrap/providers/terminus_gateway.py"),
            ("SERVICE_NAME", "shared/terminus_context/constants.py"),
        ),
    }
)
"""By part of the service: what it reads once, when it starts."""

HEALTH: Mapping[str, Place] = MappingProxyType(
    {
        "redis": ("REDIS_URL", "core/health/health_checker.py"),
        "postgres": ("DATABASE_URL", "bootstrap/database_config.py#switch"),
        "mocks": ("TEST_MODE", "core/validation/dependencies.py"),
    }
)
"""What ``/health`` reads at each request, as the health checker did."""

DOCS: Place = ("ENVIRONMENT", "middleware/auth_msa.py")
"""What decides at each request whether ``/docs`` is there."""


class Read(StrEnum):
    """When a setting is read."""

    AT_START = "start"
    """Once; a flip does not take the value back, a restart or a reload does."""
    AT_EACH_REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Held:
    """A setting as the service has it: which, for which part, and when it is read."""

    part: str
    name: str
    site: str
    read: Read
    value: Value

    def as_json(self) -> dict[str, object]:
        """Return what may be told of it: of a secret, and of what may hold one, only whether it is there."""
        is_telling = isinstance(self.value, (bool, int, float))
        shown = self.value if is_telling else "set" if self.value else "unset"
        return {"part": self.part, "name": self.name, "site": self.site, "read": self.read.value, "value": shown}


class Configuration:
    """The settings of one process."""

    def __init__(self, settings: Settings, *, reread: Callable[[], None]) -> None:
        """Read nothing yet.

        Args:
            reread: Makes *settings* look at the environment anew.
        """
        self._settings = settings
        self._reread = reread
        self._at_start: tuple[Held, ...] = ()

    def load(self) -> None:
        """Read what is read once, and keep it; if one read raises, what was kept before stays.

        Raises:
            ConfigurationError: if unified answers, and finds something unfit.
            ValueError: if legacy answers, and finds a text that is no number.
        """
        self._at_start = tuple(
            Held(part, name, site, Read.AT_START, self._settings.read(name, site))
            for part, places in _AT_START.items()
            for name, site in places
        )

    def reload(self) -> None:
        """Look at the environment anew and read again what is read once: what a restart does, without one.

        Raises:
            ConfigurationError, ValueError: as ``load`` does.
        """
        self._reread()
        self.load()

    def actions_url(self) -> str | None:
        """Return where the actions service is, as read at the start; None before that, and if it is not configured."""
        value = next((held.value for held in self._at_start if (held.name, held.site) == ACTIONS), None)
        return value if isinstance(value, str) and value else None

    def shows_docs(self) -> bool:
        """Tell whether the service may describe itself to anybody: not in production."""
        return not self._settings.read(*DOCS)

    def dependencies(self) -> dict[str, bool]:
        """Return which dependencies are configured now."""
        return {name: bool(self._settings.read(*place)) for name, place in HEALTH.items()}

    def held(self) -> list[Held]:
        """Return every setting: those kept since the start, and those of each request as they are now."""
        places = {**HEALTH, "docs": DOCS}
        now = [Held(part, *place, Read.AT_EACH_REQUEST, self._settings.read(*place)) for part, place in places.items()]
        return [*self._at_start, *now]
