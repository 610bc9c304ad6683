"""Neighbouring services and where they answer."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class ServicesSettings(Group):
    """Neighbouring services and where they answer."""

    ACTIONS_SERVICE_URL: str = env_var("http://actions-service:8009")
    ACTION_SERVICE_URL: str = env_var("http://action-service:8000")
    AUDIT_SERVICE_URL: str = env_var("http://localhost:28002")
    BRANCH_SERVICE_URL: str = env_var("https://branch-service:8443")
    DATA_KERNEL_GRPC_ENDPOINT: str = env_var("data-kernel:50051")
    DATA_KERNEL_HOST: str = env_var("0.0.0.0")
    DATA_KERNEL_PORT: int = env_var(8080)
    DATA_SERVICE_URL: str = env_var("http://data-service:8000")
    DEFAULT_MODEL: str = env_var("sentence-transformers/all-MiniLM-L6-v2")
    EMBEDDING_GRPC_PORT: int = env_var(50055, about="port of the embedding service")
    EMBEDDING_SERVICE_ENDPOINT: str = env_var("embedding-service:50055")
    EMBEDDING_SERVICE_HOST: str = env_var("0.0.0.0")
    EMBEDDING_SERVICE_PORT: int = env_var(8001)
    FUNCTION_SERVICE_URL: str = env_var("http://function-service:8000")
    GRPC_PORT: int = env_var(50051, about="port of the data kernel; the embedding service has EMBEDDING_GRPC_PORT")
    SCHEDULER_SERVICE_ENDPOINT: str = env_var("scheduler-service:50056")
    SCHEMA_SERVICE_URL: str = env_var("https://schema-service:8443")
    USER_SERVICE_URL: str = env_var("https://user-service:8443")
    USE_DATA_KERNEL_GATEWAY: bool = env_var(False)
    USE_EMBEDDING_MS: bool = env_var(False)
    USE_EVENT_GATEWAY: bool = env_var(False)
    USE_SCHEDULER_MS: bool = env_var(False)
    VALIDATION_SERVICE_URL: str = env_var("https://validation-service:8443")
