"""The GraphQL endpoint."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class GraphqlSettings(Group):
    """The GraphQL endpoint."""

    ENABLE_GQL_CACHE: bool = env_var(True)
    ENABLE_GQL_SECURITY: bool = env_var(True)
    ENABLE_GQL_TRACING: bool = env_var(True)
    GQL_MAX_COMPLEXITY: int = env_var(1000)
    GQL_MAX_DEPTH: int = env_var(10)
    GRAPHQL_ENABLED: bool = env_var(True)
