"""Who may come in: IAM, tokens, TLS, origins."""

from __future__ import annotations

from oms.unified.config.group import Group
from oms.unified.config.variables import env_var


class AccessSettings(Group):
    """Who may come in: IAM, tokens, TLS, origins."""

    ALLOWED_ORIGINS: tuple[str, ...] = env_var(("http://localhost:3000",))
    AUTH_CACHE_TTL: int = env_var(300)
    CORS_ORIGINS: tuple[str, ...] = env_var(("*",))
    DISABLE_AUTH: bool = env_var(False)
    IAM_CACHE_TTL: int = env_var(300)
    IAM_ENABLE_JWKS: bool = env_var(True)
    IAM_JWKS_URL: str | None = env_var(None)
    IAM_MAX_RETRIES: int = env_var(2)
    IAM_RETRY_COUNT: int = env_var(3)
    IAM_SERVICE_ID: str = env_var("oms-service")
    IAM_SERVICE_URL: str = env_var("https://iam-service:8443")
    IAM_TIMEOUT: int = env_var(10, about="seconds a call to IAM may take")
    IAM_VERIFY_SSL: bool = env_var(True, about="whether IAM's certificate is verified")
    IDP_ENDPOINT: str | None = env_var(None)
    JWT_AUDIENCE: str = env_var("oms")
    JWT_ISSUER: str = env_var("iam.company")
    JWT_JWKS_URL: str | None = env_var(None)
    JWT_LOCAL_VALIDATION: bool = env_var(True)
    MTLS_ENABLED: bool = env_var(True, about="mutual TLS to other services; on unless somebody turns it off")
    OAUTH_CLIENT_ID: str = env_var("oms-service")
    REQUIRE_AUTH: bool = env_var(True)
    USE_IAM_VALIDATION: bool = env_var(False)
