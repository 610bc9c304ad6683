"""Declaring a variable: one line in a group, with everything that is known of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo

from oms.unified.config import validators
from oms.unified.config.profile import DEPLOYED, Profile
from oms.unified.config.validators import Check

_META = "oms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """What is declared of one variable beside its type and default.

    Attributes:
        name: Filled in by the group.
        is_security: Security-critical: without default, held as a Secret, judged by *checks*.
        aliases: Older names that are still read, each with a deprecation warning; the first that is set counts.
        required_in: Profiles in which it must be set.
        checks: What a secret must pass, tried in order; the first that fails is reported.
        wanted: What the checks ask for, in words.
        about: What it is for, one sentence; empty where the name says it.
    """

    name: str = ""
    is_security: bool = False
    aliases: tuple[str, ...] = ()
    required_in: frozenset[Profile] = frozenset()
    checks: tuple[Check, ...] = ()
    wanted: str = ""
    about: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical name, then the aliases."""
        return (self.name, *self.aliases)


def env_var(
    default: Any,
    *,
    aliases: tuple[str, ...] = (),
    required_in: frozenset[Profile] = frozenset(),
    about: str = "",
) -> Any:
    """Declare a variable. *default* is what it reads as when it is unset, empty or blank; None for nothing."""
    meta = Variable(aliases=aliases, required_in=required_in, about=about)
    return Field(default=default, json_schema_extra={_META: meta})  # type: ignore[dict-item]  # ours, never in a schema


def security_var(
    *,
    least: int = 32,
    check: Check | None = None,
    wanted: str = "",
    aliases: tuple[str, ...] = (),
    required_in: frozenset[Profile] = DEPLOYED,
    about: str = "",
) -> Any:
    """Declare a security-critical variable. It takes no default: unset, it is None, or refused where it is required.

    Args:
        least: Characters it must have.
        check: One more check, for its form.
        wanted: What the value must be, in words; made from *least* if empty.
    """
    checks = (
        validators.no_line_break,
        validators.no_placeholder,
        *((check,) if check else ()),
        validators.min_length(least),
        validators.entropy,
    )
    wanted = wanted or f"{least} random characters or more"
    meta = Variable(
        is_security=True, aliases=aliases, required_in=required_in, checks=checks, wanted=wanted, about=about
    )
    return Field(default=None, json_schema_extra={_META: meta})  # type: ignore[dict-item]  # ours, never in a schema


def variable_of(name: str, field: FieldInfo) -> Variable | None:
    """Return what was declared of the field *name*, None if it was declared in another way."""
    extra = field.json_schema_extra
    meta = extra.get(_META) if isinstance(extra, dict) else None
    return replace(meta, name=name) if isinstance(meta, Variable) else None


Parse = Callable[[str], Any]
