"""What the oms command itself reads from the environment: read directly, never routed."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class OmsSettings(BaseSettings):
    """Folders and looks of the oms command.

    Attributes:
        flags: Folder of the flag files; ``OMS_FLAGS``, default ``flags``.
        var: Folder of journal, process files and last-good snapshots; ``OMS_VAR``, default ``var``.
        no_color: Any non-empty ``NO_COLOR`` turns colours off (no-color.org).
    """

    model_config = SettingsConfigDict(env_prefix="OMS_", hide_input_in_errors=True)

    flags: Path = Path("flags")
    var: Path = Path("var")
    no_color: str = Field(default="", validation_alias="NO_COLOR")
