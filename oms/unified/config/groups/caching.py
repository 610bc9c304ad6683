"""Redis and the caches."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class CachingSettings(Group):
    """Redis and the caches."""

    CACHE_DEFAULT_TTL: int = env_var(3600)
    GRAPH_CACHE_PREFIX: str = env_var("graph:")
    GRAPH_CACHE_TTL: int = env_var(1800)
    REDIS_CLUSTER_MODE: bool = env_var(False)
    REDIS_CONNECT_TIMEOUT: float = env_var(5.0)
    REDIS_DB: int = env_var(0)
    REDIS_HOST: str = env_var("localhost")
    REDIS_MAX_CONNECTIONS: int = env_var(50)
    REDIS_PORT: int = env_var(6379)
    REDIS_SENTINEL_MODE: bool = env_var(False)
    REDIS_SENTINEL_SERVICE: str = env_var("mymaster")
    REDIS_SOCKET_TIMEOUT: float = env_var(5.0)
    REDIS_SSL: bool = env_var(False)
    REDIS_SSL_CA_CERTS: str | None = env_var(None)
    REDIS_SSL_CERTFILE: str | None = env_var(None)
    REDIS_SSL_KEYFILE: str | None = env_var(None)
    REDIS_URL: str = env_var("redis://redis:6379")
    REDIS_USERNAME: str | None = env_var(None)
