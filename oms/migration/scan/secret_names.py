"""Which variables hold a secret, judged by their name alone."""

from __future__ import annotations

_SECRET = frozenset(
    (
        "SECRET",
        "SECRETS",
        "PASSWORD",
        "PASSWORDS",
        "PASSWD",
        "PASS",
        "PASSPHRASE",
        "PWD",
        "TOKEN",
        "TOKENS",
        "KEY",
        "KEYS",
        "APIKEY",
        "CREDENTIAL",
        "CREDENTIALS",
        "CREDS",
        "SIGNATURE",
        "SALT",
        "PAT",
    )
)
# What describes a secret instead of being one: where it lies, how long it lives, how it is called.
_ABOUT = frozenset(
    (
        "PATH",
        "FILE",
        "FILENAME",
        "DIR",
        "URL",
        "URI",
        "ENDPOINT",
        "HOST",
        "PORT",
        "NAME",
        "ID",
        "PREFIX",
        "SUFFIX",
        "TTL",
        "TIMEOUT",
        "LENGTH",
        "SIZE",
        "COUNT",
        "LIMIT",
        "MAX",
        "MIN",
        "ENABLED",
        "DISABLED",
        "ALGORITHM",
        "ALG",
        "TYPE",
        "FORMAT",
        "EXPIRY",
        "EXPIRATION",
        "EXPIRES",
        "MINUTES",
        "SECONDS",
        "HOURS",
        "DAYS",
        "VERSION",
        "REQUIRED",
        "HEADER",
    )
)
_NOT = frozenset({"PWD", "OLDPWD", "KEY", "PASS", "PATH"})


def is_secret(variable: str | None) -> bool:
    """Return whether a variable of this name holds a secret: ``JWT_SECRET`` does, ``JWT_SECRET_FILE`` does not."""
    if variable is None or variable.upper() in _NOT:
        return False
    words = variable.upper().replace("-", "_").replace(".", "_").split("_")
    return words[-1] not in _ABOUT and not _SECRET.isdisjoint(words)
