"""``rollout.toml``: read strictly, a table a phase, each mistake on one line.

A phase's policy is what ``[default]`` says, changed by ``[<phase>]``; if a profile was chosen, also by ``[profile.<name>]``, and then by
``[profile.<name>.<phase>]``. Later tables win key by key. What is left out has the
defaults of :mod:`oms.rollout.guard.policy`. A mistake spoils the phases that it concerns and no other.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from oms.rollout.guard.policy import PhasePolicy
from oms.rollout.guard.policy_tables import PolicyInvalid, Table, read_phase, unknown

FILE = "rollout.toml"
"""Its name, beside the flag files."""

_SHARED = ("default", "profile")


@dataclass(frozen=True, slots=True)
class Standing:
    """The policy of one phase as it stands.

    Attributes:
        policy: What it says; the built-in defaults where it is missing or broken, so that guards go on.
        problem: Why nothing is promoted by it, empty if it is good.
    """

    policy: PhasePolicy
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Every phase's policy under one profile.

    Attributes:
        profile: The chosen profile, None for none.
        phases: By name.
        problems: Every mistake in the file, once.
    """

    profile: str | None
    phases: Mapping[str, Standing]
    problems: tuple[PolicyInvalid, ...] = ()

    def of(self, phase: str, *, today: dt.date) -> Standing:
        """Return the policy of *phase*; one whose last day is before *today* (UTC) holds."""
        standing = self.phases[phase]
        expires = standing.policy.expires
        if standing.problem or expires is None or today <= expires:
            return standing
        return Standing(standing.policy, f"the policy expired on {expires}; {standing.policy.owner} has to renew it")


def read_policy(path: Path, phases: Iterable[str], *, profile: str | None = None) -> Policy:
    """Return what the file at *path* says for *phases*. Never raises: what is wrong with it, a missing *profile* too, is in the answer."""
    names = tuple(phases)
    try:
        raw = tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        return _nothing(
            PolicyInvalid(path, "(file)", found="no file", wanted="a policy", mend="write one"), names, profile
        )
    except OSError as error:
        problem = PolicyInvalid(
            path, "(file)", found=error.strerror or "an error", wanted="a readable policy", mend="see to it"
        )
        return _nothing(problem, names, profile)
    except (ValueError, RecursionError) as error:
        # Not TOML, not UTF-8, or nested deeper than anybody reads.
        found = f"no TOML ({error})"
        return _nothing(
            PolicyInvalid(path, "(file)", found=found, wanted="a policy in TOML", mend="mend it"), names, profile
        )
    return _policy(path, raw, names, profile)


def check_policy(path: Path, phases: Iterable[str], *, today: dt.date) -> list[str]:
    """Return everything wrong with the policy at *path*, a line each: under each of its profiles, and tables that have expired."""
    names = tuple(phases)
    plain = read_policy(path, names)
    found = [str(problem) for problem in plain.problems]
    for profile in _profiles_of(path):
        found += [str(problem) for problem in read_policy(path, names, profile=profile).problems]
    for name in names:
        if not plain.phases[name].problem and (late := plain.of(name, today=today).problem):
            found.append(f"{path}: {name}.expires: {late}")
    return list(dict.fromkeys(found))


def _profiles_of(path: Path) -> list[str]:
    try:
        raw = tomllib.loads(path.read_bytes().decode())
    except (OSError, ValueError, RecursionError):
        return []
    profiles = raw.get("profile")
    return list(profiles) if isinstance(profiles, dict) else []


def _nothing(problem: PolicyInvalid, names: tuple[str, ...], profile: str | None) -> Policy:
    return Policy(profile, {name: Standing(PhasePolicy(), str(problem)) for name in names}, (problem,))


def _policy(path: Path, raw: dict[str, object], names: tuple[str, ...], profile: str | None) -> Policy:
    strangers = _strangers(path, raw, names)
    chosen = _chosen(path, raw, profile, strangers)
    phases: dict[str, Standing] = {}
    problems = {str(problem): problem for problem in strangers}
    for name in names:
        own = list(strangers)
        policy = read_phase(
            Table.of(
                path, [("default", raw.get("default")), (name, raw.get(name)), *_of_phase(chosen, name, names)], own
            ),
            name,
        )
        problems.update({str(problem): problem for problem in own})
        phases[name] = Standing(PhasePolicy(), str(own[0])) if policy is None or own else Standing(policy)
    return Policy(profile, phases, tuple(problems.values()))


def _chosen(
    path: Path, raw: dict[str, object], profile: str | None, problems: list[PolicyInvalid]
) -> list[tuple[str, object]]:
    profiles = raw.get("profile")
    known = profiles if isinstance(profiles, dict) else {}
    if profile is None:
        return []
    if profile not in known:
        wanted = f"one of {' '.join(known)}" if known else "a profile, [profile.<name>], which the file has none of"
        problems.append(PolicyInvalid(path, f"profile.{profile}", found="nothing", wanted=wanted, mend="name another"))
        return []
    return [(f"profile.{profile}", known[profile])]


def _of_phase(chosen: list[tuple[str, object]], name: str, names: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Yield what the chosen profile says of all phases, then what of the one called *name*."""
    for path, table in chosen:
        if not isinstance(table, dict):
            yield path, table
            return
        yield path, {key: value for key, value in table.items() if key not in names}
        yield f"{path}.{name}", table.get(name)


def _strangers(path: Path, raw: dict[str, object], names: tuple[str, ...]) -> list[PolicyInvalid]:
    """A table of nobody may have been meant for any phase, so it spoils all of them."""
    known = (*_SHARED, *names)
    found = [unknown(path, "", name, known) for name in raw if name not in known]
    if not isinstance(raw.get("profile", {}), dict):
        found.append(
            PolicyInvalid(path, "profile", found="no table", wanted="[profile.<name>]", mend="mend or remove it")
        )
    return found
