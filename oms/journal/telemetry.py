"""Counts by stage, side and outcome as OpenTelemetry instruments, read when somebody collects and never in a call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from oms.domain.observation import Disposition, Outcome
from oms.domain.record import Place, Tally
from oms.domain.stage import Effect, Stage, course_for

_UNCOMPARABLE = "uncomparable."

Select = Callable[[str], Mapping[str, str] | None]
"""Attributes for a tally's name, None if the instrument does not count it."""


def observe(meter_provider: MeterProvider, totals: Callable[[], list[Tally]]) -> None:
    """Register observable counters over *totals*, which returns cumulative counts since the process started.

    ``oms.calls`` by disposition, ``oms.outcomes`` by outcome, ``oms.uncomparable`` by reason, ``oms.events`` by event (rescued, unscoped,
    delayed, beside_failed, beside_cut, empty); each by phase, seam, operation, stage, and side: the one that answers at that stage.
    """
    meter = meter_provider.get_meter("oms")
    for name, unit, description, select in _INSTRUMENTS:
        meter.create_observable_counter(name, callbacks=[_callback(totals, select)], unit=unit, description=description)


def _callback(totals: Callable[[], list[Tally]], select: Select) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def collect(options: CallbackOptions) -> Iterator[Observation]:
        # Plans and versions come and go, so they are no attributes: a time series goes on over flips and releases.
        sums: Counter[tuple[Place, str]] = Counter()
        for tally in totals():
            sums[replace(tally.place, plan="", version=""), tally.name] += tally.count
        for (place, name), count in sums.items():
            attributes = select(name)
            if attributes is not None:
                yield Observation(count, {**_where(place), **attributes})

    return collect


def _where(place: Place) -> dict[str, str]:
    where = {"phase": place.phase, "seam": place.seam, "operation": place.operation, "stage": place.stage}
    if place.stage in _ANSWERS:
        where["side"] = _ANSWERS[place.stage]
    return where


_ANSWERS: Mapping[str, str] = {stage.value: course_for(stage, Effect.READS).answers.value for stage in Stage}


def _disposition(name: str) -> Mapping[str, str] | None:
    return {"disposition": name} if name in _DISPOSITIONS else None


def _outcome(name: str) -> Mapping[str, str] | None:
    return {"outcome": name} if name in _OUTCOMES else None


def _reason(name: str) -> Mapping[str, str] | None:
    return {"reason": name.removeprefix(_UNCOMPARABLE)} if name.startswith(_UNCOMPARABLE) else None


def _event(name: str) -> Mapping[str, str] | None:
    return {"event": name} if name in _EVENTS else None


_EVENTS = frozenset({"rescued", "unscoped", "delayed", "beside_failed", "beside_cut", "empty"})
_DISPOSITIONS = frozenset(disposition.value for disposition in Disposition)
_OUTCOMES = frozenset(outcome.value for outcome in Outcome)

_INSTRUMENTS: tuple[tuple[str, str, str, Select], ...] = (
    ("oms.calls", "{call}", "Routed calls by what became of them; direct calls are not counted.", _disposition),
    ("oms.outcomes", "{call}", "Shadowed calls by what the comparison came to.", _outcome),
    ("oms.uncomparable", "{call}", "Comparisons that could not be made, by reason.", _reason),
    (
        "oms.events",
        "{call}",
        "Routed calls that were rescued, unscoped, delayed, or whose other side failed or was cut.",
        _event,
    ),
)
