"""Secrets: none has a default, none is ever shown."""

from __future__ import annotations

from oms.seams.config import Secret
from oms.unified.config.group import Group
from oms.unified.config.profile import Profile
from oms.unified.config.validators import fernet_key
from oms.unified.config.variables import security_var

NOWHERE: frozenset[Profile] = frozenset()


class SecuritySettings(Group):
    """Secrets: none has a default, none is ever shown."""

    BACKUP_MASTER_KEY: Secret | None = security_var(required_in=NOWHERE, about="encrypts backups")
    DATABASE_URL: Secret | None = security_var(least=12, required_in=NOWHERE, about="PostgreSQL, credentials included")
    IAM_SERVICE_SECRET: Secret | None = security_var(required_in=NOWHERE, about="names this service to IAM")
    JWT_SECRET: Secret | None = security_var(
        aliases=("JWT_SECRET_KEY", "AUTH_JWT_SECRET"), about="signs and verifies tokens"
    )
    MINIO_ROOT_PASSWORD: Secret | None = security_var(required_in=NOWHERE, about="opens the store of the backups")
    OMS_SECRET_KEY: Secret | None = security_var(required_in=NOWHERE, about="signs sessions")
    PII_ENCRYPTION_KEY: Secret | None = security_var(
        least=44,
        check=fernet_key,
        wanted="a Fernet key: 32 random bytes in URL-safe base64",
        about="encrypts personal data; a new one makes what is stored unreadable",
    )
    POSTGRES_URL: Secret | None = security_var(
        least=12, required_in=NOWHERE, about="PostgreSQL of the locks, credentials included"
    )
    REDIS_PASSWORD: Secret | None = security_var(about="opens Redis")
    SIEM_TOKEN: Secret | None = security_var(required_in=NOWHERE, about="names this service to the SIEM")
    TERMINUS_DB_PASSWORD: Secret | None = security_var(
        aliases=(
            "TERMINUSDB_PASSWORD",
            "TERMINUSDB_KEY",
            "TERMINUSDB_ADMIN_PASS",
            "TERMINUSDB_PASS",
            "OMS_DATABASE_PASSWORD",
        ),
        about="opens TerminusDB",
    )
