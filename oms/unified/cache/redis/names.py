"""How keys are called in Redis, so that no two caches and no two keys ever meet."""

from __future__ import annotations

import hashlib
import re

from oms.unified.cache.backend import check_key

_LONGEST = 200
"""Bytes of a key that are written out; longer ones are hashed."""


class Names:
    """Names of one namespace: ``oms:<namespace>:<key>``.

    The namespace is written without colons, so the second colon always ends it: a:b with key c and a with key b:c differ. A long key
    is written as ``#`` and its SHA-256; so is one that begins with ``#``, which could be mistaken for such.
    """

    def __init__(self, namespace: str) -> None:
        self._prefix = f"oms:{namespace.replace('%', '%25').replace(':', '%3A')}:"

    @property
    def pattern(self) -> bytes:
        """The glob that matches all names of this namespace and no other."""
        return _encoded(re.sub(r"([*?\[\]\\^])", r"\\\1", self._prefix) + "*")

    def of(self, key: str) -> bytes:
        """Return the name of *key*.

        Raises:
            KeyInvalid: if *key* is not a text.
        """
        check_key(key)
        written = _encoded(key)
        if len(written) > _LONGEST or written.startswith(b"#"):
            written = b"#" + hashlib.sha256(written).hexdigest().encode()
        return _encoded(self._prefix) + written


def _encoded(text: str) -> bytes:
    # surrogatepass, because any text may be a key, halves of a pair included.
    return text.encode("utf-8", "surrogatepass")
