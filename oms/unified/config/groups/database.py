"""TerminusDB and what is kept beside it."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.kinds import Lower
from oms.unified.config.variables import env_var


class DatabaseSettings(Group):
    """TerminusDB and what is kept beside it."""

    AUDIT_DATABASE: str = env_var("audit_logs.db")
    AUDIT_MIGRATION_PHASE: str = env_var("dual_write")
    DB_CONNECTION_TIMEOUT: int = env_var(30)
    DB_MAX_CONNECTIONS: int = env_var(20)
    DB_MAX_IDLE_TIME: int = env_var(300)
    DB_MIN_CONNECTIONS: int = env_var(5)
    DB_NAME: str = env_var("oms")
    SQLITE_DATA_DIR: str = env_var("/data/sqlite")
    TERMINUSDB_ACCOUNT: str = env_var("admin")
    TERMINUSDB_CACHE_ENABLED: bool = env_var(True)
    TERMINUSDB_CA_PATH: str | None = env_var(None)
    TERMINUSDB_CERT_PATH: str | None = env_var(None)
    TERMINUSDB_KEY_PATH: str | None = env_var(None)
    TERMINUSDB_LRU_CACHE_SIZE: int = env_var(500_000_000)
    TERMINUSDB_TEAM: str = env_var("admin")
    TERMINUSDB_USE_MTLS: bool = env_var(False)
    TERMINUS_CA_PATH: str | None = env_var(None)
    TERMINUS_CERT_PATH: str | None = env_var(None)
    TERMINUS_CLIENT_MODE: Lower = env_var(Lower("simple"))
    TERMINUS_DB: str = env_var("oms", aliases=("TERMINUSDB_DB",))
    TERMINUS_DB_ENDPOINT: str = env_var(
        "http://terminusdb:6363",
        aliases=("TERMINUSDB_ENDPOINT", "TERMINUSDB_URL", "OMS_DATABASE_URL"),
        about="where TerminusDB answers",
    )
    TERMINUS_DB_USER: str = env_var("admin", aliases=("TERMINUSDB_USER", "TERMINUSDB_ADMIN_USER"))
    TERMINUS_ENABLE_MTLS: bool = env_var(False)
    TERMINUS_ENABLE_OBSERVABILITY: bool = env_var(False)
    TERMINUS_ENABLE_POOLING: bool = env_var(False)
    TERMINUS_ENABLE_RETRY: bool = env_var(True)
    TERMINUS_KEY_PATH: str | None = env_var(None)
    TERMINUS_MAX_RETRIES: int = env_var(3)
    TERMINUS_POOL_SIZE: int = env_var(10)
    TERMINUS_POOL_TIMEOUT: float = env_var(30.0)
