"""EnvironmentConfig of the core: reads ENV, knows one value more than the others."""

import logging
import os

logger = logging.getLogger(__name__)

KNOWN = ("local", "development", "test", "staging", "production")


class EnvironmentConfig:
    """Where the core believes it runs."""

    def __init__(self):
        self.current_env = self._get_environment()

    def _get_environment(self):
        env = os.getenv("ENV", "development").lower()
        if env not in KNOWN:
            logger.warning("Unknown environment, using development")
            return "development"
        return env

    @property
    def is_production(self):
        return self.current_env == "production"

    @property
    def is_development(self):
        return self.current_env in ("development", "local")
