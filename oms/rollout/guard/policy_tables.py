"""Reading the tables of a policy: what is unknown, of the wrong type or out of range is said with its place in the file."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from oms.domain.errors import BadInput
from oms.domain.guardrails import Restart
from oms.domain.readiness import Demand
from oms.rollout.guard.duration import WANTED as A_DURATION
from oms.rollout.guard.duration import parse_duration
from oms.rollout.guard.policy import (
    BudgetPolicy,
    Guards,
    HardFailPolicy,
    MismatchPolicy,
    OnTrip,
    PhasePolicy,
    RatioPolicy,
    SharePolicy,
    SlowPolicy,
    StepRule,
)

T = TypeVar("T")
R = TypeVar("R", bound=RatioPolicy)

_OPERATION = re.compile(r"[a-z_]+\.[a-z_]+")
_ACTIONS = {
    "statistics": (OnTrip.ROLLBACK, OnTrip.PAUSE, OnTrip.HOLD),
    "hard_fail": (OnTrip.ROLLBACK, OnTrip.PAUSE),
    "budget": (OnTrip.FREEZE, OnTrip.HOLD),
    "share": (OnTrip.HOLD, OnTrip.PAUSE),
}


class PolicyInvalid(BadInput):
    """A mistake in a policy: file, path, found, wanted, mend."""

    def __init__(self, file: Path, path: str, *, found: str, wanted: str, mend: str) -> None:
        super().__init__(f"{file}: {path}", found=found, wanted=wanted, mend=mend)
        self.file, self.path = file, path


def unknown(file: Path, path: str, key: str, known: Collection[str]) -> PolicyInvalid:
    """Return the mistake of a key that is none of *known*."""
    near = difflib.get_close_matches(key, known, n=1)
    where = f"{path}.{key}" if path else key
    mend = f"did you mean {near[0]}?" if near else "remove it"
    return PolicyInvalid(file, where, found="a key that nobody reads", wanted=f"one of {' '.join(known)}", mend=mend)


class Table:
    """One table as several layers of the file say it; of a key the last layer that has it counts. Mistakes go to *problems*."""

    def __init__(
        self, file: Path, layers: Sequence[tuple[str, Mapping[str, object]]], problems: list[PolicyInvalid]
    ) -> None:
        self._file, self._layers, self.problems = file, layers, problems
        self._asked: list[str] = []

    @classmethod
    def of(cls, file: Path, layers: Sequence[tuple[str, object]], problems: list[PolicyInvalid]) -> Table:
        """Return the table of those *layers*, each with its path, that the file has."""
        tables = []
        for path, layer in layers:
            if isinstance(layer, dict):
                tables.append((path, layer))
            elif layer is not None:
                problems.append(
                    PolicyInvalid(file, path, found=_said(layer), wanted=f"a table, [{path}]", mend="mend or remove it")
                )
        return cls(file, tables, problems)

    def child(self, key: str) -> Table:
        """Return the table within this one under *key*."""
        self._asked.append(key)
        return Table.of(
            self._file, [(f"{path}.{key}", layer[key]) for path, layer in self._layers if key in layer], self.problems
        )

    def value(self, key: str, read: Callable[[object], T | None], default: T, *, wanted: str) -> T:
        """Return what stands under *key*, *default* if nothing does or *read* does not take it."""
        self._asked.append(key)
        for path, layer in reversed(self._layers):
            if key in layer:
                found = read(layer[key])
                if found is None:
                    self.complain(f"{path}.{key}", found=_said(layer[key]), wanted=wanted)
                return default if found is None else found
        return default

    def number(
        self, key: str, default: float, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf
    ) -> float:
        """Return a number of at least *least*, above *above* and below *below*."""
        limits = [
            f"{word} {limit:g}"
            for word, limit in (("at least", least), ("above", above), ("below", below))
            if math.isfinite(limit)
        ]

        def read(raw: object) -> float | None:
            is_number = isinstance(raw, int | float) and not isinstance(raw, bool)
            return float(raw) if is_number and raw >= least and above < raw < below else None  # type: ignore[arg-type, operator]  # narrowed above

        return self.value(key, read, default, wanted=" ".join(["a number", " and ".join(limits)]).strip())

    def whole(self, key: str, default: int) -> int:
        """Return a whole number of at least 1."""
        return self.value(key, _whole, default, wanted="a whole number of at least 1")

    def duration(self, key: str, default: float, *, above_zero: bool = False) -> float:
        """Return seconds."""

        def read(raw: object) -> float | None:
            seconds = parse_duration(raw)
            return seconds if seconds or not above_zero else None

        return self.value(key, read, default, wanted=A_DURATION + (", above 0" if above_zero else ""))

    def complain(self, path: str, *, found: str, wanted: str, mend: str = "mend it") -> None:
        """Note a mistake."""
        self.problems.append(PolicyInvalid(self._file, path, found=found, wanted=wanted, mend=mend))

    def path(self, key: str = "") -> str:
        """Return the place of *key*, or of the table, where it counts."""
        places = [path for path, layer in self._layers if not key or key in layer]
        place = places[-1] if places else self._layers[-1][0] if self._layers else ""
        return f"{place}.{key}" if key else place

    def done(self) -> None:
        """Note every key that nobody has asked for."""
        for path, layer in self._layers:
            self.problems.extend(unknown(self._file, path, key, self._asked) for key in layer if key not in self._asked)


def read_phase(table: Table, name: str) -> PhasePolicy | None:
    """Return the policy of one phase; None if it has no owner or no last day. Mistakes are with *table*."""
    owner = table.value("owner", _word, "", wanted="a name")
    expires = table.value("expires", _day, None, wanted="a day, as in 2027-06-30")
    for key, missing, wanted in (
        ("owner", not owner, "a name"),
        ("expires", expires is None, "a day, as in 2027-06-30"),
    ):
        if missing and not any(problem.path.endswith(f".{key}") for problem in table.problems):
            table.complain(
                f"{name}.{key}", found="nothing", wanted=wanted, mend="say who answers for it and until when"
            )
    plain = PhasePolicy()
    guards = table.child("guards")
    ready = table.child("ready")
    policy = replace(
        plain,
        owner=owner,
        expires=expires,
        steps=_steps(table.child("live"), plain.steps),
        cap_per_request=ready.value("cap_per_request", _truth, plain.cap_per_request, wanted="true or false"),
        waived=ready.value("waive", _operations, plain.waived, wanted='a list of operations, as in ["types.clear"]'),
        unseen_holds=ready.value("unseen", _unseen, plain.unseen_holds, wanted="hold or list"),
        ready=_demand(ready, plain.ready),
        alpha=guards.number("alpha", plain.alpha, above=0.0, below=1.0),
        restart=_restart(guards.child("restart"), plain.restart),
        guards=_guards(guards, plain.guards),
    )
    table.done()
    return policy if owner and expires is not None else None


def _demand(table: Table, plain: Demand) -> Demand:
    demand = Demand(
        limit=table.number("limit", plain.limit, above=0.0, below=1.0),
        confidence=table.number("confidence", plain.confidence, above=0.0, below=1.0),
        min_age_s=table.duration("min_age", plain.min_age_s),
    )
    table.done()
    return demand


def _restart(table: Table, plain: Restart) -> Restart:
    restart = Restart(
        calls=table.whole("calls", plain.calls),
        every_s=table.duration("every", plain.every_s, above_zero=True),
        keep=table.whole("keep", plain.keep),
    )
    table.done()
    return restart


def _steps(table: Table, plain: tuple[StepRule, ...]) -> tuple[StepRule, ...]:
    """Read three lists of one length: shares, times, calls."""
    seen = len(table.problems)
    weights = table.value(
        "steps", _shares, tuple(step.weight for step in plain), wanted="shares above 0, at most 100, two decimals"
    )
    times = table.value(
        "min_time", _durations, tuple(step.min_time_s for step in plain), wanted=f"a list, each {A_DURATION}"
    )
    calls = table.value(
        "min_calls", _wholes, tuple(step.min_calls for step in plain), wanted="a list of whole numbers of at least 1"
    )
    table.done()
    if len(table.problems) > seen:
        return plain
    if any(later <= earlier for earlier, later in pairwise(weights)):
        table.complain(table.path("steps"), found="steps that do not grow", wanted="each share above the one before")
    for key, found in (("min_time", times), ("min_calls", calls)):
        if len(found) != len(weights):
            table.complain(table.path(key), found=f"{len(found)} entries", wanted=f"{len(weights)}, one for each step")
    if len(table.problems) > seen:
        return plain
    return tuple(map(StepRule, weights, times, calls))


def _guards(table: Table, plain: Guards) -> Guards:
    guards = Guards(
        errors=_ratio(table.child("errors"), plain.errors),
        unit_errors=_ratio(table.child("unit_errors"), plain.unit_errors),
        slow_p99=_slow(table.child("slow_p99"), plain.slow_p99),
        slow_p90=_slow(table.child("slow_p90"), plain.slow_p90),
        mismatch=_mismatch(table.child("mismatch"), plain.mismatch),
        share=_share(table.child("share"), plain.share),
        hard_fail=HardFailPolicy(on_trip=_ended(table.child("hard_fail"), "hard_fail", plain.hard_fail.on_trip)),
        budget=_budget(table.child("budget"), plain.budget),
    )
    table.done()
    return guards


def _ratio(table: Table, plain: R) -> R:
    margin, min_bad = (
        table.number("margin", plain.margin, least=1.0, below=100.0),
        table.whole("min_bad", plain.min_bad),
    )
    return replace(plain, margin=margin, min_bad=min_bad, on_trip=_ended(table, "statistics", plain.on_trip))


def _slow(table: Table, plain: SlowPolicy) -> SlowPolicy:
    line_calls, floor_s = table.whole("line_calls", plain.line_calls), table.duration("floor", plain.floor_s)
    return _ratio(table, replace(plain, line_calls=line_calls, floor_s=floor_s))


def _mismatch(table: Table, plain: MismatchPolicy) -> MismatchPolicy:
    limit = table.number("limit", plain.limit, above=0.0, below=0.5)
    return MismatchPolicy(
        limit=limit, min_bad=table.whole("min_bad", plain.min_bad), on_trip=_ended(table, "statistics", plain.on_trip)
    )


def _share(table: Table, plain: SharePolicy) -> SharePolicy:
    alpha = table.number("alpha", plain.alpha, above=0.0, below=1.0)
    return SharePolicy(alpha=alpha, on_trip=_ended(table, "share", plain.on_trip))


def _budget(table: Table, plain: BudgetPolicy) -> BudgetPolicy:
    return BudgetPolicy(
        slo=table.number("slo", plain.slo, above=0.0, below=1.0),
        burn=table.number("burn", plain.burn, above=0.0),
        window_s=table.duration("window", plain.window_s, above_zero=True),
        min_calls=table.whole("min_calls", plain.min_calls),
        on_trip=_ended(table, "budget", plain.on_trip),
    )


def _ended(table: Table, kind: str, default: OnTrip) -> OnTrip:
    """Read the action, which every guard has, and close its table."""
    actions = _ACTIONS[kind]

    def read(raw: object) -> OnTrip | None:
        return OnTrip(raw) if isinstance(raw, str) and raw in actions else None

    action = table.value("on_trip", read, default, wanted=f"one of {' '.join(actions)}")
    table.done()
    return action


def _said(raw: object) -> str:
    """Return what a wrong value is, without more of it than a reader needs."""
    return repr(raw)[:60]


def _word(raw: object) -> str | None:
    return raw.strip() if isinstance(raw, str) and raw.strip() else None


def _truth(raw: object) -> bool | None:
    return raw if isinstance(raw, bool) else None


def _unseen(raw: object) -> bool | None:
    return raw == "hold" if raw in ("hold", "list") else None


def _day(raw: object) -> dt.date | None:
    return raw if isinstance(raw, dt.date) and not isinstance(raw, dt.datetime) else None


def _whole(raw: object) -> int | None:
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 1 else None


def _weight(raw: object) -> int | None:
    """Return a percentage as a weight of 10,000."""
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not 0 < raw <= 100:
        return None
    weight = round(raw * 100)
    return weight if weight and math.isclose(weight, raw * 100) else None


def _operation(raw: object) -> str | None:
    return raw if isinstance(raw, str) and _OPERATION.fullmatch(raw) else None


def _list_of(raw: object, read: Callable[[object], T | None], *, may_be_empty: bool = False) -> tuple[T, ...] | None:
    if not isinstance(raw, list) or not (raw or may_be_empty):
        return None
    found = [read(one) for one in raw]
    good = tuple(one for one in found if one is not None)
    return good if len(good) == len(found) else None


def _shares(raw: object) -> tuple[int, ...] | None:
    return _list_of(raw, _weight)


def _durations(raw: object) -> tuple[float, ...] | None:
    return _list_of(raw, parse_duration)


def _wholes(raw: object) -> tuple[int, ...] | None:
    return _list_of(raw, _whole)


def _operations(raw: object) -> tuple[str, ...] | None:
    return _list_of(raw, _operation, may_be_empty=True)
