"""Backups."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class BackupSettings(Group):
    """Backups."""

    BACKUP_SCHEDULE_FULL: str = env_var("0 2 * * *")
    BACKUP_SCHEDULE_INCREMENTAL: str = env_var("0 * * * *")
    MINIO_ROOT_USER: str = env_var("minioadmin")
    RPO_TARGET_MINUTES: int = env_var(60)
    RTO_TARGET_MINUTES: int = env_var(240)
