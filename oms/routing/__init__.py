"""The hall that every call crosses: facades, decisions, lanes, comparison."""

from oms.routing.asgi import ScopeMiddleware
from oms.routing.lane import LaneLimits
from oms.routing.runtime import Runtime
from oms.routing.scopes import Scope

__all__ = ["LaneLimits", "Runtime", "Scope", "ScopeMiddleware"]
