"""What a type checker sees of the public API. Checked by ``make types``, never run."""

from __future__ import annotations

from typing import assert_type

from oms.domain.phase import Seam, reads, writes
from oms.seams.cache import DOCUMENTS, TYPES, VALIDATION, AsyncCache, Cache

assert_type(TYPES, Seam[Cache, AsyncCache])
assert_type(VALIDATION, Seam[Cache, None])
assert_type(DOCUMENTS, Seam[AsyncCache, None])


class Marked:
    """A mark leaves the signature as it is, bare or with arguments."""

    @reads
    def size(self) -> int:
        """Return a size."""
        return 0

    @writes(key="key")
    def put(self, key: str, *, value: bytes = b"") -> bool:
        """Put *value* under *key*."""
        return bool(key and value)


assert_type(Marked().size(), int)
assert_type(Marked().put("key", value=b""), bool)
