"""Where a key falls in a split: flagd's hash (CBOR, then murmur3), with everything that does not depend on the key done beforehand."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import mmh3

HASH = "cbor-v3"
"""The way flagd-core 2 hashes. Another way re-buckets everybody, so it belongs to the identity of a rollout."""

_SHORT = 256
_hash = mmh3.hash


def text_head(size: int) -> bytes:
    """Return the CBOR head of a text of *size* bytes. Source: RFC 8949, section 3, major type 3."""
    if size < 24:
        return bytes((0x60 | size,))
    for marker, width in ((0x78, 1), (0x79, 2), (0x7A, 4)):
        if size < 1 << 8 * width:
            return bytes((marker,)) + size.to_bytes(width, "big")
    return b"\x7b" + size.to_bytes(8, "big")


def cut_points(weights: Sequence[int]) -> list[int]:
    """Return the hash at which each share ends: a key is in the first share whose end is above its hash.

    Exactly flagd's ``(hash * total) >> 32 < sum of the weights so far``, without the multiplication.
    """
    total, end, cuts = sum(weights), 0, []
    for weight in weights:
        end += weight
        cuts.append(-((-end << 32) // total))
    return cuts


class Bucketing:
    """Says into which share of a split a key falls.

    Args:
        weights: Integers of 0 or more, sum above 0.
        flag: Hash the key together with this flag's name, as the shorthand of ``fractional`` does; None hashes the key alone.
    """

    __slots__ = ("_cuts", "_heads", "_prefix")

    def __init__(self, weights: Sequence[int], *, flag: str | None) -> None:
        self._cuts = cut_points(weights)
        name = b"" if flag is None else flag.encode()
        self._prefix = b"" if flag is None else b"\x82" + text_head(len(name)) + name
        self._heads = [self._prefix + text_head(size) for size in range(_SHORT)]

    def share(self, key: str) -> int:
        """Return the index of the share of *key*.

        Raises:
            UnicodeEncodeError: if *key* has lone surrogates, which flagd cannot hash either.
        """
        data = key.encode()
        size = len(data)
        head = self._heads[size] if size < _SHORT else self._prefix + text_head(size)
        return bisect_right(self._cuts, _hash(head + data, 0, False))
