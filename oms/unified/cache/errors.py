"""Every error that the unified cache raises.

::

    CacheError
    ├── CacheConfigInvalid (ValueError)    a configuration that names nothing we have
    ├── TtlInvalid (ValueError)            a time to live that is not one
    ├── KeyInvalid (TypeError)             a key that is not a text
    ├── ValueNotStorable (TypeError)       a value that could not be given back as it was
    ├── CacheUnavailable                   the storage did not answer, and the caller asked to be told
    ├── SyncNotSupported                   a plain call over a storage that has only async ones
    └── RecursiveLoad (RuntimeError)       a loader that asks for the key it is loading
"""

from __future__ import annotations


class CacheError(Exception):
    """Root of the tree: where, what was found, what was wanted, and the mend, on one line. Never a key's value, never a password."""

    def __init__(self, where: str, *, found: str, wanted: str, mend: str = "") -> None:
        super().__init__(f"{where}: found {found}, wanted {wanted}" + (f"; {mend}" if mend else ""))
        self.where, self.found, self.wanted, self.mend = where, found, wanted, mend


class CacheConfigInvalid(CacheError, ValueError):
    """A configuration that cannot be built, or that contradicts the cache which has the name already."""


class TtlInvalid(CacheError, ValueError):
    """A time to live that is not one."""


class KeyInvalid(CacheError, TypeError):
    """A key that is not a text."""


class ValueNotStorable(CacheError, TypeError):
    """A value that this cache could not give back as it was."""


class CacheUnavailable(CacheError):
    """The storage did not answer. Raised by a strict cache, and by ``forget`` always."""


class SyncNotSupported(CacheError):
    """A plain call over a storage that has only async ones."""


class RecursiveLoad(CacheError, RuntimeError):
    """A loader asked for the key that it is loading, and would wait for itself."""
