"""Where and as what the service runs."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.profile import Profile
from oms.unified.config.variables import env_var


class RuntimeSettings(Group):
    """Where and as what the service runs."""

    DOCKER_CONTAINER: str | None = env_var(None)
    ENVIRONMENT: Profile = env_var(
        Profile.PRODUCTION,
        aliases=("OMS_ENVIRONMENT", "APP_ENV", "ENV", "DEPLOY_ENV"),
        about="where the service runs; unset counts as production, so that what is required there is never forgotten",
    )
    HOSTNAME: str = env_var("unknown")
    SERVICE_NAME: str = env_var("oms-service")
    SERVICE_VERSION: str = env_var("1.0.0")
    TEST_MODE: bool = env_var(False, about="wires mocks in place of dependencies")
