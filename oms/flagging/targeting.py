"""What a targeting rule can evaluate to, found without evaluating it: every variant it can reach, too many rather than too few."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from oms.domain.stage import Stage
from oms.flagging.definition import Place, shown

MAX_WEIGHT_SUM = 2**31 - 1
"""Above this flagd gives everybody the default variant."""

_YES_NO = frozenset({"==", "!=", "===", "!==", "<", ">", "<=", ">=", "!", "!!", "in", "all", "some", "none"})
_YES_NO_NULL = frozenset({"starts_with", "ends_with", "sem_ver"})
_ANYTHING = frozenset(
    {
        "var",
        "+",
        "-",
        "*",
        "/",
        "%",
        "min",
        "max",
        "cat",
        "substr",
        "merge",
        "missing",
        "missing_some",
        "map",
        "filter",
        "reduce",
    }
)
_BRANCHES = frozenset({"if", "?:", "and", "or", "fractional"})
OPERATORS = _YES_NO | _YES_NO_NULL | _ANYTHING | _BRANCHES
"""What flagd evaluates, less ``log``: it writes to stdout at every call."""

_ASK_THE_CONTEXT = ("var", "missing", "missing_some")


@dataclass(frozen=True, slots=True)
class Result:
    """One thing that an expression can evaluate to.

    Attributes:
        variant: What flagd takes it for: the name of a variant, None for the default variant.
        truthy: Whether a condition would take it for true.
        known: False if the value comes from the context, so that it may be any variant.
        place: Where in the file it stands.
    """

    variant: str | None
    truthy: bool
    known: bool
    place: Place


class Reader:
    """Walks one targeting rule.

    Args:
        variants: The stage of each variant.
    """

    def __init__(self, variants: Mapping[str, Stage]) -> None:
        self._variants = variants

    def stages(self, logic: object, place: Place) -> frozenset[Stage]:
        """Return every stage that *logic* can reach, the default variant's left out.

        Raises:
            FlagFileInvalid: if an operator is unknown, a weight is none, the order is wrong, or a result names no variant.
        """
        found: set[Stage] = set()
        for result in self.results(logic, place):
            if not result.known:
                found.update(self._variants.values())
            elif result.variant is not None:
                found.add(self._stage_of(result.variant, result.place))
        return frozenset(found)

    def results(self, logic: object, place: Place) -> list[Result]:
        """Return everything that *logic* can evaluate to."""
        if isinstance(logic, list):
            for index, item in enumerate(logic):
                self.results(item, place.item(index))
        elif isinstance(logic, Mapping) and len(logic) == 1:
            return self._operation(logic, place)
        return [Result(_as_variant(logic), bool(logic) or isinstance(logic, Mapping), True, place)]

    def _operation(self, logic: Mapping[str, object], place: Place) -> list[Result]:
        ((name, given),) = logic.items()
        place = place.at(name)
        if name not in OPERATORS:
            _refuse_operator(name, place)
        arguments = given if isinstance(given, list) else [given]
        if name == "fractional":
            return self._fractional(arguments, place)
        each = [self.results(argument, place.item(index)) for index, argument in enumerate(arguments)]
        if name in ("if", "?:"):
            return _branches(each, place)
        if name in ("and", "or"):
            return _first_that_settles(each, name == "or", place)
        return _results_of(name, place)

    def _fractional(self, arguments: list[object], place: Place) -> list[Result]:
        found = [Result(None, False, True, place)]
        total, above = 0, None
        for index, argument in enumerate(arguments):
            at = place.item(index)
            if index == 0 and not isinstance(argument, list):
                self.results(argument, at)
                continue
            results, weight = self._entry(argument, at)
            total += weight
            if weight:
                above = self._at_or_below(above, results, at)
                found += results
        _check_total(total, place)
        return found

    def _entry(self, entry: object, place: Place) -> tuple[list[Result], int]:
        if not isinstance(entry, list) or len(entry) not in (1, 2):
            raise place.invalid(
                found=shown(entry),
                wanted='a list of a variant and its weight, ["live", 500]',
                mend="write each entry of fractional so",
            )
        weight = entry[1] if len(entry) == 2 else 1
        if isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
            raise place.item(1).invalid(
                found=shown(weight),
                wanted="an integer of 0 or more",
                mend="flagd gives everybody the default variant otherwise; write 500 for 5 %",
            )
        return self.results(entry[0], place.item(0)), weight

    def _at_or_below(self, above: Stage | None, results: list[Result], place: Place) -> Stage | None:
        stages = [
            self._variants[name]
            for result in results
            if (name := result.variant) is not None and name in self._variants
        ]
        if not stages:
            return above
        highest, lowest = max(stages, key=_rank), min(stages, key=_rank)
        if above is not None and highest.rank > above.rank:
            raise place.invalid(
                found=f"{highest.value} after {above.value}",
                wanted="the most advanced stage first",
                mend="put the entries in falling order, or growing a share takes callers back",
            )
        return lowest

    def _stage_of(self, variant: str, place: Place) -> Stage:
        if variant in self._variants:
            return self._variants[variant]
        wanted = f"one of the variants {' '.join(self._variants)}"
        if variant in ("true", "false"):
            raise place.invalid(
                found=f"a rule that can answer {variant}",
                wanted=wanted,
                mend='write {"if": [condition, "variant", "variant"]}',
            )
        near = difflib.get_close_matches(variant, self._variants, n=1)
        raise place.invalid(
            found=shown(variant),
            wanted=wanted,
            mend=f"did you mean {near[0]}?" if near else "declare it under variants, or name another",
        )


def asks_for(logic: object, names: frozenset[str]) -> bool:
    """Tell whether *logic* may look at one of *names* in the context; unsure means yes."""
    return any(name is None or name.partition(".")[0] in names for name in names_asked(logic))


def names_asked(logic: object) -> Iterator[str | None]:
    """Yield each name that *logic* looks up in the context, None for one that is known only at the call."""
    if isinstance(logic, Mapping):
        for key, given in logic.items():
            if len(logic) == 1 and key in _ASK_THE_CONTEXT:
                yield from _constant_names(given)
            yield from names_asked(given)
    elif isinstance(logic, list):
        for item in logic:
            yield from names_asked(item)


def _constant_names(given: object) -> Iterator[str | None]:
    names = given if isinstance(given, list) else [given]
    if not names:
        yield None
    for name in names:
        if isinstance(name, list):
            yield from _constant_names(name)
        else:
            yield name if isinstance(name, str) and name else None


def _rank(stage: Stage) -> int:
    return stage.rank


def _as_variant(value: object) -> str | None:
    """Return what flagd makes of a constant: null is the default variant, everything else is written as text."""
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _branches(each: list[list[Result]], place: Place) -> list[Result]:
    found = [result for results in each[1::2] for result in results]
    if len(each) % 2:
        return found + each[-1]
    return [*found, Result(None, False, True, place)]


def _first_that_settles(each: list[list[Result]], truthy: bool, place: Place) -> list[Result]:
    """Return the results of ``or`` (the first that is *truthy*) or ``and`` (the first that is not), or else of the last argument."""
    found = [] if each else [Result(None, False, True, place)]
    for index, results in enumerate(each):
        settling = [result for result in results if result.truthy is truthy]
        found += settling if index < len(each) - 1 else results
        if len(settling) == len(results):
            # Whatever stands behind is never reached.
            break
    return found


def _results_of(name: str, place: Place) -> list[Result]:
    if name in _ANYTHING:
        return [Result(None, truthy, False, place) for truthy in (True, False)]
    answers = [Result("true", True, True, place), Result("false", False, True, place)]
    return answers if name in _YES_NO else [*answers, Result(None, False, True, place)]


def _check_total(total: int, place: Place) -> None:
    if not 0 < total <= MAX_WEIGHT_SUM:
        raise place.invalid(
            found=f"weights that sum to {total}",
            wanted=f"a sum of 1 to {MAX_WEIGHT_SUM}",
            mend="flagd gives everybody the default variant otherwise; oms writes weights that sum to 10000",
        )


def _refuse_operator(name: str, place: Place) -> NoReturn:
    near = difflib.get_close_matches(name, OPERATORS, n=1)
    raise place.invalid(
        found=f"the operator {shown(name)}",
        wanted=f"one of {' '.join(sorted(OPERATORS))}",
        mend=f"did you mean {near[0]}?" if near else "take it out of targeting",
    )
