"""What may be injected, and how it is asked for: ``unified-errors=3%``, ``slow=2x``, ``tail=12x``, ``wrong-value=1%``, ``hang``, ``none``."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from oms.domain.errors import BadInput

TAIL_SHARE = 0.02
"""Share of the calls that ``tail`` makes slow. Source: reference simulation of a longer tail, which doubles the p99."""

_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%")
_TIMES = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)x")
_WORDS = ("unified-errors=3%", "slow=2x", "tail=12x", "wrong-value=1%", "hang", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What unified's reads do wrong once the injection has begun. The default is nothing.

    Attributes:
        errors: Share of the calls that raise, 0 to 1.
        wrong: Share of the calls with an answer that get another one, 0 to 1.
        slow: Every call takes this many times as long; 1 is as it is.
        tail: As *slow*, for ``TAIL_SHARE`` of the calls.
        hang: Every call takes seconds.
    """

    errors: float = 0.0
    wrong: float = 0.0
    slow: float = 1.0
    tail: float = 1.0
    hang: bool = False

    @property
    def is_none(self) -> bool:
        """True if nothing goes wrong."""
        return self == Faults()

    @property
    def are_about_time(self) -> bool:
        """True if calls take longer by a factor, so that it matters how long they take at all."""
        return (self.slow, self.tail) != (1.0, 1.0)

    def __str__(self) -> str:
        """Read like the command line."""
        words = [
            f"unified-errors={self.errors * 100:g}%" if self.errors else "",
            f"slow={self.slow:g}x" if self.slow != 1.0 else "",
            f"tail={self.tail:g}x" if self.tail != 1.0 else "",
            f"wrong-value={self.wrong * 100:g}%" if self.wrong else "",
            "hang" if self.hang else "",
        ]
        return ",".join(word for word in words if word) or "none"


def parse_faults(text: str) -> Faults:
    """Read ``FAULT[,FAULT]``, each at most once, ``none`` alone.

    Raises:
        BadInput: that names the word at fault and the nearest good one.
    """
    found: dict[str, float] = {}
    words = text.split(",")
    for word in words:
        name, amount = _fault(word)
        if name in found or (name == "none" and len(words) > 1):
            raise BadInput("FAULT", found=repr(text), wanted="each fault once, none alone")
        found[name] = amount
    return Faults(
        errors=found.get("unified-errors", 0.0),
        wrong=found.get("wrong-value", 0.0),
        slow=found.get("slow", 1.0),
        tail=found.get("tail", 1.0),
        hang="hang" in found,
    )


def _fault(word: str) -> tuple[str, float]:
    name, equals, amount = word.partition("=")
    match name:
        case "hang" | "none" if not equals:
            return name, 1.0
        case "hang" | "none":
            raise BadInput("FAULT", found=repr(word), wanted=f"{name} without a number")
        case "unified-errors" | "wrong-value":
            share = _number(_PERCENT, amount) / 100
            if not 0 < share <= 1:
                raise BadInput(
                    "FAULT", found=repr(word), wanted="a share above 0% and at most 100%, as in " + _example(name)
                )
            return name, share
        case "slow" | "tail":
            factor = _number(_TIMES, amount)
            if not 1 < factor <= 100:
                raise BadInput(
                    "FAULT", found=repr(word), wanted="a factor above 1x and at most 100x, as in " + _example(name)
                )
            return name, factor
        case _:
            raise _unknown(word)


def _number(form: re.Pattern[str], amount: str) -> float:
    match = form.fullmatch(amount)
    return float(match[1]) if match else 0.0


def _example(name: str) -> str:
    return next(word for word in _WORDS if word.startswith(f"{name}="))


def _unknown(word: str) -> BadInput:
    names = [known.partition("=")[0] for known in _WORDS]
    near = difflib.get_close_matches(word.partition("=")[0], names, n=1)
    mend = f"did you mean {_WORDS[names.index(near[0])]}?" if near else ""
    return BadInput("FAULT", found=repr(word), wanted=f"one of {' '.join(_WORDS)}", mend=mend)
