"""StrictEnv and EnvironmentConfig: the two configuration classes that most services came to use."""

import enum
import logging
import os
import sys

logger = logging.getLogger(__name__)


class ConfigErrorAction(enum.Enum):
    """What validate does about an error."""

    EXIT = "exit"
    RAISE = "raise"
    WARN = "warn"


class ConfigurationError(Exception):
    """The configuration cannot be used."""


def _is_url(value):
    return value.startswith(("http://", "https://"))


def _is_redis_url(value):
    return value.startswith(("redis://", "rediss://"))


class StrictEnv:
    """Reads that insist, except in tests."""

    # name: (required, default, validator)
    CORE = {
        "TERMINUS_DB_URL": (True, None, _is_url),
        "TERMINUS_DB_TOKEN": (True, None, None),
        "TERMINUS_DB_TEAM": (True, None, None),
        "TERMINUS_DB_NAME": (True, None, None),
        "REDIS_URL": (True, None, _is_redis_url),
        "JWT_SECRET": (True, None, None),
        "JWT_SECRET_KEY": (True, None, None),
        "USER_SERVICE_URL": (True, None, _is_url),
        "IAM_SERVICE_URL": (True, None, _is_url),
    }

    SERVICES = {
        "actions": {"ACTIONS_SERVICE_URL": (False, "http://actions-service:8009", _is_url)},
        "audit": {"AUDIT_SERVICE_URL": (False, "http://audit-service:28002", _is_url)},
        "scheduler": {"SCHEDULER_SERVICE_ENDPOINT": (False, "scheduler-service:50056", None)},
        "nats": {"NATS_URL": (False, "nats://nats:4222", None)},
    }

    @classmethod
    def validate(cls, services=None, action=ConfigErrorAction.EXIT):
        """Check the core names and those of *services*. Writes defaults of optional names into os.environ."""
        if os.getenv("ENVIRONMENT") == "test":
            return
        names = dict(cls.CORE)
        for service in services or []:
            names.update(cls.SERVICES.get(service, {}))
        missing, invalid = [], []
        for name, (required, default, validator) in names.items():
            value = os.getenv(name)
            if value is None:
                if default is not None:
                    os.environ[name] = default
                elif required:
                    missing.append(name)
            elif required and validator and not validator(value):
                invalid.append(name)
        if not missing and not invalid:
            return
        message = f"Missing: {missing}, invalid: {invalid}"
        logger.error(message)
        if action is ConfigErrorAction.EXIT:
            sys.exit(1)
        if action is ConfigErrorAction.RAISE:
            raise ConfigurationError(message)

    @classmethod
    def validate_or_die(cls, services=None):
        cls.validate(services, ConfigErrorAction.EXIT)

    @classmethod
    def get(cls, name, default=None):
        value = os.getenv(name, default)
        if value is None:
            if os.getenv("ENVIRONMENT") == "test":
                return None
            raise ValueError(f"Required environment variable {name} is not set")
        return value

    @classmethod
    def get_bool(cls, name, default=False):
        value = os.getenv(name)
        if value is None:
            return default
        return value.lower() in ("true", "1", "yes", "on")

    @classmethod
    def get_int(cls, name, default=0):
        value = os.getenv(name)
        return default if value is None else int(value)


class EnvironmentConfig:
    """Reads that remember: the first answer for a key, the caller's own default included, is the answer for ever."""

    ENVIRONMENTS = ("development", "staging", "production", "test")

    REQUIRED_IN_PRODUCTION = (
        "TERMINUS_DB_URL",
        "REDIS_URL",
        "NATS_URL",
        "JWT_SECRET_KEY",
        "DATABASE_URL",
        "ACTIONS_SERVICE_URL",
    )

    DEFAULTS = {
        "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json",
        "METRICS_ENABLED": "true",
        "CACHE_DEFAULT_TTL": "3600",
        "DB_MAX_CONNECTIONS": "20",
        "DB_CONNECTION_TIMEOUT": "30",
        "API_HOST": "0.0.0.0",
        "API_PORT": "8000",
    }

    def __init__(self):
        self._cache = {}
        self.environment = os.getenv("ENVIRONMENT", "development")
        if self.environment not in self.ENVIRONMENTS:
            raise ConfigurationError(f"Invalid ENVIRONMENT, must be one of {self.ENVIRONMENTS}")
        if self.environment == "production":
            missing = [name for name in self.REQUIRED_IN_PRODUCTION if not os.getenv(name)]
            if missing:
                raise ConfigurationError(f"Missing in production: {missing}")

    def get(self, key, default=None):
        if key in self._cache:
            return self._cache[key]
        value = os.getenv(key)
        if value is None:
            value = default if default is not None else self.DEFAULTS.get(key)
        if self.environment == "production" and isinstance(value, str) and ("localhost" in value or "127.0.0.1" in value):
            raise ConfigurationError(f"{key} must not contain localhost in production")
        self._cache[key] = value
        return value

    def get_int(self, key, default=0):
        value = self.get(key)
        return default if value is None else int(value)

    def get_bool(self, key, default=False):
        value = self.get(key)
        return default if value is None else str(value).lower() in ("true", "1", "yes", "on")

    def get_list(self, key, default=None):
        value = self.get(key)
        return (default or []) if value is None else [each.strip() for each in value.split(",")]

    def _url(self, key, development):
        found = os.getenv(key)
        if found:
            return found
        return development if self.environment == "development" else None

    @property
    def terminus_db_url(self):
        return self._url("TERMINUS_DB_URL", "http://localhost:6363")

    @property
    def redis_url(self):
        return self._url("REDIS_URL", "redis://localhost:6379")

    @property
    def nats_url(self):
        return self._url("NATS_URL", "nats://localhost:4222")

    @property
    def actions_service_url(self):
        return self._url("ACTIONS_SERVICE_URL", "http://localhost:8009")


_config = None


def get_config():
    """Return the one EnvironmentConfig of the process."""
    global _config
    if _config is None:
        _config = EnvironmentConfig()
    return _config
