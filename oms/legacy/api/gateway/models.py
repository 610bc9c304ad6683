"""What the gateway's router is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional


@dataclass
class Route:
    """One route."""

    pattern: str
    service_name: str
    service_url: str
    methods: List[str] = field(default_factory=lambda: ["GET", "POST", "PUT", "DELETE"])
    timeout: int = 30
    retry_count: int = 3
    circuit_breaker_enabled: bool = True
    strip_prefix: bool = True


@dataclass
class RequestContext:
    """One request."""

    method: str
    path: str
    headers: Dict[str, str] = field(default_factory=dict)
    body: Optional[bytes] = None
    user_id: Optional[str] = None
    user_roles: List[str] = field(default_factory=list)
