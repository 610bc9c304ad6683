"""Every variable of the service, in groups with owners."""

from __future__ import annotations

from oms.unified.config.loading import Registration


def standard_groups() -> tuple[Registration, ...]:
    """Return the groups of the service, each with its owner; imported when they are needed."""
    from oms.unified.config.groups.access import AccessSettings
    from oms.unified.config.groups.backup import BackupSettings
    from oms.unified.config.groups.caching import CachingSettings
    from oms.unified.config.groups.database import DatabaseSettings
    from oms.unified.config.groups.events import EventsSettings
    from oms.unified.config.groups.graphql import GraphqlSettings
    from oms.unified.config.groups.hooks import HooksSettings
    from oms.unified.config.groups.runtime import RuntimeSettings
    from oms.unified.config.groups.security import SecuritySettings
    from oms.unified.config.groups.services import ServicesSettings
    from oms.unified.config.groups.siem import SiemSettings
    from oms.unified.config.groups.telemetry import TelemetrySettings

    return (
        Registration(RuntimeSettings, "platform-runtime"),
        Registration(SecuritySettings, "platform-security"),
        Registration(AccessSettings, "platform-security"),
        Registration(ServicesSettings, "platform-runtime"),
        Registration(DatabaseSettings, "platform-data"),
        Registration(CachingSettings, "platform-caching"),
        Registration(EventsSettings, "platform-events"),
        Registration(TelemetrySettings, "platform-observability"),
        Registration(SiemSettings, "platform-security"),
        Registration(GraphqlSettings, "platform-api"),
        Registration(BackupSettings, "platform-data"),
        Registration(HooksSettings, "platform-data"),
    )
