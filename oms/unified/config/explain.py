"""Where a value came from, who owns it and who reads it; never the value of a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oms.seams.config import Secret

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*(?=@)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of one variable.

    Attributes:
        asked, name: The name that was asked for, and the canonical one.
        source: ``environment``, ``alias`` (with its name behind a blank), ``override``, ``default``, ``unset``.
        value: As text; masked for a secret and for credentials in a URL; None if there is none.
        problems: What is wrong with it, without a value.
        readers: The places of the code that read it.
    """

    asked: str
    name: str
    about: str
    group: str
    owner: str
    kind: str
    is_security: bool
    required_in: tuple[str, ...]
    aliases: tuple[str, ...]
    source: str
    value: str | None
    default: str | None
    problems: tuple[str, ...]
    readers: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the object of ``--json``, without its schema number."""
        return {
            "name": self.name,
            "asked": self.asked,
            "about": self.about,
            "group": self.group,
            "owner": self.owner,
            "type": self.kind,
            "security": self.is_security,
            "required_in": list(self.required_in),
            "aliases": list(self.aliases),
            "source": self.source,
            "value": self.value,
            "default": self.default,
            "problems": list(self.problems),
            "readers": list(self.readers),
        }

    def lines(self) -> Iterator[str]:
        """Yield what people read, one fact a line."""
        yield self.name if self.asked == self.name else f"{self.name} (asked for as {self.asked}, an older name)"
        facts = {
            "about": self.about,
            "value": "(none)" if self.value is None else self.value,
            "source": self.source,
            "type": self.kind + (", security-critical: no default" if self.is_security else ""),
            "default": "" if self.is_security else ("(none)" if self.default is None else self.default),
            "required": ", ".join(self.required_in),
            "aliases": ", ".join(self.aliases),
            "owner": f"{self.owner} (group {self.group})",
        }
        yield from (f"  {name:9} {fact}" for name, fact in facts.items() if fact)
        yield from (f"  problem   {each}" for each in self.problems)
        yield from (f"  reader    {each}" for each in self.readers)


def shown(value: Any) -> str | None:
    """Return *value* as it may be shown: a secret as asterisks, a URL without its credentials."""
    if value is None:
        return None
    if isinstance(value, Secret):
        return "**********"
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return _CREDENTIALS.sub("**********", text)
