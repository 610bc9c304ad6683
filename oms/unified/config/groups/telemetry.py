"""Logs, traces, metrics."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.kinds import Level, LogFormat
from oms.unified.config.variables import env_var


class TelemetrySettings(Group):
    """Logs, traces, metrics."""

    CELERY_ENABLED: bool = env_var(False)
    ENABLE_METRICS: bool = env_var(True)
    JAEGER_AGENT_HOST: str = env_var("localhost")
    JAEGER_AGENT_PORT: int = env_var(6831, about="UDP port of the Jaeger agent; 14268 is the collector's")
    JAEGER_COLLECTOR_ENDPOINT: str | None = env_var(None)
    JAEGER_ENABLED: bool = env_var(False)
    JAEGER_MAX_TAG_LENGTH: int = env_var(1024)
    JAEGER_SAMPLING_RATE: float = env_var(0.1)
    JAEGER_SERVICE_NAME: str = env_var("oms-monolith")
    JAEGER_SERVICE_VERSION: str = env_var("1.0.0")
    LOG_CONTEXT: bool = env_var(True)
    LOG_FILE_PATH: str = env_var("logs/app.log")
    LOG_FORMAT: LogFormat = env_var(LogFormat("text"))
    LOG_JSON: bool = env_var(False, about="an older switch for LOG_FORMAT=json")
    LOG_LEVEL: Level = env_var(Level("INFO"))
    LOG_ROTATION: bool = env_var(True)
    LOG_TO_FILE: bool = env_var(False)
    METRICS_EXPORT_INTERVAL: int = env_var(60000)
    OTEL_PYTHON_EXCLUDED_URLS: str = env_var("/health,/metrics")
    OTLP_ENABLED: bool = env_var(False)
    OTLP_ENDPOINT: str = env_var("localhost:4317")
    OTLP_INSECURE: bool = env_var(True)
    TRACE_SAMPLE_RATE: float = env_var(0.1)
