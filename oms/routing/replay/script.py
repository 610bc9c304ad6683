"""What a replayed call lived through, short enough for a sample and whole enough to be lived through again."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from oms.routing.replay.recorder import Attempt, End

OK = "ok"
CUT = "cut"
GONE = "gone"
"""The caller was cancelled."""

LONGEST = 1_000
"""Characters of JSON that a script may take; of what came before, the oldest is left out until it fits."""

_RUNS = 40
_WORDS = {End.RETURNED: OK, End.CUT: CUT, End.CANCELLED: GONE}

Past = tuple[float, tuple[str, ...]]
"""When an earlier call on the same breaker or budget began, seconds of the monotonic clock, and what its attempts came to."""


def word_of(attempt: Attempt, label: str) -> str:
    """Return what *attempt* came to: ``ok``, ``cut``, ``gone``, or module and *label* of its error, ``httpx:HTTPStatusError.503``."""
    error = attempt.error
    return _WORDS.get(attempt.end, GONE) if error is None else f"{error.kind.__module__}:{label}"


def script_of(
    attempts: Iterable[tuple[float, str]],
    *,
    draws: Sequence[float],
    past: Iterable[Past],
    began_s: float,
) -> dict[str, object]:
    """Return the script of a call: there is no value of the caller's in it, but names of classes and numbers of ours.

    ``attempts`` are seconds and word of each. ``draws`` are the control's random numbers. ``past`` are runs of earlier calls with the same
    words, oldest first: seconds before this call at which the first and the last of them began, how many, and the words.
    """
    runs = _runs(past, began_s)[-_RUNS:]
    script: dict[str, Any] = {
        "attempts": [[_rounded(took), word] for took, word in attempts],
        "draws": [_rounded(draw) for draw in draws],
        "past": runs,
    }
    while runs and len(json.dumps(script)) > LONGEST:
        del runs[: max(1, len(runs) // 4)]
    return script


def _runs(past: Iterable[Past], began_s: float) -> list[list[Any]]:
    runs: list[list[Any]] = []
    for at_s, words in past:
        ago_s = _rounded(began_s - at_s)
        if runs and runs[-1][3] == list(words):
            runs[-1][1] = ago_s
            runs[-1][2] += 1
        else:
            runs.append([ago_s, ago_s, 1, list(words)])
    return runs


def _rounded(seconds: float) -> float:
    return round(seconds, 6)


def words_in(script: Mapping[str, Any]) -> list[str]:
    """Return every word of *script*, each once."""
    past = (word for run in script["past"] for word in run[3])
    return list(dict.fromkeys([*(word for _, word in script["attempts"]), *past]))


def error_named(word: str) -> BaseException:
    """Return an exception of the class that *word* names, with the HTTP status that it ends in.

    Raises:
        LookupError: if there is no such class here, or none can be made of it.
    """
    module, _, label = word.partition(":")
    name, _, status = label.rpartition(".")
    if not (name and status.isdigit()):
        name, status = label, ""
    try:
        kind: Any = importlib.import_module(module)
        for part in name.split("."):
            kind = getattr(kind, part)
        if not issubclass(kind, Exception):
            raise TypeError(word)
        error: BaseException = kind.__new__(kind)
        error.args = ("stands for what was raised",)
        if status:
            error.response = SimpleNamespace(status_code=int(status), headers={})  # type: ignore[attr-defined]  # as HTTP clients hang it on
    except Exception as fault:  # somebody else's module and class
        raise LookupError(word) from fault
    return error
