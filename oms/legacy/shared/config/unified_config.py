"""The log level of UnifiedConfigService: from the environment, then forced by it."""

import os


def log_level():
    level = os.getenv("LOG_LEVEL", "INFO")
    if os.getenv("ENVIRONMENT", "development") == "production":
        level = "WARNING"
    return level
