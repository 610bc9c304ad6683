"""What an error that was retried tells about it: a note to the reader, an attribute to the program."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

_ATTRIBUTE = "__oms_retry__"
_MARK = "oms retry: "


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that failed.

    Attributes:
        error: Class of what it raised. The object would keep its frames alive.
        took_s: Seconds from its begin to its failure.
        waited_s: Seconds of sleep that followed, 0 after the last one.
    """

    error: type[Exception]
    took_s: float
    waited_s: float


@dataclass(frozen=True, slots=True)
class RetryHistory:
    """The attempts of one call, and why there is no further one.

    Attributes:
        policy: Name of the policy.
        gave_up: Why it ended, in words.
        attempts: Oldest first; the last one raised the error that carries this.
        ended_at: Second of the clock at which the last one failed.
    """

    policy: str
    gave_up: str
    attempts: tuple[Attempt, ...]
    ended_at: float

    @property
    def waited_s(self) -> float:
        """Seconds slept in all."""
        return sum(attempt.waited_s for attempt in self.attempts)

    def __str__(self) -> str:
        count, spent = len(self.attempts), sum(attempt.took_s for attempt in self.attempts) + self.waited_s
        names = ", ".join(attempt.error.__name__ for attempt in self.attempts)
        attempts = f"{count} attempt{'s' if count > 1 else ''}"
        return f"policy {self.policy!r} gave up after {attempts} in {spent:.3g} s ({names}): {self.gave_up}"


def history_of(error: BaseException) -> RetryHistory | None:
    """Return what is known of the attempts before *error* was raised, None if it was not retried."""
    found = getattr(error, _ATTRIBUTE, None)
    return found if isinstance(found, RetryHistory) else None


def was_retried_since(error: BaseException, began: float) -> bool:
    """Tell whether a retry gave *error*, or what caused it, up after *began*: who tries again then multiplies its attempts."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        history = history_of(link)
        # An older history was left by another call: some libraries raise the same object again and again.
        if history is not None and history.ended_at > began:
            return True
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False


def tell(error: Exception, history: RetryHistory) -> None:
    """Hang *history* on *error*, in place of an older one."""
    # A class with slots takes no attribute; an odd one may refuse notes. Neither is a reason to hide the error itself.
    with contextlib.suppress(Exception):
        setattr(error, _ATTRIBUTE, history)
    with contextlib.suppress(Exception):
        notes = getattr(error, "__notes__", None)
        if notes:
            notes[:] = [note for note in notes if not (isinstance(note, str) and note.startswith(_MARK))]
        error.add_note(f"{_MARK}{history}")
