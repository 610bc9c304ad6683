"""An HTTP client with retry and a circuit breaker of its own.

Kept as it was. Its quirks are UH-01 to UH-10 of the legacy reference; ``tests/unit/legacy`` pins each. Needs httpx when a client is used.
"""

from __future__ import annotations

import functools
import logging
from typing import Any, Dict, Optional

from oms.seams.resilience import TIME

try:
    import httpx
except ImportError:
    httpx = None

logger = logging.getLogger(__name__)


class ServiceUnavailableError(Exception):
    """The service answered 5xx."""


class ServiceTimeoutError(Exception):
    """The service did not answer in time."""


class RetryBudgetExhaustedError(Exception):
    """Every attempt failed; there is no budget."""


class CircuitBreakerOpenError(Exception):
    """The breaker is open."""

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Series:
    """What the collector really offers: one counter."""

    def __init__(self) -> None:
        self.count = 0

    def labels(self, **labels: Any) -> "_Series":
        return self

    def inc(self) -> None:
        self.count += 1


class MetricsCollector:
    """The collector of that commit. It has no http_request_duration and no http_request_errors (UH-01)."""

    def __init__(self) -> None:
        self.http_requests_total = _Series()


class UnifiedHTTPClient:
    """Requests to one service; an async context manager."""

    def __init__(
        self,
        base_url: Optional[str] = None,
        timeout: float = 30.0,
        max_retries: int = 3,
        retry_backoff_factor: float = 2.0,
        circuit_breaker_failure_threshold: int = 5,
        circuit_breaker_recovery_timeout: int = 60,
        use_mtls: bool = False,
        mtls_cert_path: Optional[str] = None,
        mtls_key_path: Optional[str] = None,
        mtls_ca_path: Optional[str] = None,
        pool_size: int = 10,
        pool_max_keepalive: int = 30,
        headers: Optional[Dict[str, str]] = None,
        **kwargs: Any,
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self.max_retries = max_retries
        self.retry_backoff_factor = retry_backoff_factor
        self.circuit_breaker_failure_threshold = circuit_breaker_failure_threshold
        self.circuit_breaker_recovery_timeout = circuit_breaker_recovery_timeout
        self.use_mtls = use_mtls
        self.mtls_cert_path = mtls_cert_path
        self.mtls_key_path = mtls_key_path
        self.mtls_ca_path = mtls_ca_path
        self.pool_size = pool_size
        self.pool_max_keepalive = pool_max_keepalive
        self.headers = headers or {}
        self.kwargs = kwargs
        self.metrics: Any = MetricsCollector()
        self._client: Any = None
        self._circuit_state = "closed"
        self._failure_count = 0
        self._last_failure_time: Optional[float] = None

    async def __aenter__(self) -> "UnifiedHTTPClient":
        options = dict(self.kwargs)
        if self.use_mtls:
            options["cert"] = (self.mtls_cert_path, self.mtls_key_path)
            if self.mtls_ca_path:
                options["verify"] = self.mtls_ca_path
        if "transport" not in options:
            options["limits"] = httpx.Limits(
                max_connections=self.pool_size * 2, max_keepalive_connections=self.pool_size, keepalive_expiry=self.pool_max_keepalive
            )
        self._client = httpx.AsyncClient(base_url=self.base_url or "", timeout=self.timeout, headers=self.headers, **options)
        return self

    async def __aexit__(self, *args: Any) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def request(self, method: str, url: str, **kwargs: Any) -> Any:
        """Send a request, as often as it takes: any method (UH-07)."""
        last_error: Optional[Exception] = None
        for attempt in range(self.max_retries + 1):
            self._check_circuit_breaker()  # UH-10: after a wait, too, and then the error before is lost
            try:
                return await self._send(method, url, **kwargs)
            except Exception as e:
                if httpx is not None and isinstance(e, httpx.HTTPStatusError):
                    raise  # UH-09: 429 as well
                last_error = e  # UH-06: whatever else it is, it is retried
                self._record_failure()
            if attempt < self.max_retries:
                await TIME.get().asleep(self.retry_backoff_factor**attempt)
        if self.metrics is not None and isinstance(last_error, AttributeError):
            self.metrics.http_request_errors.labels(method=method).inc()  # UH-01: not there either
        raise RetryBudgetExhaustedError(f"All {self.max_retries + 1} attempts failed") from last_error

    async def _send(self, method: str, url: str, **kwargs: Any) -> Any:
        if self._client is None:
            raise RuntimeError("Client not initialized: use async with")
        start = TIME.get().monotonic()
        try:
            response = await self._client.request(method, url, **kwargs)
        except httpx.TimeoutException as e:
            raise ServiceTimeoutError(f"Timeout: {method}") from e
        self.metrics.http_request_duration.labels(method=method).observe(TIME.get().monotonic() - start)  # UH-01
        self._record_success()  # UH-03: before the status is looked at
        if response.status_code >= 500:
            raise ServiceUnavailableError(f"HTTP {response.status_code}")
        if response.status_code >= 400:
            response.raise_for_status()
        return response  # UH-08: 3xx is a success

    async def get(self, url: str, **kwargs: Any) -> Any:
        """GET."""
        return await self.request("GET", url, **kwargs)

    async def post(self, url: str, **kwargs: Any) -> Any:
        """POST."""
        return await self.request("POST", url, **kwargs)

    async def put(self, url: str, **kwargs: Any) -> Any:
        """PUT."""
        return await self.request("PUT", url, **kwargs)

    async def patch(self, url: str, **kwargs: Any) -> Any:
        """PATCH."""
        return await self.request("PATCH", url, **kwargs)

    async def delete(self, url: str, **kwargs: Any) -> Any:
        """DELETE."""
        return await self.request("DELETE", url, **kwargs)

    async def head(self, url: str, **kwargs: Any) -> Any:
        """HEAD."""
        return await self.request("HEAD", url, **kwargs)

    async def options(self, url: str, **kwargs: Any) -> Any:
        """OPTIONS."""
        return await self.request("OPTIONS", url, **kwargs)

    async def health_check(self, path: str = "/health") -> bool:
        """Tell whether *path* answers 200."""
        try:
            return (await self.get(path)).status_code == 200
        except Exception:
            return False

    def get_circuit_breaker_state(self) -> Dict[str, Any]:
        """Return where the breaker stands."""
        return {
            "state": self._circuit_state,
            "failure_count": self._failure_count,
            "last_failure_time": self._last_failure_time,
            "recovery_timeout": self.circuit_breaker_recovery_timeout,
        }

    @classmethod
    async def create_client(cls, service_name: str, **kwargs: Any) -> "UnifiedHTTPClient":
        """Return a client with what is known of *service_name*."""
        known: Dict[str, Dict[str, Any]] = {
            "user-service": {"timeout": 10.0, "use_mtls": True},
            "iam-service": {"timeout": 15.0, "use_mtls": True},
            "audit-service": {"timeout": 5.0, "max_retries": 5},
        }
        return cls(**{"base_url": f"http://{service_name}", **known.get(service_name, {}), **kwargs})

    def _check_circuit_breaker(self) -> None:
        if self._circuit_state != "open":
            return
        waited = TIME.get().wall() - (self._last_failure_time or 0.0)
        if waited > self.circuit_breaker_recovery_timeout:
            self._circuit_state = "half-open"
            self._failure_count = 0  # UH-04: so it takes a whole threshold to open again
            return
        raise CircuitBreakerOpenError("Circuit breaker is open", retry_after=self.circuit_breaker_recovery_timeout - waited)

    def _record_success(self) -> None:
        if self._circuit_state == "half-open":
            self._circuit_state = "closed"
            self._failure_count = 0  # UH-05: nothing else sets it back

    def _record_failure(self) -> None:
        self._failure_count += 1
        self._last_failure_time = TIME.get().wall()
        if self._failure_count >= self.circuit_breaker_failure_threshold:
            self._circuit_state = "open"
            logger.warning("Circuit breaker opened for %s", self.base_url)


def create_http_client(**kwargs: Any) -> UnifiedHTTPClient:
    """Return a client."""
    return UnifiedHTTPClient(**kwargs)


async def make_request(method: str, url: str, **kwargs: Any) -> Any:
    """Send one request with a client of its own."""
    async with UnifiedHTTPClient() as client:
        return await client.request(method, url, **kwargs)


def with_http_client(**options: Any) -> Any:
    """Return a decorator that hands a client over as ``client``."""

    def decorator(func: Any) -> Any:
        @functools.wraps(func)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            async with UnifiedHTTPClient(**options) as client:
                return await func(*args, client=client, **kwargs)

        return wrapper

    return decorator
