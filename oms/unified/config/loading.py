"""From an environment to every value and every problem, in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from oms.seams.config import Secret
from oms.unified.config.errors import Problem
from oms.unified.config.group import READING, UNFIT, Group, Reading
from oms.unified.config.kinds import value_of
from oms.unified.config.profile import Profile
from oms.unified.config.variables import Variable

PROFILE = "ENVIRONMENT"
"""The variable that names the profile."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A group as it was registered.

    Attributes:
        owner: Who answers for its variables.
        required_in: Profiles in which every variable of the group must be set, beside what each says itself.
    """

    group: type[Group]
    owner: str
    required_in: frozenset[Profile] = frozenset()

    @property
    def title(self) -> str:
        """``SecuritySettings`` as ``security``."""
        return self.group.__name__.removesuffix("Settings").lower()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything that one reading came to; shows none of it.

    Attributes:
        values: By every name, aliases too; only of variables without a problem.
        groups: The groups that could be made as a whole.
        sources: By variable, the name in the environment that its value came from.
        problems: By variable.
    """

    values: Mapping[str, Any] = field(repr=False)
    groups: Mapping[type[Group], Group] = field(repr=False)
    sources: Mapping[str, str]
    problems: Mapping[str, tuple[Problem, ...]]

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Every problem, in the order of the groups."""
        return tuple(problem for each in self.problems.values() for problem in each)


def load(registrations: Iterable[Registration], environment: Mapping[str, str]) -> Loaded:
    """Read *environment* for every group. Raises nothing: what is wrong is among the problems."""
    registered = tuple(registrations)
    reading = Reading(environment)
    values: dict[str, Any] = {}
    found: dict[str, list[Problem]] = {name: [] for each in registered for name in each.group.declared}
    groups: dict[type[Group], Group] = {}
    for each in registered:
        made, unfit = _read(each.group, reading)
        if made is not None:
            groups[each.group] = made
            values.update({name: getattr(made, name) for name in each.group.declared})
        else:
            values.update(_good_ones(each.group, reading, unfit))
        for name, problem in unfit.items():
            found[name].append(_told(each, problem))
    profile = values.get(PROFILE, Profile.PRODUCTION)
    for name, problem in (
        *_conflicting(registered, reading),
        *_missing(registered, values, reading, found, profile),
        *_equal(registered, values),
    ):
        found[name].append(problem)
    problems = {name: tuple(each) for name, each in found.items() if each}
    groups = {group: made for group, made in groups.items() if not problems.keys() & group.declared.keys()}
    by_name = {
        alias: values[name]
        for each in registered
        for name, variable in each.group.declared.items()
        if name not in problems
        for alias in variable.names
    }
    return Loaded(by_name, groups, dict(reading.used), problems)


def _read(group: type[Group], reading: Reading) -> tuple[Group | None, dict[str, Problem]]:
    token = READING.set(reading)
    try:
        return group(), {}
    except ValidationError as error:
        # Only types, places and our own words are taken out of it: the rest of what pydantic knows holds values.
        details = error.errors(include_url=False, include_context=True, include_input=False)
    finally:
        READING.reset(token)
    return None, {str(each["loc"][0]): _problem(str(each["loc"][0]), each) for each in details}


def _problem(name: str, detail: Any) -> Problem:
    if detail["type"] != UNFIT:
        return Problem(name=name, found="something that does not fit its type", wanted="a value of its type")
    return Problem(name=name, found=detail["ctx"]["found"], wanted=detail["ctx"]["wanted"])


def _good_ones(group: type[Group], reading: Reading, unfit: Mapping[str, Problem]) -> Iterator[tuple[str, Any]]:
    """Yield what could be read of a group that could not be made as a whole."""
    for name, variable in group.declared.items():
        if name in unfit:
            continue
        info = group.model_fields[name]
        if name in reading.used:
            yield name, value_of(variable, info.annotation, reading.environment[reading.used[name]])
        else:
            yield name, info.get_default()


def _conflicting(registered: Iterable[Registration], reading: Reading) -> Iterator[tuple[str, Problem]]:
    for each, name, _ in _declared(registered):
        if others := reading.conflicting.get(name):
            found = f"{' and '.join((reading.used[name], *others))} set to different values"
            mend = f"keep {name} and unset the others"
            yield name, _told(each, Problem(name=name, found=found, wanted="one value", mend=mend))


def _missing(
    registered: Iterable[Registration],
    values: Mapping[str, Any],
    reading: Reading,
    found: Mapping[str, list[Problem]],
    profile: Profile,
) -> Iterator[tuple[str, Problem]]:
    for each, name, variable in _declared(registered):
        is_required = profile in variable.required_in | each.required_in
        if is_required and name not in reading.used and not found[name] and values.get(name) is None:
            wanted = variable.wanted or "a value"
            why = f"required in {profile.value}: set it, or name another ENVIRONMENT"
            yield name, _told(each, Problem(name=name, found="nothing", wanted=wanted, mend=why))


def _equal(registered: Iterable[Registration], values: Mapping[str, Any]) -> Iterator[tuple[str, Problem]]:
    held = [
        (each, name, value) for each, name, _ in _declared(registered) if isinstance(value := values.get(name), Secret)
    ]
    for (_, first, one), (each, second, other) in combinations(held, 2):
        if one == other:
            problem = Problem(name=second, found=f"the same as in {first}", wanted="a secret of its own")
            yield second, _told(each, problem)


def _declared(registered: Iterable[Registration]) -> Iterator[tuple[Registration, str, Variable]]:
    for each in registered:
        for name, variable in each.group.declared.items():
            yield each, name, variable


def _told(each: Registration, problem: Problem) -> Problem:
    return replace(problem, group=each.title, owner=each.owner)
