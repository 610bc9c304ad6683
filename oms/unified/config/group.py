"""A group of variables: a pydantic-settings class that reads nothing but what it declares, and says where each value came from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from oms.unified.config.errors import NotDeclarable
from oms.unified.config.kinds import Unfit, is_declarable, value_of
from oms.unified.config.variables import Variable, variable_of

UNFIT = "oms_unfit"
"""Type of the errors that our own parsing makes; of others nothing but the type is told."""


@dataclass(slots=True)
class Reading:
    """One reading of an environment.

    Attributes:
        environment: What is read.
        used: By variable, the name in the environment that its value came from.
        conflicting: By variable, the names that are set to something else than the one that counts.
    """

    environment: Mapping[str, str] = field(repr=False)
    used: dict[str, str] = field(default_factory=dict)
    conflicting: dict[str, tuple[str, ...]] = field(default_factory=dict)


READING: ContextVar[Reading | None] = ContextVar("oms_configuration_reading", default=None)
"""The reading that groups made now belong to; pydantic-settings makes their sources itself. None reads the process environment."""


class Group(BaseSettings):
    """Variables that have one owner. Declare each with ``env_var`` or ``security_var``.

    ``SecuritySettings()`` reads the process environment, but pydantic's own errors then say less than ``unified_env`` does.
    """

    model_config = SettingsConfigDict(
        frozen=True, case_sensitive=True, hide_input_in_errors=True, extra="ignore", arbitrary_types_allowed=True
    )

    declared: ClassVar[Mapping[str, Variable]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Collect what is declared.

        Raises:
            NotDeclarable: if a field was declared in another way, has a type that no text can become, or is security-critical with a default.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls.declared = {name: _declared(cls, name, info) for name, info in cls.model_fields.items()}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read what is given and the environment, by our own rules."""
        return init_settings, EnvironmentSource(settings_cls)

    @field_validator("*", mode="before")
    @classmethod
    def _from_text(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        if not isinstance(value, str):
            return value
        try:
            return value_of(cls.declared[name], cls.model_fields[name].annotation, value)
        except Unfit as unfit:
            found = {"found": unfit.found, "wanted": unfit.wanted}
        raise PydanticCustomError(UNFIT, "found {found}, wanted {wanted}", found)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(type(self).model_fields)})"

    __str__ = __repr__


class EnvironmentSource(PydanticBaseSettingsSource):
    """Texts of the environment by variable. Empty and blank ones count as unset, but not for a secret: there they are a mistake."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the text of one variable, None if it is unset."""
        reading = READING.get() or Reading(os.environ)
        variable = variable_of(field_name, field)
        if variable is None:
            return None, field_name, False
        texts = {
            name: text for name in variable.names if (text := _text(reading.environment, variable, name)) is not None
        }
        if not texts:
            return None, field_name, False
        used, text = next(iter(texts.items()))
        reading.used[field_name] = used
        if others := tuple(name for name, other in texts.items() if other != text):
            reading.conflicting[field_name] = others
        return text, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return every text that is set, by variable."""
        found = {name: self.get_field_value(info, name)[0] for name, info in self.settings_cls.model_fields.items()}
        return {name: text for name, text in found.items() if text is not None}


def _text(environment: Mapping[str, str], variable: Variable, name: str) -> str | None:
    text = environment.get(name)
    return text if text is not None and (variable.is_security or text.strip()) else None


def _declared(cls: type[Group], name: str, info: FieldInfo) -> Variable:
    variable = variable_of(name, info)
    where = f"{cls.__name__}.{name}"
    if variable is None:
        raise NotDeclarable(f"{where}: found a plain field, wanted env_var() or security_var()")
    if not is_declarable(info.annotation):
        raise NotDeclarable(
            f"{where}: found a type that no text becomes, wanted str, int, float, bool, tuple or Secret"
        )
    if variable.is_security and info.get_default() is not None:
        raise NotDeclarable(f"{where}: found a default, wanted none: it is security-critical")
    return variable
