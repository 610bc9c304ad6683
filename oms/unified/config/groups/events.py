"""NATS, Kafka, webhooks."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class EventsSettings(Group):
    """NATS, Kafka, webhooks."""

    COMMIT_WEBHOOK_URL: str | None = env_var(None)
    ENABLE_NATS_EVENTS: bool = env_var(True)
    ENABLE_REAL_NATS: bool = env_var(True)
    EVENT_BROKER_URL: str = env_var("redis://localhost:6379")
    EVENT_GATEWAY_ENDPOINT: str = env_var("event-gateway:50057")
    KAFKA_BOOTSTRAP_SERVERS: str = env_var("localhost:9092")
    KAFKA_TOPIC: str = env_var("oms-validation-events")
    NATS_TOPIC_PREFIX: str = env_var("terminus.commit")
    NATS_URL: str | None = env_var(None, about="where NATS is; unset, events are not published")
    WEBHOOK_TIMEOUT: int = env_var(5)
