"""Security events to the SIEM."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.kinds import Lower
from oms.unified.config.variables import env_var


class SiemSettings(Group):
    """Security events to the SIEM."""

    ENABLE_SIEM_INTEGRATION: bool = env_var(True)
    SIEM_BUFFERING: bool = env_var(True)
    SIEM_BUFFER_SIZE: int = env_var(100)
    SIEM_ENDPOINT: str = env_var("http://localhost:8088/services/collector")
    SIEM_FLUSH_INTERVAL: float = env_var(5.0)
    SIEM_INCLUDE_SUCCESS: bool = env_var(False)
    SIEM_SEND_INFO_TAMPERING: bool = env_var(False)
    SIEM_SEND_TAMPERING_EVENTS: bool = env_var(True)
    SIEM_TRACING_ENABLED: bool = env_var(True)
    SIEM_TYPE: Lower = env_var(Lower("http"))
