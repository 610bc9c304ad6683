"""What makes a secret unfit: each check says what was found in words that hold nothing of the secret."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Callable

Check = Callable[[str], str | None]
"""Takes a secret; says what is wrong with it without a part of it, None if nothing is."""

MIN_BITS_PER_LETTER = 2.5
"""Bits of a text's own letter distribution (Shannon), for each letter, below which it is taken for typed and not drawn.

``abcabcabc...`` of any length has 1.6, random hex of 32 digits about 3.6, of 12 digits about 3.
"""

_PLACEHOLDERS = re.compile(
    r"change[-_ ]?(?:me|it|this)|your[-_ ]?(?:\w+[-_ ]?)?(?:secret|key|password|token)"
    r"|(?:dev|test|default|dummy|example|sample)[-_ ]?(?:secret|key|password|token)"
    r"|insecure|placeholder|replace[-_ ]?(?:me|this)|\btodo\b|\bfixme\b|^<.*>$|^\$\{.*\}$"
    r"|(.)\1{7,}|1234567|abcdefgh|qwerty",
    re.IGNORECASE,
)
_WORDS = frozenset(
    str.split(
        "secret password passwd pass root admin administrator minioadmin minioadmin123 none null unset xxx key token letmein"
    )
)


def min_length(least: int) -> Check:
    """Return the check for at least *least* characters."""

    def check(secret: str) -> str | None:
        return f"fewer than {least} characters" if len(secret.strip()) < least else None

    return check


def no_placeholder(secret: str) -> str | None:
    """Refuse what documentation and examples put where a secret belongs."""
    text = secret.strip()
    is_one = text.lower() in _WORDS or _PLACEHOLDERS.search(text) is not None
    return "a placeholder" if is_one else None


def entropy(secret: str) -> str | None:
    """Refuse what was typed and not drawn: too few different letters for its length."""
    text = secret.strip()
    counts = Counter(text).values()
    per_letter = -sum(n / len(text) * math.log2(n / len(text)) for n in counts) if text else 0.0
    return "a text with too little randomness" if per_letter < MIN_BITS_PER_LETTER else None


def fernet_key(secret: str) -> str | None:
    """Demand 32 bytes in URL-safe base64, as ``Fernet.generate_key`` makes them."""
    try:
        key = base64.b64decode(secret.strip().encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return "no URL-safe base64"
    return None if len(key) == 32 else "base64 of another length"


def no_line_break(secret: str) -> str | None:
    """Refuse a secret that goes over several lines: a file was pasted with more than the secret in it."""
    return "a line break inside" if len(secret.strip().splitlines()) > 1 else None
